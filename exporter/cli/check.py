"""``check NAME``: one login for one account, through the guard, told as a person reads it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from exporter.account.codes import EXHAUSTED, Effect, advice, effect, meaning
from exporter.account.outcome import Failure, Outcome, Reading
from exporter.account.state import Suspension
from exporter.clock import Clock
from exporter.config import Account, Config
from exporter.guard.gate import Credential, Guard, ResumeTooSoonError
from exporter.guard.ledger import Held
from exporter.provider.solucion_factible.provider import Provider
from exporter.storage.engine import Storage
from exporter.suggestion import suggestion


class Colour(Enum):
    """What a report comes to at one glance; the values are a terminal's (ECMA-48, SGR)."""

    GOOD = 32
    LOW = 33
    BAD = 31


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found, for a person; ``ok`` where the balance is known."""

    ok: bool
    text: str
    colour: Colour

    def coloured(self) -> str:
        """Return the text for a terminal, its first line in colour."""
        first, *more = self.text.split("\n")
        return "\n".join((f"\033[{self.colour.value}m{first}\033[0m", *more))


def find(config: Config, name: str) -> Account | None:
    """Return the configured account of this name."""
    return next((account for account in config.accounts if account.name == name), None)


def unknown(config: Config, name: str) -> str:
    """Return what to say where there is no account of this name."""
    known = [account.name for account in config.accounts]
    return f"{config.path}: no account is called {name}{suggestion(name, known)}"


async def run(
    account: Account, storage_path: Path | None, *, resume: bool, log: FilteringBoundLogger
) -> Report:
    """Ask for an account's balance, once, if the guard allows it.

    It may run beside the daemon, on the same storage: the tries of both count together. Raises StorageError
    where the storage can't be used: nothing is sent then.
    """
    clock: Clock = time
    if storage_path is None:
        log.warning("nothing is kept: this try counts with no other", storage=":memory:")
    storage = Storage(storage_path, exclusive=False, now=clock.time())
    provider = Provider(account.environment, clock, log.debug)
    try:
        return await _Check(account, Guard(storage), provider, clock).run(resume=resume)
    finally:
        await provider.close()
        await storage.close()


@dataclass(frozen=True, slots=True)
class _Check:
    account: Account
    guard: Guard
    provider: Provider
    clock: Clock

    async def run(self, *, resume: bool) -> Report:
        credential, standing = await self.guard.adopt(self.account, self.clock.time())
        if standing.suspension and resume:
            try:
                await self.guard.resume(credential, self.account, self.clock.time())
            except ResumeTooSoonError as error:
                return self._report(False, f"not resumed: {error}, next at {_when(error.at)}")
        elif standing.suspension:
            return self._suspended(standing.suspension)
        return await self._ask(credential)

    async def _ask(self, credential: Credential) -> Report:
        operation = await self.provider.operation(self.account.timeout)
        if isinstance(operation, Failure):
            return self._told(operation, refusals=0)
        charge = await self.guard.charge(credential, self.account, self.clock.time())
        if isinstance(charge, Held):
            return self._held(charge)
        started = self.clock.time()
        outcome = await self.provider.ask(operation, self.account, credential.password)
        refusals = await self.guard.settle(credential, charge, outcome, self.account, started)
        return self._told(outcome, refusals=refusals)

    def _held(self, held: Held) -> Report:
        if held.suspension:
            return self._suspended(held.suspension)
        return self._report(
            False,
            "not asked: this credential was tried a short while ago, and another try could count against the",
            f"account. The guard allows the next one at {_when(held.until)}.",
        )

    def _suspended(self, suspension: Suspension) -> Report:
        return self._report(
            False,
            f"not asked: suspended since {_when(suspension.since)}, when the provider answered",
            f"{suspension.code}: {meaning(suspension.code)}.",
            advice(suspension.code),
            "Once that is done, lift the suspension: reload with another credential, or check --resume.",
        )

    def _told(self, outcome: Outcome, *, refusals: int) -> Report:
        if isinstance(outcome, Failure):
            return self._report(False, f"no answer ({outcome.reason}): {outcome.detail}.")
        code = f"{outcome.status}: {meaning(outcome.status)}."
        if effect(outcome.status) is Effect.BALANCE:
            figures, colour = _figures(outcome, self.account), _colour(outcome, self.account)
            if _available(outcome) is None:
                return self._report(False, code, *figures, "It doesn't say how many stamps are available.")
            return self._report(True, code, *figures, advice(outcome.status), colour=colour)
        lines = [code, advice(outcome.status)]
        if effect(outcome.status) is Effect.REFUSED:
            lines.append(
                f"That was refusal {refusals} of {self.account.auth_attempts} before it is suspended."
            )
        return self._report(False, *lines)

    def _report(self, ok: bool, first: str, *more: str, colour: Colour = Colour.BAD) -> Report:
        text = "\n".join((f"{self.account.name}: {first}", *(f"  {line}" for line in more)))
        return Report(ok, text, colour)


def _figures(reading: Reading, account: Account) -> list[str]:
    available = _available(reading)
    figures = [
        f"{name:<11}{stamps:>12,}"
        for name, stamps in (
            ("contracted", reading.contracted),
            ("used", reading.used),
            ("available", available),
        )
        if stamps is not None
    ]
    if available is not None and (below := account.threshold_above(available)):
        return [*figures, f"That is below the {below[0]} threshold of {below[1]:,}."]
    return figures


def _available(reading: Reading) -> int | None:
    return 0 if reading.available is None and reading.status in EXHAUSTED else reading.available


def _colour(reading: Reading, account: Account) -> Colour:
    available = _available(reading)
    if available is None:
        return Colour.BAD
    below = account.threshold_above(available)
    if reading.status in EXHAUSTED or (below and below[0] == "critical"):
        return Colour.BAD
    return Colour.LOW if below else Colour.GOOD


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
