"""The demonstration: the real daemon polls the simulated provider over SOAP. And that provider alone."""

import tempfile
import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter.account.calendar import LocalDay
from exporter.account.use import HOURS, Ended
from exporter.config import Config, load
from exporter.daemon import daemon
from exporter.daemon.signals import stop_signals
from exporter.polling.almanac import Almanac
from exporter.simulator import PASSWORD, Life, Simulator
from exporter.storage import days

DAYS: Final = 120
"""Days before the start of which the use is known, so that there is a forecast at once: eight pay days."""

_ACCOUNTS: Final = (
    "healthy",
    "low",
    "running-out",
    "exhausted",
    "wrong-password",
    "flaky",
    "slow",
    "topped-up",
)

_CONFIG: Final = """\
global: {{environment: simulated, interval: 5s}}
environments:
  simulated: {{wsdl: "{wsdl}", concurrency: 4}}
accounts:
"""

_ACCOUNT: Final = """\
- name: {name}
  username: {name}@demo.example
  password: {password}
  thresholds: {{warning: 500, critical: 100}}
  labels: {{team: demo}}
"""


async def run(options: daemon.Options, log: FilteringBoundLogger) -> None:
    """Run the daemon against the simulated provider until it is told to stop.

    Raises OSError where an address can't be had.
    """
    simulator = Simulator()
    await simulator.start()
    try:
        log.warning(
            "this is a demonstration: the provider is SIMULATED, no balance is real",
            provider=simulator.wsdl_url,
        )
        config = _config(simulator.wsdl_url)
        await daemon.run(lambda: config, _with_past(options, config, simulator), log)
    finally:
        await simulator.stop()


async def run_simulator(
    host: str,
    port: int,
    *,
    speed: float,
    extra_accounts: int,
    extra_issuers: int,
    log: FilteringBoundLogger,
) -> None:
    """Run the simulated provider alone until it is told to stop. Raises OSError where it can't listen."""
    simulator = Simulator(speed=speed, extra_accounts=extra_accounts, extra_issuers=extra_issuers)
    async with stop_signals() as stop:
        await simulator.start(host, port)
        try:
            log.warning("the provider is SIMULATED, no balance is real", wsdl=simulator.wsdl_url)
            await stop.wait()
        finally:
            await simulator.stop()


def _config(wsdl: str) -> Config:
    """Return the demonstration's configuration, through the same loader as a user's."""
    accounts = "".join(_ACCOUNT.format(name=name, password=PASSWORD) for name in _ACCOUNTS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demo.yaml")
        path.write_text(_CONFIG.format(wsdl=wsdl) + accounts, encoding="utf-8")
        return load(path, {})


def _with_past(options: daemon.Options, config: Config, simulator: Simulator) -> daemon.Options:
    """Return options with which the daemon knows what the simulated accounts have used until today."""
    now = time.time()
    today = Almanac(config.calendar).today(now)
    lives = [(account.guard_key, simulator.accounts[account.username].life) for account in config.accounts]
    return replace(
        options, initial=lambda db: [days.add(db, key, _past(life, today), now) for key, life in lives]
    )


def _past(life: Life, today: LocalDay) -> Iterator[Ended]:
    for ordinal in range(today.ordinal - DAYS, today.ordinal):
        day = today.number(ordinal)
        ends = [day.start + (day.end - day.start) * hour / HOURS for hour in range(HOURS + 1)]
        hours = [life.needed(begin, end) for begin, end in pairwise(ends)]
        yield Ended(ordinal, life.needed(day.start, day.end), array("f", hours).tobytes())
