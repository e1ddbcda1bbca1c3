"""The running exporter: its parts, put together."""
