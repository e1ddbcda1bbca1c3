"""The exporter as its users run it: the command, a configuration, a storage on the disk."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.process import Program, ProgramError, fetched
from bench.provider import Provider

TEXT = {"Accept": "text/plain;version=0.0.4"}
PUBLISHED_SECONDS = 1.0
"""In which an exporter with anything to show uses CPU: it shows what has changed twice a second."""

AT_ONCE = (
    "from exporter.cli.main import run; from exporter.daemon.pace import Pace; run(Pace(first_polls=0.0))"
)

IDLE_CPU = 0.04
"""Share of a CPU that an exporter stays under which has nothing to do."""


class Exporter(Program):
    """The daemon with so many accounts, each with everything that makes a series."""

    def __init__(
        self,
        provider: Provider,
        accounts: int,
        *,
        interval: str,
        concurrency: int = 64,
        at_once: bool = False,
    ) -> None:
        """With ``at_once`` first polls aren't spread over the interval, which may be a quarter of an hour."""
        super().__init__()
        self._at_once = at_once
        self._provider = provider
        self.accounts = accounts
        self._interval = interval
        self._concurrency = concurrency

    def command(self, directory: Path) -> Sequence[str]:
        """Write the configuration."""
        file = directory / "config.yaml"
        file.write_text(configuration(self._provider.wsdl, self.accounts, self._interval, self._concurrency))
        program = [str(Path(sys.executable).with_name("cfdi-stamps-exporter"))]
        if self._at_once:
            program = [sys.executable, "-c", AT_ONCE]
        return [
            *program,
            f"--config.file={file}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def await_all_polled(self, seconds: float = 300.0) -> None:
        """Wait until every account has been polled and is shown, and each credential is proven.

        No other program may be calling the provider meanwhile.
        """
        deadline = time.monotonic() + seconds
        self._provider.await_answers(self.accounts, seconds)
        while (shown := fetched(self.port, "/metrics", TEXT).count(b"\ncfdi_account_up{")) < self.accounts:
            if time.monotonic() > deadline:
                raise ProgramError(f"{shown} of {self.accounts} accounts are shown; the log:\n{self.log}")
            time.sleep(PUBLISHED_SECONDS)

    def change_everything(self) -> None:
        """Have every account polled once more and shown, then no more polls: the provider holds its answers.

        Accounts are polled in turn where their interval is shorter than polling them all takes.
        """
        before = self._provider.answered()
        self._provider.release()
        self._provider.await_answers(before + self.accounts + 2 * self._concurrency)
        self.quiet()

    def quiet(self) -> None:
        """Let the provider answer no more, and wait until all that it has answered is shown.

        A scrape would tell, but do some work of the next one beforehand. That the exporter is idle tells too.
        """
        self._provider.hold()
        busy = True
        while busy:
            cpu = self.cpu_seconds()
            time.sleep(PUBLISHED_SECONDS)
            busy = self.cpu_seconds() - cpu > IDLE_CPU * PUBLISHED_SECONDS


def configuration(wsdl: str, accounts: int, interval: str, concurrency: int) -> str:
    """Return a configuration with so many accounts that have thresholds and a label."""
    # Nothing gets stale while the provider holds its answers.
    head = f"""\
global: {{environment: bench, interval: {interval}, stale_after: 1d}}
environments:
  bench: {{wsdl: "{wsdl}", concurrency: {concurrency}}}
accounts:
"""
    return head + "".join(
        f"- {{name: customer-{number:06}, username: ws@customer-{number:06}.example, password: b-{number},"
        f" thresholds: {{warning: 500, critical: 100}}, labels: {{team: billing}}}}\n"
        for number in range(1, accounts + 1)
    )
