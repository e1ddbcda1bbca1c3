"""Days as people count them: local days, business days, pay days. Pure: the holidays are handed in.

A day is one of the calendar's timezone, from midnight to midnight: 23 or 25 hours where clocks change.
"""

import calendar as gregorian
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

DAY: Final = timedelta(days=1)
BUSINESS_DAY_END: Final = time(18)
"""Local time at which a business day ends: an alert after it is too late to buy stamps on that day."""

LONGEST_REST: Final = 366
"""Days that are searched for the nearest business day; where none of them is one, the day itself counts."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A timezone, and the days on which a company is closed beside Saturdays and Sundays.

    ``holidays`` are the country's, ``closed`` the company's own. Both have to cover the year before and the
    year after the days that are asked for.
    """

    timezone: tzinfo
    holidays: frozenset[date]
    closed: frozenset[date] = field(default=frozenset())

    def day(self, moment: float) -> date:
        """Return the local day of a moment (Unix time)."""
        return datetime.fromtimestamp(moment, self.timezone).date()

    def around(self, moment: float) -> "LocalDay":
        """Return the local day of a moment, with its begin and end."""
        day = self.day(moment)
        return LocalDay(day.toordinal(), self.midnight(day), self.midnight(day + DAY), self)

    def midnight(self, day: date) -> float:
        """Return when a day begins (Unix time); where clocks skip midnight, the moment at which they do."""
        return datetime.combine(day, time(), self.timezone).timestamp()

    def is_business_day(self, day: date) -> bool:
        """Return whether it is a Monday to Friday that is neither a holiday nor closed."""
        return day.weekday() < 5 and day not in self.holidays and day not in self.closed

    def not_after(self, day: date) -> date:
        """Return the day itself where it is a business day, else the last one before it."""
        return self._nearest(day, -DAY)

    def not_before(self, day: date) -> date:
        """Return the day itself where it is a business day, else the first one after it."""
        return self._nearest(day, DAY)

    def pay_days(self, year: int, month: int) -> tuple[date, date]:
        """Return a month's two pay days: the 15th and the last day, or the business day before."""
        last = gregorian.monthrange(year, month)[1]
        return self.not_after(date(year, month, 15)), self.not_after(date(year, month, last))

    def next_business_day_end(self, moment: float) -> float:
        """Return the end of the first business day after the moment's day. All Unix time."""
        day = self.not_before(self.day(moment) + DAY)
        return datetime.combine(day, BUSINESS_DAY_END, self.timezone).timestamp()

    def _nearest(self, day: date, step: timedelta) -> date:
        return next(filter(self.is_business_day, _days(day, step, LONGEST_REST)), day)


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day of a calendar: its ordinal, and when it begins and ends (Unix time)."""

    ordinal: int
    start: float
    end: float
    calendar: Calendar = field(compare=False)

    def __contains__(self, moment: float) -> bool:
        return self.start <= moment < self.end

    def at(self, moment: float) -> "LocalDay":
        """Return the day of a moment: this one where it lies in it, which costs little."""
        return self if self.start <= moment < self.end else self.calendar.around(moment)

    def number(self, ordinal: int) -> "LocalDay":
        """Return the day with an ordinal."""
        if ordinal == self.ordinal:
            return self
        day, calendar = date.fromordinal(ordinal), self.calendar
        return LocalDay(ordinal, calendar.midnight(day), calendar.midnight(day + DAY), calendar)

    def hour(self, moment: float) -> float:
        """Return how far into the day a moment lies, from 0 to 24 where clocks change, too."""
        return min(24.0, max(0.0, (moment - self.start) / (self.end - self.start) * 24))


def _days(first: date, step: timedelta, count: int) -> Iterator[date]:
    return (first + step * number for number in range(count))
