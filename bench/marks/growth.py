"""What ten and a hundred times the accounts cost."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.exporter import Exporter
from bench.mark import Mark
from bench.process import Program
from bench.provider import Provider
from bench.result import AtMost, Row, compared, limited, shown
from bench.rounds import interleaved
from bench.scrape import CODINGS, Scraper

SMALL, LARGE, HUGE = 1000, 10_000, 100_000
INTERVALS = {SMALL: "2s", LARGE: "20s"}
"""So that as many polls a second are due with the small number as with the large one."""
ROUNDS = 5
SECONDS = 4.0
SCRAPE_EVERY = 1.0
LIMIT = 1.3
SELDOM = "15m"
MOST_MEMORY = 700.0  # MB, of the huge number


def _scraped(scraper: Scraper) -> float:
    time.sleep(SCRAPE_EVERY)
    return scraper.milliseconds()


def _costs(programs: Sequence[tuple[Program, Provider]]) -> list[float]:
    """Return the CPU a poll of programs that run at the same time."""
    before = [(provider.answered(), program.cpu_seconds()) for program, provider in programs]
    time.sleep(SECONDS)
    after = [(provider.answered(), program.cpu_seconds()) for program, provider in programs]
    return [
        (cpu - cpu_before) / (polls - polls_before) * 1000
        for (polls_before, cpu_before), (polls, cpu) in zip(before, after, strict=True)
    ]


def _run() -> Sequence[Row]:
    return [*_tenfold(), *_hundredfold()]


def _tenfold() -> Sequence[Row]:
    with ExitStack() as running:
        pairs = []
        for accounts in (SMALL, LARGE):
            provider = running.enter_context(Provider())
            exporter = running.enter_context(Exporter(provider, accounts, interval=INTERVALS[accounts]))
            exporter.await_all_polled()
            pairs.append((exporter, provider))
        small, large = zip(*(_costs(pairs) for _ in range(ROUNDS)), strict=True)
        scrapers = {
            f"{exporter.accounts} {coding}": running.enter_context(Scraper(exporter.port, coding))
            for coding in CODINGS
            for exporter, _ in pairs
        }
        measures = {name: lambda scraper=scraper: _scraped(scraper) for name, scraper in scrapers.items()}
        interleaved(1, measures)
        found = interleaved(ROUNDS, measures)
    rows = [
        compared(
            f"CPU a poll, {LARGE:,} accounts", large, f"{SMALL:,} accounts", small, AtMost(LIMIT), unit="ms"
        )
    ]
    for coding in CODINGS:
        times = LIMIT * LARGE / SMALL
        ours, theirs = found[f"{LARGE} {coding}"], found[f"{SMALL} {coding}"]
        what = f"scrape of {LARGE:,} accounts, {coding}"
        rows.append(compared(what, ours, f"{SMALL:,} accounts", theirs, AtMost(times), unit="ms"))
    return rows


def _hundredfold() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        huge = running.enter_context(Exporter(provider, HUGE, interval=SELDOM, at_once=True))
        answered = time.perf_counter() - huge.started
        huge.await_all_polled(HUGE / 50)  # seconds, for a machine that does other things too
        polled = time.perf_counter() - huge.started
        large = running.enter_context(Exporter(provider, LARGE, interval=SELDOM, at_once=True))
        large.await_all_polled()
        scrapers = {
            f"{exporter.accounts} {coding}": running.enter_context(Scraper(exporter.port, coding))
            for coding in CODINGS
            for exporter in (huge, large)
        }
        measures = {name: lambda scraper=scraper: _scraped(scraper) for name, scraper in scrapers.items()}
        interleaved(1, measures)
        found = interleaved(ROUNDS, measures)
        memory, peak = huge.resident(), huge.peak()
    many = f"{HUGE:,} accounts"
    times = LIMIT * HUGE / LARGE
    return [
        *(
            compared(
                f"scrape of {many} every {SELDOM}, {coding}",
                found[f"{HUGE} {coding}"],
                f"{LARGE:,} accounts",
                found[f"{LARGE} {coding}"],
                AtMost(times),
                unit="ms",
            )
            for coding in CODINGS
        ),
        limited(f"memory, {many}", [memory], "MB", at_most=MOST_MEMORY, beside=f"peak: {shown(peak, 'MB')}"),
        Row(
            f"first scrape, {many}", shown(answered, "s"), f"all polled and shown after {shown(polled, 's')}"
        ),
    ]


MARK = Mark(
    "growth",
    "Growth",
    (),
    f"""\
{SMALL:,} accounts with an interval of {INTERVALS[SMALL]} and {LARGE:,} with one of {INTERVALS[LARGE]}: as
many polls a second, in two daemons that run at the same time, {ROUNDS} times {SECONDS:g} s. Then scrapes of
both in turn while they go on polling. A scrape counts as linear where ten times the accounts take at most
{LIMIT * LARGE / SMALL:g} times as long. Then {HUGE:,} accounts with an interval of {SELDOM}, all of which are
polled at once after the start, beside {LARGE:,} with the same interval.""",
    _run,
)
