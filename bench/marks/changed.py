"""A scrape after everything has changed, beside node_exporter's textfile collector and the Pushgateway."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from bench.exporter import TEXT, Exporter
from bench.mark import Mark
from bench.peers.pushgateway import Pushgateway
from bench.peers.textfile import Textfile
from bench.process import fetched
from bench.provider import Provider
from bench.result import AtLeast, Row, beside, compared, limited
from bench.rounds import interleaved
from bench.scrape import CODINGS, Coding, Scraper

ACCOUNTS = 10_000
ROUNDS = 4
FASTER = {"plain": 45, "gzip": 30}
MOST_BYTES = 13.0  # MB


def _run() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        exporter = running.enter_context(Exporter(provider, ACCOUNTS, interval="1s"))
        textfile = running.enter_context(Textfile())
        gateway = running.enter_context(Pushgateway())
        exporter.await_all_polled()
        exporter.quiet()
        changes: dict[str, Callable[[], object]] = {
            "exporter": exporter.change_everything,
            "textfile": lambda: textfile.put(series_of_accounts(exporter)),
            "Pushgateway": lambda: gateway.put(series_of_accounts(exporter)),
        }
        ports = {"exporter": exporter.port, "textfile": textfile.port, "Pushgateway": gateway.port}
        scrapers = {
            (name, coding): running.enter_context(Scraper(port, coding))
            for name, port in ports.items()
            for coding in CODINGS
        }

        def scraped(name: str, coding: Coding) -> float:
            changes[name]()
            return scrapers[name, coding].milliseconds()

        for name, coding in scrapers:  # the first time everyone grows its memory
            scraped(name, coding)
        found = interleaved(
            ROUNDS, {f"{name} {coding}": partial(scraped, name, coding) for name, coding in scrapers}
        )
        size = len(fetched(exporter.port, "/metrics", TEXT)) / 1e6
    rows = [limited(f"bytes of a scrape of {ACCOUNTS:,} accounts", [size], "MB", at_most=MOST_BYTES)]
    for coding in CODINGS:
        what = f"scrape of {ACCOUNTS:,} accounts, all changed, {coding}"
        ours = found[f"exporter {coding}"]
        theirs = found[f"textfile {coding}"]
        rows += [
            compared(what, ours, "textfile collector", theirs, AtLeast(FASTER[coding], "faster"), unit="ms"),
            beside(what, ours, "Pushgateway", found[f"Pushgateway {coding}"], unit="ms"),
        ]
    return rows


def series_of_accounts(exporter: Exporter) -> bytes:
    """Return what the exporter shows now, without the series about its own process."""
    lines = fetched(exporter.port, "/metrics", TEXT).splitlines(keepends=True)
    return b"".join(line for line in lines if b"process_" not in line)


MARK = Mark(
    "changed",
    "A scrape after everything has changed",
    ("prometheus-node-exporter", "prometheus-pushgateway"),
    f"""\
Before each scrape every one of {ACCOUNTS:,} accounts is polled once more and shown; then the provider holds
its answers, so that no polls take CPU from the scrape. The textfile collector gets the same series as a new
file, the Pushgateway by a new push. {ROUNDS} rounds, each with and without gzip; the scrape is timed from
the request's first byte to the answer's last, by one client that reads and keeps nothing. node_exporter has
no other collectors than this one.

A block of lines that hasn't changed isn't compressed again. To compress all lines in one go and to copy the
compressor for the rest (`compressobj.copy()`) takes as long where all has changed, and where little has it
takes all of that again.""",
    _run,
)
