"""Debian's prometheus-pushgateway, holding the same series."""

from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

from bench.process import START_SECONDS, Program, ProgramError


class Pushgateway(Program):
    """A Pushgateway to which the series are pushed, all as one group."""

    def command(self, directory: Path) -> Sequence[str]:
        """It keeps nothing on the disk."""
        del directory
        return [
            "prometheus-pushgateway",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=error",
        ]

    def put(self, series: bytes) -> None:
        """Replace the group's series."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            connection.request("PUT", "/metrics/job/bench", body=series)
            response = connection.getresponse()
            told = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ProgramError(f"the Pushgateway refused the series: {told.decode(errors='replace')}")
