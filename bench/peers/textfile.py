"""Debian's prometheus-node-exporter with its textfile collector alone, holding the same series."""

from collections.abc import Sequence
from pathlib import Path

from bench.process import Program


class Textfile(Program):
    """A node_exporter whose textfile can be replaced, as a cron job would do it."""

    def command(self, directory: Path) -> Sequence[str]:
        """Begin without a textfile."""
        self._file = directory / "cfdi.prom"
        return [
            "prometheus-node-exporter",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={directory}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.disable-exporter-metrics",
            "--log.level=error",
        ]

    def put(self, series: bytes) -> None:
        """Replace the file."""
        new = self._file.with_suffix(".new")
        new.write_bytes(series)
        new.replace(self._file)
