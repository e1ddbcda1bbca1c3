"""CPU a poll at full load, beside the naive way and blackbox_exporter's probe."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.exporter import Exporter
from bench.mark import Mark
from bench.peers.blackbox import Blackbox
from bench.peers.naive import Naive
from bench.process import Program
from bench.provider import Provider
from bench.result import AtLeast, Row, compared
from bench.rounds import interleaved

ACCOUNTS = 10_000
IN_FLIGHT = 64
ROUNDS = 5
SECONDS = 3.0
SETTLE = 0.5
"""Seconds that a program has after its pause before it is measured."""


def cpu_a_poll(program: Program, provider: Provider, seconds: float = SECONDS) -> float:
    """Return the milliseconds of CPU that a program uses for each call that it makes to the provider."""
    polls, cpu = provider.answered(), program.cpu_seconds()
    time.sleep(seconds)
    cpu_after, polls_after = program.cpu_seconds(), provider.answered()
    return (cpu_after - cpu) / max(1, polls_after - polls) * 1000


def _run() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider())

        def measured(program: Program) -> float:
            with program.awake():
                time.sleep(SETTLE)
                return cpu_a_poll(program, provider)

        def probed() -> float:
            with blackbox.probed(SETTLE + SECONDS + 1):
                return measured(blackbox)

        exporter = running.enter_context(Exporter(provider, ACCOUNTS, interval="1s", concurrency=IN_FLIGHT))
        exporter.await_all_polled()
        exporter.pause()
        naive = running.enter_context(Naive(provider, 10, interval=0))
        naive.pause()
        blackbox = running.enter_context(Blackbox(provider, IN_FLIGHT))
        blackbox.pause()
        found = interleaved(
            ROUNDS,
            {"exporter": lambda: measured(exporter), "naive": lambda: measured(naive), "blackbox": probed},
        )
    what = f"CPU a poll, {IN_FLIGHT} in flight"
    return [
        compared(what, found["exporter"], "naive zeep", found["naive"], AtLeast(22, "cheaper"), unit="ms"),
        compared(what, found["exporter"], "blackbox", found["blackbox"], AtLeast(3.5, "cheaper"), unit="ms"),
    ]


MARK = Mark(
    "poll",
    "CPU a poll",
    ("prometheus-blackbox-exporter", "wrk"),
    f"""\
The daemon polls {ACCOUNTS:,} accounts with an interval of 1 s, more than it can do, so {IN_FLIGHT} calls
are always in flight. The naive exporter polls without a pause, one call after the other, which is the
cheapest for it. wrk keeps {IN_FLIGHT} probes in flight in blackbox_exporter. In each of {ROUNDS} rounds of
{SECONDS:g} s one of them runs while the others are stopped (SIGSTOP). CPU is the process' own, user and
system (`/proc/PID/stat`), divided by the calls that the provider answered.

The HTTP client is our own, on llhttp: with aiohttp's a poll took half as much again. Before it is sent, each
try is marked in the storage, without waiting for the disk. uvloop and newer Pythons brought nothing that
could be told from noise; looking for garbage more seldom brought a quarter, keeping connections half.
blackbox_exporter is a compiled program, and keeps nothing of what it is told.""",
    _run,
)
