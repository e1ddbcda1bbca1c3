"""One poll of one account, start to end: ask through the gate, judge, keep, tell."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter import resume
from exporter.account.calendar import LocalDay
from exporter.account.login import Held, Login, Tried
from exporter.account.outcome import Verdict
from exporter.account.policy import postponed, step, suspended
from exporter.account.state import State
from exporter.clock import Clock
from exporter.config import Account
from exporter.guard.gate import Gate
from exporter.log import origin
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.asking import Asking
from exporter.polling.events import Events, label, names
from exporter.polling.issuers import IssuerPoller
from exporter.polling.lanes import Lanes
from exporter.polling.scheduler import CRASH_DELAY
from exporter.provider.contract import Provider
from exporter.storage.engine import StorageError

NOTICEABLE: Final = 1.0
"""Seconds. Clocks that differ by less make the guard hold back a poll for a moment."""


class Poller:
    """Polls accounts by name, and issuers by their ``id``.

    ``providers`` are by the name of the environment; ``storage_failed`` is told of each error of the storage,
    ``overtaken`` of an account that is due at another time than it was told: a reload changed it while it was
    polled, or an issuer's poll suspended it. Issuers are asked for as ``lanes`` let them. ``today`` returns
    the local day of a moment; without it no use is counted by days.
    """

    def __init__(
        self,
        accounts: Accounts,
        providers: Mapping[str, Provider],
        gate: Gate,
        *,
        clock: Clock,
        metrics: ExporterMetrics,
        log: FilteringBoundLogger,
        storage_failed: Callable[[StorageError], object],
        overtaken: Callable[[Account, float], object],
        lanes: Lanes,
        today: Callable[[float], LocalDay] | None = None,
        resume_command: Callable[[str], str] = resume.command,
    ) -> None:
        self._accounts = accounts
        self._gate = gate
        self._lanes = lanes
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._events = Events(log, resume_command)
        self._storage_failed = storage_failed
        self._overtaken = overtaken
        self._today = today
        self._under_way: set[Login] = set()
        self._asking = Asking(
            accounts, providers, gate, clock=clock, metrics=metrics, storage_failed=storage_failed
        )
        self._issuers = IssuerPoller(
            accounts,
            self._asking,
            lanes,
            clock=clock,
            metrics=metrics,
            log=log,
            ask_account=overtaken,
            today=today,
        )

    async def poll(self, one: str) -> float | None:
        """Poll an account or issuer; return when it is due next (monotonic time), ``None`` for never."""
        monitored = self._accounts.find(one)
        if monitored is None or monitored.state.suspension:
            return None
        if monitored.issuer:
            return await self._issuers.poll(monitored)
        if monitored.login in self._under_way:
            # A reload has renamed the account meanwhile: two refusals at once may be one too many.
            return self._clock.monotonic() + monitored.account.interval
        self._under_way.add(monitored.login)
        self._lanes.hold(monitored.login)
        try:
            return await self._poll(monitored)
        finally:
            self._under_way.remove(monitored.login)

    def crashed(self, one: str, error: Exception) -> float:
        """Take note of a poll that raised (a bug); return in how many seconds the account is due again.

        It may have been sent, so that is no sooner than after any other; and it got no answer.
        """
        monitored = self._accounts.find(one)
        self._log.error("poll crashed", **(names(monitored) if monitored else {}), **origin(error))
        if monitored is None:
            return CRASH_DELAY
        delay = max(CRASH_DELAY, monitored.terms.interval)
        if not monitored.state.suspension:
            state = replace(monitored.state, up=False, next_poll=self._clock.time() + delay)
            self._accounts.put(replace(monitored, state=state))
        return delay

    async def _poll(self, monitored: Monitored) -> float | None:
        began = self._clock.monotonic()
        tried = await self._asking.ask(monitored)
        free_at = await self._free_at(monitored.login, tried)
        present = self._asking.present(monitored)
        if present is None or tried is None:
            return None
        if isinstance(tried, Held):
            return self._keep_held(monitored, present, tried)
        login, now = monitored.login, self._clock.time()
        # The clock may have been set ahead or back meanwhile.
        started = min(max(tried.started, now - (self._clock.monotonic() - began)), now)
        after = step(
            present.state,
            tried.outcome,
            present.account,
            proven=login.proven,
            suspension=login.suspension,
            started=started,
            now=now,
            monotonic=self._clock.monotonic(),
            jitter=random.random(),  # noqa: S311 - it spreads load, nothing is guarded by it
            today=self._today(now) if self._today else None,
        )
        # Kept back at once, not at the next poll, which could only be held. Who has waited already goes on
        # waiting, though single tries lapse in between: so it is one wait, and not one for each of them.
        due = after.next_poll
        if due is not None and (free_at > due or (present.state.blocked and free_at > now)):
            after = postponed(after, max(due, free_at), blocked=True)
        # Kept first: whatever the telling may run into, what follows from the answer stands.
        due_at = self._keep(monitored, present, after)
        self._metrics.poll_counted(present.account.environment.name, label(tried.outcome))
        monotonic = self._clock.monotonic()
        self._events.polled(present.account, present.state, after, tried.outcome, monotonic=monotonic)
        if after.blocked and not present.state.blocked:
            self._events.blocked(present.account, free_at)
        if login.proven and tried.outcome.verdict is Verdict.ACCEPTED:
            self._lanes.release(login)
        return due_at

    async def _free_at(self, login: Login, tried: Tried | Held | None) -> float:
        """Return from when on the guard lets a login through (Unix time) after a try that it left open."""
        left_open = isinstance(tried, Tried) and tried.outcome.verdict in (
            Verdict.UNKNOWN_FROM_SERVICE,
            Verdict.UNKNOWN_ON_THE_WAY,
        )
        if not left_open or login.proven:
            return 0.0
        try:
            [free_at] = await self._gate.free_at([login])
        except StorageError as error:
            self._storage_failed(error)
            return 0.0
        return free_at or 0.0  # where that isn't known the next poll will show it

    def _keep_held(self, monitored: Monitored, present: Monitored, held: Held) -> float | None:
        if held.suspension:
            self._keep(monitored, present, suspended(present.state, held.suspension))
            if not present.state.suspension:
                self._events.suspended(present.account, held.suspension.code)
            return None
        if held.blocked:
            if not present.state.blocked:
                self._events.blocked(present.account, held.until)
        elif held.until - self._clock.time() > NOTICEABLE:
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
