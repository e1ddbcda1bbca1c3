"""What survives a restart: one SQLite file."""
