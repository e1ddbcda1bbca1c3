"""The monitoring of accounts without its network: real storage, guard, poller and policy under a clock and a
provider that a test moves by hand."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exporter import log
from exporter.account.login import Held, Login, Tried
from exporter.account.outcome import Failure, Outcome, Reading, Reason, Verdict
from exporter.account.outcome import unsent as not_sent
from exporter.account.state import State
from exporter.config import Account, CalendarConfig, Config, Environment, Issuer, TlsConfig
from exporter.daemon.state_file import STEPS, mending, open_storage
from exporter.exposition.exposition import Exposition
from exporter.exposition.publisher import Publisher
from exporter.guard.gate import Gate
from exporter.guard.records import remembered
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.lanes import Lanes
from exporter.polling.poller import Poller
from exporter.polling.profiles import Profiles
from exporter.polling.roster import Roster
from exporter.provider import contract
from exporter.provider.contract import Balance, Permit, Provider
from exporter.provider.pool import Providers
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.provider import SolucionFactible
from exporter.secret import Secret
from exporter.storage import states
from exporter.storage.engine import Result, Storage, StorageError, Work
from tests.support.peers import FakeClock

if TYPE_CHECKING:
    from exporter.polling.scheduler import Scheduler

ENVIRONMENT = Environment("testing", "https://pac.example/ws?wsdl", False, 4, None, TlsConfig())
INTERVAL = 900.0
USERNAME = "ws@acme.example"
KEY = "pac.example:443 ws@acme.example"
RIGHT = "the right one"
WRONG = "a wrong one"


def reading(
    code: int, contracted: int | None = None, used: int | None = None, available: int | None = None
) -> Reading:
    """An answer with this code."""
    return Reading(codes.code(code), contracted, used, available)


GOOD = reading(200, 1000, 400, 600)


def account(
    password: str = RIGHT,
    name: str = "acme",
    *,
    username: str = USERNAME,
    interval: float = INTERVAL,
    auth_attempts: int = 2,
    environment: Environment = ENVIRONMENT,
) -> Account:
    """An account with defaults as in a configuration."""
    return Account(
        name=name,
        username=username,
        password=Secret(password),
        environment=environment,
        interval=interval,
        timeout=60.0,
        stale_after=3 * interval,
        auth_attempts=auth_attempts,
        warning=None,
        critical=None,
        labels=(),
    )


def config(*accounts: Account) -> Config:
    """A configuration with these accounts."""
    environments = {one.environment.name: one.environment for one in accounts}
    return Config(Path("config.yaml"), environments, accounts, ())


@dataclass(frozen=True)
class Arrival:
    """A try that reached the provider, and the name of the issuer that it asked for."""

    username: str
    password: str
    at: float
    issuer: str = ""


class ScriptedProvider:
    """Stands at the place of a provider: it knows the right passwords and keeps every try.

    `script` is what the next tries end in, one each; after that it answers 200 to a right password and 601 to
    any other. `issuer_scripts` are likewise for what asks for an issuer, by its name. While `open` isn't set,
    tries wait for their outcome.
    """

    labels = codes.LABELS
    success = codes.SUCCESS.label

    def __init__(self, clock: FakeClock, environment: Environment = ENVIRONMENT) -> None:
        self.environment = environment
        self.passwords = {USERNAME: RIGHT}
        self.script: list[Outcome] = []
        self.issuer_scripts: dict[str, list[Outcome]] = {}
        self.wsdl: Failure | None = None
        self.retired = False
        self.logins: list[Arrival] = []
        self.open = asyncio.Event()
        self.open.set()
        self.reached = asyncio.Event()
        self.on_login: Callable[[Arrival], None] = lambda _login: None
        self._clock = clock

    def tries(self, password: str) -> int:
        """How often a password has reached the provider."""
        return sum(login.password == password for login in self.logins)

    async def ready(self, _limit: float) -> Failure | None:
        return self.wsdl

    async def ask(self, balance: Balance, gate: contract.Gate) -> Tried | Held:
        issuer = balance.issuer.name if balance.issuer else ""
        send = partial(self._send, balance.account, issuer)
        return await gate.attempt(balance.login, send, only_proven=bool(issuer))

    async def _send(self, account: Account, issuer: str, permit: Permit) -> Outcome:
        if self.retired:
            return unsent()
        script, password = self._script(issuer), permit.password()
        if script and isinstance(script[0], Failure) and not script[0].sent:
            return script.pop(0)
        login = Arrival(account.username, password.reveal(), self._clock.time(), issuer)
        self.logins.append(login)
        self.reached.set()
        self.on_login(login)
        await self.open.wait()
        script = self._script(issuer)  # it may be another one by now
        return script.pop(0) if script else self.judge(login)

    def _script(self, issuer: str) -> list[Outcome]:
        return self.issuer_scripts.get(issuer, []) if issuer else self.script

    def judge(self, login: Arrival) -> Outcome:
        """The answer to a try as the passwords are now."""
        right = self.passwords.get(login.username.casefold()) == login.password
        return GOOD if right else reading(601)

    def renew(self) -> None: ...

    async def close(self) -> None: ...

    async def close_when_idle(self) -> None: ...


class FlakyStorage(Storage):
    """A storage whose writes can fail, or be the last that the process lives to see.

    `before` and `after` are called with the number of each write, from 1: what they raise is raised to who
    writes, before anything is written or once it is on the disk.
    """

    before: Callable[[int], None] = staticmethod(lambda _number: None)
    after: Callable[[int], None] = staticmethod(lambda _number: None)
    writes = 0

    def __init__(self, path: Path | None, *, exclusive: bool, now: float) -> None:
        super().__init__(path, STEPS, mend=mending(exclusive=exclusive), exclusive=exclusive, now=now)

    async def transact(self, work: Work[Result], *, durable: bool = True) -> Result:
        self.writes += 1
        number = self.writes
        self.before(number)
        result = await super().transact(work, durable=durable)
        self.after(number)
        return result


class KilledError(BaseException):
    """The process is killed here: no code of it that handles exceptions runs on."""


def fails(*numbers: int) -> Callable[[int], None]:
    """For `FlakyStorage`: the writes of these numbers fail; without numbers, all."""

    def fail(number: int) -> None:
        if not numbers or number in numbers:
            raise StorageError("writing failed: database or disk is full")

    return fail


def kills(at: int) -> Callable[[int], None]:
    """For `FlakyStorage`: the process is killed at the write of this number."""

    def kill(number: int) -> None:
        if number == at:
            raise KilledError

    return kill


class Agenda:
    """Stands at the place of the scheduler: who is due when, on the clock of the test."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self.limits: dict[str, int] = {}
        self.groups: dict[str, str] = {}
        self._entries: dict[str, object] = {}

    def limit(self, group: str, polls: int, within: str | None = None) -> None:
        assert within is None or within in self.limits
        self.limits[group] = polls

    def add(self, key: str, group: str, due: float) -> None:
        assert group in self.limits
        self.due[key] = due
        self.groups[key] = group
        self._entries[key] = object()

    def remove(self, key: str) -> None:
        self.due.pop(key, None)
        self._entries.pop(key, None)

    async def run(self, key: str, poll: Callable[[str], Any]) -> None:
        """Poll a key: it is due again when that says so, unless it was removed meanwhile."""
        entry = self._entries[key]
        del self.due[key]
        due = await poll(key)
        if due is not None and self._entries.get(key) is entry:
            self.due[key] = due


class Life:
    """One life of the daemon's inner parts on one storage, from a start to a stop or a kill."""

    def __init__(
        self,
        path: Path | None,
        clock: FakeClock,
        provider: ScriptedProvider,
        logged: io.StringIO | None = None,
    ) -> None:
        self.clock, self.provider = clock, provider
        self.storage = FlakyStorage(path, exclusive=True, now=clock.time())
        self.accounts = Accounts()
        self.agenda = Agenda()
        self.storage_errors: list[StorageError] = []
        self.gate = Gate(
            self.storage,
            clock,
            codes=codes.code,
            refused=codes.REFUSED,
            storage_failed=self.storage_errors.append,
        )
        self.logged = logged or io.StringIO()
        logger = log.logger("info", stream=self.logged)
        self.metrics = ExporterMetrics("test")
        self.exposition = Exposition(self.metrics, clock)

        def connect(environment: Environment) -> Provider:
            if environment == provider.environment:
                return cast("Provider", provider)
            return SolucionFactible(environment, clock, logger.info)

        self.providers = Providers(connect)
        self.profiles = Profiles(
            self.accounts,
            self.storage,
            CalendarConfig(),
            clock=clock,
            metrics=self.metrics,
        )
        lanes = Lanes(self.agenda.limit)
        self.poller = Poller(
            self.accounts,
            self.providers,
            self.gate,
            clock=clock,
            metrics=self.metrics,
            log=logger,
            storage_failed=self.storage_errors.append,
            overtaken=self._postpone,
            lanes=lanes,
            today=self.profiles.today,
        )
        self.roster = Roster(
            self.accounts,
            self.providers,
            cast("Scheduler", self.agenda),
            self.gate,
            arrange=self.exposition.arrange,
            lanes=lanes,
            clock=clock,
            metrics=self.metrics,
            log=logger,
            states=self.storage.read(lambda db: states.load(db, clock.time(), codes.code, codes.issuer_code)),
            remembered=self.storage.read(lambda db: remembered(db, codes.code)),
        )
        self.publisher = Publisher(self.accounts, self.storage, self.exposition)
        self.in_flight: set[asyncio.Task[None]] = set()
        self.ended = False

    async def use(self, *accounts: Account) -> None:
        """Start with these accounts, or reload to them."""
        await self.roster.apply(config(*accounts))

    def monitored(self, name: str = "acme") -> Monitored:
        found = self.accounts.find(name)
        assert found is not None
        return found

    def state(self, name: str = "acme") -> State:
        return self.monitored(name).state

    def suspended(self) -> bool:
        """Whether the account `acme` is."""
        return self.state().suspension is not None

    async def poll(self, name: str = "acme") -> None:
        """Let time pass until an account is due, and poll it."""
        due = self.agenda.due[name]
        self.clock.advance(max(0.0, due - self.clock.monotonic()))
        await self.agenda.run(name, self.poller.poll)
        await self.kept()

    async def kept(self) -> None:
        """Wait until what the guard keeps beside the poll is kept; raise what killed it meanwhile."""
        while tasks := self.gate._keeping | self.gate._marks._writing:
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled() and (error := task.exception()):
                    raise error
            await asyncio.sleep(0)

    async def begin_poll(self, name: str = "acme") -> asyncio.Task[None]:
        """Poll an account as far as to the provider, which is to be closed (`provider.open`)."""
        self.provider.reached.clear()
        task = asyncio.create_task(self.poll(name))
        self.in_flight.add(task)
        task.add_done_callback(self.in_flight.discard)
        reached = asyncio.create_task(self.provider.reached.wait())
        await asyncio.wait((task, reached), return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        return task

    async def poll_until_idle(self, polls: int = 20) -> None:
        """Poll whatever is due next, so many times or until nothing is due any more."""
        for _ in range(polls):
            if not self.agenda.due:
                return
            await self.poll(min(self.agenda.due, key=self.agenda.due.__getitem__))

    def _postpone(self, account: Account, due: float) -> None:
        self.roster.postpone(account, due)

    async def stop(self) -> None:
        """End in good order."""
        if not self.ended:
            self.ended = True
            await self._cancel()
            await self.providers.close()
            await self.gate.close(5)
            with suppress(StorageError):
                await self.publisher.publish()
            await self.storage.close()

    async def kill(self) -> None:
        """End as SIGKILL does: what isn't on the disk is lost."""
        if not self.ended:
            self.ended = True
            self.in_flight |= self.gate._keeping | self.gate._marks._writing
            await self._cancel()
            while not self.storage._queue.empty():
                self.storage._queue.get()
            await self.storage.close()

    async def _cancel(self) -> None:
        tasks = set(self.in_flight)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def unsent(reason: Reason = Reason.CONNECTION) -> Failure:
    """A failure before the credential left the process."""
    return not_sent(reason, "no connection")


def sent(reason: Reason = Reason.TIMEOUT) -> Failure:
    """A failure after which nobody knows whether the provider has counted the try."""
    return Failure(reason, "no answer")


@dataclass(frozen=True)
class Asked:
    """What is asked for beside the daemon, as `check` does."""

    account: Account
    login: Login
    issuer: Issuer | None = None


def asked_for(account: Account) -> Asked:
    """What `check` asks for: with a login of which its process knows nothing."""
    return Asked(account, Login(account.guard_key, account.password, account))


@asynccontextmanager
async def gate_beside(path: Path, clock: FakeClock) -> AsyncIterator[Gate]:
    """A gate beside the daemon's, as `check` has one; its storage works."""
    storage = open_storage(path, exclusive=False, now=clock.time())
    errors: list[StorageError] = []
    gate = Gate(storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=errors.append)
    try:
        yield gate
        await gate.close(60)
        assert not errors
    finally:
        await storage.close()


def unreadable() -> Failure:
    """An answer of the service that nobody can read."""
    return Failure(Reason.INVALID, "no status", verdict=Verdict.UNKNOWN_FROM_SERVICE)
