"""When stamps run out: stories of companies with true dates, and what must hold of every forecast."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from sys import getsizeof

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.account.calendar import Calendar
from exporter.account.forecast import Forecast, Profile, Why, depletion, expected, forecast, profile
from exporter.account.resemblance import timetable
from tests.support.calendars import at, mexican

MEXICO = mexican()
TIJUANA = mexican("America/Tijuana")
OFFICE_HOURS = [0.0] * 9 + [1.0] * 9 + [0.0] * 6
DAY = 86_400.0


def made(
    use: Callable[[date], int | None], today: str, days: int = 150, calendar: Calendar = MEXICO
) -> Profile:
    """Return the profile of a company that uses so many stamps on a day, after so many days."""
    last = date.fromisoformat(today)
    past = [use(last - timedelta(days=number)) for number in range(days, 0, -1)]
    return profile(past, timetable(calendar, last), OFFICE_HOURS)


def office(day: date) -> int:
    return 60 if MEXICO.is_business_day(day) else 0


def month_end(day: date) -> int:
    last_of_month = MEXICO.not_after(
        (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    )
    return 1000 if day == last_of_month else office(day) // 30


def payroll(day: date) -> int:
    return 400 if day in MEXICO.pay_days(day.year, day.month) else office(day) // 20


def payroll_14(day: date) -> int:
    return 300 if day.toordinal() % 14 == date(2026, 11, 6).toordinal() % 14 else 3


def told(
    use: Callable[[date], int | None], now: str, balance: int, days: int = 150, used_today: int | None = None
) -> Forecast:
    return forecast(made(use, now[:10], days), balance, at(MEXICO, now), used_today)


def ends(told: Forecast, calendar: Calendar = MEXICO) -> str:
    """Return the local day on which the stamps run out."""
    assert told.depletion is not None
    return str(calendar.day(told.depletion))


class TestStories:
    def test_a_steady_company_runs_out_on_a_business_day(self) -> None:
        """100 stamps on Friday noon: 40 for the rest of it, 60 for Monday; the long weekend takes none."""
        assert ends(told(office, "2026-11-13 12:00", 90)) == "2026-11-17"
        assert told(office, "2026-11-13 12:00", 90).usual_day == 60
        assert told(office, "2026-11-13 12:00", 90).why == Why()

    def test_a_company_that_invoices_at_the_months_end(self) -> None:
        """Three weeks before it isn't told of two days, and the day that takes most is named."""
        assert ends(told(month_end, "2026-11-09 12:00", 900)) == "2026-11-30"
        assert told(month_end, "2026-11-09 12:00", 900).why == Why(date(2026, 11, 30), date(2026, 10, 30))
        assert ends(told(month_end, "2026-11-09 12:00", 1900)) == "2026-12-31"

    def test_pay_days_are_moved_by_weekends_and_holidays(self) -> None:
        """15 November 2026 is a Sunday: the payroll is stamped on Friday."""
        assert ends(told(payroll, "2026-11-09 12:00", 200)) == "2026-11-13"
        assert ends(told(payroll, "2026-11-09 12:00", 700)) == "2026-11-30"

    def test_payroll_every_14_days(self) -> None:
        assert ends(told(payroll_14, "2026-11-10 12:00", 200)) == "2026-11-20"
        assert told(payroll_14, "2026-11-10 12:00", 200).why.day == date(2026, 11, 20)

    def test_one_runaway_day_is_not_five_weeks_of_alarm(self) -> None:
        def runaway(day: date) -> int:
            return 1500 if day == date(2026, 11, 4) else office(day)

        assert ends(told(runaway, "2026-11-09 09:00", 600)) >= "2026-11-19"

    def test_a_loop_that_runs_just_now_is_told_of(self) -> None:
        """600 stamps are ten days; where the morning has taken 400 they may be gone tomorrow."""
        quiet = told(office, "2026-11-09 09:30", 600, used_today=3)
        loop = told(office, "2026-11-09 09:30", 600, used_today=400)
        assert ends(quiet) > "2026-11-18"
        assert loop.depletion is not None
        assert loop.depletion < at(MEXICO, "2026-11-11")

    def test_growth_goes_on(self) -> None:
        first = date(2026, 6, 1)

        def growing(day: date) -> int:
            return round(50 * 1.02 ** (day - first).days)

        use = growing(date(2026, 11, 9))
        assert (
            expected(made(growing, "2026-11-09"), at(MEXICO, "2026-11-09"), at(MEXICO, "2026-11-16"))
            >= 7 * use
        )

    def test_last_years_season_comes_again(self) -> None:
        """The long weekend of sales: 13 to 16 November 2026 are as 14 to 17 November 2025 were."""

        def shop(day: date) -> int:
            return 500 if date(2025, 11, 14) <= day <= date(2025, 11, 17) else 100

        assert ends(told(shop, "2026-11-11 08:00", 900, days=390)) <= "2026-11-14"
        assert ends(told(shop, "2026-11-11 08:00", 900, days=200)) >= "2026-11-18"

    def test_closed_days_take_none(self) -> None:
        closed = [date(2026, 11, 17) + timedelta(days=number) for number in range(10)]
        calendar = mexican(closed=closed)
        now = at(calendar, "2026-11-16 12:00")
        assert ends(forecast(made(office, "2026-11-16", calendar=calendar), 100, now)) >= "2026-11-27"
        assert ends(forecast(made(office, "2026-11-16"), 100, now)) <= "2026-11-18"


class TestFewDays:
    def test_nothing_is_known(self) -> None:
        assert told(lambda _: None, "2026-11-09 12:00", 100) == Forecast(None, 0.0, 0, Why())
        assert told(office, "2026-11-09 12:00", 100, days=0) == Forecast(None, 0.0, 0, Why())

    def test_one_day_is_enough_to_say_something_and_it_says_how_little(self) -> None:
        one = told(office, "2026-11-10 00:00", 600, days=1)
        assert one.history_days == 1
        assert one.depletion is not None
        assert ends(one) <= "2026-11-20"

    def test_a_pay_day_that_was_never_seen_is_reckoned_with(self) -> None:
        """A week old, four usual days left, pay day tomorrow: better to look."""
        assert ends(told(office, "2026-11-12 09:00", 240, days=8)) <= "2026-11-13"
        assert ends(told(office, "2026-11-12 09:00", 240, days=150)) > "2026-11-13"

    def test_unknown_days_are_not_0(self) -> None:
        def gaps(day: date) -> int | None:
            return None if day.toordinal() % 5 < 2 else office(day)

        assert told(gaps, "2026-11-09 12:00", 600).usual_day == pytest.approx(60, rel=0.05)
        assert told(gaps, "2026-11-09 12:00", 600).history_days == 90
        assert ends(told(gaps, "2026-11-09 12:00", 600)) == ends(told(office, "2026-11-09 12:00", 600))


class TestLimits:
    def test_no_stamps_are_out_now(self) -> None:
        now = at(MEXICO, "2026-11-09 12:00")
        assert depletion(made(office, "2026-11-09"), 0, now) == now
        assert depletion(made(office, "2026-11-09"), -3, now) == now

    def test_nothing_used_never_ends(self) -> None:
        assert told(lambda _: 0, "2026-11-09 12:00", 5).depletion is None

    def test_over_a_year_away_is_not_told(self) -> None:
        assert told(office, "2026-11-09 12:00", 14_000).depletion is not None
        assert told(office, "2026-11-09 12:00", 20_000).depletion is None

    def test_a_profile_that_is_some_days_old_still_answers(self) -> None:
        profile, now = made(office, "2026-11-09"), at(MEXICO, "2026-11-13 12:00")
        assert depletion(profile, 60, now, used_today=20) == pytest.approx(
            at(MEXICO, "2026-11-17 10:00"), abs=DAY
        )

    def test_a_clock_that_went_back_still_gets_an_answer(self) -> None:
        profile, now = made(office, "2026-11-09"), at(MEXICO, "2026-11-01 12:00")
        answer = depletion(profile, 60, now)
        assert answer is not None
        assert answer >= now

    def test_it_is_small(self) -> None:
        """10,000 profiles are under 15 MB, the timetable aside, which all share."""
        one = made(month_end, "2026-11-09")
        assert sum(map(getsizeof, (one, one.before, one.resembled, one.hours))) < 1_200


BALANCES = st.lists(st.integers(0, 20_000), min_size=2, max_size=8)
USE = st.lists(st.one_of(st.none(), st.integers(0, 30), st.sampled_from([0, 200, 5000])), max_size=120)


class TestAlways:
    @settings(deadline=None, max_examples=60)
    @given(
        USE,
        st.integers(0, 3 * 86_400),
        st.lists(st.integers(0, 20_000), min_size=2, max_size=8),
        st.integers(0, 500),
    )
    def test_never_before_now_and_never_later_with_less(
        self, use: list[int | None], after: int, balances: list[int], used_today: int
    ) -> None:
        one = profile(use, timetable(MEXICO, date(2026, 11, 9)), OFFICE_HOURS)
        now = at(MEXICO, "2026-11-09") + after
        moments = [depletion(one, balance, now, used_today) for balance in sorted(balances)]
        for less, more in pairwise([moment if moment is not None else now + 400 * DAY for moment in moments]):
            assert now <= less <= more + 1e-3

    @settings(deadline=None, max_examples=30)
    @given(USE, st.integers(0, 86_400), st.integers(1, 3000))
    def test_it_runs_out_when_the_balance_is_what_is_expected_until_then(
        self, use: list[int | None], after: int, balance: int
    ) -> None:
        """`expected` and `depletion` are each other's inverse, beyond the reserve's two days."""
        one = profile(use, timetable(MEXICO, date(2026, 11, 9)), OFFICE_HOURS)
        now = at(MEXICO, "2026-11-09") + after
        moment = depletion(one, balance, now)
        if moment is not None and moment >= now + 2 * DAY:
            assert expected(one, now, moment) == pytest.approx(balance, abs=1 + balance * 1e-3)

    @pytest.mark.parametrize("today", ["2026-03-07", "2026-03-08", "2026-10-31", "2026-11-01"])
    def test_the_days_on_which_clocks_change(self, today: str) -> None:
        """Tijuana's Sundays of 23 and 25 hours: the moment is on the right day and hour, and time goes on."""
        one = made(lambda _: 100, today, calendar=TIJUANA)
        start = TIJUANA.midnight(date.fromisoformat(today))
        moments = [depletion(one, 150, start + quarter * 900, 0) for quarter in range(96)]
        assert all(isinstance(moment, float) for moment in moments)
        assert moments == sorted(moments, key=lambda moment: moment or 0.0)
        assert ends(forecast(one, 250, start), TIJUANA) == str(date.fromisoformat(today) + timedelta(days=2))
