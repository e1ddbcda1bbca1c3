"""Ten days of an exporter's life, made in seconds: what Prometheus would have scraped meanwhile.

All is real but the network and the clock. The simulated provider's accounts live by their own rhythm; the
exporter's own guard, poller, policy, storage and exposition poll them every 15 minutes of a clock that is
moved by hand; what `/metrics` would show is written down every 5 minutes. The state is kept in memory
meanwhile, as a disk would take most of the time, and handed to the daemon in a file: it goes on from there.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from exporter.account.login import Held, Tried
from exporter.account.outcome import Failure, Outcome, Reason, unsent
from exporter.config import Account, Config
from exporter.provider.contract import Balance, Gate, Permit
from exporter.simulator import Account as Simulated
from exporter.simulator import Life as Stamps
from exporter.simulator import Refill
from exporter.simulator.rhythm import ROUND_THE_CLOCK
from tests.support.peers import FakeClock
from tests.support.rig import Life, ScriptedProvider, reading

DAYS = 10
SECONDS = DAYS * 86400
SCRAPE_SECONDS = 300
"""As far apart as Prometheus lets two samples be without a gap between them."""

ANSWER_SECONDS = 0.3
OUTAGE = (5.5, 5.6)
"""When the provider couldn't be reached, in days since the beginning."""

ACCOUNTS = ("healthy", "low", "running-out", "exhausted", "wrong-password", "flaky", "slow", "topped-up")
"""Those of the demonstration, one for each state that users meet."""

CONFIG = """\
global: {{environment: simulated, interval: {interval}, timeout: 2s}}
environments:
  simulated: {{wsdl: "{wsdl}"}}
accounts:
"""
ACCOUNT = """\
- name: {name}
  username: {name}@demo.example
  password: simulated
  thresholds: {{warning: 500, critical: 100}}
  labels: {{team: demo}}
"""


def config(wsdl: str, interval: str) -> str:
    """The configuration of all accounts, at the address of a simulator."""
    return CONFIG.format(wsdl=wsdl, interval=interval) + "".join(
        ACCOUNT.format(name=name) for name in ACCOUNTS
    )


def let_them_live(accounts: Mapping[str, Simulated], since: float) -> None:
    """Give the simulated accounts a past: they live from a Unix time on, and something happens to them."""
    lives = {
        "healthy": Stamps(since, contracted=80_000, used=56_000, per_day=300),
        "low": Stamps(since, contracted=2_000, used=1_930, per_day=2),
        "running-out": Stamps(
            since, contracted=50_000 + DAYS * 4_800, used=42_800, per_day=4_800, rhythm=ROUND_THE_CLOCK
        ),
        "exhausted": Stamps(since, contracted=5_000, used=4_700, per_day=100),
        "flaky": Stamps(
            since, contracted=40_000, used=39_600 - DAYS * 10, per_day=10, rhythm=ROUND_THE_CLOCK
        ),
        "topped-up": Stamps(
            since, contracted=40_000, used=24_300, per_day=200, refill=Refill(below=15_000, package=20_000)
        ),
    }
    for name, life in lives.items():
        accounts[f"{name}@demo.example"].life = life


class SimulatedProvider(ScriptedProvider):
    """The simulated provider without its network; it can't be reached during the outage."""

    def __init__(self, clock: FakeClock, config: Config, accounts: Mapping[str, Simulated]) -> None:
        super().__init__(clock, config.accounts[0].environment)
        self._accounts = accounts
        self._time = clock
        self._since = clock.time()

    async def ask(self, balance: Balance, gate: Gate) -> Tried | Held:
        return await gate.attempt(balance.login, partial(self._answer, balance.account))

    async def _answer(self, account: Account, permit: Permit) -> Outcome:
        days = (self._time.time() - self._since) / 86400
        if OUTAGE[0] <= days < OUTAGE[1]:
            return unsent(Reason.CONNECTION, "no connection")
        password = permit.password()
        asked = self._accounts[account.username]
        self._time.advance(min(ANSWER_SECONDS + asked.delay, account.timeout))
        if asked.delay >= account.timeout:
            return Failure(Reason.TIMEOUT, "no answer")
        answer = asked.call(password.reveal(), self._time.time())
        if answer.balance is None:
            return reading(answer.code)
        balance = answer.balance
        return reading(answer.code, balance.contracted, balance.used, balance.available)


async def live(
    config: Config, accounts: Mapping[str, Simulated], state_file: Path, until: float
) -> list[tuple[int, str]]:
    """Live until a Unix time; return what was to be seen, with the time of each look."""
    clock = FakeClock(time=until - SECONDS)
    life = Life(None, clock, SimulatedProvider(clock, config, accounts))
    seen = []
    try:
        await life.roster.apply(config)
        life.metrics.config_loaded(clock.time())
        for at in range(int(until - SECONDS), int(until), SCRAPE_SECONDS):
            await life.profiles.refresh()
            await _poll_until(life, at)
            await life.publisher.publish()
            seen.append((at, b"".join(life.exposition.pieces("text")).decode()))
        with closing(sqlite3.connect(state_file)) as file:
            life.storage.read(lambda memory: memory.backup(file))
    finally:
        await life.stop()
    return seen


async def _poll_until(life: Life, at: float) -> None:
    """Let time pass until a Unix time, and poll who is due until then."""
    clock = life.clock
    while (left := at - clock.time()) > 0:
        name = min(life.agenda.due, key=life.agenda.due.__getitem__)
        wait = life.agenda.due[name] - clock.monotonic()
        if wait >= left:
            clock.advance(left)
            return
        life.metrics.poll_started(
            max(0.0, -wait)
        )  # as the daemon does, whose scheduler the agenda stands for
        await life.poll(name)


def as_openmetrics(seen: list[tuple[int, str]], instance: str) -> Iterator[str]:
    """Yield the lines that promtool makes blocks of: the samples with their time and the labels of a scrape.

    What tells of the process (`process_*`) isn't the exporter's here and is left out.
    """
    scraped = f'instance="{instance}",job="cfdi-stamps"'
    labelled: dict[str, str] = {}
    for at, text in seen:
        yield f"up{{{scraped}}} 1 {at}\n"
        for line in text.splitlines():
            if line.startswith("cfdi_"):
                series, value = line.rsplit(" ", 1)
                if series not in labelled:
                    name, _, labels = series.rstrip("}").partition("{")
                    labelled[series] = f"{name}{{{labels}{',' if labels else ''}{scraped}}}"
                yield f"{labelled[series]} {value} {at}\n"
    yield "# EOF\n"


def lived(
    config: Config, accounts: Mapping[str, Simulated], state_file: Path, until: float
) -> list[tuple[int, str]]:
    """`live`, from outside a loop."""
    return asyncio.run(live(config, accounts, state_file, until))
