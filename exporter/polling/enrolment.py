"""Which issuers are monitored, with which state: at the start and after a reload."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from exporter.account.policy import fraction, spread
from exporter.account.state import State, shifted
from exporter.clock import Clock
from exporter.config import Issuer, issuer_key
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.lanes import Lanes, lane
from exporter.polling.scheduler import Scheduler


class Enrolment:
    """Gives issuers to the scheduler, with what is known of them; ``states`` are those that are stored.

    They wait in their lane there, with which nothing is asked before their account's own poll was accepted.
    First polls are spread over ``first_polls`` seconds: with more issuers than go into that they queue up.
    """

    def __init__(
        self,
        accounts: Accounts,
        scheduler: Scheduler,
        lanes: Lanes,
        *,
        clock: Clock,
        states: Mapping[str, State],
        first_polls: float,
    ) -> None:
        self._accounts = accounts
        self._scheduler = scheduler
        self._lanes = lanes
        self._clock = clock
        self._states = dict(states)
        self._first_polls = first_polls

    def monitored(self, accounts: Iterable[Monitored]) -> list[Monitored]:
        """Return what is to be known of the issuers of accounts of a new configuration."""
        return [
            self._monitored(own, issuer, issuer_key(own.login.key, issuer))
            for own in accounts
            for issuer in own.account.issuers
        ]

    def schedule(self, issuers: Iterable[Monitored], before: Mapping[str, Monitored]) -> None:
        """Give issuers to the scheduler where they aren't there already; ``before`` has the old ones."""
        accounts = (own for own in self._accounts if own.account.issuers)
        self._lanes.use((own.account, own.login) for own in accounts)
        for monitored in issuers:
            old, due = before.get(monitored.id), monitored.state.next_poll
            if due is None or (old and _same_place(old, monitored)):
                continue
            delay = max(0.0, due - self._clock.time())
            group = lane(monitored.account, monitored.login)
            self._scheduler.add(monitored.id, group, self._clock.monotonic() + delay)

    def forget(self, monitored: Monitored) -> None:
        """Take an issuer out that a reload has removed; what is known of it is kept, as it may come back."""
        self._scheduler.remove(monitored.id)
        self._states[monitored.key] = replace(monitored.state, profile=None)

    def clock_jumped(self, seconds: float) -> None:
        """Move the times of those that aren't monitored with a clock that has jumped."""
        self._states = {key: shifted(state, seconds) for key, state in self._states.items()}

    def _monitored(self, own: Monitored, issuer: Issuer, key: str) -> Monitored:
        old = self._accounts.find(key)
        unchanged = old and (old.account, old.login, old.issuer) == (own.account, own.login, issuer)
        if old and unchanged and not old.state.given_up:
            return old
        state = old.state if old else self._states.pop(key, State())
        due = self._due(state.next_poll, key, issuer)
        return Monitored(
            own.account, own.login, replace(state, next_poll=due, unknown=0, given_up=False), issuer, key
        )

    def _due(self, stored: float | None, key: str, issuer: Issuer) -> float:
        """Return a due time that is ahead, but not by more than the interval."""
        now = self._clock.time()
        due = min(stored or 0.0, now + issuer.interval)
        return due if due > now else now + spread(fraction(key), issuer.interval, 0, self._first_polls)


def _same_place(old: Monitored, new: Monitored) -> bool:
    """Return whether the scheduler has an issuer where it belongs."""
    return (
        old.login is new.login
        and not old.state.given_up
        and lane(old.account, old.login) == lane(new.account, new.login)
        and old.terms.interval == new.terms.interval
    )
