"""The HTTP server: routes, who may pass, and what is sent."""
