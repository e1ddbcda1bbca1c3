"""When an account's stamps run out: its past use, replayed by the calendar. docs/forecast.md explains it.

A profile is made once a day for each account; a poll then only looks up where the balance ends in it. Pure.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from statistics import fmean, median
from typing import Final

from exporter.account.past import Past
from exporter.account.resemblance import AHEAD, Timetable

LONGEST: Final = 366 * 86_400.0
"""Seconds ahead: an end of the stamps that is further away isn't forecast."""

NEAR: Final = 2 * 86_400.0
"""Seconds within which the whole reserve may be needed."""

SURPRISE: Final = 2
"""Times what today has used beyond its estimate: the reserve is that at least, as it may go on tomorrow."""

HOURS: Final = array("f", [0.0] * 7 + [number / 13 for number in range(14)] + [1.0] * 4)
"""Share of a day's use before each hour, where an account's own isn't known: evenly from 7:00 to 20:00."""

NONE_RESEMBLED: Final = array("h", bytes(2 * AHEAD))
"""Shared by all accounts that use stamps at their pace."""


@dataclass(frozen=True, slots=True)
class Why:
    """What decides when the stamps run out: the usual pace, or the day until then that uses most.

    ``day`` is that day and ``as_on`` the past one that it resembles; both ``None`` where it is the pace.
    """

    day: date | None = None
    as_on: date | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What an account is expected to use from a day on. Under 1 kB; all accounts share the timetable.

    ``before`` is the use expected before each midnight from today's on. ``resembled`` says which past day
    each of these days is expected to be like, in days before today; 0 means the usual days of its weekday.
    ``hours`` is the share of a day's use before each of its hours, ``pace`` the use of each day after those
    in ``before``. ``reserve`` is by how much two days have recently exceeded their estimates.
    """

    timetable: Timetable
    before: "array[float]"
    resembled: "array[int]"
    hours: "array[float]"
    pace: float
    reserve: float
    usual_day: float
    history_days: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the stamps run out (Unix time; ``None``: nobody knows, or over a year away), and why.

    ``usual_day`` is the stamps used on a day on which any are, the median of the coming four weeks;
    ``history_days`` how many days of use it is made of.
    """

    depletion: float | None
    usual_day: float
    history_days: int
    why: Why


def profile(use: Sequence[int | None], timetable: Timetable, hours: Sequence[float] | None = None) -> Profile:
    """Return what an account is expected to use.

    ``use`` is the stamps used on each local day until yesterday, the last one last; ``None`` where that isn't
    known. ``hours`` is how a usual day's use is spread over its 24 hours, in any unit.
    """
    past = Past(use, timetable)
    estimates = [past.estimate(likeness) for likeness in timetable.coming]
    amounts = [amount for amount, _ in estimates]
    resembled = array("h", [timetable.today - day if day else 0 for _, day in estimates])
    return Profile(
        timetable,
        array("f", list(accumulate(amounts, initial=0.0))),  # from an iterator it would be larger
        resembled if any(resembled) else NONE_RESEMBLED,
        _before_hours(hours),
        pace=fmean(amounts),
        reserve=past.reserve,
        usual_day=_median_of_use(amounts[:28]),
        history_days=past.known,
    )


def forecast(profile: Profile, balance: int, now: float, used_today: int | None = None) -> Forecast:
    """Return when a balance runs out and why; the arguments are those of ``depletion``."""
    moment = depletion(profile, balance, now, used_today)
    return Forecast(moment, profile.usual_day, profile.history_days, why(profile, now, moment))


def depletion(profile: Profile, balance: int, now: float, used_today: int | None = None) -> float | None:
    """Return when a balance runs out (Unix time); ``None`` where nobody knows, or it is over a year away.

    ``used_today`` is what was used since midnight; ``None`` where that isn't known. Never before now. Of two
    balances the smaller one's is never later.
    """
    if balance <= 0:
        return now
    if not profile.history_days:
        return None
    used = _before(profile, now)
    reserve = _reserve(profile, now, used_today)
    near = _before(profile, now + NEAR) - used
    if balance >= near + reserve:
        moment = _moment(profile, used + balance - reserve)
    elif near:
        moment = _moment(profile, used + balance * near / (near + reserve))
    else:
        moment = now + NEAR * balance / reserve
    return max(now, moment) if moment - now <= LONGEST else None


def expected(profile: Profile, now: float, until: float, used_today: int | None = None) -> float:
    """Return the balance that is expected to run out just then: ``until`` is at least two days after now."""
    return _before(profile, until) - _before(profile, now) + _reserve(profile, now, used_today)


def _reserve(profile: Profile, now: float, used_today: int | None) -> float:
    """Return the reserve, or twice what today has taken beyond what was expected of it."""
    if used_today is None:
        return profile.reserve
    day = min(AHEAD, max(1, bisect_right(profile.timetable.midnights, now)))
    return max(profile.reserve, SURPRISE * (used_today - profile.before[day] + profile.before[day - 1]))


def local_day(timetable: Timetable, moment: float) -> date:
    """Return the local day of a moment (Unix time), as if no clock changed before or after the timetable."""
    midnights = timetable.midnights
    if moment < midnights[0]:
        days = int((moment - midnights[0]) // 86_400)
    elif moment >= midnights[AHEAD]:
        days = AHEAD + int((moment - midnights[AHEAD]) // 86_400)
    else:
        days = bisect_right(midnights, moment) - 1
    return date.fromordinal(timetable.today + days)


def why(profile: Profile, now: float, moment: float | None) -> Why:
    """Return the day until a moment that takes most, where that is twice a usual day's use or more."""
    midnights, before = profile.timetable.midnights, profile.before
    first = max(0, bisect_right(midnights, now) - 1)
    last = min(AHEAD, bisect_left(midnights, moment)) if moment is not None else first
    days = [(before[day + 1] - before[day], day) for day in range(first, last) if profile.resembled[day]]
    amount, day = max(days, default=(0.0, 0))
    if not days or amount < 2 * profile.usual_day:
        return Why()
    today = profile.timetable.today
    return Why(date.fromordinal(today + day), date.fromordinal(today - profile.resembled[day]))


def _median_of_use(amounts: Sequence[float]) -> float:
    used = [amount for amount in amounts if amount > 0]
    return median(used) if used else 0.0


def _before_hours(hours: Sequence[float] | None) -> "array[float]":
    total = sum(hours) if hours else 0.0
    if not hours or total <= 0:
        return HOURS
    return array("f", [share / total for share in accumulate(hours, initial=0.0)])


def _before(profile: Profile, moment: float) -> float:
    """Return the use that is expected from today's midnight until a moment; before it less than none."""
    midnights, before = profile.timetable.midnights, profile.before
    day = bisect_right(midnights, moment) - 1
    if day < 0:
        return profile.pace * (moment - midnights[0]) / 86_400
    if day >= AHEAD:
        return before[AHEAD] + profile.pace * (moment - midnights[AHEAD]) / 86_400
    hour = (moment - midnights[day]) / (midnights[day + 1] - midnights[day]) * 24
    whole = int(hour)
    hours = profile.hours
    share = hours[whole] + (hours[whole + 1] - hours[whole]) * (hour - whole)
    return before[day] + (before[day + 1] - before[day]) * share


def _moment(profile: Profile, amount: float) -> float:
    """Return when the use from today's midnight on reaches an amount; infinity where it never does."""
    midnights, before = profile.timetable.midnights, profile.before
    if amount < 0:
        return midnights[0] + amount / profile.pace * 86_400
    if amount > before[AHEAD]:
        return (
            midnights[AHEAD] + (amount - before[AHEAD]) / profile.pace * 86_400 if profile.pace else math.inf
        )
    day = max(0, bisect_left(before, amount) - 1)
    of_day = before[day + 1] - before[day]
    share = (amount - before[day]) / of_day if of_day else 0.0
    hours = profile.hours
    hour = min(23, max(0, bisect_left(hours, share) - 1))
    of_hour = hours[hour + 1] - hours[hour]
    of_the_hour = (share - hours[hour]) / of_hour if of_hour else 0.0
    return midnights[day] + (midnights[day + 1] - midnights[day]) * (hour + of_the_hour) / 24
