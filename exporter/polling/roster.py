"""Which accounts are monitored, with which state: at the start, after a reload, after a resumption."""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from exporter import resume
from exporter.account.login import Login
from exporter.account.outcome import Reason
from exporter.account.policy import FIRST_POLLS, first_poll, postponed, renewed, spread, suspended
from exporter.account.state import Count, State, Suspension, shifted
from exporter.clock import Clock
from exporter.config import Account, Config, is_issuer_key
from exporter.guard.gate import Gate
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.enrolment import Enrolment
from exporter.polling.events import Events
from exporter.polling.lanes import Lanes
from exporter.polling.poller import NOTICEABLE
from exporter.polling.scheduler import Scheduler
from exporter.provider.pool import Providers
from exporter.storage.engine import StorageError


class Roster:
    """Gives the accounts of a configuration to the scheduler, with what is known of them.

    ``states`` are those that the storage had at the start, by ``Monitored.key``. ``remembered`` are the
    keys of which the guard remembers a refused credential, with a suspension where there is one: whether it
    is the present one is looked at before these accounts are polled, which takes a while for each.
    ``arrange`` is given the names of the accounts to show, in their order, and the ids of their issuers.
    First polls are spread over ``first_polls`` seconds and a little for each account.
    """

    def __init__(
        self,
        accounts: Accounts,
        providers: Providers,
        scheduler: Scheduler,
        gate: Gate,
        *,
        arrange: Callable[[Sequence[str], Sequence[str]], None],
        lanes: Lanes,
        clock: Clock,
        metrics: ExporterMetrics,
        log: FilteringBoundLogger,
        states: Mapping[str, State],
        remembered: Mapping[str, Suspension | None],
        first_polls: float = FIRST_POLLS,
        resume_command: Callable[[str], str] = resume.command,
    ) -> None:
        self._accounts = accounts
        self._providers = providers
        self._scheduler = scheduler
        self._gate = gate
        self._arrange = arrange
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._events = Events(log, resume_command)
        self.applied = asyncio.Event()
        """Set once the accounts of a first configuration are there; the guard may still look at some."""
        self._states = {key: state for key, state in states.items() if not is_issuer_key(key)}
        self._enrolment = Enrolment(
            accounts,
            scheduler,
            lanes,
            clock=clock,
            states={key: state for key, state in states.items() if is_issuer_key(key)},
            first_polls=first_polls,
        )
        self._remembered = dict(remembered)
        self._first_polls = first_polls
        self._gone: dict[str, Monitored] = {}  # accounts that a reload has removed, by Account.guard_key
        # Accounts that wait for the guard to look at what it remembers, and when they were due.
        self._pending: dict[str, float] = {}
        self._changing = asyncio.Lock()

    async def apply(self, config: Config) -> None:
        """Monitor exactly the accounts of a configuration.

        An account that stays the same keeps its state and its due time, and a poll under way goes on. A new
        one, or one with another credential, is polled soon, if the guard allows it.

        Raises ConfigError, having changed nothing, where connections can't be made as configured.
        """
        async with self._changing:
            used = {account.environment.name: account.environment for account in config.accounts}
            self._providers.use(used)
            codes = {name: self._providers[name].labels for name in used}
            self._metrics.use_environments(codes, tuple(Reason))
            for name, environment in used.items():
                self._scheduler.limit(name, environment.concurrency)
            before = {monitored.account.guard_key: monitored for monitored in self._accounts}
            after = [self._monitored(account, before, len(config.accounts)) for account in config.accounts]
            issuers = self._enrolment.monitored(after)
            issuers_before = {monitored.id: monitored for monitored in self._accounts.issuers()}
            for gone in self._accounts.replace([*after, *issuers]):
                if gone.issuer:
                    self._enrolment.forget(gone)
                else:
                    self._scheduler.remove(gone.id)
                    self._pending.pop(gone.id, None)
            kept = {monitored.account.guard_key for monitored in after}
            for key, old in before.items():
                if key not in kept:
                    old.login.wanted = False
                    self._gone[key] = old
            names = [account.name for account in config.accounts]
            self._arrange(names, [monitored.id for monitored in issuers])
            for monitored in after:
                self._schedule(monitored, before.get(monitored.account.guard_key))
            self._enrolment.schedule(issuers, issuers_before)
            self.applied.set()
            await self._admit_pending()

    async def resume(self, name: str) -> bool:
        """Lift what an account is held back by, for one new try now; return whether there was anything.

        Raises ResumeTooSoonError, and StorageError where that can't be kept.
        """
        async with self._changing:
            monitored = self._accounts.get(name)
            if monitored is None or not await self._gate.resume(monitored.login):
                return False
            self._lift(monitored, "account resumed")
            return True

    async def look_around(self) -> None:
        """Take notice of what another process (``check``) has suspended or resumed. Raises StorageError."""
        async with self._changing:
            unsure: list[Login] = []
            try:
                unsure = await self._gate.review([monitored.login for monitored in self._accounts])
            finally:
                # A refusal that could not be kept suspends all the same.
                self._take_over(set(unsure))
            await self._bring_forward()
            await self._admit_pending()

    def _take_over(self, unsure: Set[Login]) -> None:
        """Suspend and lift accounts as their logins are by now."""
        for monitored in list(self._accounts):
            name, state, login = monitored.account.name, monitored.state, monitored.login
            if name in self._pending:
                continue
            if login in unsure:
                # It may be this very password that was suspended elsewhere.
                self._scheduler.remove(name)
                self._pending[name] = state.next_poll or self._clock.time()
            elif state.suspension and not login.suspension:
                self._lift(monitored, "account resumed elsewhere")
            elif login.suspension and not state.suspension:
                self._suspend(monitored, login.suspension)

    async def _bring_forward(self) -> None:
        """Poll accounts sooner whose open tries are gone: the provider answers again, or somebody resumed."""
        blocked = [monitored for monitored in self._accounts if monitored.state.blocked]
        if not blocked:
            return
        now = self._clock.time()
        free = await self._gate.free_at([monitored.login for monitored in blocked])
        for monitored, at in zip(blocked, free, strict=True):
            account, state = monitored.account, monitored.state
            if at is None or self._accounts.get(account.name) is not monitored:
                continue
            due = at if at > now else now + first_poll(account.name, account.interval, len(blocked))
            if state.next_poll is not None and due < state.next_poll - NOTICEABLE:
                self._scheduler.remove(account.name)
                self._accounts.put(replace(monitored, state=postponed(state, due, blocked=at > now)))
                self._add(account, due)

    def spread(self, names: Sequence[str]) -> list[float]:
        """Return new due times, on the monotonic clock, of accounts that became overdue together.

        They became so while the process or its machine was stopped. The longest overdue comes first; they are
        spread evenly, as at a start.
        """
        now, wall = self._clock.monotonic(), self._clock.time()
        due = []
        for place, name in enumerate(names):
            monitored = self._accounts.find(name)
            delay = 0.0
            if monitored:
                delay = spread(place / len(names), monitored.terms.interval, len(names), self._first_polls)
                state = replace(monitored.state, next_poll=wall + delay)
                self._accounts.put(replace(monitored, state=state))
            due.append(now + delay)
        self._log.info("overdue polls spread", accounts=len(names))
        return due

    def postpone(self, account: Account, due: float) -> None:
        """Schedule an account that was given to the scheduler anew while it was polled: that poll counts.

        ``due`` is when it is due next, on the monotonic clock.
        """
        if account.name not in self._pending:
            self._scheduler.add(account.name, account.environment.name, due)

    def clock_jumped(self, seconds: float) -> None:
        """Move all times that are known with a clock that has jumped, ahead or back.

        Balances are no older and no younger by that, and polls are due when they were.
        """
        if seconds > 0:
            self._log.warning("the clock was set ahead", seconds=round(seconds))
        else:
            self._log.warning("the clock was set back", seconds=round(-seconds))
        for monitored in list(self._accounts.balances()):
            self._accounts.put(replace(monitored, state=shifted(monitored.state, seconds)))
        self._enrolment.clock_jumped(seconds)
        self._states = {key: shifted(state, seconds) for key, state in self._states.items()}
        self._gone = {
            key: replace(gone, state=shifted(gone.state, seconds)) for key, gone in self._gone.items()
        }
        self._pending = {name: due + seconds for name, due in self._pending.items()}

    def _monitored(self, account: Account, before: Mapping[str, Monitored], count: int) -> Monitored:
        """Return what is to be known of an account of a new configuration."""
        key = account.guard_key
        old = before.get(key)
        if old and old.account == account:
            return old
        if old and old.account.password == account.password:
            if old.account.name in self._pending:
                self._pending[account.name] = self._pending.pop(old.account.name)
            old.login.terms = account
            state = old.state
            if not state.suspension:
                state = replace(state, next_poll=self._due(state.next_poll, account, count))
            return Monitored(account, old.login, state)
        if old:
            old.login.wanted = False
        old = old or self._gone.pop(key, None)
        state = old.state if old else self._counting(account, self._states.pop(key, State()))
        changed = old is not None and old.account.password != account.password
        due = self._due(None if changed else state.next_poll, account, count)
        if old or key in self._remembered:
            self._pending[account.name] = due
        suspension = self._remembered.pop(key, None) or state.suspension
        state = suspended(state, suspension) if suspension else renewed(state, due)
        return Monitored(account, Login(key, account.password, account), state)

    def _counting(self, account: Account, state: State) -> State:
        """Return what is known of an account at first: successes are counted from the start, at 0."""
        success = self._providers[account.environment.name].success
        return replace(state, responses=(Count(success, 0),))

    def _due(self, stored: float | None, account: Account, count: int) -> float:
        """Return a due time that is ahead, but not by more than the interval."""
        now = self._clock.time()
        due = min(stored or 0.0, now + account.interval)
        if due > now:
            return due
        return now + first_poll(account.name, account.interval, count, self._first_polls)

    def _schedule(self, monitored: Monitored, old: Monitored | None) -> None:
        """Give an account to the scheduler, unless it is there already or isn't to be polled (yet)."""
        account, state = monitored.account, monitored.state
        same_place = old and (old.account.name, old.account.environment.name, old.account.interval) == (
            account.name,
            account.environment.name,
            account.interval,
        )
        if same_place and old and old.login is monitored.login:
            return
        self._scheduler.remove(account.name)
        if state.next_poll is not None and account.name not in self._pending:
            self._add(account, state.next_poll)

    def _add(self, account: Account, due: float) -> None:
        delay = max(0.0, due - self._clock.time())
        self._scheduler.add(account.name, account.environment.name, self._clock.monotonic() + delay)

    async def _admit_pending(self) -> None:
        """Ask the guard about credentials that it may know; begin to poll those that it lets through."""
        for name, due in list(self._pending.items()):
            monitored = self._accounts.get(name)
            if monitored is None:
                continue
            try:
                next_at = await self._gate.adopt(monitored.login)
            except StorageError as error:
                # It stays out until the storage can be read again.
                self._log.error("account not polled", account=name, error=str(error))
                continue
            del self._pending[name]
            # The clock may have been set back since.
            latest = self._clock.time() + monitored.account.interval
            self._admit(monitored, min(max(due, next_at), latest))

    def _admit(self, monitored: Monitored, due: float) -> None:
        if monitored.login.suspension:
            self._suspend(monitored, monitored.login.suspension)
            return
        self._accounts.put(replace(monitored, state=renewed(monitored.state, due)))
        self._add(monitored.account, due)

    def _suspend(self, monitored: Monitored, suspension: Suspension) -> None:
        self._scheduler.remove(monitored.account.name)
        self._accounts.put(replace(monitored, state=suspended(monitored.state, suspension)))
        self._events.suspended(monitored.account, suspension.code)

    def _lift(self, monitored: Monitored, message: str) -> None:
        now = self._clock.time()
        self._scheduler.remove(monitored.account.name)
        self._accounts.put(replace(monitored, state=renewed(monitored.state, now)))
        self._add(monitored.account, now)
        self._log.info(message, account=monitored.account.name)
