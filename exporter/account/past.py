"""What an account has used so far, and what follows for a day: the day's estimate. Pure.

A day's estimate is what is usual on its weekday, or what is due on it for a cause that has held so far.
What the causes are is in resemblance.py; here is which of them hold for one account.
"""

import math
from collections.abc import Sequence
from itertools import chain, pairwise
from statistics import fmean, median
from typing import Final, NamedTuple

from exporter.account.resemblance import Cause, Days, Likeness, Timetable

HISTORY: Final = 400
"""Days that are looked at, at most."""

YEAR: Final = 364
"""Days after which the same weekday comes at the same time of the year."""

REPLAYED: Final = 56
"""Days before today that are estimated, too, to learn how far off the estimates are."""

LEFT_ASIDE: Final = 3
"""The worst pairs of these days that the reserve ignores: one runaway day spoils two pairs."""

OUTSTANDING: Final = 1.3
"""A day stands out that used more than so many times what is usual."""

MARGIN: Final = 1.06
"""A day on which something is due is estimated at so many times the most that it took before."""

UNSEEN_PAY_DAY: Final = 5
"""A pay day is estimated at so many times a usual day as long as none was seen."""


class _Due(NamedTuple):
    """What is due on a day by a cause: how much, which day it is like, and on which days it came before."""

    cause: Cause
    amount: float
    like: int
    days: Days


class Past:
    """An account's use so far, and what is learnt from it.

    ``reserve`` is by how much two days have recently exceeded what was expected of them.
    """

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
        """Return whether its cause has failed, or better causes explain its days, but for one at most."""
        own = sum(day not in self.shade[due.cause] for day in due.days)
        return self.refuted[due.cause] or own < min(2, len(due.days))

    def _of(self, day: int) -> int:
        """Return a day's use; -1 where it isn't known."""
        return self.use[day - self.first] if self.first <= day < self.today else -1

    def _values(self, days: Days) -> list[int]:
        """Return what was used on these days, as far as it is known."""
        use, first = self.use, self.first
        return [use[day - first] for day in days if day >= first and use[day - first] >= 0]

    def _usual(self, likeness: Likeness) -> float:
        """Return what is usual on a day's weekday, without an outlier and days on which something was due."""
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
            if cause is Cause.PAY_DAY and days[0] < self.first:
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
        """Return what a cause takes, and the days on which it did; none where they don't agree."""
        if days in self.found:
            return self.found[days]
        known = [day for day in days if self._of(day) >= 0]
        hits = tuple(day for day in known if day in self.outstanding)
        amount = 0.0
        if len(hits) < min(2, len(known)) or (len(hits) == 2 and hits != tuple(known[:2])):
            hits = ()
        elif len(hits) == 1:
            amount = float(self._of(hits[0]))
        else:
            most, other = sorted(map(self._of, hits[:3]), reverse=True)[:2]
            amount = min(most, 1.3 * other) * MARGIN
        self.found[days] = amount, hits
        return amount, hits

    def _learn(self, past: Sequence[Likeness]) -> None:
        """Find the days that stand out, and the causes that explain them best: others are in their shade."""
        usual = {likeness.day: self._usual(likeness) for likeness in past}
        self.outstanding = {
            day
            for day, amount in usual.items()
            if self._of(day) > OUTSTANDING * amount + 2 * math.sqrt(amount)
        }
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
            shade = self.shade[cause] = set().union(
                *(right[other] for other in Cause if worth[other] > worth[cause])
            )
            self.refuted[cause] = right[cause] <= shade if right[cause] else worth[cause] < 0
        self.explained = set().union(*right)

    def _reserve(self, past: Sequence[Likeness]) -> float:
        """Return by how much two days exceed their estimates, the worst pairs ignored; or yesterday alone."""
        days = past[: max(0, self.known - 3)]
        misses = [
            self._of(likeness.day) - self.estimate(likeness)[0] if self._of(likeness.day) >= 0 else 0.0
            for likeness in days
        ]
        pairs = sorted((one + other for one, other in pairwise(misses)), reverse=True)
        return max(0.0, pairs[min(LEFT_ASIDE, len(pairs) - 1)], misses[0]) if pairs else 0.0

    def _season(self, day: int) -> tuple[float, int]:
        """Return how many times the usual was used around that day a year ago, and that day; or 1 and 0."""
        then = day - YEAR
        if day < self.today or then - 7 < self.first:
            return 1.0, 0
        days = self._lifted(then), *map(self._lifted, (then - 7, then + 7))
        season = min(5.0, max(median(days[0]), median(chain(*days)))) if all(days) else 1.0
        return (season, then) if season > 1.5 else (1.0, 0)

    def _lifted(self, day: int) -> list[float]:
        """Return how many times the use before that season was used on a day and those beside it."""
        near = (day - 1, day, day + 1)
        levels = [(self._of(one), self._level(one, self.today - YEAR)) for one in near]
        return [used / level for used, level in levels if level]

    def _level(self, day: int, until: int) -> float:
        """Return the median of a day's weekday in the five weeks before a day."""
        last = until - 1 - (until - 1 - day) % 7
        values = self._values(tuple(last - 7 * number for number in range(5)))
        return median(values) if values else 0.0

    def _grown(self, days: int) -> float:
        return min(3.0, math.exp(self.growth * min(days, 60))) if self.growth else 1.0


def _growth(use: Sequence[int], known: int) -> float:
    """Return the logarithm of the growth of use in a day, less what may be chance."""
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
