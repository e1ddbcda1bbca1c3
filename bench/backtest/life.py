"""A company's life: what it uses hour by hour on the true calendar."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from bench.backtest.company import Day, Hours, Kind
from exporter.account.calendar import DAY, Calendar
from exporter.config.holidays import public_holidays

YEARS: Final = (2025, 2023, 2027, 2021, 2025, 2019)
"""The year in which a life begins, by the seed: a life is two years."""

OPENS, CLOSES = time(9), time(18)
"""Local time in which stamps can be bought on a business day."""


@dataclass(frozen=True, slots=True)
class Life:
    """What was used until each hour, and the calendar of these hours. Hours count from the first midnight."""

    kind: Kind
    seed: int
    calendar: Calendar
    first: date
    midnights: list[int]
    """The hour in which each day begins; one more than there are days."""
    used: list[int]
    """Stamps used before each hour; one more than there are hours."""
    buying: list[int]
    """Hours in which stamps could be bought, before each hour."""
    told: list[int]
    """For each day the hour in which the next business day after it ends."""

    @property
    def start(self) -> float:
        """The first midnight, in Unix time."""
        return self.calendar.midnight(self.first)

    def of_day(self, day: int) -> int:
        """Return what was used on a day."""
        return self.used[self.midnights[day + 1]] - self.used[self.midnights[day]]


def lives(kind: Kind, seed: int) -> Iterator[Life]:
    """Return the lives of a kind with one seed."""
    for number in range(kind.lives):
        dice = Random(f"{kind.name} {seed} {number}")
        first = date(YEARS[seed % len(YEARS)], 1, 1)
        if kind.lives > 1:
            first += timedelta(days=dice.randrange(700 - kind.life))
        yield _life(kind, seed, first, dice)


def calendar_of(kind: Kind, year: int) -> Calendar:
    """Return the calendar of a kind for a life that begins in a year."""
    closed = frozenset(day for other in range(year - 2, year + 4) for day in kind.closed(other))
    return _calendar(kind.timezone, closed, year)


@cache
def _calendar(timezone: str, closed: frozenset[date], year: int) -> Calendar:
    return Calendar(ZoneInfo(timezone), public_holidays("MX", year - 2, year + 4), closed)


def _life(kind: Kind, seed: int, first: date, dice: Random) -> Life:
    calendar = calendar_of(kind, YEARS[seed % len(YEARS)])
    days = [first + DAY * number for number in range(kind.life + 1)]
    start = calendar.midnight(first)
    midnights = [round((calendar.midnight(day) - start) / 3600) for day in days]
    used = [0]
    for number, day in enumerate(days[:-1]):
        usual, batch = kind.use(Day(day, calendar, dice, number))
        length = midnights[number + 1] - midnights[number]
        hours = _spread(usual, kind.hours, length, dice)
        for hour, stamps in enumerate(_spread(batch, kind.batch, length, dice)):
            hours[hour] += stamps
        used += accumulate(hours, initial=used.pop())
    open_hours: list[int] = []
    for day, begin, end in zip(days, midnights, midnights[1:], strict=False):
        business = calendar.is_business_day(day)
        open_hours += [business and OPENS.hour <= hour < CLOSES.hour for hour in range(end - begin)]
    told = [
        round(
            (datetime.combine(calendar.not_before(day + DAY), CLOSES, calendar.timezone).timestamp() - start)
            / 3600
        )
        for day in days[:-1]
    ]
    return Life(kind, seed, calendar, first, midnights, used, list(accumulate(open_hours, initial=0)), told)


def _spread(amount: float, hours: Hours, length: int, dice: Random) -> list[int]:
    """Return a day's stamps by its hours."""
    total, spread = round(amount), [0] * length
    if total <= 0:
        return spread
    if total < 40:
        for hour in dice.choices(list(hours), list(hours.values()), k=total):
            spread[min(hour, length - 1)] += 1
        return spread
    weights = [hours.get(hour, 0) * (0.5 + dice.random()) for hour in range(length)]
    scale, before = total / sum(weights), 0
    for hour, until in enumerate(accumulate(weights)):
        spread[hour] = round(until * scale) - before
        before += spread[hour]
    return spread


def hour_of(life: Life, stamps: int) -> int:
    """Return the hour at whose start this many stamps had been used for the first time."""
    return bisect_right(life.used, stamps - 1)
