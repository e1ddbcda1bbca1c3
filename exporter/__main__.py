"""``python -m exporter`` is the command ``cfdi-stamps-exporter``."""

from exporter.cli import run

run()
