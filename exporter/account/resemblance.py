"""Which past days a day resembles: those on which the same thing was due.

Companies stamp by the calendar: on a day of the month counted from its start or its end, on a pay day, every
14 days; where that is no business day, on the one before or after. Nobody tells which of these a company
does, so each is looked at. Pure.
"""

import calendar as gregorian
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final

from exporter.account.calendar import DAY, Calendar

OCCURRENCES: Final = 4
"""How many days of each cause are looked at, the latest."""

WEEKS: Final = 6
"""How many days of the same weekday are."""

AHEAD: Final = 70
"""Days from today on that are estimated one by one: two months with their ends."""

TRIED: Final = 182
"""Days before today on which the causes are tried: half a year."""

FORTNIGHT: Final = 14

MONTHS: Final = 13
"""Months before a day's in which the same is looked for: last year's is the twelfth."""


class Cause(IntEnum):
    """Why something may be due on a day."""

    DAY_OF_MONTH = 0
    DAY_FROM_END = 1
    DAY_OF_MONTH_OR_BEFORE = 2
    DAY_FROM_END_OR_BEFORE = 3
    DAY_OF_MONTH_OR_AFTER = 4
    DAY_FROM_END_OR_AFTER = 5
    BUSINESS_DAY_OF_MONTH = 6
    BUSINESS_DAY_FROM_END = 7
    TWO_BEFORE_PAY_DAY = 8
    BEFORE_PAY_DAY = 9
    PAY_DAY = 10
    AFTER_PAY_DAY = 11
    EVERY_14_DAYS = 12
    WEEKDAY_OR_BEFORE = 13


Days = tuple[int, ...]
"""Days as their ordinals, the latest first."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What one day resembles: the days of its weekday, and for each cause those on which the same was due."""

    day: int
    same_weekday: Days
    causes: tuple[tuple[Cause, Days, int], ...]
    """With the days that a cause brought before, and the one of a year ago; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """A day as all accounts see it: the days around it and what they resemble. Made once a day."""

    today: int
    midnights: tuple[float, ...]
    """When today and each of the ``AHEAD`` days after it begin (Unix time)."""
    coming: tuple[Likeness, ...]
    """Today and the days after it."""
    past: tuple[Likeness, ...]
    """Yesterday and the days before it, as they were to be seen then."""


def timetable(calendar: Calendar, today: date) -> Timetable:
    """Return the timetable of a day."""
    ahead = [today + DAY * number for number in range(AHEAD + 1)]
    return Timetable(
        today.toordinal(),
        tuple(map(calendar.midnight, ahead)),
        tuple(_before(today.toordinal(), _likeness(calendar, day)) for day in ahead[:-1]),
        tuple(_seen_then(calendar, today - DAY * number) for number in range(1, TRIED + 1)),
    )


# A day needs those of AHEAD days and of TRIED, the next day all of them but one each.
@lru_cache(maxsize=TRIED + 8)
def _seen_then(calendar: Calendar, day: date) -> Likeness:
    return _before(day.toordinal(), _likeness(calendar, day))


def _before(today: int, likeness: Likeness) -> Likeness:
    """Return a likeness with the days before today alone: what can be known today."""
    causes = (
        (cause, tuple(day for day in days if day < today)[:OCCURRENCES], year)
        for cause, days, year in likeness.causes
    )
    return Likeness(
        likeness.day,
        tuple(day for day in likeness.same_weekday if day < today)[:WEEKS],
        tuple(found for found in causes if found[1]),
    )


@lru_cache(maxsize=TRIED + AHEAD + 8)
def _likeness(calendar: Calendar, day: date) -> Likeness:
    """Return what a day resembles: more days than are looked at, as some may not have passed."""
    causes: list[tuple[Cause, list[date]]] = []
    if day not in calendar.closed:
        causes += [*_monthly(calendar, day), (Cause.EVERY_14_DAYS, _every_14_days(calendar, day))]
    if calendar.is_business_day(day):
        causes += [*_by_business_days(calendar, day), *_around_pay_days(calendar, day)]
        causes.append((Cause.WEEKDAY_OR_BEFORE, _moved_weekday(calendar, day)))
    found = dict.fromkeys((cause, tuple(date_.toordinal() for date_ in dates)) for cause, dates in causes)
    year = day.toordinal() - 365
    return Likeness(
        day.toordinal(),
        tuple(date_.toordinal() for date_ in _same_weekday(calendar, day)),
        tuple(
            (
                cause,
                dates[: OCCURRENCES + AHEAD // FORTNIGHT + 1],
                next((d for d in dates if abs(d - year) < 8), 0),
            )
            for cause, dates in found
        ),
    )


def _same_weekday(calendar: Calendar, day: date) -> list[date]:
    """The same weekday where it was a business day, too; for a holiday holidays, then Sundays."""
    weeks = [day - timedelta(weeks=number) for number in range(1, WEEKS + AHEAD // 7 + 4)]
    if day.weekday() >= 5:
        return weeks
    if calendar.is_business_day(day):
        return [week for week in weeks if calendar.is_business_day(week)]
    sundays = [week - DAY * (day.weekday() + 1) for week in weeks]
    before = (day - DAY * number for number in range(1, 400))
    rests = [date_ for date_ in before if date_.weekday() < 5 and not calendar.is_business_day(date_)]
    return rests[:4] + sundays


def _monthly(calendar: Calendar, day: date) -> Iterator[tuple[Cause, list[date]]]:
    """The day of the month, from its start and its end; as it falls, and moved to a business day."""
    months = _months_before(day, MONTHS)
    yield Cause.DAY_OF_MONTH, [found for month in months if (found := _from_start(month, day.day))]
    yield Cause.DAY_FROM_END, [_from_end(month, _left(day)) for month in months]
    if not calendar.is_business_day(day):
        return
    for step, moved, from_start, from_end in (
        (DAY, calendar.not_after, Cause.DAY_OF_MONTH_OR_BEFORE, Cause.DAY_FROM_END_OR_BEFORE),
        (-DAY, calendar.not_before, Cause.DAY_OF_MONTH_OR_AFTER, Cause.DAY_FROM_END_OR_AFTER),
    ):
        nominal = day
        while nominal == day or (moved(nominal) == day and abs((nominal - day).days) < 5):
            of_nominal = _months_before(nominal, len(months))
            days = [moved(found) for month in of_nominal if (found := _from_start(month, nominal.day))]
            yield from_start, days
            yield from_end, [moved(_from_end(month, _left(nominal))) for month in of_nominal]
            nominal += step


def _by_business_days(calendar: Calendar, day: date) -> Iterator[tuple[Cause, list[date]]]:
    """The month's first, second… and last, last but one… business day."""
    months = _months_before(day, MONTHS)
    of_this = _business_days(calendar, day.year, day.month)
    index = of_this.index(day)
    others = [_business_days(calendar, month.year, month.month) for month in months]
    yield Cause.BUSINESS_DAY_OF_MONTH, [days[index] for days in others if index < len(days)]
    left = len(of_this) - index
    yield Cause.BUSINESS_DAY_FROM_END, [days[-left] for days in others if left <= len(days)]


def _around_pay_days(calendar: Calendar, day: date) -> Iterator[tuple[Cause, list[date]]]:
    """Pay days, and one or two business days before and after: both fortnights alike."""
    around = [day.replace(day=1), *_months_before(day, MONTHS)]
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    pay_days = sorted(
        {pay for month in (following, *around) for pay in calendar.pay_days(month.year, month.month)}
    )
    causes = (Cause.TWO_BEFORE_PAY_DAY, Cause.BEFORE_PAY_DAY, Cause.PAY_DAY, Cause.AFTER_PAY_DAY)
    for offset, cause in zip((-2, -1, 0, 1), causes, strict=True):
        moved = [_business_days_on(calendar, pay, offset) for pay in pay_days]
        if day in moved:
            yield cause, [other for other in reversed(moved) if other < day]


def _every_14_days(calendar: Calendar, day: date) -> list[date]:
    turns = [
        day - timedelta(days=FORTNIGHT * number) for number in range(1, OCCURRENCES + AHEAD // FORTNIGHT + 1)
    ]
    return [calendar.not_after(turn) for turn in turns] if calendar.is_business_day(day) else turns


def _moved_weekday(calendar: Calendar, day: date) -> list[date]:
    """Past days of the weekday after this one, where that is a holiday: what is due comes before."""
    following = day + DAY
    if following.weekday() >= 5 or calendar.is_business_day(following):
        return []
    weeks = (following - timedelta(weeks=number) for number in range(1, WEEKS + AHEAD // 7))
    return [week for week in weeks if week < day and calendar.is_business_day(week)]


def _business_days_on(calendar: Calendar, day: date, number: int) -> date:
    step = DAY if number > 0 else -DAY
    for _ in range(abs(number)):
        day = calendar.not_before(day + step) if number > 0 else calendar.not_after(day + step)
    return day


@lru_cache(maxsize=256)
def _business_days(calendar: Calendar, year: int, month: int) -> tuple[date, ...]:
    days = (date(year, month, number) for number in range(1, gregorian.monthrange(year, month)[1] + 1))
    return tuple(filter(calendar.is_business_day, days))


def _months_before(day: date, count: int) -> list[date]:
    months, month = [], day.replace(day=1)
    for _ in range(count):
        month = (month - DAY).replace(day=1)
        months.append(month)
    return months


def _left(day: date) -> int:
    return gregorian.monthrange(day.year, day.month)[1] - day.day


def _from_start(month: date, number: int) -> date | None:
    last = gregorian.monthrange(month.year, month.month)[1]
    return month.replace(day=number) if number <= last else None


def _from_end(month: date, left: int) -> date:
    last = gregorian.monthrange(month.year, month.month)[1]
    return month.replace(day=max(1, last - left))
