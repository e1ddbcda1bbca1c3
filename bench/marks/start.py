"""From the start of the process to the first answer on /metrics."""

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median

from bench.exporter import Exporter
from bench.mark import Mark
from bench.peers.naive import Naive
from bench.process import Program
from bench.provider import Provider
from bench.result import AtMost, Row, compared, shown
from bench.rounds import interleaved

FEW, MANY = 10, 10_000
ROUNDS = 7
ROUNDS_MANY = 3


def first_answer(make: Callable[[], Program], path: str = "/metrics") -> float:
    """Return the milliseconds until a new process answers."""
    program = make()
    program.start()
    try:
        return program.await_ready(path) * 1000
    finally:
        program.stop()


def check(exporter: Exporter) -> float:
    """Return the milliseconds that loading the configuration takes a process that does only that."""
    with exporter.prepared() as (command, _):
        start = time.perf_counter()
        subprocess.run([*command, "--config.check"], check=True, capture_output=True, timeout=120)
        return (time.perf_counter() - start) * 1000


def _run() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        few = {
            "exporter": lambda: first_answer(lambda: Exporter(provider, FEW, interval="15m")),
            "naive": lambda: first_answer(lambda: Naive(provider, FEW, interval=900)),
        }
        interleaved(1, few)  # writes the compiled modules, fills the system's caches
        found = interleaved(ROUNDS, few)
        many = interleaved(
            ROUNDS_MANY,
            {
                "port": lambda: first_answer(lambda: Exporter(provider, MANY, interval="15m"), "/-/healthy"),
                "scrape": lambda: first_answer(lambda: Exporter(provider, MANY, interval="15m")),
                "check": lambda: check(Exporter(provider, MANY, interval="15m")),
            },
        )
    port, scrape, loading = (median(many[name]) for name in ("port", "scrape", "check"))
    return [
        compared(
            f"first scrape, {FEW} accounts",
            found["exporter"],
            "naive",
            found["naive"],
            AtMost(2),
            unit="ms",
        ),
        Row(
            f"port answers, {MANY:,} accounts",
            shown(port, "ms"),
            f"--config.check: {shown(loading, 'ms')}",
            mark="before they are loaded",
            reached=port < loading,
        ),
        Row(f"first scrape, {MANY:,} accounts, all shown", shown(scrape, "ms")),
    ]


MARK = Mark(
    "start",
    "The first answer",
    (),
    f"""\
From the start of the process to the first 200 on `/metrics`, asked for every millisecond; {ROUNDS} rounds,
after one that doesn't count. The exporter's answer has all accounts. The naive exporter listens as soon as
zeep, requests and prometheus_client are imported, before it makes its series. With {MANY:,} accounts
({ROUNDS_MANY} rounds) `/-/healthy` must be answered sooner than `--config.check` of the same file ends, which
does nothing but load the accounts.

What limits it is importing, nine tenths of the time with {FEW} accounts: aiohttp a third, a good part of that
reading the system's certificates, which it does twice; Python's own library three tenths; pydantic and PyYAML
a fifth; the exporter's own modules a seventh. The exporter listens before it imports what reads the
configuration. To import both at once gained nothing and had it listen later; nor did doing without the
search for garbage, or models that are made when they are needed. Its modules are compiled before, as pip
does it.""",
    _run,
)
