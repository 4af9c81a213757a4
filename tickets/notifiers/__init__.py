"""What tickets have to tell people."""
