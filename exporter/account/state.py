"""All that is known of an account: immutable, each poll makes a new one."""

from dataclasses import dataclass, replace
from math import inf
from typing import Final, NamedTuple

from exporter.account.outcome import Code, Outcome
from exporter.config.model import LARGEST_COUNT

ALWAYS: Final = -inf
"""Since when a label is there that is counted from the start."""


class Count(NamedTuple):
    """How often a value of a label was seen, and since when it is there (monotonic time).

    Neither outlives the process. Unix time wouldn't do: where a clock is set back no count may come anew.
    """

    label: str
    times: int
    since: float = ALWAYS


Counts = tuple[Count, ...]
"""In the order in which they came up."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of stamps and when the provider said it (Unix time)."""

    stamps: int
    at: float


@dataclass(frozen=True, slots=True)
class Rise:
    """A counter made of the rises of a figure that the provider reports.

    ``baseline`` is the figure that the next one is compared to; a fall (a contract that starts anew) only
    moves it. At LARGEST_COUNT it stands still.
    """

    total: int = 0
    baseline: int | None = None

    def seen(self, stamps: int | None) -> "Rise":
        """Return the counter after one more reading; ``None`` changes nothing."""
        if stamps is None or stamps == self.baseline:
            return self
        risen = 0 if self.baseline is None else max(0, stamps - self.baseline)
        return Rise(min(self.total + risen, LARGEST_COUNT), stamps)


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why and since when (Unix time) an account is not asked for: ``code`` is the provider's last word."""

    code: Code
    since: float


@dataclass(frozen=True, slots=True)
class State:
    """All that is known of an account. Times are Unix time; ``None`` where there is nothing to tell."""

    contracted: Figure | None = None
    used: Figure | None = None
    available: Figure | None = None
    consumed: Rise = Rise()
    purchased: Rise = Rise()
    responses: Counts = ()  # by the code's label
    failures: Counts = ()  # by reason
    up: bool | None = None
    last_outcome: Outcome | None = None
    last_code: Code | None = None
    last_poll: float | None = None
    last_success: float | None = None
    next_poll: float | None = None
    retries: int = 0  # since the last answer about the balance
    slow_downs: int = 0  # likewise
    suspension: Suspension | None = None
    blocked: bool = False  # the guard holds it back until an open try lapses, which is when it is due next

    @property
    def held_back(self) -> bool:
        """Whether the account is not asked for, for a while or until somebody lifts that."""
        return self.suspension is not None or self.blocked


def figure(stamps: Figure | None, stale_after: float, now: float) -> int | None:
    """Return a figure's stamps while it isn't older than ``stale_after`` seconds."""
    return stamps.stamps if stamps and now - stamps.at <= stale_after else None


def one_more(counts: Counts, label: str, monotonic: float) -> Counts:
    """Return the counts with a label seen once more, at a monotonic time."""
    for place, (seen, times, since) in enumerate(counts):
        if seen == label:
            return (*counts[:place], Count(label, times + 1, since), *counts[place + 1 :])
    return (*counts, Count(label, 1, monotonic))


def as_of(state: State, now: float) -> State:
    """Return the state with times that are ahead of ``now`` taken for now: the clock has been set back since.

    Else a figure would be shown until the clock has come to where it was, and ``stale_after`` longer.
    """
    return replace(
        state,
        contracted=_not_ahead(state.contracted, now),
        used=_not_ahead(state.used, now),
        available=_not_ahead(state.available, now),
        last_poll=None if state.last_poll is None else min(state.last_poll, now),
        last_success=None if state.last_success is None else min(state.last_success, now),
    )


def _not_ahead(stamps: Figure | None, now: float) -> Figure | None:
    return Figure(stamps.stamps, now) if stamps and stamps.at > now else stamps
