"""What is expected of an account's balance: when it runs out, by what is known of the account. Pure."""

from dataclasses import replace
from datetime import date
from typing import NamedTuple

from exporter.account.calendar import LocalDay
from exporter.account.forecast import Profile, Why, depletion, local_day, why
from exporter.account.state import Figure, State
from exporter.account.use import Use


def depletion_after(state: State, left: Figure | None, use: Use, today: LocalDay | None) -> float | None:
    """Return when stamps that are left run out (Unix time), or when it was first seen that there are none.

    ``None`` where nobody knows, or it is over a year away. ``state`` is from before, ``today`` the local day
    of ``left``. Without a profile, as it is for a while after a start, what was expected before goes on.
    """
    if left is None:
        return None
    before = state.available.stamps if state.available else None
    if left.stamps == 0:
        return state.depletion if before == 0 and state.depletion is not None else left.at
    if state.profile is None:
        return state.depletion if before is not None and 0 < left.stamps <= before else None
    return depletion(state.profile, left.stamps, left.at, use.of_day(today) if today else None)


def with_profile(state: State, profile: Profile | None, today: LocalDay) -> State:
    """Return the state with a profile made today, ``None`` where nothing is known of the use of any day."""
    after = replace(
        state,
        profile=profile,
        usual_day=profile.usual_day if profile else None,
        history_days=profile.history_days if profile else 0,
    )
    left = state.available
    if left is None or left.stamps == 0:
        return after
    if profile is None:
        return replace(after, depletion=None)
    used = state.use.of_day(today) if left.at in today else None
    return replace(after, depletion=depletion(profile, left.stamps, left.at, used))


class Expected(NamedTuple):
    """What to tell people: until which local day the stamps last, how many a usual day takes, and why.

    ``history_days`` is how many days of use are known.
    """

    until: date
    usual_day: float
    history_days: int
    why: Why


def expected(state: State) -> Expected | None:
    """Return what is expected of the last known balance; ``None`` where nobody knows, or none is left."""
    made, left, moment = state.profile, state.available, state.depletion
    if made is None or left is None or left.stamps == 0 or moment is None:
        return None
    until = local_day(made.timetable, moment)
    return Expected(until, made.usual_day, made.history_days, why(made, left.at, moment))
