"""The demonstration: the real daemon polls the simulated provider over SOAP. And that provider alone."""

import tempfile
import time
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from structlog.typing import FilteringBoundLogger

from exporter.config import Config, load
from exporter.daemon import daemon
from exporter.daemon.signals import stop_signals
from exporter.simulator import PASSWORD, Simulator
from exporter.storage import days

SPEED: Final = 600.0
"""Simulated seconds in a second: an hour passes in six, so that something is to be seen."""

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

_A_DAY: Final = {
    "healthy": 300,
    "low": 2,
    "running-out": 4_800,
    "exhausted": 100,
    "flaky": 300,
    "slow": 300,
    "topped-up": 200,
}
"""Stamps that accounts are known to use on a usual day."""

KNOWN: Final = 90
"""Days whose use is known when the demonstration starts."""

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
    simulator = Simulator(speed=SPEED)
    await simulator.start()
    try:
        log.warning(
            "this is a demonstration: the provider is SIMULATED, no balance is real",
            provider=simulator.wsdl_url,
            simulated_seconds_a_second=SPEED,
        )
        config = _config(simulator.wsdl_url)
        now = time.time()
        known = _known(config, now)
        options = replace(options, prepare=lambda db: days.add_all(db, known, now))
        await daemon.run(lambda: _config(simulator.wsdl_url), options, log)
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


def _known(config: Config, now: float) -> dict[str, dict[int, int]]:
    """Return weeks of use by login and day: without them there is no forecast before a day has passed."""
    zone = ZoneInfo(config.calendar.timezone)
    today = datetime.fromtimestamp(now, zone).date().toordinal()
    return {
        account.guard_key: {
            day: _used_on(date.fromordinal(day), a_day) for day in range(today - KNOWN, today)
        }
        for account in config.accounts
        if (a_day := _A_DAY.get(account.name))
    }


def _used_on(day: date, a_day: int) -> int:
    """Return what a company uses: less on weekends, more around the pay days, never quite the same."""
    weekend = (0.35, 0.1)[day.weekday() - 5] if day.weekday() > 4 else 1.0
    pay_day = 1.6 if day.day in (14, 15, 29, 30) and day.weekday() < 5 else 1.0
    return round(a_day * weekend * pay_day * (0.9 + 0.05 * (day.toordinal() * 7 % 5)))


def _config(wsdl: str) -> Config:
    """Return the demonstration's configuration, through the same loader as a user's."""
    accounts = "".join(_ACCOUNT.format(name=name, password=PASSWORD) for name in _ACCOUNTS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demo.yaml")
        path.write_text(_CONFIG.format(wsdl=wsdl) + accounts, encoding="utf-8")
        return load(path, {})
