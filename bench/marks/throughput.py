"""Accounts a minute in one process, with a provider that takes its time."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.exporter import Exporter
from bench.mark import Mark
from bench.provider import Provider
from bench.result import Row, limited

ACCOUNTS = 10_000
LATENCY = 0.3
IN_FLIGHT = 1000
ROUNDS = 3
SECONDS = 5.0
LIMIT = 150_000


def accounts_a_minute(provider: Provider) -> float:
    """Return at which rate calls are answered."""
    polls, start = provider.answered(), time.monotonic()
    time.sleep(SECONDS)
    polls_after = provider.answered()
    return (polls_after - polls) / (time.monotonic() - start) * 60


def _run() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider(latency=LATENCY))
        exporter = running.enter_context(Exporter(provider, ACCOUNTS, interval="1s", concurrency=IN_FLIGHT))
        exporter.await_all_polled()
        rates = [accounts_a_minute(provider) for _ in range(ROUNDS)]
    what = f"accounts a minute, {LATENCY * 1000:g} ms latency, {IN_FLIGHT:,} in flight"
    return [limited(what, rates, "", at_least=LIMIT)]


MARK = Mark(
    "throughput",
    "Accounts a minute",
    (),
    f"""\
The provider answers each call {LATENCY * 1000:g} ms after it came; the daemon may have {IN_FLIGHT:,} calls
in flight, and has {ACCOUNTS:,} accounts with an interval of 1 s, so it never runs out of work. The ideal is
{IN_FLIGHT / LATENCY * 60:,.0f}. Answers counted over {ROUNDS} times {SECONDS:g} s, after all accounts were
polled once. What limits it is the CPU of a poll, as one core makes them all.""",
    _run,
)
