"""What day it is by the configured calendar, and what the forecast needs to know of it."""

import asyncio
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from exporter.account.calendar import Calendar, LocalDay
from exporter.account.resemblance import Timetable, timetable
from exporter.config import CalendarConfig
from exporter.config.holidays import public_holidays_apart
from exporter.thread import in_thread

YEARS_BEFORE: Final = 2
YEARS_AFTER: Final = 3
"""Years around the present one of which the public holidays are known."""


class Almanac:
    """The calendar, as long as it is in force, and its present day."""

    def __init__(self, config: CalendarConfig) -> None:
        self.config = config
        # Of public holidays nothing is known yet: local days begin and end without them.
        self._today = Calendar(ZoneInfo(config.timezone), frozenset(), config.closed).around(0.0)
        self._calendar: Calendar | None = None
        self._year = 0  # around which the calendar knows the holidays
        self._timetable: Timetable | None = None

    def today(self, now: float) -> LocalDay:
        """Return the local day of a moment (Unix time)."""
        self._today = self._today.at(now)
        return self._today

    async def calendar(self, now: float) -> Calendar:
        """Return the calendar with the public holidays around a moment; they are looked up in a thread."""
        year = date.fromordinal(self.today(now).ordinal).year
        if self._calendar is None or year != self._year:
            first, last = year - YEARS_BEFORE, year + YEARS_AFTER
            country = self.config.country
            # In a thread that nobody waits for when the daemon stops: it waits for a process.
            holidays = await in_thread("holidays", lambda: public_holidays_apart(country, first, last))
            self._calendar = Calendar(ZoneInfo(self.config.timezone), holidays, self.config.closed)
            self._year = year
        return self._calendar

    async def timetable(self, now: float) -> Timetable:
        """Return the timetable of a moment's day: it is made in a thread, once a day."""
        calendar, today = await self.calendar(now), self.today(now).ordinal
        if self._timetable is None or self._timetable.today != today:
            self._timetable = await asyncio.to_thread(timetable, calendar, date.fromordinal(today))
        return self._timetable
