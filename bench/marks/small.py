"""Requests a second with ten accounts, beside prometheus_client's own server."""

import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from bench.exporter import Exporter
from bench.mark import Mark
from bench.peers.naive import Naive
from bench.process import Program, ProgramError
from bench.provider import Provider
from bench.result import AtLeast, Row, compared
from bench.rounds import interleaved
from bench.scrape import CODINGS, PROMETHEUS, Coding

ACCOUNTS = 10
CLIENTS = 4
ROUNDS = 5
SECONDS = 2
INTERVAL = 900


def requests_a_second(program: Program, coding: Coding) -> float:
    """Have wrk scrape as fast as it is answered. ProgramError where anything but 200 was answered."""
    headers = [f"Accept: {PROMETHEUS}", *(["Accept-Encoding: gzip"] if coding == "gzip" else [])]
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", f"http://127.0.0.1:{program.port}/metrics"]
    for header in headers:
        command += ["-H", header]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rate = re.search(r"Requests/sec: +([\d.]+)", told)
    if not rate or "Non-2xx" in told or "Socket errors" in told:
        raise ProgramError(f"wrk was not answered well:\n{told}")
    return float(rate[1])


def _run() -> Sequence[Row]:
    with ExitStack() as running:
        provider = running.enter_context(Provider())
        exporter = running.enter_context(Exporter(provider, ACCOUNTS, interval="1s"))
        exporter.await_all_polled()
        exporter.quiet()
        provider_of_naive = running.enter_context(Provider())
        naive = running.enter_context(Naive(provider_of_naive, ACCOUNTS, interval=INTERVAL))
        provider_of_naive.await_answers(ACCOUNTS)
        programs = {"exporter": exporter, "naive": naive}
        measures: dict[str, Callable[[], float]] = {
            f"{name} {coding}": partial(requests_a_second, program, coding)
            for coding in CODINGS
            for name, program in programs.items()
        }
        found = interleaved(ROUNDS, measures)
    return [
        compared(
            f"scrapes a second, {ACCOUNTS} accounts, {coding}",
            found[f"exporter {coding}"],
            "start_http_server",
            found[f"naive {coding}"],
            AtLeast(10, "more"),
            unit="/s",
            better="more",
        )
        for coding in CODINGS
    ]


MARK = Mark(
    "small",
    "Scrapes a second with ten accounts",
    ("wrk",),
    f"""\
{ACCOUNTS} accounts with all their series in both, polled once and left alone. wrk scrapes over {CLIENTS}
connections for {SECONDS} s in each of {ROUNDS} rounds, with the headers of Prometheus, with and without
gzip. `start_http_server` closes the connection after each answer: that is part of it.""",
    _run,
)
