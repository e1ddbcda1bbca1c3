"""When each account is asked, and what is known of all of them."""
