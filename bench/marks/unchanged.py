"""A scrape while nothing changes, beside nginx with the same bytes as files."""

from collections.abc import Sequence
from contextlib import ExitStack

from bench.exporter import Exporter
from bench.mark import Mark
from bench.peers.nginx import Nginx
from bench.process import fetched
from bench.provider import Provider
from bench.result import AtMost, Row, compared
from bench.rounds import interleaved
from bench.scrape import CODINGS, PROMETHEUS, Scraper

ACCOUNTS = 10_000
ROUNDS = 25
LIMITS = {"plain": 1.5, "gzip": 2}


def _run() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        exporter = running.enter_context(Exporter(provider, ACCOUNTS, interval="1s"))
        exporter.await_all_polled()
        exporter.quiet()
        headers = {"Accept": PROMETHEUS}
        plain = fetched(exporter.port, "/metrics", headers)
        compressed = fetched(exporter.port, "/metrics", {**headers, "Accept-Encoding": "gzip"})
        nginx = running.enter_context(Nginx(plain, compressed))
        scrapers = {
            f"{name} {coding}": running.enter_context(Scraper(port, coding))
            for coding in CODINGS
            for name, port in (("exporter", exporter.port), ("nginx", nginx.port))
        }
        interleaved(2, {name: scraper.milliseconds for name, scraper in scrapers.items()})
        found = interleaved(ROUNDS, {name: scraper.milliseconds for name, scraper in scrapers.items()})
    size = {"plain": len(plain), "gzip": len(compressed)}
    peer = {"plain": "nginx", "gzip": "nginx gzip_static"}
    return [
        compared(
            f"scrape of {ACCOUNTS:,} accounts, unchanged, {coding} ({size[coding] / 1e6:.1f} MB)",
            found[f"exporter {coding}"],
            peer[coding],
            found[f"nginx {coding}"],
            AtMost(LIMITS[coding]),
            unit="ms",
        )
        for coding in CODINGS
    ]


MARK = Mark(
    "unchanged",
    "A scrape while nothing changes",
    ("nginx",),
    f"""\
{ACCOUNTS:,} accounts, all polled, then left alone. nginx (one worker, `sendfile`, `tcp_nopush`) serves the
bytes that the exporter answered with, and with `gzip_static` those that it answered with compressed.
{ROUNDS} rounds; the same client. The exporter renders the metrics of its own process anew once a second. Of
the difference most is the copying of {ACCOUNTS:,} accounts' lines into the kernel, which sendfile spares
nginx. Large pieces are written as they are, small ones joined to 256 KiB: to cut the large ones to that, too,
made a scrape slower by a tenth. Joined to 1 MiB, each client that doesn't read held 1.7 MB rather than 0.3,
and in some runs a scrape took half as long again. A compressed answer is ready in 0.2 ms; of the time to
deliver it two fifths, by cProfile, are the kernel's copying, and most of the rest is what aiohttp does for
any request.""",
    _run,
)
