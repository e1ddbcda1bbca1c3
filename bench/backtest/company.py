"""Kinds of Mexican companies, each as a function from days to stamps used on them.

They know the calendar and what people do with it; nothing in them knows how a forecast works. Figures are
stamps a day.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Final

from exporter.account.calendar import Calendar

Hours = Mapping[int, float]
"""How much of a day's use falls into which local hours."""

OFFICE: Final[Hours] = {8: 1, 9: 4, 10: 6, 11: 7, 12: 7, 13: 5, 14: 3, 15: 4, 16: 6, 17: 6, 18: 4, 19: 2}
SHOP: Final[Hours] = {10: 2, 11: 4, 12: 6, 13: 6, 14: 5, 15: 5, 16: 6, 17: 7, 18: 8, 19: 8, 20: 6, 21: 3}
DINNER: Final[Hours] = {
    9: 1,
    10: 1,
    13: 3,
    14: 6,
    15: 8,
    16: 7,
    17: 4,
    18: 2,
    19: 2,
    20: 4,
    21: 6,
    22: 6,
    23: 4,
}
ALL_DAY: Final[Hours] = {hour: 1 + (7 <= hour < 22) * 3 for hour in range(24)}
BATCH: Final[Hours] = {10: 3, 11: 5, 12: 4, 13: 1, 16: 2}
NIGHT: Final[Hours] = {0: 2, 1: 6, 2: 5, 3: 1}


@dataclass(slots=True)
class Day:
    """A day of a company: what it knows of the calendar, and its dice."""

    date: date
    calendar: Calendar
    dice: Random
    since: int
    """Days since the company's first."""

    @property
    def business(self) -> bool:
        return self.calendar.is_business_day(self.date)

    @property
    def off(self) -> bool:
        """A public holiday, or one that nearly all keep: Maundy Thursday, Good Friday."""
        return self.date in self.calendar.holidays or self.date in holy_days(self.date.year)

    @property
    def weekday(self) -> int:
        return self.date.weekday()

    def noisy(self, mean: float, sigma: float = 0.25) -> float:
        """Return a figure that is ``mean`` on average and varies by ``sigma`` (of its logarithm)."""
        return mean * math.exp(self.dice.gauss(0, sigma) - sigma * sigma / 2) if mean > 0 else 0.0

    def count(self, mean: float) -> float:
        """Return a number of independent events (Poisson)."""
        if mean > 50:
            return max(0.0, round(self.dice.gauss(mean, math.sqrt(mean))))
        limit, number, product = math.exp(-mean), 0, self.dice.random()
        while product > limit:
            number, product = number + 1, product * self.dice.random()
        return number

    def pays(self) -> bool:
        """Say whether it is a pay day: the 15th or the last of the month, or the business day before."""
        return self.date in self.calendar.pay_days(self.date.year, self.date.month)

    def business_days_from_end(self) -> int:
        """Return 0 on the month's last business day, 1 on the one before; 99 on other days."""
        if not self.business:
            return 99
        return sum(self.calendar.is_business_day(day) for day in _later(self.date))

    def business_days_from_start(self) -> int:
        """Return 0 on the month's first business day, 1 on the next; 99 on other days."""
        if not self.business:
            return 99
        return sum(self.calendar.is_business_day(self.date.replace(day=n)) for n in range(1, self.date.day))

    def falls(self, *nominal: int) -> bool:
        """Say whether one of these days of the month falls here, moved to the next business day."""
        for number in nominal:
            for month in (self.date.replace(day=1), self.date.replace(day=1) - timedelta(days=1)):
                try:
                    day = month.replace(day=number)
                except ValueError:
                    continue
                if self.calendar.not_before(day) == self.date:
                    return True
        return False


Use = Callable[[Day], tuple[float, float]]
"""What a company uses on a day: as usual, and in batches (payroll), which have their own hours."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of company. ``life`` is how long one is played in days, ``lives`` how many with each seed."""

    name: str
    text: str
    use: Use
    hours: Hours = field(default_factory=lambda: OFFICE)
    batch: Hours = field(default_factory=lambda: BATCH)
    timezone: str = "America/Mexico_City"
    life: int = 730
    lives: int = 1
    warm: int = 60
    """Days of the life after which stamps begin to run out."""
    apart: bool = False
    """Not looked at while the forecast was tuned."""
    closed: Callable[[int], Sequence[date]] = field(default=lambda _: ())
    """Days of a year that its operator has put into ``calendar.closed``."""
    counts: bool = True
    """Whether it counts in the mean of the kinds."""


def holy_days(year: int) -> tuple[date, ...]:
    """Return Maundy Thursday and Good Friday, by the Gregorian computus."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    easter = date(year, month, day + 1)
    return easter - timedelta(days=3), easter - timedelta(days=2)


def holy_week(day: date) -> bool:
    """Say whether it lies in the week before Easter or the one after."""
    good_friday = holy_days(day.year)[1]
    return -6 <= (day - good_friday).days <= 9


def buen_fin(day: date) -> bool:
    """Say whether it is the long weekend of sales before the third Monday of November."""
    return -4 <= (day - _third_monday(day.year)).days <= 0


def hot_sale(day: date) -> bool:
    """Say whether it is in the week of sales at the end of May."""
    last = date(day.year, 5, 31)
    monday = last - timedelta(days=last.weekday())
    return 0 <= (day - monday).days <= 8


def _third_monday(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(7 - first.weekday()) % 7 + 14)


def _later(day: date) -> list[date]:
    """Return the days of the month after a day."""
    days = []
    while (day := day + timedelta(days=1)).day != 1:
        days.append(day)
    return days
