"""One poll of one account, start to end: have it charged, ask, judge, keep, tell."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter.account.outcome import Failure, Outcome, Reason
from exporter.account.policy import postponed, step, suspended
from exporter.account.state import State
from exporter.clock import Clock
from exporter.config import Account
from exporter.guard.gate import Credential, Guard
from exporter.guard.ledger import Charge, Held
from exporter.log import origin
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.events import Events, tell_suspended
from exporter.polling.scheduler import CRASH_DELAY
from exporter.provider.solucion_factible.provider import Provider
from exporter.storage.engine import StorageError

NOTICEABLE: Final = 1.0
"""Seconds. Clocks that differ by less make the guard hold back a poll for a moment."""


@dataclass(frozen=True, slots=True)
class _Poll:
    """What one poll came to, and the Unix time at which it was sent."""

    outcome: Outcome
    charge: Charge | None
    started: float


class Poller:
    """Polls accounts by name.

    ``providers`` are by the name of the environment; ``storage_failed`` is told of each error of the storage,
    ``overtaken`` of an account that a reload changed while it was polled, and when it is due next.
    """

    def __init__(
        self,
        accounts: Accounts,
        providers: Mapping[str, Provider],
        guard: Guard,
        *,
        clock: Clock,
        metrics: ExporterMetrics,
        log: FilteringBoundLogger,
        storage_failed: Callable[[StorageError], object],
        overtaken: Callable[[Account, float], object],
    ) -> None:
        self._accounts = accounts
        self._providers = providers
        self._guard = guard
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._events = Events(log)
        self._storage_failed = storage_failed
        self._overtaken = overtaken
        self._under_way: set[Credential] = set()

    async def poll(self, name: str) -> float | None:
        """Poll an account; return when the next poll is due on the monotonic clock, ``None`` for never."""
        monitored = self._accounts.get(name)
        if monitored is None or monitored.state.suspension:
            return None
        if monitored.credential in self._under_way:
            # A reload has renamed the account meanwhile: two refusals at once may be one too many.
            return self._clock.monotonic() + monitored.account.interval
        self._under_way.add(monitored.credential)
        try:
            return await self._poll(monitored)
        finally:
            self._under_way.remove(monitored.credential)

    def crashed(self, name: str, error: Exception) -> float:
        """Take note of a poll that raised (a bug); return in how many seconds the account is due again.

        It may have been sent, so that is no sooner than after any other; and it got no answer.
        """
        self._log.error("poll crashed", account=name, **origin(error))
        monitored = self._accounts.get(name)
        if monitored is None:
            return CRASH_DELAY
        delay = max(CRASH_DELAY, monitored.account.interval)
        if not monitored.state.suspension:
            state = replace(monitored.state, up=False, next_poll=self._clock.time() + delay)
            self._accounts.put(replace(monitored, state=state))
        return delay

    async def _poll(self, monitored: Monitored) -> float | None:
        polled = await self._ask(monitored)
        if isinstance(polled, Held):
            return self._keep_held(monitored, polled)
        refusals = await self._settle(monitored, polled)
        present = self._present(monitored)
        if present is None:
            return None
        now = self._clock.time()
        after = step(
            present.state,
            polled.outcome,
            present.account,
            refusals=refusals,
            started=min(polled.started, now),  # the clock may have been set back meanwhile
            now=now,
            jitter=random.random(),  # noqa: S311 - it spreads load, nothing is guarded by it
        )
        if present.state.suspension:
            # `check` has suspended it meanwhile; that this answer is another one doesn't lift it.
            after = suspended(after, present.state.suspension)
        # Kept first: whatever the telling may run into, what follows from the answer stands.
        due = self._keep(monitored, present, after)
        self._events.polled(present.account, present.state, after, polled.outcome)
        return due

    async def _ask(self, monitored: Monitored) -> _Poll | Held:
        """Ask for the balance, with what the guard wants done before.

        A reload meanwhile doesn't make it fail: it goes on with the account and connections as they are then.
        """
        charge: Charge | None = None
        while present := self._present(monitored):
            account = present.account
            provider = self._providers[account.environment.name]
            operation = await provider.operation(account.timeout)
            if not self._is_used(provider, monitored):
                continue
            if isinstance(operation, Failure):
                return _Poll(operation, charge, self._clock.time())
            if charge is None:
                held = await self._may_be_sent(monitored)
                if isinstance(held, Held):
                    return held
                charge = held
                if not self._is_used(provider, monitored):
                    continue
            started, start = self._clock.time(), self._clock.monotonic()
            outcome = await provider.ask(operation, account, monitored.credential.password)
            duration = self._clock.monotonic() - start
            self._metrics.poll_ended(account.environment.name, duration)
            return _Poll(outcome, charge, started)
        # The credential is of no use any more: what was charged is given back.
        reloaded = Failure(Reason.CONNECTION, "the configuration was reloaded meanwhile", sent=False)
        return _Poll(reloaded, charge, self._clock.time())

    def _is_used(self, provider: Provider, monitored: Monitored) -> bool:
        """Tell whether an account is still there and asked for over these connections."""
        present = self._present(monitored)
        return bool(present and self._providers.get(present.account.environment.name) is provider)

    async def _may_be_sent(self, monitored: Monitored) -> Charge | Held | None:
        """Return the charge of a try, ``None`` where it needs none as the credential is proven."""
        present = self._present(monitored)
        if present and present.state.suspension:
            # `check` did that while the WSDL was loaded; a proven credential has no charge to stop it.
            return Held(self._clock.time(), present.state.suspension)
        return None if monitored.state.proven else await self._charge(monitored)

    async def _charge(self, monitored: Monitored) -> Charge | Held:
        """Have a try with a credential charged that isn't proven; what can't be charged isn't sent."""
        try:
            return await self._guard.charge(monitored.credential, monitored.account, self._clock.time())
        except StorageError as error:
            self._storage_failed(error)
            return Held(self._clock.time() + monitored.account.interval)

    async def _settle(self, monitored: Monitored, polled: _Poll) -> int:
        """Have the outcome kept; return how often the credential was refused."""
        account = monitored.account
        try:
            return await self._guard.settle(
                monitored.credential, polled.charge, polled.outcome, account, polled.started
            )
        except StorageError as error:
            # What can't be kept is taken for the worst: a refusal suspends at once, in memory.
            self._storage_failed(error)
            return account.auth_attempts

    def _present(self, monitored: Monitored) -> Monitored | None:
        """Return the account as it is now; ``None`` where a reload removed it or changed its credential."""
        credential = monitored.credential
        present = self._accounts.get(monitored.account.name)
        if present and present.credential is credential:
            return present
        return next((renamed for renamed in self._accounts if renamed.credential is credential), None)

    def _keep_held(self, monitored: Monitored, held: Held) -> float | None:
        present = self._present(monitored)
        if present is None:
            return None
        if held.suspension:
            self._keep(monitored, present, suspended(present.state, held.suspension))
            if not present.state.suspension:
                tell_suspended(self._log, present.account, held.suspension.code)
            return None
        if held.until - self._clock.time() > NOTICEABLE:
            self._log.info(
                "poll held back by the guard", account=present.account.name, until=round(held.until)
            )
        return self._keep(monitored, present, postponed(present.state, held.until, blocked=held.blocked))

    def _keep(self, monitored: Monitored, present: Monitored, after: State) -> float | None:
        """Keep what follows for the account as it is now, ``present``; it was polled as ``monitored``."""
        self._accounts.put(replace(present, state=after))
        if after.next_poll is None:
            return None
        due = self._clock.monotonic() + max(0.0, after.next_poll - self._clock.time())
        if present is not monitored:
            self._overtaken(present.account, due)
        return due
