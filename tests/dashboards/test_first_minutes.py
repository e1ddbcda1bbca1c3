"""What the overview says right after everything was installed, and once the exporter is gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Simulator
from tests.support.dashboards.asking import Viewer
from tests.support.dashboards.backfill import fast_rules
from tests.support.dashboards.files import query
from tests.support.dashboards.history import ACCOUNTS, config
from tests.support.peers import Daemon, Prometheus, eventually
from tests.support.peers.loop import LoopThread

pytestmark = pytest.mark.peer("prometheus")

OVERVIEW = "cfdi-overview"
TABLE = "Accounts, the first to run out first"
UNKNOWN = {"wrong-password", "slow"}
NO_EXPORTER = 3


class Installed:
    """An exporter without a past, and who looks at the overview."""

    def __init__(self, exporter: Daemon, prometheus: Prometheus) -> None:
        self.exporter = exporter
        self._prometheus = prometheus

    def figure(self, title: str) -> float:
        """The one value of a panel; -1 where there is none."""
        rows = Viewer(self._prometheus, OVERVIEW).ask(query(OVERVIEW, title))
        return rows[0][1][-1][1] if rows else -1

    def column(self, ref: str) -> dict[str, float]:
        """A column of the table by account."""
        rows = Viewer(self._prometheus, OVERVIEW).ask(query(OVERVIEW, TABLE, ref))
        return {labels["account"]: points[-1][1] for labels, points in rows}


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    simulator = Simulator()
    with LoopThread("simulator") as loop:
        loop.run(simulator.start())
        try:
            with (
                Daemon(config(simulator.wsdl_url, "5s"), tmp_path) as exporter,
                Prometheus(tmp_path, [exporter.address], fast_rules(tmp_path)) as prometheus,
            ):
                yield Installed(exporter, prometheus)
        finally:
            loop.run(simulator.stop())


def test_it_is_of_use_at_once_and_a_silent_exporter_shows(installed: Installed) -> None:
    """Balances, thresholds and polls need no past. The exporter goes, its accounts and their stamps stay."""
    known = set(ACCOUNTS) - UNKNOWN
    assert eventually(lambda: installed.column("balance").keys() >= known, timeout=90)
    assert eventually(lambda: installed.column("stage").get("low") == 1, timeout=30)
    assert installed.column("stage")["exhausted"] == 0
    assert installed.column("polls")["healthy"] == 1
    assert installed.figure("Accounts") == len(ACCOUNTS)
    assert installed.figure("Exporters down") == 0
    assert installed.figure("No fresh balance") == len(UNKNOWN)
    to_buy = installed.figure("Buy today")
    assert to_buy >= 2

    installed.exporter.kill()
    assert eventually(lambda: installed.figure("Exporters down") == 1, timeout=30)
    assert eventually(lambda: installed.figure("No fresh balance") == len(ACCOUNTS), timeout=30)
    assert installed.column("polls") == dict.fromkeys(ACCOUNTS, NO_EXPORTER)
    assert installed.figure("Accounts") == len(ACCOUNTS)
    assert installed.figure("Buy today") == to_buy
