"""The wall clock jumps, or the process is stopped for a while: what a running daemon makes of it."""

import time
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from exporter.simulator import Simulator
from tests.support.configs import config
from tests.support.peers import DaemonFactory, eventually
from tests.support.peers.hostile import HostileProvider
from tests.support.peers.misbehaviour import GOOD, answers, hangs
from tests.support.schedules.site import Clock
from tests.support.series import shown_when
from tests.support.simulation import running

DAY = 86_400.0
AVAILABLE = 'cfdi_stamps_available{account="acme"}'
ANSWERED = 'cfdi_responses_total{account="acme",code="200"}'
LAST, NEXT = (f'cfdi_account_{which}_poll_timestamp_seconds{{account="acme"}}' for which in ("last", "next"))


@pytest.fixture
def wall(tmp_path: Path) -> Clock:
    """The wall clock of the daemon."""
    return Clock(tmp_path / "clock")


@pytest.mark.parametrize("moment", [0.3, 2.5])
def test_ahead_for_a_moment(daemon: DaemonFactory, wall: Clock, moment: float) -> None:
    """A poll falls into it, then the provider is down: the balance goes when it is stale."""
    provider = HostileProvider({"acme": answers(**GOOD)})
    with provider:
        exporter = daemon(config(provider.wsdl(), "acme", extra=", stale_after: 6s"), env=wall.environment)
        metrics = shown_when(exporter, lambda shown: shown.get(ANSWERED, 0) >= 2)
        wall.set(400 * DAY)
        time.sleep(moment)
        polled = metrics[ANSWERED] + (2 if moment > 2 else 0)
        shown_when(exporter, lambda shown: shown[ANSWERED] >= polled)
        wall.set(0)
        provider._accounts = {"acme": hangs}
        metrics = shown_when(exporter, lambda shown: abs(shown[LAST] - time.time()) < 30)
        assert metrics[AVAILABLE] == 1240
        shown_when(exporter, lambda shown: AVAILABLE not in shown)


@pytest.mark.parametrize("seconds", [400 * DAY, -400 * DAY])
def test_set_for_good(daemon: DaemonFactory, wall: Clock, seconds: float) -> None:
    """Polls go on at their pace, the balance stays, and times are those of the new clock."""
    with HostileProvider({"acme": answers(**GOOD)}) as provider:
        exporter = daemon(config(provider.wsdl(), "acme", extra=", stale_after: 6s"), env=wall.environment)
        shown_when(exporter, lambda shown: shown.get(ANSWERED, 0) >= 2)
        wall.set(seconds)
        before, at = exporter.metrics()[ANSWERED], time.monotonic()
        shown_when(exporter, lambda shown: abs(shown[LAST] - seconds - time.time()) < 30)
        while time.monotonic() < at + 4:
            metrics = exporter.metrics()
            assert metrics[AVAILABLE] == 1240
            time.sleep(0.1)
        assert before + 2 <= metrics[ANSWERED] <= before + 6
        assert abs(metrics[NEXT] - seconds - time.time()) < 30
        assert f"the clock was set {'ahead' if seconds > 0 else 'back'}" in exporter.log


def test_a_process_that_stood_still_is_no_burst(daemon: DaemonFactory) -> None:
    """120 accounts at 8 s are stopped for 10 s: they come at the pace of a start, and all of them."""
    simulator = Simulator(extra_accounts=120)
    names = [f"load-{number:05}@demo.example" for number in range(1, 121)]

    def calls() -> list[int]:
        return [simulator.accounts[name].calls for name in names]

    with running(simulator):
        exporter = daemon(config(simulator.wsdl_url, *names, interval="8s", environment=", concurrency: 64"))
        eventually(lambda: all(calls()))
        exporter.send(SIGSTOP)
        time.sleep(10)
        before = calls()
        exporter.send(SIGCONT)
        time.sleep(1)
        assert sum(calls()) - sum(before) < 60
        eventually(lambda: all(now > then for now, then in zip(calls(), before, strict=True)))
        assert 'msg="overdue polls spread"' in exporter.log
        assert "the clock was set" not in exporter.log
