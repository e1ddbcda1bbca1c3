"""What is known of an account, and what follows from an answer. Pure: no clock, no network, no storage."""
