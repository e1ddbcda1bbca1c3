"""What an account uses: today so far, on days that have ended, and in which hours. Pure.

A day's use is known where answers cover it from its midnight to the next. What an answer brings is spread
evenly over the time since the one before it.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.account.calendar import LocalDay
from exporter.account.past import HISTORY

HOURS: Final = 24

TURNED_BACK: Final = 2 * 3600.0
"""Seconds by which a clock may be set over a midnight, or a timezone be changed, without a day being lost."""

KEPT: Final = 27 / 28
"""What of the usual hours remains when another day is added to them: about four weeks count."""

Table = bytes
"""Stamps by the hour of a day: 24 numbers (float32), or empty where all are 0."""


class Ended(NamedTuple):
    """A day that has ended: its ordinal, its use (``None``: not known) and the hours of that."""

    day: int
    stamps: int | None
    hours: Table


class RecentUse(NamedTuple):
    """The stamps used on days that follow each other (``None``: not known); the last is ``today``, so far.

    ``today`` is the ordinal of the local day.
    """

    today: int
    days: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Use:
    """The use of the local day of the latest answer, and of the days that ended and aren't stored yet.

    ``day`` is that day's ordinal, 0 before the first answer; ``whole`` says that the use is known from its
    midnight on.
    """

    day: int = 0
    stamps: int = 0
    whole: bool = False
    hours: Table = b""
    ended: tuple[Ended, ...] = ()

    def seen(self, risen: int, before: float | None, now: float, today: LocalDay) -> "Use":
        """Return the use after an answer: ``risen`` stamps were used since the one ``before`` (Unix time).

        ``today`` is the day of ``now``; ``before`` is ``None`` where nobody knows when that was.
        """
        if before is None or before > now:
            return self._anew(risen, now, today)
        if self.day == today.ordinal:
            return self._with(risen, before, now, today) if risen else self
        first = today.number(self.day) if self.day else today.at(before)
        if self.day > today.ordinal:
            if self.day == today.ordinal + 1 and first.start - now <= TURNED_BACK:
                return self._with(risen, first.start, first.start, first)
            return self._anew(risen, now, today)
        if not self.day:
            begun = Use(first.ordinal, whole=before <= first.start)
            return begun._walked(risen, before, now, first, today)
        if before > first.end + TURNED_BACK:  # the clock was set ahead: nobody has lived that time
            left = Use(today.ordinal, ended=(*self.ended, Ended(self.day, None, b"")))
            return left._with(risen, before, now, today)
        return self._walked(risen, before, now, first, today)

    def of_day(self, day: LocalDay) -> int | None:
        """Return what was used on a day so far, if it is the present one and known from its midnight on."""
        return self.stamps if self.whole and self.day == day.ordinal else None

    def stored(self, ended: tuple[Ended, ...]) -> "Use":
        """Return the use without days that have been stored."""
        if not ended or self.ended[: len(ended)] != ended:
            return self
        return Use(self.day, self.stamps, self.whole, self.hours, self.ended[len(ended) :])

    def _anew(self, risen: int, now: float, today: LocalDay) -> "Use":
        """Begin a day of which it isn't known what was used before ``now``."""
        ended = tuple(one for one in self.ended if one.day < today.ordinal)
        begun = Use(today.ordinal, whole=now <= today.start, ended=ended)
        return begun._with(risen, now, now, today)

    def _with(self, risen: int, begin: float, end: float, day: LocalDay) -> "Use":
        hours = _spread(self.hours, risen, day.hour(begin), day.hour(end))
        return Use(self.day, self.stamps + risen, self.whole, hours, self.ended)

    def _walked(self, risen: int, before: float, now: float, first: LocalDay, today: LocalDay) -> "Use":
        """Spread stamps over the days from the present one, ``first``, until ``today``."""

        def used_until(moment: float) -> int:
            elapsed = max(0.0, moment - before)
            return round(risen * elapsed / (now - before)) if elapsed else 0

        use, ended, begin = self, list(self.ended), before
        if first.ordinal < today.ordinal - HISTORY:
            first = today.number(today.ordinal - HISTORY)
            use, begin = Use(first.ordinal, whole=True), first.start
        for ordinal in range(first.ordinal, today.ordinal):
            day = today.number(ordinal)
            end = max(begin, day.end)
            use = use._with(used_until(end) - used_until(begin), begin, end, day)
            ended.append(Ended(day.ordinal, use.stamps if use.whole else None, use.hours))
            use, begin = Use(ordinal + 1, whole=True), end
        use = Use(use.day, use.stamps, use.whole, use.hours, tuple(ended))
        return use._with(risen - used_until(begin), begin, now, today)


NOTHING_SEEN: Final = Use()
"""Before the first answer."""


def usual_hours(usual: Table, of_day: Table) -> Table:
    """Return the usual hours with those of another day."""
    if not usual:
        return of_day
    added = array("f", of_day) if of_day else [0.0] * HOURS
    kept = array("f", usual)
    return array("f", [old * KEPT + new for old, new in zip(kept, added, strict=True)]).tobytes()


def sum_of_hours(one: Table, other: Table) -> Table:
    """Return two tables added up."""
    if not (one and other):
        return one or other
    pairs = zip(array("f", one), array("f", other), strict=True)
    return array("f", [stamps + more for stamps, more in pairs]).tobytes()


def _spread(hours: Table, stamps: int, begin: float, end: float) -> Table:
    """Add stamps that were used between two hours of a day, evenly."""
    if not stamps:
        return hours
    table = array("f", hours) if hours else array("f", bytes(4 * HOURS))
    first, last = min(HOURS - 1, int(begin)), min(HOURS - 1, int(end))
    if first == last:
        table[first] += stamps
        return table.tobytes()
    share = stamps / (end - begin)
    for hour in range(first, last + 1):
        table[hour] += share * (min(end, hour + 1) - max(begin, hour))
    return table.tobytes()
