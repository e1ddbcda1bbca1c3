"""Resident memory with 10,000 accounts, polled and scraped."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle

from bench.exporter import Exporter
from bench.mark import Mark
from bench.provider import Provider
from bench.result import Row, limited, shown
from bench.scrape import CODINGS, Scraper

ACCOUNTS = 10_000
INTERVAL = "10s"
SCRAPE_EVERY = 1.0
SECONDS = 30.0
LIMIT = 120.0


class Load:
    """An exporter that is polling, and scrapes of it, plain and compressed in turn."""

    def __init__(self, exporter: Exporter, provider: Provider, scrapers: Sequence[Scraper]) -> None:
        self.exporter = exporter
        self.provider = provider
        self._scrapers = cycle(scrapers)

    def highest(self, seconds: float, every: float) -> float:
        """Scrape for so long; return the highest resident memory that was seen, in MB."""
        highest = 0.0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            next(self._scrapers).seconds()
            highest = max(highest, self.exporter.resident())
            time.sleep(every)
        return highest


@contextmanager
def loaded(accounts: int, interval: str) -> Iterator[Load]:
    """Run an exporter of which all accounts have been polled."""
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        exporter = running.enter_context(Exporter(provider, accounts, interval=interval))
        exporter.await_all_polled()
        scrapers = [running.enter_context(Scraper(exporter.port, coding)) for coding in CODINGS]
        yield Load(exporter, provider, scrapers)


def _run() -> Sequence[Row]:
    with loaded(ACCOUNTS, INTERVAL) as load:
        highest = load.highest(SECONDS, SCRAPE_EVERY)
        peak = f"peak since the start: {shown(load.exporter.peak(), 'MB')}"
    return [limited(f"memory, {ACCOUNTS:,} accounts", [highest], "MB", at_most=LIMIT, beside=peak)]


MARK = Mark(
    "memory",
    "Resident memory",
    (),
    f"""\
{ACCOUNTS:,} accounts with all their series, polled every {INTERVAL}, scraped every second for {SECONDS:g}
s, compressed and plain in turn. The highest resident memory (`VmRSS`) after a scrape; the peak (`VmHWM`)
has the start in it.""",
    _run,
)
