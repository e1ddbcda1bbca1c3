"""The naive exporter as a process."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.process import Program
from bench.provider import Provider


class Naive(Program):
    """`naive_exporter` with so many accounts; with the interval 0 it polls without a pause."""

    def __init__(self, provider: Provider, accounts: int, *, interval: float) -> None:
        super().__init__()
        self._provider = provider
        self._accounts = accounts
        self._interval = interval

    def command(self, directory: Path) -> Sequence[str]:
        """It needs no files."""
        del directory
        flags = {
            "port": self.port,
            "wsdl": self._provider.wsdl,
            "accounts": self._accounts,
            "interval": self._interval,
        }
        return [
            sys.executable,
            "-m",
            "bench.peers.naive_exporter",
            *(f"--{key}={flags[key]}" for key in flags),
        ]
