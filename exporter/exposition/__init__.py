"""What ``/metrics`` serves: lines rendered when an account changes."""
