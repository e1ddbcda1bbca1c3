"""PURE: how a company's need for stamps is spread over hours, weekdays and paydays.

All arithmetic is on integers. A float's rounding at midnight could make a cumulative figure fall by one, and
the simulated `usados` must never fall.
"""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

MEXICO_CITY: Final = timezone(timedelta(hours=-6), "Mexico City")
"""Local time of most Mexican companies. Daylight saving time was abolished there in October 2022."""

_SECONDS_AN_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Weights that say when stamps are used; only their proportions count, not their sums."""

    weekdays: tuple[int, ...]
    """Weight of each day, Monday first; 100 is a plain working day."""
    payday: int
    """Weight that the 15th and the last day of a month have on top: the payroll is invoiced on them."""
    hours: tuple[int, ...]
    """Weight of each of a day's 24 hours."""

    @property
    def plain_day(self) -> int:
        """The work of one plain working day, in the unit of `work_until`."""
        return 100 * sum(self.hours) * _SECONDS_AN_HOUR

    def work_until(self, at: float) -> int:
        """All work from the calendar's first day to a Unix time, in a unit of which `plain_day` make one day.

        It never falls as time goes on. Only differences of it mean something.
        """
        local = datetime.fromtimestamp(int(at), MEXICO_CITY)
        return self._days_before(local) * sum(self.hours) * _SECONDS_AN_HOUR + self._day(
            local
        ) * self._so_far(local)

    def _days_before(self, local: datetime) -> int:
        """Weights of all days before this one, in closed form so that asking costs the same for any date."""
        weeks, weekday = divmod(local.toordinal() - 1, 7)  # ordinal 1 was a Monday
        paydays = 2 * (12 * local.year + local.month) + (1 if local.day > 15 else 0)
        return weeks * sum(self.weekdays) + sum(self.weekdays[:weekday]) + paydays * self.payday

    def _day(self, local: datetime) -> int:
        is_payday = local.day in {15, calendar.monthrange(local.year, local.month)[1]}
        return self.weekdays[local.weekday()] + (self.payday if is_payday else 0)

    def _so_far(self, local: datetime) -> int:
        """The part of the day's hours that has passed: hour weights x seconds."""
        seconds = local.minute * 60 + local.second
        return sum(self.hours[: local.hour]) * _SECONDS_AN_HOUR + self.hours[local.hour] * seconds


OFFICE: Final = Rhythm(
    weekdays=(100, 100, 100, 100, 100, 40, 15),
    payday=200,
    hours=(1, 1, 1, 1, 1, 1, 2, 6, 20, 45, 60, 65, 65, 60, 35, 35, 55, 60, 55, 30, 14, 6, 3, 2),
)
"""A company with office hours: a dip at lunch, little at night, less at weekends, far more on paydays."""

ROUND_THE_CLOCK: Final = Rhythm(weekdays=(100,) * 7, payday=0, hours=(1,) * 24)
"""An online shop: the same at any hour of any day."""
