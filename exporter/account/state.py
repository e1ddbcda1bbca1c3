"""All that is known of an account: immutable, each poll makes a new one."""

from dataclasses import dataclass, replace
from math import inf
from typing import Final, NamedTuple

from exporter.account.forecast import Profile
from exporter.account.outcome import Code, Outcome
from exporter.account.use import NOTHING_SEEN, Use
from exporter.config.model import LARGEST_COUNT

SETTLED: Final = 20
"""Answers in a row since a fall after which the figure from before is forgotten.

So many that of two replicas that answer by turns or by chance the lower one never gets there.
"""

LITTLE_AHEAD: Final = 60.0
"""Seconds by which a stored time may be ahead of the clock, as it is set right now and then."""

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
class Fall:
    """A figure that is lower than it was: a contract that starts anew, or an answer that is wrong or late.

    ``stamps`` is the highest figure since the fall, ``answers`` how many there were, ``counted`` the rises
    among them that were counted.
    """

    stamps: int
    answers: int = 1
    counted: int = 0

    def is_confirmed_by(self, stamps: int, baseline: int) -> bool:
        """Tell whether a figure is nearer to those since the fall than to the one from before."""
        return abs(stamps - self.stamps) < baseline - max(stamps, self.stamps)


@dataclass(frozen=True, slots=True)
class Rise:
    """A counter made of the rises of a figure that the provider reports.

    ``baseline`` is the highest figure so far, from which rises are counted: replicas of the provider that
    differ by turns are no rises. After a ``fall`` that a second answer confirms, the rises since then are
    counted. The figure from before is forgotten after SETTLED answers: until then one that comes back to it
    counts only by what is above it. At LARGEST_COUNT it stands still.
    """

    total: int = 0
    baseline: int | None = None
    fall: Fall | None = None

    def seen(self, stamps: int | None) -> "Rise":
        """Return the counter after one more reading; ``None`` changes nothing."""
        if stamps is None:
            return self
        if self.baseline is None:
            return Rise(self.total, stamps)
        if stamps >= self.baseline:
            counted = self.fall.counted if self.fall else 0
            return Rise(self._plus(max(0, stamps - self.baseline - counted)), stamps)
        return self._fallen(stamps, self.baseline)

    def _fallen(self, stamps: int, baseline: int) -> "Rise":
        fall = self.fall
        if fall is None or not fall.is_confirmed_by(stamps, baseline):
            return Rise(self.total, baseline, Fall(stamps, counted=fall.counted if fall else 0))
        risen = max(0, stamps - fall.stamps)
        total, highest = self._plus(risen), max(stamps, fall.stamps)
        if fall.answers + 1 == SETTLED:
            return Rise(total, highest)
        return Rise(total, baseline, Fall(highest, fall.answers + 1, fall.counted + risen))

    def _plus(self, risen: int) -> int:
        return min(self.total + risen, LARGEST_COUNT)


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
    topped_up: Figure | None = None  # the last rise of the contracted stamps, and when it was seen
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
    doubted: bool = False  # the last balance was a sudden 0, which a second answer has yet to confirm
    asked_again: float | None = None  # when a 0 was last asked about before it was due
    use: Use = NOTHING_SEEN
    profile: Profile | None = None  # what is expected of the coming days, made today or before
    depletion: float | None = None  # when the stamps run out; with none left when that was first seen
    usual_day: float | None = None  # stamps, where a day of use is known
    history_days: int | None = None  # days of use that the profile knows
    suspension: Suspension | None = None
    blocked: bool = False  # the guard holds it back until an open try lapses, which is when it is due next
    # Of an issuer:
    unknown: int = 0  # answers in a row of which nobody knows what they mean
    given_up: bool = False  # it is not asked for any more, until the configuration is loaded anew

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
    """Return a stored state without times that are ahead of ``now``: the clock has been set back since.

    Times that are a little ahead are taken for now. How old a figure from further ahead is nobody knows: it
    isn't known any more.
    """
    available = _figure_as_of(state.available, now)
    return replace(
        state,
        contracted=_figure_as_of(state.contracted, now),
        used=_figure_as_of(state.used, now),
        available=available,
        topped_up=_figure_as_of(state.topped_up, now),
        depletion=_depletion_as_of(state, available, now),
        last_poll=_time_as_of(state.last_poll, now),
        last_success=_time_as_of(state.last_success, now),
        asked_again=None if state.asked_again is None else min(state.asked_again, now),
    )


def shifted(state: State, seconds: float) -> State:
    """Return the state with all times moved along with a clock that has jumped: nothing is older by that."""
    return replace(
        state,
        contracted=_shifted_figure(state.contracted, seconds),
        used=_shifted_figure(state.used, seconds),
        available=_shifted_figure(state.available, seconds),
        topped_up=_shifted_figure(state.topped_up, seconds),
        last_poll=_shifted_time(state.last_poll, seconds),
        last_success=_shifted_time(state.last_success, seconds),
        next_poll=_shifted_time(state.next_poll, seconds),
        depletion=_shifted_time(state.depletion, seconds),
        asked_again=_shifted_time(state.asked_again, seconds),
        suspension=(one := state.suspension) and Suspension(one.code, one.since + seconds),
    )


def _figure_as_of(stamps: Figure | None, now: float) -> Figure | None:
    at = _time_as_of(stamps.at, now) if stamps else None
    return Figure(stamps.stamps, at) if stamps and at is not None else None


def _time_as_of(at: float | None, now: float) -> float | None:
    return None if at is None or at > now + LITTLE_AHEAD else min(at, now)


def _depletion_as_of(state: State, available: Figure | None, now: float) -> float | None:
    at = state.depletion
    if at is None or (state.available and available is None):
        return None
    return min(at, now) if available and available.stamps == 0 else at


def _shifted_figure(stamps: Figure | None, seconds: float) -> Figure | None:
    return Figure(stamps.stamps, stamps.at + seconds) if stamps else None


def _shifted_time(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds
