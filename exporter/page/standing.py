"""PURE: how an account stands, in one word, and what of its balance may be shown."""

from enum import IntEnum
from math import inf
from typing import Final, NamedTuple, Protocol

from exporter.account.state import Figure, State, figure


class Condition(IntEnum):
    """How an account stands, the worst first: those without stamps, those of which nobody knows, the rest.

    One that is both low and failing is low; one that is both low and paused is paused.
    """

    EXHAUSTED = 0
    """No stamp is left."""
    CRITICAL = 1
    """Fewer stamps than the critical threshold, or they last less than two days."""
    LOW = 2
    """Fewer stamps than the warning threshold, or they last less than a week."""
    SUSPENDED = 3
    """Not asked for any more, or not for some time, to protect it."""
    FAILING = 4
    """The last poll got no answer about the balance."""
    STALE = 5
    """The balance is too old to be shown."""
    PENDING = 6
    """Not polled yet."""
    OK = 7


SHORT: Final = frozenset((Condition.EXHAUSTED, Condition.CRITICAL, Condition.LOW))
"""Conditions in which somebody has to buy stamps."""

ATTENTION: Final = frozenset(Condition) - {Condition.PENDING, Condition.OK}
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
    def guard_key(self) -> str: ...  # the login at the provider, which its history is kept by
    @property
    def interval(self) -> float: ...
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


SOON: Final = 7
"""Days: an account whose stamps last less needs some."""

VERY_SOON: Final = 2
"""Days: it needs some now. So it does where they don't last to the end of the next business day."""

DAY: Final = 86_400.0


class Standing(NamedTuple):
    """An account as the page shows it. Stamps are ``None`` where they aren't known, or not any more.

    ``share`` is the part of the contracted stamps that is left, from 0 to 1. ``runs_out`` is when the last
    known balance is expected to (Unix time).
    """

    account: Account
    state: State
    condition: Condition
    available: int | None
    contracted: int | None
    share: float | None
    runs_out: float | None


def standing(monitored: Monitored, now: float, business_day_end: float = 0.0) -> Standing:
    """Return how an account stands at a Unix time, as the alert rules see it.

    ``business_day_end`` is when the next business day ends, 0 where that isn't known.
    """
    account, state = monitored.account, monitored.state
    available = figure(state.available, account.stale_after, now)
    contracted = figure(state.contracted, account.stale_after, now)
    runs_out = state.depletion if state.available and state.available.stamps else None
    critical_before = max(now + VERY_SOON * DAY, business_day_end)
    condition = _condition(account, state, available, runs_out or inf, critical_before, now + SOON * DAY)
    share = _share(available, contracted)
    return Standing(account, state, condition, available, contracted, share, runs_out)


def last_known(one: Standing) -> Figure | None:
    """Return the balance that is too old to count, for people who want to know it nevertheless."""
    return one.state.available if one.available is None else None


def _condition(
    account: Account,
    state: State,
    available: int | None,
    runs_out: float,
    critical_before: float,
    low_before: float,
) -> Condition:
    if state.held_back:
        return Condition.SUSPENDED
    if available is not None:
        if available == 0:
            return Condition.EXHAUSTED
        above = account.threshold_above(available)
        if (above and above[0] == "critical") or runs_out < critical_before:
            return Condition.CRITICAL
        if above or runs_out < low_before:
            return Condition.LOW
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
