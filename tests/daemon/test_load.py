"""A server that can be left alone: clients that hang by the hundreds cost a scrape nothing."""

import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory
from tests.support.peers.daemon import EXPORTER
from tests.support.peers.logfmt import fields
from tests.support.peers.process import Process
from tests.support.series import shown_when

ACCOUNTS = 1000
INTERVAL = "5s"  # so 200 polls a second
CONCURRENCY = 50
HANGING = 500
SCRAPING_SECONDS = 3.0
MOST_MEMORY = 250e6
MEMORY, FILES = "process_resident_memory_bytes", "process_open_fds"
POLLED = "cfdi_poll_duration_seconds_count"

# As Prometheus asks.
HEADERS = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}


@pytest.fixture
def wsdl(tmp_path: Path, processes: ExitStack) -> str:
    """A simulated provider in a process of its own, so that it takes no time from the scraping."""
    flags = ("--simulator.listen-address=127.0.0.1:0", f"--simulator.accounts={ACCOUNTS}")
    process = Process([*EXPORTER, "simulator", *flags], tmp_path / "simulator.log", cwd=tmp_path, env={})
    processes.callback(process.kill)

    def address(log: str) -> str | None:
        return next((found["wsdl"] for line in log.splitlines() if "wsdl" in (found := fields(line))), None)

    return process.await_log(address, 20)


@contextmanager
def hanging(address: str, data: list[bytes]) -> Iterator[list[socket.socket]]:
    """Clients that send these and then do nothing: they don't even read."""
    host, port = address.split(":")
    clients = []
    try:
        for sent in data:
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(sent)
            clients.append(client)
        yield clients
    finally:
        for client in clients:
            client.close()


def scrape(exporter: Daemon, seconds: float) -> list[float]:
    """Scrape again and again over one connection, as Prometheus does; return what each took, in seconds."""
    took = []
    connection = HTTPConnection(exporter.address, timeout=10)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        connection.request("GET", "/metrics", headers=HEADERS)
        response = connection.getresponse()
        body = response.read()
        took.append(time.monotonic() - start)
        assert (response.status, body[:2]) == (200, b"\x1f\x8b")
        assert int(response.headers["Content-Length"]) == len(body)
    connection.close()
    return took


def told(what: str, took: list[float]) -> str:
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    rate = len(took) / sum(took)
    return f"{what:<24}{rate:7.1f} scrapes/s   p50 {p50 * 1000:6.1f} ms   p99 {p99 * 1000:6.1f} ms"


def test_clients_that_hang_cost_a_scrape_nothing(
    daemon: DaemonFactory, wsdl: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """500 connections that send nothing, half a request, or ask and don't read; 1,000 accounts are polled.

    No scrape fails, polling goes on, memory stays bounded, and nothing is left when they have gone.
    """
    names = [f"load-{number:05}@demo.example" for number in range(1, ACCOUNTS + 1)]
    exporter = daemon(
        config(wsdl, *names, interval=INTERVAL, environment=f", concurrency: {CONCURRENCY}"),
        "--web.max-requests=0",  # those who ask and don't read have no place then that another would need
    )
    polled = f'{POLLED}{{pac_environment="peer"}}'
    shown_when(exporter, lambda shown: shown.get(polled, 0) >= ACCOUNTS, timeout=40)
    before, alone = exporter.metrics(), scrape(exporter, SCRAPING_SECONDS / 2)

    silent = [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Half"] * (HANGING // 4)
    deaf = [b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"] * (HANGING // 2)
    deaf[::4] = [b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"] * len(deaf[::4])
    with hanging(exporter.address, silent + deaf) as clients:
        polls, started = exporter.metrics()[polled], time.monotonic()
        took = scrape(exporter, SCRAPING_SECONDS)
        during = exporter.metrics()
        polls_a_second = (during[polled] - polls) / (time.monotonic() - started)
        assert len(clients) == HANGING
        assert exporter.get("/-/ready").status == 200
    # Connections to the provider are kept, as many as there may be calls in flight.
    after = shown_when(exporter, lambda shown: shown[FILES] < before[FILES] + CONCURRENCY + 10)
    with capfd.disabled():
        report(
            f"{ACCOUNTS} accounts, {polls_a_second:.0f} polls/s",
            told("alone", alone),
            told(f"{HANGING} clients hang", took),
            "memory: {:.0f} MB before, {:.0f} MB with them, {:.0f} MB after".format(
                *(shown[MEMORY] / 1e6 for shown in (before, during, after))
            ),
        )
    assert len(took) >= 10
    assert polls_a_second > 5
    assert max(during[MEMORY], after[MEMORY]) < MOST_MEMORY
    assert during[FILES] > before[FILES] + HANGING / 2
    assert "level=error" not in exporter.log
    assert exporter.stop(timeout=10) == 0


def report(*lines: str) -> None:
    """Print figures where a person sees them."""
    sys.stdout.write("\n    ".join(("", *lines)) + "\n")
