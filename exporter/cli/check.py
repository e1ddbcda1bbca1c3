"""``check NAME``: one login for one account, through the guard, told as a person reads it.

``check NAME/ISSUER`` asks for an issuer: with a second login, as the first proves it for its account itself.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.account.issuer import is_without
from exporter.account.login import Held, Login
from exporter.account.outcome import Effect, Failure, Outcome, Reading, Verdict
from exporter.account.policy import balance
from exporter.account.state import State, Suspension
from exporter.cli.flags import PROGRAM
from exporter.cli.until import Until
from exporter.config import Account, CalendarConfig, Config, Issuer, issuer_key
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
from exporter.storage import states
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


def find_issuer(config: Config, name: str) -> tuple[Account, Issuer] | None:
    """Return what is configured as ACCOUNT/ISSUER. The longest name that is an account's is taken for it."""
    account, issuer_name = _split(config, name)
    named = (issuer for issuer in account.issuers if issuer.name == issuer_name) if account else iter(())
    issuer = next(named, None)
    return (account, issuer) if account and issuer else None


def unknown(config: Config, name: str) -> str:
    """Return what to say where no account or issuer is called so."""
    account, issuer_name = _split(config, name)
    if account:
        close = suggestion(issuer_name, [issuer.name for issuer in account.issuers])
        return f"{config.path}: account {account.name} has no issuer called {issuer_name}{close}"
    known = [account.name for account in config.accounts]
    return f"{config.path}: no account is called {name}{suggestion(name, known)}"


def _split(config: Config, name: str) -> tuple[Account | None, str]:
    """Return the account that a name begins with, and what stands behind its slash. Names can hold more."""
    accounts = {account.name: account for account in config.accounts}
    for place in range(len(name) - 1, -1, -1):
        if name[place] == "/" and (account := accounts.get(name[:place])):
            return account, name[place + 1 :]
    return None, ""


async def run(
    account: Account,
    storage_path: Path | None,
    *,
    resume: bool,
    log: FilteringBoundLogger,
    calendar: CalendarConfig | None = None,
    shape: bool = False,
    issuer: Issuer | None = None,
) -> Report:
    """Ask for an account's balance, once, if the guard allows it; ``shape`` reports the shape of what came.

    For an ``issuer`` the account itself is asked for before, once: that proves the login in this process.

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
        report = None
        if issuer:
            own = await _Check(account, login, gate, provider).run(resume=resume)
            report = None if login.proven else own
            resume = False
        if report is None:
            key = issuer_key(login.key, issuer) if issuer else login.key
            until = Until(storage, key, calendar or CalendarConfig(), clock)
            before = await _known(storage, key, clock.time()) if issuer else None
            check = _Check(account, login, gate, provider, until, issuer, before)
            report = await check.run(resume=resume)
        await gate.close(account.timeout)
        if failed:
            raise failed[0]
        return _shape(account, issuer, report, recording) if recording else report
    finally:
        await provider.close()
        await storage.close()


async def _known(storage: Storage, key: str, now: float) -> State:
    found = await storage.transact(
        lambda db: states.load(db, now, codes.code, codes.issuer_code), durable=False
    )
    return found.get(key, State())


def _secrets(account: Account) -> list[Secret]:
    """Return what is sent for an account's call, and may stand in nothing that is shown to others."""
    environment = account.environment
    texts = {account.username}
    if environment.wsdl not in BUILT_IN.values():
        url = urlsplit(environment.wsdl)
        texts |= {url.hostname or "", *(value for _, value in parse_qsl(url.query))}
    secrets = [account.password, *map(Secret, texts)]
    return secrets + (Proxy(environment.proxy_url).secrets() if environment.proxy_url else [])


def _shape(account: Account, issuer: Issuer | None, report: Report, recording: Recording) -> Report:
    """Return the shape of what came instead of what it says."""
    environment = account.environment
    built_in = next((name for name, wsdl in BUILT_IN.items() if wsdl == environment.wsdl), None)
    lines = [
        f"{PROGRAM} {__version__}: the shape of the service, without any value, to be shown to others",
        f"Asked: the service of {built_in}" if built_in else "Asked: a service at another address",
        describe(recording, environment.wsdl, _secrets(account) + (issuer.secrets() if issuer else [])),
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
    before: State | None = None
    """What the daemon knows of the issuer."""

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
            terms = self.issuer or self.account
            if self.issuer and is_without(self.before or State(), outcome):
                unsure = "It never had stamps that are known of: it may have no contract of its own."
                text = unsure if outcome.code.exhausted else "It has no contract of its own."
                return self._report(True, code, text, colour=Colour.LOW)
            figures, colour = _figures(outcome, terms), _colour(outcome, terms)
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
        name = f"{self.account.name}/{self.issuer.name}" if self.issuer else self.account.name
        text = "\n".join((f"{name}: {first}", *(f"  {line}" for line in more)))
        return Report(ok, text, colour)


def _counts(outcome: Outcome) -> list[str]:
    """Say where the guard counts a try as if it had been refused."""
    if outcome.verdict not in (Verdict.UNKNOWN_FROM_SERVICE, Verdict.UNKNOWN_ON_THE_WAY):
        return []
    return [
        "The provider may have counted it as a failed login: the guard counts it for an hour",
        "or longer, unless a login is accepted before.",
    ]


def _figures(reading: Reading, terms: Account | Issuer) -> list[str]:
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
    if available is not None and (below := terms.threshold_above(available)):
        return [*figures, f"That is below the {below[0]} threshold of {below[1]:,}."]
    return figures


def _colour(reading: Reading, terms: Account | Issuer) -> Colour:
    available = balance(reading)
    if available is None:
        return Colour.BAD
    below = terms.threshold_above(available)
    if reading.code.exhausted or (below and below[0] == "critical"):
        return Colour.BAD
    return Colour.LOW if below else Colour.GOOD


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
