"""Reading YAML with the place of everything in it. It knows nothing of this program's schema."""
