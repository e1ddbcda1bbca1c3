"""``check NAME``: one login for one account, through the guard, told as a person reads it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.account.login import Held, Login
from exporter.account.outcome import Effect, Failure, Outcome, Reading, Verdict
from exporter.account.policy import balance
from exporter.account.state import Suspension
from exporter.cli.flags import PROGRAM
from exporter.cli.until import Until
from exporter.config import Account, CalendarConfig, Config, Issuer
from exporter.config.environments import BUILT_IN
from exporter.daemon.state_file import open_storage, tell_of
from exporter.guard.gate import Gate, ResumeTooSoonError
from exporter.provider.contract import Provider
from exporter.provider.http.proxy import Proxy
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.provider import SolucionFactible
from exporter.provider.solucion_factible.recording import Recording
from exporter.provider.solucion_factible.shape import describe
from exporter.secret import Secret
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
    account: Account,
    storage_path: Path | None,
    *,
    resume: bool,
    log: FilteringBoundLogger,
    calendar: CalendarConfig | None = None,
    shape: bool = False,
) -> Report:
    """Ask for an account's balance, once, if the guard allows it; ``shape`` reports the shape of what came.

    By ``calendar`` it tells until when that lasts, where the daemon knows days of use.

    It may run beside the daemon, on the same storage: the tries of both count together. Raises StorageError
    where the storage can't be used: nothing is sent then.
    """
    clock = time
    if storage_path is None:
        log.warning("nothing is kept: this try counts with no other", storage=":memory:")
    storage = open_storage(storage_path, exclusive=False, now=clock.time())
    tell_of(storage, log)
    failed: list[Exception] = []
    gate = Gate(storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=failed.append)
    recording = Recording() if shape else None
    provider = SolucionFactible(account.environment, clock, log.debug, recording)
    login = Login(account.guard_key, account.password, account)
    try:
        until = Until(storage, login.key, calendar or CalendarConfig(), clock)
        report = await _Check(account, login, gate, provider, until).run(resume=resume)
        await gate.close(account.timeout)
        if failed:
            raise failed[0]
        return _shape(account, report, recording) if recording else report
    finally:
        await provider.close()
        await storage.close()


def _secrets(account: Account) -> list[Secret]:
    """Return what is sent for an account's call, and may stand in nothing that is shown to others."""
    environment = account.environment
    texts = {account.username}
    if environment.wsdl not in BUILT_IN.values():
        url = urlsplit(environment.wsdl)
        texts |= {url.hostname or "", *(value for _, value in parse_qsl(url.query))}
    secrets = [account.password, *map(Secret, texts)]
    return secrets + (Proxy(environment.proxy_url).secrets() if environment.proxy_url else [])


def _shape(account: Account, report: Report, recording: Recording) -> Report:
    """Return the shape of what came instead of what it says."""
    environment = account.environment
    built_in = next((name for name, wsdl in BUILT_IN.items() if wsdl == environment.wsdl), None)
    lines = [
        f"{PROGRAM} {__version__}: the shape of the service, without any value, to be shown to others",
        f"Asked: the service of {built_in}" if built_in else "Asked: a service at another address",
        describe(recording, environment.wsdl, _secrets(account)),
    ]
    if recording.answer is None:
        lines.append("There is no answer: check NAME without --shape says why.")
    return Report(report.ok, "\n".join(lines), report.colour)


@dataclass(frozen=True, slots=True)
class _Check:
    account: Account
    login: Login
    gate: Gate
    provider: Provider
    until: Until | None = None
    issuer: Issuer | None = None

    async def run(self, *, resume: bool) -> Report:
        await self.gate.assume_open([self.login.key])
        await self.gate.adopt(self.login)
        if resume:
            try:
                await self.gate.resume(self.login)
            except ResumeTooSoonError as error:
                return self._report(False, f"not resumed: {error}, next at {_when(error.at)}")
        if self.login.suspension:
            return self._suspended(self.login.suspension)
        if failure := await self.provider.ready(self.account.timeout):
            return self._told(failure)
        tried = await self.provider.ask(self, self.gate)
        if isinstance(tried, Held):
            return self._held(tried)
        await self.gate.kept()
        until = await self.until.told(tried.outcome) if self.until else ()
        return self._told(tried.outcome, *until)

    def _held(self, held: Held) -> Report:
        if held.suspension:
            return self._suspended(held.suspension)
        when = _when(held.until)
        if held.blocked:
            return self._report(
                False,
                "not asked: what became of the last tries isn't known, and they may have been refused.",
                f"The guard allows the next one at {when}. For one now: check --resume, once an hour.",
            )
        return self._report(
            False,
            "not asked: this login was tried a short while ago, and another try could count against the",
            f"account. The guard allows the next one at {when}.",
        )

    def _suspended(self, suspension: Suspension) -> Report:
        code = suspension.code
        return self._report(
            False,
            f"not asked: suspended since {_when(suspension.since)}, when the provider answered",
            f"{code.number}: {code.meaning}.",
            code.advice,
            "Once that is done, lift the suspension: reload with another credential, or check --resume.",
        )

    def _told(self, outcome: Outcome, *until: str) -> Report:
        if isinstance(outcome, Failure):
            return self._report(False, f"no answer ({outcome.reason}): {outcome.detail}.", *_counts(outcome))
        code = f"{outcome.code.number}: {outcome.code.meaning}."
        if outcome.effect is Effect.BALANCE:
            figures, colour = _figures(outcome, self.account), _colour(outcome, self.account)
            if balance(outcome) is None:
                return self._report(False, code, *figures, "It doesn't say how many stamps are available.")
            return self._report(True, code, *figures, *until, outcome.code.advice, colour=colour)
        lines = [code, outcome.code.advice, *_counts(outcome)]
        if outcome.verdict is Verdict.REFUSED:
            lines.append(
                f"That was refusal {self.login.refusals} of {self.account.auth_attempts}"
                " before it is suspended."
            )
        return self._report(False, *lines)

    def _report(self, ok: bool, first: str, *more: str, colour: Colour = Colour.BAD) -> Report:
        text = "\n".join((f"{self.account.name}: {first}", *(f"  {line}" for line in more)))
        return Report(ok, text, colour)


def _counts(outcome: Outcome) -> list[str]:
    """Say where the guard counts a try as if it had been refused."""
    if outcome.verdict not in (Verdict.UNKNOWN_FROM_SERVICE, Verdict.UNKNOWN_ON_THE_WAY):
        return []
    return [
        "The provider may have counted it as a failed login: the guard counts it for an hour",
        "or longer, unless a login is accepted before.",
    ]


def _figures(reading: Reading, account: Account) -> list[str]:
    available = balance(reading)
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


def _colour(reading: Reading, account: Account) -> Colour:
    available = balance(reading)
    if available is None:
        return Colour.BAD
    below = account.threshold_above(available)
    if reading.code.exhausted or (below and below[0] == "critical"):
        return Colour.BAD
    return Colour.LOW if below else Colour.GOOD


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
