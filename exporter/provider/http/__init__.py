"""HTTP towards the providers: connections, names, and threads for what may hang."""
