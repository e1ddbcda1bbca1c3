"""How long a scrape stops the exporter's loop, seen by a client that asks for something else meanwhile."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from threading import Thread

from bench.exporter import Exporter
from bench.mark import Mark
from bench.provider import Provider
from bench.result import Row, limited, shown
from bench.scrape import CODINGS, Coding, Scraper

ACCOUNTS = 10_000
ROUNDS = 5
LIMIT = 10.0
EVERY = 0.001
CALM = 0.5
"""Seconds of each round in which nobody scrapes."""


def longest(healthy: Scraper, ended: Callable[[], bool]) -> float:
    """Ask for `/-/healthy` every millisecond until that ended; return the longest wait in milliseconds."""
    worst = 0.0
    while not ended():
        worst = max(worst, healthy.milliseconds())
        time.sleep(EVERY)
    return worst


def during(scraper: Scraper, healthy: Scraper) -> float:
    """Return the longest wait of another client during a scrape."""
    # Both only wait for sockets and copy from them, outside of Python's lock.
    scrape = Thread(target=scraper.seconds)
    scrape.start()
    worst = longest(healthy, lambda: not scrape.is_alive())
    scrape.join()
    return worst


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _run() -> Sequence[Row]:
    calm: list[float] = []
    waits: dict[Coding, list[float]] = {coding: [] for coding in CODINGS}
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        exporter = running.enter_context(Exporter(provider, ACCOUNTS, interval="1s"))
        exporter.await_all_polled()
        exporter.quiet()
        healthy = running.enter_context(Scraper(exporter.port, "plain", path="/-/healthy"))
        scrapers = {coding: running.enter_context(Scraper(exporter.port, coding)) for coding in CODINGS}
        for scraper in scrapers.values():
            scraper.seconds()
        for _ in range(ROUNDS):
            for coding, scraper in scrapers.items():
                exporter.change_everything()
                waits[coding].append(during(scraper, healthy))
            calm.append(longest(healthy, _after(CALM)))
    return [
        limited(
            f"longest stop of the loop, {coding} scrape",
            waits[coding],
            "ms",
            at_most=LIMIT,
            beside=f"without a scrape: {shown(median(calm), 'ms')}",
        )
        for coding in CODINGS
    ]


MARK = Mark(
    "pause",
    "How long a scrape stops the loop",
    (),
    f"""\
{ACCOUNTS:,} accounts, all changed since the last scrape, no polls under way. While one client scrapes,
another asks for `/-/healthy` every millisecond over a connection of its own. Its longest wait is at least
the longest time that the loop did nothing else: an answer takes several steps of the loop, and whatever the
machine adds, which the figure without a scrape shows. Median of {ROUNDS} rounds.""",
    _run,
)
