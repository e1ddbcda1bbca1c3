"""A disk that gets full while the daemon runs: a limit on the size of its files, which does to writes what a
full disk does."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.simulator import PASSWORD, Simulator
from tests.support.peers import Daemon, DaemonFactory, eventually
from tests.support.series import shown_when
from tests.support.simulation import running

ERRORS = "cfdi_exporter_storage_errors_total"
AVAILABLE = 'cfdi_stamps_available{account="healthy"}'
LAST_POLL = 'cfdi_account_last_poll_timestamp_seconds{account="healthy"}'
CONFIG = """\
global: {{environment: peer, interval: 1s}}
environments: {{peer: {{wsdl: "{wsdl}"}}}}
accounts:
- {{name: healthy, username: healthy@demo.example, password: {password}}}
"""


@contextmanager
def full_from(exporter: Daemon, size: int) -> Iterator[None]:
    """No file of the daemon can be written to beyond so many bytes, for a while."""
    unlimited = resource.prlimit(exporter.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(exporter.pid, resource.RLIMIT_FSIZE, (size, unlimited[1]))
    yield
    resource.prlimit(exporter.pid, resource.RLIMIT_FSIZE, unlimited)


def polled_anew(exporter: Daemon) -> dict[str, float]:
    """Wait for a poll that begins from now on and return the metrics."""
    now = time.time()
    return shown_when(exporter, lambda shown: shown.get(LAST_POLL, 0) > now + 1)


def test_storage_that_fails_is_said_once_and_so_is_its_recovery(daemon: DaemonFactory) -> None:
    """Polls go on meanwhile, and each error is counted."""
    simulator = Simulator()
    with running(simulator):
        exporter = daemon(CONFIG.format(wsdl=simulator.wsdl_url, password=PASSWORD))
        shown_when(exporter, lambda shown: AVAILABLE in shown)
        with full_from(exporter, 4 * 1024):  # more than the log has, less than a page of the state takes
            shown_when(exporter, lambda shown: shown[ERRORS] >= 5)
            assert AVAILABLE in polled_anew(exporter)
            assert exporter.log.count("storage fails") == 1
            assert "storage recovered" not in exporter.log
        eventually(lambda: "storage recovered" in exporter.log)
        polled_anew(exporter)
        assert exporter.log.count("storage fails") == exporter.log.count("storage recovered") == 1


def test_it_lives_on_though_its_log_can_not_be_written(daemon: DaemonFactory) -> None:
    """The log often lies on the same disk as the state: polling must not end for want of a line."""
    simulator = Simulator()
    with running(simulator):
        exporter = daemon(CONFIG.format(wsdl=simulator.wsdl_url, password=PASSWORD), "--log.level=debug")
        shown_when(exporter, lambda shown: AVAILABLE in shown)
        with full_from(exporter, 0):
            shown_when(exporter, lambda shown: shown[ERRORS] >= 3)
            assert AVAILABLE in polled_anew(exporter)
        eventually(lambda: "storage recovered" in exporter.log)
        assert exporter.stop() == 0
        assert "Traceback" not in exporter.log
