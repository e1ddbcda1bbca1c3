"""Which accounts are monitored, with which state: at the start, after a reload, after a resumption."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from exporter.account.policy import FIRST_POLLS, first_poll, renewed, suspended
from exporter.account.state import State, Suspension, as_of
from exporter.clock import Clock
from exporter.config import Account, Config
from exporter.guard.gate import Credential, Guard
from exporter.guard.ledger import Standing
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.events import tell_suspended
from exporter.polling.poller import NOTICEABLE
from exporter.polling.scheduler import Scheduler
from exporter.provider.pool import Providers
from exporter.storage.engine import StorageError


@dataclass(frozen=True, slots=True)
class _Pending:
    """An account that waits for the guard's word: when it was due, and the credential that it had before."""

    due: float
    previous: Credential | None = None


class Roster:
    """Gives the accounts of a configuration to the scheduler, with what is known of them.

    ``states`` are those that the storage had at the start, by ``Account.guard_key``. ``held`` are the keys
    that the guard has records of, with a suspension where there is one: what they hold is looked at before
    these accounts are polled, which takes a while for each. ``arrange`` is told which accounts are to be
    shown, in their order. First polls are spread over ``first_polls`` seconds and a little for each account.
    """

    def __init__(
        self,
        accounts: Accounts,
        providers: Providers,
        scheduler: Scheduler,
        guard: Guard,
        *,
        arrange: Callable[[Sequence[str]], None],
        clock: Clock,
        log: FilteringBoundLogger,
        states: Mapping[str, State],
        held: Mapping[str, Suspension | None],
        first_polls: float = FIRST_POLLS,
    ) -> None:
        self._accounts = accounts
        self._providers = providers
        self._scheduler = scheduler
        self._guard = guard
        self._arrange = arrange
        self._clock = clock
        self._log = log
        self.applied = asyncio.Event()
        """Set once the accounts of a first configuration are there; the guard may still look at some."""
        self._states = dict(states)
        self._held = dict(held)
        self._first_polls = first_polls
        self._gone: dict[str, Monitored] = {}  # accounts that a reload has removed, by Account.guard_key
        self._pending: dict[str, _Pending] = {}
        self._changing = asyncio.Lock()
        self._clocks_apart = clock.time() - clock.monotonic()

    async def apply(self, config: Config) -> None:
        """Monitor exactly the accounts of a configuration.

        An account that stays the same keeps its state and its due time, and a poll under way goes on. A new
        one, or one with another credential, is polled soon, if the guard allows it.

        Raises ConfigError, having changed nothing, where connections can't be made as configured.
        """
        async with self._changing:
            used = {account.environment.name: account.environment for account in config.accounts}
            self._providers.use(used)
            for name, environment in used.items():
                self._scheduler.limit(name, environment.concurrency)
            before = {monitored.account.guard_key: monitored for monitored in self._accounts}
            after = [self._monitored(account, before, len(config.accounts)) for account in config.accounts]
            for name in self._accounts.replace(after):
                self._scheduler.remove(name)
                self._pending.pop(name, None)
            kept = {monitored.account.guard_key for monitored in after}
            self._gone |= {key: old for key, old in before.items() if key not in kept}
            self._arrange([account.name for account in config.accounts])
            for monitored in after:
                self._schedule(monitored, before.get(monitored.account.guard_key))
            self.applied.set()
            await self._admit_pending()

    async def resume(self, name: str) -> bool:
        """Lift an account's suspension, for one new try now; return whether it had one.

        Raises ResumeTooSoonError, and StorageError where that can't be kept.
        """
        async with self._changing:
            monitored = self._accounts.get(name)
            if monitored is None or not monitored.state.suspension:
                return False
            await self._guard.pay()
            await self._guard.resume(monitored.credential, monitored.account, self._clock.time())
            self._lift(monitored, "account resumed")
            return True

    async def look_around(self) -> None:
        """Take notice of what another process (``check``) has suspended or resumed, and of the clock.

        Raises StorageError.
        """
        self._look_at_the_clock()
        async with self._changing:
            await self._guard.pay()
            # An account that is suspended from here on must not be lifted for want of its record below.
            asked = list(self._accounts)
            stored = await self._guard.suspensions()
            for monitored in asked:
                if self._accounts.get(monitored.account.name) is not monitored:
                    continue
                if monitored.account.name in self._pending:
                    continue
                credential, state = monitored.credential, monitored.state
                suspensions = stored.get(credential.key, {})
                suspension = suspensions.get(credential.record or 0)
                if suspensions.keys() - credential.strangers - {credential.record}:
                    # It may be this very credential that was suspended there under a record of its own.
                    self._scheduler.remove(monitored.account.name)
                    self._pending[monitored.account.name] = _Pending(state.next_poll or self._clock.time())
                elif state.suspension and not suspension:
                    self._lift(monitored, "account resumed elsewhere")
                elif suspension and not state.suspension:
                    self._suspend(monitored, suspension)
            await self._admit_pending()

    def postpone(self, account: Account, due: float) -> None:
        """Schedule an account that was given to the scheduler anew while it was polled: that poll counts.

        ``due`` is when it is due next, on the monotonic clock.
        """
        if account.name not in self._pending:
            self._scheduler.add(account.name, account.environment.name, due)

    def _look_at_the_clock(self) -> None:
        before, self._clocks_apart = self._clocks_apart, self._clock.time() - self._clock.monotonic()
        if self._clocks_apart < before - NOTICEABLE:
            now = self._clock.time()
            self._log.warning("the clock was set back", seconds=round(before - self._clocks_apart))
            for monitored in list(self._accounts):
                self._accounts.put(replace(monitored, state=as_of(monitored.state, now)))

    def _monitored(self, account: Account, before: Mapping[str, Monitored], count: int) -> Monitored:
        """Return what is to be known of an account of a new configuration."""
        key = account.guard_key
        old = before.get(key)
        if old and old.account == account:
            return old
        if old and old.account.password == account.password:
            if old.account.name in self._pending:
                self._pending[account.name] = self._pending.pop(old.account.name)
            state = old.state
            if not state.suspension:
                state = replace(state, next_poll=self._due(state.next_poll, account, count))
            return Monitored(account, old.credential, state)
        old = old or self._gone.pop(key, None)
        state = old.state if old else self._states.pop(key, State())
        changed = old is not None and old.account.password != account.password
        due = self._due(None if changed else state.next_poll, account, count)
        if old or key in self._held:
            self._pending[account.name] = _Pending(due, old.credential if old else None)
        suspension = self._held.pop(key, None) or state.suspension
        state = suspended(state, suspension) if suspension else renewed(state, due)
        return Monitored(account, Credential(key, account.password), state)

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
        if same_place and old and old.credential is monitored.credential:
            return
        self._scheduler.remove(account.name)
        if state.next_poll is not None and account.name not in self._pending:
            self._add(account, state.next_poll)

    def _add(self, account: Account, due: float) -> None:
        delay = max(0.0, due - self._clock.time())
        self._scheduler.add(account.name, account.environment.name, self._clock.monotonic() + delay)

    async def _admit_pending(self) -> None:
        """Ask the guard about credentials that it may know; begin to poll those that it lets through."""
        for name, pending in list(self._pending.items()):
            monitored = self._accounts.get(name)
            if monitored is None:
                continue
            try:
                found = await self._guard.adopt(monitored.account, self._clock.time(), pending.previous)
            except StorageError as error:
                # It stays out until the storage can be read again.
                self._log.error("account not polled", account=name, error=str(error))
                continue
            del self._pending[name]
            self._admit(monitored, pending.due, *found)

    def _admit(self, monitored: Monitored, due: float, credential: Credential, standing: Standing) -> None:
        account = monitored.account
        admitted = replace(monitored, credential=credential)
        if standing.suspension:
            self._suspend(admitted, standing.suspension)
            return
        due = max(due, standing.not_before)
        self._accounts.put(replace(admitted, state=renewed(monitored.state, due)))
        self._add(account, due)

    def _suspend(self, monitored: Monitored, suspension: Suspension) -> None:
        self._scheduler.remove(monitored.account.name)
        self._accounts.put(replace(monitored, state=suspended(monitored.state, suspension)))
        tell_suspended(self._log, monitored.account, suspension.code)

    def _lift(self, monitored: Monitored, message: str) -> None:
        now = self._clock.time()
        self._scheduler.remove(monitored.account.name)
        self._accounts.put(replace(monitored, state=renewed(monitored.state, now)))
        self._add(monitored.account, now)
        self._log.info(message, account=monitored.account.name)
