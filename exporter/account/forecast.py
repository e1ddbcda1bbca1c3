"""When an account's stamps run out: its past use, replayed by the calendar. Pure; docs/forecast.md explains it.

A profile is made once a day for each account; a poll then only looks up where the balance ends in it.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import Final, NamedTuple

from exporter.account.resemblance import AHEAD, Cause, Days, Likeness, Timetable

LONGEST: Final = 366 * 86_400.0
"""Seconds: what is further away isn't told."""

NEAR: Final = 2 * 86_400.0
"""Seconds within which the whole reserve may be needed."""

HISTORY: Final = 400
"""Days that are looked at, at most."""

HOURS: Final = array("f", [0.0] * 7 + [number / 13 for number in range(14)] + [1.0] * 4)
"""How much of a day's use lies before each hour where that isn't known: from 7:00 to 20:00, evenly."""

YEAR: Final = 364
"""Days after which the same weekday comes at the same time of the year."""

REPLAYED: Final = 56
"""Days before today that are estimated, too, to learn how far off the estimates are."""

SURPRISE: Final = 2
"""Times what today has taken more than expected: it may go on until tomorrow."""

MARGIN: Final = 1.06
"""Times the most that was used when it was due before: what a day is taken for on which something is due."""

UNSEEN_PAY_DAY: Final = 5
"""Times a usual day that a pay day is taken for as long as none was seen."""

REAL: Final = 1.3
"""Times a day's usual use that the days of a cause must have had for it to be one."""


@dataclass(frozen=True, slots=True)
class Why:
    """What decides when the stamps run out: the pace, or the day until then that takes most.

    ``day`` is that day and ``as_on`` the past one that it resembles; both ``None`` where it is the pace.
    """

    day: date | None = None
    as_on: date | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What an account is expected to use from a day on. Some 500 bytes, the timetable is shared.

    ``before`` is the use expected before each midnight from today's on, ``resembled`` for each day how long ago the
    day was that it is expected to be like, 0 where it is a usual one. ``pace`` is the use of a day after these. ``reserve`` is what the use
    of two days was recently found to exceed the estimate by.
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
    """When the stamps run out (Unix time; ``None``: nobody knows, or over a year away), and why."""

    depletion: float | None
    usual_day: float
    history_days: int
    why: Why


def profile(use: Sequence[int | None], timetable: Timetable, hours: Sequence[float] | None = None) -> Profile:
    """Return what an account is expected to use.

    ``use`` is the stamps used on each local day until yesterday, the last one last; ``None`` where that isn't known.
    ``hours`` is the share of a usual day's use in each of its 24 hours.
    """
    past = _Past(use, timetable)
    estimates = [past.estimate(likeness) for likeness in timetable.coming]
    amounts = [estimate[0] for estimate in estimates]
    return Profile(
        timetable,
        array("f", accumulate(amounts, initial=0.0)),
        array("h", [timetable.today - estimate[1] if estimate[1] else 0 for estimate in estimates]),
        _before_hours(hours),
        pace=fmean(amounts[-31:]),
        reserve=past.reserve,
        usual_day=_usual(amounts[:28]),
        history_days=past.known,
    )


def depletion(profile: Profile, balance: int, now: float, used_today: int | None = None) -> float | None:
    """Return when a balance runs out (Unix time); ``None`` where nobody knows, or it is over a year away.

    ``used_today`` is what was used since midnight; ``None`` where that isn't known. Never before now. Of two balances
    the smaller one's is never later.
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
    used = _before(profile, now)
    return _before(profile, until) - used + _reserve(profile, now, used_today)


def _reserve(profile: Profile, now: float, used_today: int | None) -> float:
    """Return the reserve; on a day that has taken more than was expected of it, twice as much as that is, too."""
    if used_today is None:
        return profile.reserve
    day = min(AHEAD, max(1, bisect_right(profile.timetable.midnights, now)))
    return max(profile.reserve, SURPRISE * (used_today - profile.before[day] + profile.before[day - 1]))


class _Due(NamedTuple):
    """What is due on a day by a cause: how much, which day it is like, and on which days it came before."""

    cause: Cause
    amount: float
    like: int
    days: Days


class _Past:
    """An account's use so far, and what is learnt from it."""

    def __init__(self, use: Sequence[int | None], timetable: Timetable) -> None:
        latest = use[-HISTORY:]
        self.today = timetable.today
        self.first = self.today - len(latest)
        self.use = [-1 if stamps is None else stamps for stamps in latest]
        known = [stamps for stamps in self.use if stamps >= 0]
        self.known = len(known)
        self.any_day = fmean(known[-28:]) if known else 0.0
        self.growth = _growth(self.use[::-1], self.known)
        self.explained: set[int] = set()
        self.outstanding: set[int] = set()
        self.shade: list[set[int]] = [set() for _ in Cause]
        self.refuted = [False] * len(Cause)
        self.found: dict[Days, tuple[float, Days]] = {}
        self.due: dict[int, list[_Due]] = {}
        self._learn([likeness for likeness in timetable.past if self._of(likeness.day) >= 0])
        self.reserve = self._reserve(timetable.past[:REPLAYED])

    def estimate(self, likeness: Likeness) -> tuple[float, int]:
        """Return a day's use, and the day that it is like; 0: the usual ones of its weekday."""
        usual = self._usual(likeness)
        due = self.due[likeness.day] if likeness.day in self.due else self._due(likeness, usual)
        held = [one for one in due if not self._in_doubt(one)]
        sure = [one for one in held if len(one.days) > 2]
        amount, like = usual, 0
        if held:
            most = min(sure, key=_amount) if sure else max(held, key=_amount)
            if most.amount > usual:
                amount, like = most.amount, most.like
        season, day = self._season(likeness.day)
        return (usual * season, day) if usual * season > amount else (amount, like)

    def _in_doubt(self, due: _Due) -> bool:
        """Say whether its cause has failed, or other causes that did better explain all the days that speak for it."""
        return self.refuted[due.cause] or bool(due.days) and self.shade[due.cause].issuperset(due.days)

    def _of(self, day: int) -> int:
        """Return a day's use; -1 where it isn't known."""
        return self.use[day - self.first] if self.first <= day < self.today else -1

    def _values(self, days: Days) -> list[int]:
        """Return what was used on these days, as far as it is known."""
        use, first = self.use, self.first
        return [use[day - first] for day in days if day >= first and use[day - first] >= 0]

    def _usual(self, likeness: Likeness) -> float:
        """Return what is usual on a day's weekday, without what was due for other reasons, and one that is far out."""
        days = likeness.same_weekday
        if not self.explained.isdisjoint(days):
            days = tuple(day for day in days if day not in self.explained) or days
        values = self._values(days)
        if not values:
            return self.any_day
        latest = min(values[:2])
        if len(values) > 3:
            most = max(values)
            values.remove(most)
            if most <= 2 * max(values):
                values.append(most)
        usual = max(sum(values) / len(values), latest)
        return usual * self._grown(likeness.day - days[len(days) // 2]) if self.growth else usual

    def _due(self, likeness: Likeness, usual: float) -> list[_Due]:
        """Return what is due on a day by the causes that have held so far."""
        due = []
        for cause, days, a_year_ago in likeness.causes:
            if cause is Cause.PAY_DAY and days[-1] < self.first:
                due.append(_Due(cause, UNSEEN_PAY_DAY * usual, 0, ()))
            if self.outstanding.isdisjoint(days):
                continue
            amount, hits = self._of_cause(days)
            if not hits:
                continue
            amount, like = amount * self._grown(likeness.day - hits[0]), hits[0]
            if amount > usual:
                if self._of(a_year_ago) > amount:
                    amount, like = min(self._of(a_year_ago), 2.5 * amount), a_year_ago
                due.append(_Due(cause, amount, like, hits))
        return due

    def _of_cause(self, days: Days) -> tuple[float, Days]:
        """Return what the days of a cause take, and those that did; none where they don't agree that it is one."""
        if days in self.found:
            return self.found[days]
        known = [day for day in days if self._of(day) >= 0]
        hits = tuple(day for day in known if day in self.outstanding)
        amount = 0.0
        if len(hits) < min(2, len(known)) or len(hits) == 2 and hits != tuple(known[:2]):
            hits = ()
        elif len(hits) == 1:
            amount = float(self._of(hits[0]))
        else:
            most, other = sorted(map(self._of, hits[:3]), reverse=True)[:2]
            amount = min(most, 1.3 * other) * MARGIN
        self.found[days] = amount, hits
        return amount, hits

    def _learn(self, past: Sequence[Likeness]) -> None:
        """Find the days that stand out, and try the causes on them: which were right, and which only another's shadow."""
        usual = {likeness.day: self._usual(likeness) for likeness in past}
        self.outstanding = {day for day, amount in usual.items() if self._of(day) > REAL * amount + 2 * math.sqrt(amount)}
        right: list[set[int]] = [set() for _ in Cause]
        worth = [0] * len(Cause)
        for likeness in past:
            used = self._of(likeness.day)
            self.due[likeness.day] = self._due(likeness, usual[likeness.day])
            for due in self.due[likeness.day]:
                if used >= due.amount / 2:
                    right[due.cause].add(likeness.day)
                    worth[due.cause] += 1
                else:
                    worth[due.cause] -= 2
        for cause in Cause:
            shade = self.shade[cause] = set().union(*(right[other] for other in Cause if worth[other] > worth[cause]))
            self.refuted[cause] = right[cause] <= shade if right[cause] else worth[cause] < 0
        self.explained = set().union(*right)

    def _reserve(self, past: Sequence[Likeness]) -> float:
        """Return what two days used more than estimated, the worst three of 56 left aside; and what yesterday did."""
        days = past[: max(0, self.known - 3)]
        misses = [
            self._of(likeness.day) - self.estimate(likeness)[0] if self._of(likeness.day) >= 0 else 0.0 for likeness in days
        ]
        pairs = sorted((one + other for one, other in pairwise(misses)), reverse=True)
        return max(0.0, pairs[min(3, len(pairs) - 1)], misses[0]) if pairs else 0.0

    def _season(self, day: int) -> tuple[float, int]:
        """Return how much more was used a year ago around that day than around now, and that day; 1 where it wasn't."""
        then = day - YEAR
        if day < self.today or then - 7 < self.first:
            return 1.0, 0
        now = [self._level(then + near, self.today - YEAR) for near in (-1, 0, 1)]
        if not min(now):
            return 1.0, 0
        lifted = sorted(self._of(then + near) / now[near + 1] for near in (-1, 0, 1))[1]
        weeks = sorted(self._of(then + near) / now[1] for near in (-7, 0, 7))[1]
        season = min(5.0, max(lifted, weeks))
        return (season, then) if season > 1.5 else (1.0, 0)

    def _level(self, day: int, until: int) -> float:
        """Return the median of a day's weekday in the five weeks before a day."""
        last = until - 1 - (until - 1 - day) % 7
        values = self._values([last - 7 * number for number in range(5)])
        return median(values) if values else 0.0

    def _grown(self, days: int) -> float:
        return min(3.0, math.exp(self.growth * min(days, 60))) if self.growth else 1.0


def _growth(use: Sequence[int], known: int) -> float:
    """Return the logarithm by which a day's use grows from day to day, less what chance may have made of it."""
    lag = 28 if known >= 56 else 14 if known >= 28 else 7 if known >= 14 else 0
    pairs = [
        (now, then)
        for now, then in zip(use[:lag], use[lag : 2 * lag], strict=False)
        if now >= 0 and then >= 0 and now + then > 4
    ]
    if len(pairs) < 5:
        return 0.0
    ratios = sorted(math.log((now + 1) / (then + 1)) for now, then in pairs)
    spread = (ratios[len(ratios) * 3 // 4] - ratios[len(ratios) // 4]) / 1.35
    return max(0.0, median(ratios) - 1.25 * spread / math.sqrt(len(ratios))) / lag


def _amount(due: _Due) -> float:
    return due.amount


def _usual(amounts: Sequence[float]) -> float:
    used = [amount for amount in amounts if amount > 0]
    return median(used) if used else 0.0


def _before_hours(hours: Sequence[float] | None) -> "array[float]":
    total = sum(hours) if hours else 0.0
    if not hours or total <= 0:
        return HOURS
    return array("f", [share / total for share in accumulate(hours, initial=0.0)])


def _before(profile: Profile, moment: float) -> float:
    """Return the use that is expected from today's midnight until a moment."""
    midnights, before = profile.timetable.midnights, profile.before
    day = bisect_right(midnights, moment) - 1
    if day < 0:
        return 0.0
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
    if amount > before[AHEAD]:
        return midnights[AHEAD] + (amount - before[AHEAD]) / profile.pace * 86_400 if profile.pace else math.inf
    day = max(0, bisect_left(before, amount) - 1)
    of_day = before[day + 1] - before[day]
    share = (amount - before[day]) / of_day if of_day else 0.0
    hours = profile.hours
    hour = min(23, max(0, bisect_left(hours, share) - 1))
    of_hour = hours[hour + 1] - hours[hour]
    hour += (share - hours[hour]) / of_hour if of_hour else 0.0  # type: ignore[assignment]
    return midnights[day] + (midnights[day + 1] - midnights[day]) * hour / 24


