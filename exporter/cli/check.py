"""``check NAME``: one login for one account, through the guard, told as a person reads it.

``check NAME/ISSUER`` asks for an issuer: with a second login, as the first proves it for its account itself.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from structlog.typing import FilteringBoundLogger

from exporter import __version__, resume
from exporter.account.issuer import is_without
from exporter.account.login import Held, Login
from exporter.account.outcome import Effect, Failure, Outcome, Reading, Verdict
from exporter.account.policy import balance
from exporter.account.state import State, Suspension
from exporter.cli.flags import PROGRAM
from exporter.cli.until import UNKNOWN, Lasting, Until
from exporter.clock import Clock
from exporter.config import Account, CalendarConfig, Environment, Issuer, issuer_key
from exporter.config.environments import BUILT_IN
from exporter.daemon.state_file import open_storage, tell_of
from exporter.guard.gate import Gate, ResumeTooSoonError
from exporter.page.standing import SOON
from exporter.provider.contract import Provider
from exporter.provider.http.proxy import Proxy
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.provider import SolucionFactible
from exporter.provider.solucion_factible.recording import Recording
from exporter.provider.solucion_factible.shape import describe
from exporter.secret import Secret
from exporter.storage import states
from exporter.storage.engine import Storage


class Colour(Enum):
    """What a report comes to at one glance; the values are a terminal's (ECMA-48, SGR)."""

    GOOD = 32
    LOW = 33
    BAD = 31


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found, for a person; ``ok`` where the balance is known.

    ``line`` is the whole in a line, where it is well. ``answered`` says whether the provider was there,
    ``None`` where it wasn't asked.
    """

    ok: bool
    text: str
    colour: Colour
    line: str = ""
    answered: bool | None = None

    def coloured(self) -> str:
        """Return the text for a terminal, its first line in colour."""
        return self.in_colour(self.text)

    def in_colour(self, text: str) -> str:
        """Return a text about it for a terminal, its first line in colour."""
        first, *more = text.split("\n")
        return "\n".join((f"\033[{self.colour.value}m{first}\033[0m", *more))


class Checks:
    """Asks for accounts, one at a time, on a storage that a daemon may use as well.

    ``command`` is that which asks for an account, as far as to its name. A ``recording`` keeps what came.
    """

    def __init__(
        self,
        storage: Storage,
        calendar: CalendarConfig,
        clock: Clock,
        log: FilteringBoundLogger,
        command: Sequence[str] = resume.CHECK,
        recording: Recording | None = None,
    ) -> None:
        self._storage = storage
        self._recording = recording
        self._failed: list[Exception] = []
        self._log = log
        self._clock = clock
        self._command = command
        self._until = Until(storage, calendar, clock)
        self._gate = Gate(
            storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=self._failed.append
        )
        self._providers: dict[str, tuple[Environment, Provider]] = {}

    async def ask(self, account: Account, *, resume: bool = False, issuer: Issuer | None = None) -> Report:
        """Ask for an account's balance, once, if the guard allows it. Raises StorageError.

        An issuer is asked for after its account, which proves the login.
        """
        login = Login(account.guard_key, account.password, account)
        provider = self._provider(account.environment)
        check = _Check(account, login, self._gate, provider, self._until, self._command)
        report = await check.run(resume=resume)
        if issuer and login.proven:
            before = await _known(self._storage, issuer_key(login.key, issuer), self._clock.time())
            report = await replace(check, issuer=issuer, before=before).run(resume=False)
        await self._gate.kept()
        self._raise_failed()
        return report

    async def close(self, limit: float) -> None:
        """Keep what is still to be kept, for at most ``limit`` seconds. Raises StorageError."""
        await self._gate.close(limit)
        self._raise_failed()

    async def hang_up(self) -> None:
        """Close all connections."""
        for _, provider in self._providers.values():
            await provider.close()

    def _provider(self, environment: Environment) -> Provider:
        if environment.name not in self._providers:
            made = SolucionFactible(environment, self._clock, self._log.debug, self._recording)
            self._providers[environment.name] = environment, made
        return self._providers[environment.name][1]

    def _raise_failed(self) -> None:
        if self._failed:
            raise self._failed[0]


@asynccontextmanager
async def checks(
    storage_path: Path | None,
    calendar: CalendarConfig,
    log: FilteringBoundLogger,
    command: Sequence[str] = resume.CHECK,
    recording: Recording | None = None,
) -> AsyncIterator[Checks]:
    """Open the storage for checks, beside a daemon if there is one.

    Raises StorageError where the storage can't be used: nothing is sent then.
    """
    clock = time
    if storage_path is None:
        log.warning("nothing is kept: this try counts with no other", storage=":memory:")
    storage = open_storage(storage_path, exclusive=False, now=clock.time())
    async with AsyncExitStack() as closing:
        closing.push_async_callback(storage.close)
        tell_of(storage, log)
        opened = Checks(storage, calendar, clock, log, command, recording)
        closing.push_async_callback(opened.hang_up)
        yield opened


async def run(
    account: Account,
    storage_path: Path | None,
    *,
    resume: bool,
    log: FilteringBoundLogger,
    calendar: CalendarConfig | None = None,
    command: Sequence[str] = resume.CHECK,
    shape: bool = False,
    issuer: Issuer | None = None,
) -> Report:
    """Ask for an account's balance, once, if the guard allows it; ``shape`` reports the shape of what came.

    For an ``issuer`` the account itself is asked for before, once: that proves the login in this process.

    By ``calendar`` it tells until when that lasts, where the daemon knows days of use.

    It may run beside the daemon, on the same storage: the tries of both count together. Raises StorageError
    where the storage can't be used: nothing is sent then.
    """
    recording = Recording() if shape else None
    async with checks(storage_path, calendar or CalendarConfig(), log, command, recording) as opened:
        report = await opened.ask(account, resume=resume, issuer=issuer)
        await opened.close(account.timeout)
        return _shape(account, issuer, report, recording) if recording else report


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
    command: Sequence[str] = resume.CHECK
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
        key = issuer_key(self.login.key, self.issuer) if self.issuer else self.login.key
        lasting = await self.until.lasts(tried.outcome, key) if self.until else UNKNOWN
        return self._told(tried.outcome, lasting)

    def _held(self, held: Held) -> Report:
        if held.suspension:
            return self._suspended(held.suspension)
        when = _when(held.until)
        if held.blocked:
            return self._report(
                False,
                "not asked: what became of the last tries isn't known, and they may have been refused.",
                f"The guard allows the next one at {when}. For one now, once an hour:",
                f"  {self._resume}",
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
            *self._to_lift(),
        )

    def _to_lift(self) -> tuple[str, ...]:
        return (
            "Once that is done, reload with another credential, or for one new try with the same one:",
            f"  {self._resume}",
        )

    @property
    def _resume(self) -> str:
        return resume.command(self.account.name, self.command)

    @property
    def _name(self) -> str:
        return f"{self.account.name}/{self.issuer.name}" if self.issuer else self.account.name

    def _told(self, outcome: Outcome, lasting: Lasting = UNKNOWN) -> Report:
        if isinstance(outcome, Failure):
            said = f"no answer ({outcome.reason}): {outcome.detail}."
            return self._report(False, said, *_counts(outcome), answered=outcome.answered)
        code = f"{outcome.code.number}: {outcome.code.meaning}."
        if outcome.effect is Effect.BALANCE:
            if self.issuer and is_without(self.before or State(), outcome):
                unsure = "It never had stamps that are known of: it may have no contract of its own."
                text = unsure if outcome.code.exhausted else "It has no contract of its own."
                return self._report(True, code, text, colour=Colour.LOW, answered=True)
            left = balance(outcome)
            figures = _figures(outcome)
            if left is None:
                lines = [code, *figures, "It doesn't say how many stamps are available."]
                return self._report(False, *lines, answered=True)
            return self._of_balance(outcome, left, figures, lasting)
        lines = [code, outcome.code.advice, *_counts(outcome)]
        if outcome.verdict is Verdict.REFUSED:
            number = f"refusal {self.login.refusals} of {self.account.auth_attempts}"
            lines.append(f"That was {number} before it is suspended.")
        if self.login.suspension:
            lines += [
                "So the account is suspended: this exporter doesn't try its login any more, which could have",
                "the provider lock it.",
                *self._to_lift(),
            ]
        return self._report(False, *lines, answered=True)

    def _of_balance(self, outcome: Reading, left: int, figures: list[str], lasting: Lasting) -> Report:
        """Say what is left, until when, and what to do: a low balance is no success, whatever the code."""
        code = outcome.code
        above = (self.issuer or self.account).threshold_above(left)
        critical = (above and above[0] == "critical") or lasting.critical
        said = f"{code.number}: {code.meaning}."
        advice, colour = code.advice, Colour.GOOD
        if not left:
            said = said if code.exhausted else "out of stamps."
            advice, colour = "Buy stamps: invoicing has stopped.", Colour.BAD
        elif critical:
            said, advice, colour = "critical balance.", "Buy stamps today.", Colour.BAD
        elif above or (lasting.days is not None and lasting.days < SOON):
            said, advice, colour = "few stamps.", "Buy stamps soon.", Colour.LOW
        limits = [f"That is below the {above[0]} threshold of {above[1]:,}."] if above else []
        words = lasting.words
        until = [f"{words[0].upper()}{words[1:]}."] if words else []
        line = f"{self._name}: {left:,} available{', ' if words else ''}{words}"
        lines = (said, *figures, *limits, *until, advice)
        return self._report(True, *lines, colour=colour, line=line, answered=True)

    def _report(
        self,
        ok: bool,
        first: str,
        *more: str,
        colour: Colour = Colour.BAD,
        line: str = "",
        answered: bool | None = None,
    ) -> Report:
        text = "\n".join((f"{self._name}: {first}", *(f"  {one}" for one in more)))
        return Report(ok, text, colour, line, answered)


def _counts(outcome: Outcome) -> list[str]:
    """Say where the guard counts a try as if it had been refused."""
    if outcome.verdict not in (Verdict.UNKNOWN_FROM_SERVICE, Verdict.UNKNOWN_ON_THE_WAY):
        return []
    return [
        "The provider may have counted it as a failed login: the guard counts it for an hour",
        "or longer, unless a login is accepted before.",
    ]


def _figures(reading: Reading) -> list[str]:
    return [
        f"{name:<11}{stamps:>12,}"
        for name, stamps in (
            ("contracted", reading.contracted),
            ("used", reading.used),
            ("available", balance(reading)),
        )
        if stamps is not None
    ]


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
