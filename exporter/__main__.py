"""``python -m exporter`` is the command ``cfdi-stamps-exporter``."""

from exporter.cli.main import run

run()
