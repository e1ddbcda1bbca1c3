"""What the exporter is measured beside: the naive way, and Debian's programs."""
