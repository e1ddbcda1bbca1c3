"""Calendars for tests of what follows from days."""

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from exporter.account.calendar import Calendar
from exporter.config.holidays import public_holidays


def mexican(timezone: str = "America/Mexico_City", closed: Iterable[date] = ()) -> Calendar:
    """A calendar with Mexico's public holidays of 2023 to 2028."""
    return Calendar(ZoneInfo(timezone), public_holidays("MX", 2023, 2028), frozenset(closed))


def at(calendar: Calendar, text: str) -> float:
    """Return a moment (Unix time) that is given in the calendar's local time, as `2026-11-13 17:00`."""
    day, _, clock = text.partition(" ")
    hours, minutes = map(int, (clock or "0:00").split(":"))
    return calendar.midnight(date.fromisoformat(day)) + hours * 3600 + minutes * 60
