"""Days as people count them: business days, pay days, and clocks that change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.calendar import Calendar
from exporter.config.holidays import countries, public_holidays
from tests.support.calendars import at, mexican

MEXICO = mexican()
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize(
    ("day", "business"),
    [
        ("2026-11-13", True),  # a Friday
        ("2026-11-14", False),
        ("2026-11-15", False),
        ("2026-11-16", False),  # the Revolution's day, on the third Monday
        ("2026-11-20", True),  # the date itself is no holiday
        ("2026-12-24", False),  # closed by the configuration
        ("2026-12-25", False),
        ("2024-10-01", False),  # a president's inauguration
        ("2025-10-01", True),
        ("2026-04-03", True),  # Good Friday is no public holiday
    ],
)
def test_business_days(day: str, business: bool) -> None:
    calendar = mexican(closed=[date(2026, 12, 24)])
    assert calendar.is_business_day(date.fromisoformat(day)) is business


@pytest.mark.parametrize(
    ("month", "first", "second"),
    [
        ("2026-10", "2026-10-15", "2026-10-30"),  # the 31st is a Saturday
        ("2026-11", "2026-11-13", "2026-11-30"),  # the 15th is a Sunday
        ("2026-02", "2026-02-13", "2026-02-27"),  # February's last day is a Saturday
        ("2024-02", "2024-02-15", "2024-02-29"),
        ("2026-12", "2026-12-15", "2026-12-31"),
    ],
)
def test_pay_days_come_before_weekends(month: str, first: str, second: str) -> None:
    year, number = map(int, month.split("-"))
    assert MEXICO.pay_days(year, number) == (date.fromisoformat(first), date.fromisoformat(second))


def test_a_pay_day_comes_before_a_day_that_the_company_is_closed() -> None:
    calendar = mexican(closed=[date(2026, 12, 31)])
    assert calendar.pay_days(2026, 12)[1] == date(2026, 12, 30)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-12 00:00", "2026-11-13 18:00"),
        ("2026-11-12 23:59", "2026-11-13 18:00"),
        ("2026-11-13 09:00", "2026-11-17 18:00"),  # Friday before a long weekend
        ("2026-11-15 09:00", "2026-11-17 18:00"),
        ("2026-12-23 09:00", "2026-12-24 18:00"),
        ("2026-12-31 09:00", "2027-01-04 18:00"),
    ],
)
def test_the_end_of_the_next_business_day(now: str, end: str) -> None:
    assert MEXICO.next_business_day_end(at(MEXICO, now)) == at(MEXICO, end)


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("America/Tijuana", "2026-03-08", 23),
        ("America/Tijuana", "2026-11-01", 25),
        ("America/Ojinaga", "2026-03-08", 23),
        ("America/Mexico_City", "2026-03-08", 24),
        ("America/Havana", "2026-03-08", 23),  # its clocks skip midnight itself
        ("America/Havana", "2026-11-01", 25),
    ],
)
def test_days_are_as_long_as_their_clocks_say(timezone: str, day: str, hours: int) -> None:
    calendar, first = mexican(timezone), date.fromisoformat(day)
    begin, end = calendar.midnight(first), calendar.midnight(first + timedelta(days=1))
    assert end - begin == hours * 3600
    assert calendar.day(begin) == first
    assert calendar.day(begin - 1) == first - timedelta(days=1)


def test_the_end_of_a_business_day_after_the_clocks_changed() -> None:
    """Friday before Tijuana's Sunday of 23 hours: 18:00 on Monday is 18:00 there, an hour earlier in UTC."""
    calendar = mexican("America/Tijuana")
    friday = datetime(2026, 3, 6, 12, tzinfo=ZoneInfo("America/Tijuana")).timestamp()
    end = datetime.fromtimestamp(calendar.next_business_day_end(friday), UTC)
    assert end == datetime(2026, 3, 10, 1, tzinfo=UTC)


@given(DAYS)
def test_what_is_moved_lies_on_a_business_day_and_no_further_than_need_be(day: date) -> None:
    before, after = MEXICO.not_after(day), MEXICO.not_before(day)
    assert before <= day <= after
    assert MEXICO.is_business_day(before)
    assert MEXICO.is_business_day(after)
    between = [before + timedelta(days=number) for number in range(1, (after - before).days)]
    assert not any(map(MEXICO.is_business_day, between)) or before == day == after


def test_a_calendar_without_any_business_day_still_answers() -> None:
    """Somebody may close every day: then each is as good as another, and nothing runs for ever."""
    days = frozenset(date(2020, 1, 1) + timedelta(days=number) for number in range(5000))
    calendar = Calendar(UTC, days)
    assert calendar.not_before(date(2026, 11, 14)) == date(2026, 11, 14)
    assert calendar.next_business_day_end(at(calendar, "2026-11-14 09:00")) == at(
        calendar, "2026-11-15 18:00"
    )


def test_countries_are_known_by_two_letters() -> None:
    assert {"MX", "US", "ES"} <= countries()
    assert "Mexico" not in countries()
    assert date(2026, 12, 25) in public_holidays("MX", 2026, 2026)
    assert {day.year for day in public_holidays("MX", 2025, 2026)} == {2025, 2026}
