"""PURE: how an account stands, in one word, and what of its balance may be shown."""

from enum import IntEnum
from typing import NamedTuple, Protocol

from exporter.account.state import Figure, State, figure


class Condition(IntEnum):
    """How an account stands, the worst first: one that is both low and failing is low."""

    SUSPENDED = 0
    """Not asked for any more, or not for some time, to protect it."""
    EXHAUSTED = 1
    """No stamp is left."""
    CRITICAL = 2
    """Fewer stamps than the critical threshold."""
    LOW = 3
    """Fewer stamps than the warning threshold."""
    FAILING = 4
    """The last poll got no answer about the balance."""
    STALE = 5
    """The balance is too old to be shown."""
    PENDING = 6
    """Not polled yet."""
    OK = 7


ATTENTION = frozenset(Condition) - {Condition.PENDING, Condition.OK}
"""Conditions that a person should look at."""


class Environment(Protocol):
    """What the page needs of an account's environment."""

    @property
    def name(self) -> str: ...


class Account(Protocol):
    """What the page needs of a configured account. Times in seconds, thresholds in stamps."""

    @property
    def name(self) -> str: ...
    @property
    def environment(self) -> Environment: ...
    @property
    def labels(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def stale_after(self) -> float: ...
    @property
    def warning(self) -> int | None: ...
    @property
    def critical(self) -> int | None: ...
    def threshold_above(self, available: int) -> tuple[str, int] | None: ...


class Monitored(Protocol):
    """A configured account and what is known of it."""

    @property
    def account(self) -> Account: ...
    @property
    def state(self) -> State: ...


class Standing(NamedTuple):
    """An account as the page shows it. Stamps are ``None`` where they aren't known, or not any more.

    ``share`` is the part of the contracted stamps that is left, from 0 to 1.
    """

    account: Account
    state: State
    condition: Condition
    available: int | None
    contracted: int | None
    share: float | None


def standing(monitored: Monitored, now: float) -> Standing:
    """Return how an account stands at a Unix time."""
    account, state = monitored.account, monitored.state
    available = figure(state.available, account.stale_after, now)
    contracted = figure(state.contracted, account.stale_after, now)
    condition = _condition(account, state, available)
    return Standing(account, state, condition, available, contracted, _share(available, contracted))


def last_known(one: Standing) -> Figure | None:
    """Return the balance that is too old to count, for people who want to know it nevertheless."""
    return one.state.available if one.available is None else None


def _condition(account: Account, state: State, available: int | None) -> Condition:
    if state.held_back:
        return Condition.SUSPENDED
    if available is not None:
        if available == 0:
            return Condition.EXHAUSTED
        if above := account.threshold_above(available):
            return Condition.CRITICAL if above[0] == "critical" else Condition.LOW
    if state.up is False:
        return Condition.FAILING
    if available is not None:
        return Condition.OK
    return Condition.STALE if state.available else Condition.PENDING


def _share(available: int | None, contracted: int | None) -> float | None:
    if available == 0:
        return 0.0
    if available is None or not contracted:
        return None
    return min(1.0, available / contracted)
