"""The only way to put a credential on the wire, and the memory of what became of it."""
