"""The benchmark's own arithmetic and tables, and that it compares what can be compared. Nothing is timed."""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client import REGISTRY, generate_latest

from bench.exporter import configuration
from bench.machine import PACKAGES, machine, missing, versions
from bench.mark import Mark
from bench.marks import MARKS
from bench.peers import naive_exporter
from bench.provider import Provider
from bench.report import Run, document, table
from bench.result import AtLeast, AtMost, Row, beside, compared, figure, limited
from bench.rounds import interleaved
from bench.scrape import CODINGS, Coding, Scraper
from exporter.account.outcome import Reading
from exporter.account.policy import step
from exporter.account.state import State
from exporter.clock import Moment
from exporter.config import load
from exporter.exposition.lines import Writer
from exporter.provider.solucion_factible.answer import read
from tests.support import rig
from tests.support.places import ROOT


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.1234, "0.123"), (9.876, "9.88"), (42.0, "42"), (99.96, "100"), (123.4, "123"), (81234.5, "81,234")],
)
def test_figures_have_three_digits(value: float, written: str) -> None:
    """No table shows a precision that a measurement doesn't have."""
    assert figure(value) == written


def test_a_ratio_is_taken_within_each_round() -> None:
    """A round in which the whole machine was slow spoils neither the ratio nor the verdict."""
    ours, theirs = [1.0, 10.0, 1.0], [20.0, 200.0, 22.0]
    row = compared("poll", ours, "naive", theirs, AtLeast(20, "cheaper"), unit="ms")
    assert row == Row(
        "poll", "1 ms", "naive: 22 ms", "20 × cheaper (20 to 22)", "at least 20 × cheaper", reached=True
    )


@pytest.mark.parametrize(
    ("mark", "better", "ours", "theirs", "reached"),
    [
        (AtLeast(4, "cheaper"), "less", 1.0, 4.0, True),
        (AtLeast(4, "cheaper"), "less", 1.0, 3.9, False),
        (AtLeast(10, "more"), "more", 1000.0, 100.0, True),
        (AtLeast(10, "more"), "more", 990.0, 100.0, False),
        (AtMost(2), "less", 2.0, 1.0, True),
        (AtMost(2), "less", 2.1, 1.0, False),
    ],
)
def test_a_mark_is_reached_or_not(
    mark: AtLeast | AtMost, better: str, ours: float, theirs: float, reached: bool
) -> None:
    """Less of a time is better, more requests a second are; a limit that is just met is met."""
    row = compared(
        "x", [ours], "peer", [theirs], mark, unit="", better="less" if better == "less" else "more"
    )
    assert row.reached is reached


def test_a_value_is_judged_by_its_own_limit() -> None:
    """Memory has a highest value, throughput a lowest; what stands beside a peer alone has no verdict."""
    assert limited("memory", [199.0], "MB", at_most=200).reached is True
    assert limited("memory", [201.0], "MB", at_most=200).reached is False
    assert limited("rate", [79_000.0], "", at_least=80_000).reached is False
    assert limited("rate", [81_000.0], "", at_least=80_000).mark == "at least 80,000"
    assert limited("stop", [9.0, 30.0, 4.0], "ms", at_most=10).measured == "9 ms (4 to 30)"
    assert beside("scrape", [2.0], "Pushgateway", [8.0], unit="ms").reached is None


def test_rounds_are_interleaved_and_turned_round() -> None:
    """Everything is measured once in each round, and no one is always the first."""
    order: list[str] = []

    def measure(name: str) -> Callable[[], float]:
        def noted() -> float:
            order.append(name)
            return float(len(order))

        return noted

    found = interleaved(3, {name: measure(name) for name in "ab"})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_tables_say_what_was_missed() -> None:
    """A mark that isn't reached can't be overlooked, in the terminal and in the report."""
    good, bad = Row("one", "1 ms", mark="x", reached=True), Row("two", "2 ms", mark="y", reached=False)
    none = Row("three", "3 ms")
    assert table([good, bad, none]).splitlines() == [
        "what   exporter  beside  ratio  mark  reached",
        "one    1 ms                     x     yes",
        "two    2 ms                     y     NO",
        "three  3 ms",
    ]
    mark = Mark("name", "A title", (), "How it is done.", list)
    text = document(Run("today", 9.7, {"CPU": "slow"}, {"Python": "3"}, [(mark, [good, bad, none])]))
    assert "1 of 2 marks reached" in " ".join(text.split())
    assert "| two | 2 ms |  |  | y | NO |" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 110
    assert "### A title\n\nHow it is done." in text
    assert "| CPU | slow |" in text
    assert "today, 10 minutes." in text


@pytest.mark.process
def test_the_machine_and_the_versions_are_known() -> None:
    """The report names what it was measured on and with, and nothing of where that is."""
    assert "cores" in machine()["CPU"]
    assert {"zeep", "nginx", "Python"} <= versions().keys()
    assert str(ROOT) not in str([*machine().values(), *versions().values()])


def test_every_peer_is_installed_by_name() -> None:
    """`make bench` installs what the marks need, and a missing program is named."""
    (packages,) = re.findall(
        r'packages="([^"]*)"\n    without', (ROOT / "scripts/install-peers.sh").read_text()
    )
    assert set(packages.split()) == set(PACKAGES) == {need for mark in MARKS for need in mark.needs}
    assert missing(("python3", "no-such-program")) == ["no-such-program"]


def test_the_configuration_is_accepted_without_a_remark(tmp_path: Path) -> None:
    """Each account has all that makes a series; the daemon has nothing to warn of."""
    file = tmp_path / "config.yaml"
    file.write_text(configuration("http://127.0.0.1:8099/ws?wsdl", 3, "1s", 64))
    config = load(file, {})
    assert config.warnings == ()
    assert [(one.interval, one.warning, one.labels) for one in config.accounts] == [
        (1.0, 500, (("team", "billing"),))
    ] * 3


@pytest.mark.process
def test_the_provider_holds_answers_and_counts_them() -> None:
    """Its answers are good, and while it holds them a caller waits and nothing is counted."""
    with Provider() as provider, socket.create_connection(("127.0.0.1", provider.port), 5) as caller:
        provider.hold()
        caller.sendall(b"POST / HTTP/1.1\r\nConnection: close\r\ncontent-length: 4\r\n\r\n<a/>")
        assert provider.answered() == 0
        provider.release()
        answer = caller.makefile("rb").read()
        assert provider.answered() == 1
    reading = read(200, "text/xml", answer.partition(b"\r\n\r\n")[2], now=0.0)
    assert isinstance(reading, Reading)
    assert (reading.code.number, reading.available) == (200, reading.contracted)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_scrape_is_read_to_its_end(coding: Coding) -> None:
    """An answer larger than the system's buffers is complete before the next one is asked for."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.headers.get("Accept-Encoding"))
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            ending.append(time.perf_counter())
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None: ...

    asked: list[str | None] = []
    ending: list[float] = []
    read_at: list[float] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = Thread(target=server.serve_forever)
    serving.start()
    try:
        with Scraper(server.server_port, coding) as scraper:
            for _ in range(2):
                assert scraper.seconds() > 0
                read_at.append(time.perf_counter())
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert asked == ["gzip" if coding == "gzip" else None] * 2
    assert ending[0] < read_at[0] < ending[1] < read_at[1]


@pytest.mark.process
def test_the_naive_exporter_shows_the_same_series() -> None:
    """What is compared is the same: its series are those of the exporter after one good poll."""
    with Provider() as provider:
        naive_exporter.prepare("acme", 900.0)
        naive_exporter.poll(provider.wsdl, "acme", 900.0)
        assert provider.answered() == 1
    theirs = series(generate_latest(REGISTRY))
    account = replace(
        rig.account(environment=replace(rig.ENVIRONMENT, name="bench")),
        warning=500,
        critical=100,
        labels=(("team", "billing"),),
    )
    state = step(
        State(),
        rig.reading(200, 10, 4, 6),
        account,
        proven=True,
        suspension=None,
        started=1.0,
        now=2.0,
        monotonic=2.0,
        jitter=0.0,
    )
    ours = series(b"".join(filter(None, Writer(account).lines(state, Moment(2.0, 2.0)))))
    assert 15 < len(ours) <= 22
    assert theirs == ours


def series(text: bytes) -> set[str]:
    """Return the series of accounts, without their values."""
    lines = text.decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if line.startswith("cfdi_")}
