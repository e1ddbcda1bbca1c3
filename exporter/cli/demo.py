"""The demonstration: the real daemon polls the simulated provider over SOAP. And that provider alone."""

import tempfile
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter.config import Config, load
from exporter.daemon import daemon
from exporter.daemon.signals import stop_signals
from exporter.simulator import PASSWORD, Simulator

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


def _config(wsdl: str) -> Config:
    """Return the demonstration's configuration, through the same loader as a user's."""
    accounts = "".join(_ACCOUNT.format(name=name, password=PASSWORD) for name in _ACCOUNTS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demo.yaml")
        path.write_text(_CONFIG.format(wsdl=wsdl) + accounts, encoding="utf-8")
        return load(path, {})
