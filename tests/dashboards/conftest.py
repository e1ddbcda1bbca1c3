"""A Prometheus with a past and a present: ten days of history, and the daemon that goes on from there."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from exporter.config import load
from exporter.simulator import Simulator
from tests.support.dashboards.backfill import fast_rules, fill_with_records, fill_with_samples
from tests.support.dashboards.history import (
    SCRAPE_SECONDS,
    SECONDS,
    as_openmetrics,
    config,
    let_them_live,
    lived,
)
from tests.support.dashboards.monitored import Monitored
from tests.support.peers import Daemon, Prometheus, eventually
from tests.support.peers.loop import LoopThread

SETTLED = (
    "process_open_fds",
    'ALERTS{alertname="CfdiStampsExhausted", alertstate="firing"}',
    'increase(cfdi_responses_total{account="healthy", code="200"}[1m]) > 0',
)
"""What is there once the daemon was scraped more than once and the rules were evaluated."""


@pytest.fixture(scope="package")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """Make the past, then start the daemon on the state that it left, and let Prometheus scrape on.

    The daemon polls every 5 seconds instead of every 15 minutes, and the rules are evaluated each second.
    """
    directory = tmp_path_factory.mktemp("monitored")
    simulator, now = Simulator(), time.time()
    let_them_live(simulator.accounts, now - SECONDS)
    with ExitStack() as stack:
        loop = stack.enter_context(LoopThread("simulator"))
        loop.run(simulator.start())
        stack.callback(lambda: loop.run(simulator.stop()))
        (past := directory / "past.yaml").write_text(config(simulator.wsdl_url, "15m"))
        seen = lived(load(past, {}), simulator.accounts, directory / "daemon.db", now)
        exporter = stack.enter_context(Daemon(config(simulator.wsdl_url, "5s"), directory))
        fill_with_samples(directory, as_openmetrics(seen, exporter.address))
        # Up to the very end: slow rules would leave a gap before the present, and a full hour may lie in it.
        fill_with_records(directory, seen[0][0], seen[0][0] + SECONDS, SCRAPE_SECONDS)
        prometheus = stack.enter_context(Prometheus(directory, [exporter.address], fast_rules(directory)))
        for expression in SETTLED:
            eventually(lambda expression=expression: prometheus.query(expression), timeout=60)  # type: ignore[misc]
        yield Monitored(exporter, prometheus, simulator)
