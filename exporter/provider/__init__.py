"""The providers (PACs): how each is asked. Nothing else puts a request on the wire."""
