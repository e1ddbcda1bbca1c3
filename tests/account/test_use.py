"""The use of each day: what answers bring, over midnights, gaps and clocks that jump."""

from array import array
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backtest.kinds import KINDS
from bench.backtest.life import lives
from exporter.account.calendar import Calendar, LocalDay
from exporter.account.use import NOTHING_SEEN, Ended, Use, usual_hours
from tests.support.calendars import at, mexican

MEXICO = mexican()
FRIDAY = date(2026, 11, 13).toordinal()
HOUR = 3600.0
DAY = 24 * HOUR


class Days:
    """An account's use by its answers, as the local time of each tells."""

    def __init__(self, calendar: Calendar = MEXICO, use: Use = NOTHING_SEEN) -> None:
        self.calendar = calendar
        self.use = use
        self.before: float | None = None

    def answers(self, *answers: tuple[str, int]) -> "Days":
        """Let answers come that each bring so many stamps."""
        for text, risen in answers:
            self.answer(at(self.calendar, text), risen)
        return self

    def answer(self, now: float, risen: int) -> None:
        self.use = self.use.seen(risen, self.before, now, self.calendar.around(now))
        self.before = now

    def jump(self, seconds: float) -> None:
        """Let the clock jump: all times that are known move along."""
        self.before = self.before + seconds if self.before is not None else None

    @property
    def ended(self) -> dict[str, int | None]:
        return {date.fromordinal(one.day).strftime("%d"): one.stamps for one in self.use.ended}

    @property
    def today(self) -> tuple[int, int | None]:
        """The day of the latest answer, and what is known to have been used on it."""
        assert self.before is not None
        day = self.calendar.around(self.before)
        return day.ordinal - FRIDAY + 13, self.use.of_day(day)

    def told(self) -> tuple[dict[str, int | None], tuple[int, int | None]]:
        return self.ended, self.today

    def hours(self) -> dict[int, float]:
        """The stamps by the hours of the present day."""
        return {hour: stamps for hour, stamps in enumerate(table(self.use.hours)) if stamps}


def table(hours: bytes) -> list[float]:
    return list(array("f", hours)) if hours else [0.0] * 24


def test_the_first_day_isn_t_whole() -> None:
    """What was used of it before the first answer nobody knows."""
    days = Days().answers(("2026-11-13 09:00", 0), ("2026-11-13 10:00", 7))
    assert days.told() == ({}, (13, None))
    days.answers(("2026-11-13 23:59", 3), ("2026-11-14 00:14", 0), ("2026-11-14 12:00", 5))
    assert days.told() == ({"13": None}, (14, 5))
    days.answers(("2026-11-14 23:50", 5), ("2026-11-15 00:10", 4))
    assert days.told() == ({"13": None, "14": 12}, (15, 2))


def test_an_answer_without_stamps_changes_nothing_of_a_day() -> None:
    """Nothing is made anew for most polls."""
    days = Days().answers(("2026-11-13 09:00", 0))
    before = days.use
    days.answers(("2026-11-13 10:00", 0), ("2026-11-13 11:00", 0))
    assert days.use is before


def test_hours() -> None:
    """Each stamp is in the hours in which it may have been used."""
    days = Days().answers(("2026-11-13 23:30", 0), ("2026-11-14 00:30", 0))
    days.answers(("2026-11-14 09:10", 0), ("2026-11-14 09:25", 8), ("2026-11-14 11:25", 12))
    assert days.hours() == pytest.approx({9: 8 + 3.5, 10: 6, 11: 2.5})


def test_what_one_answer_brings_is_spread_over_the_gap() -> None:
    """Days without answers get their share: more than nothing is known of them."""
    days = Days().answers(("2026-11-12 23:00", 0), ("2026-11-13 00:00", 0), ("2026-11-13 12:00", 30))
    days.answers(("2026-11-16 12:00", 300))
    assert days.ended == {"12": None, "13": 30 + 50, "14": 100, "15": 100}
    assert days.today == (16, 50)
    assert days.hours() == pytest.approx(dict.fromkeys(range(12), 50 / 12))
    of_saturday = next(one for one in days.use.ended if one.day == FRIDAY + 1)
    assert table(of_saturday.hours) == pytest.approx([100 / 24] * 24)


def test_a_gap_in_which_nothing_was_used() -> None:
    """Is known to be one: the figure says so."""
    days = Days().answers(("2026-11-13 00:00", 0), ("2026-11-13 12:00", 5), ("2026-11-16 12:00", 0))
    assert days.told() == ({"13": 5, "14": 0, "15": 0}, (16, 0))


@given(st.lists(st.tuples(st.floats(1, 9 * DAY), st.integers(0, 10**6)), max_size=30))
def test_no_stamp_is_lost_or_counted_twice(gaps: list[tuple[float, int]]) -> None:
    """Wherever midnights are between answers."""
    days = Days(mexican("America/Tijuana")).answers(("2026-10-20 00:00", 0))
    for gap, risen in gaps:
        assert days.before is not None
        days.answer(days.before + gap, risen)
    ended = days.use.ended
    known = [one.stamps for one in ended if one.stamps is not None]
    assert sum(known) + days.use.stamps == sum(risen for _, risen in gaps)
    assert [one.day for one in ended] == list(range(days.use.day - len(ended), days.use.day))
    for one in ended:
        assert sum(table(one.hours)) == pytest.approx(one.stamps or 0, rel=1e-4, abs=1e-3)
    assert len(known) == len(ended)


@pytest.mark.parametrize(("sunday", "length"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_days_on_which_clocks_change(sunday: date, length: int) -> None:
    """Border cities have the United States' clock."""
    calendar = mexican("America/Tijuana")
    days, midnight = Days(calendar), calendar.midnight(sunday)
    for hour in range(-24, 49):
        days.answer(midnight + hour * HOUR, 1)
    ended = {one.day - sunday.toordinal(): one.stamps for one in days.use.ended}
    # The very first is before the first midnight, and what it brings is of that day.
    assert ended[0] == length
    days.answer(midnight + 50 * HOUR, 0)
    hours = next(one.hours for one in days.use.ended if one.day == sunday.toordinal())
    assert table(hours) == pytest.approx([length / 24] * 24)


class TestClock:
    def whole(self) -> Days:
        return Days().answers(("2026-11-13 00:00", 0), ("2026-11-13 22:00", 50))

    def test_years_ahead_for_a_moment(self) -> None:
        """Of the days that nobody has lived nothing is known, nor of the one that was left."""
        days = self.whole()
        days.jump(400 * DAY)
        days.answer(at(MEXICO, "2026-11-13 22:15") + 400 * DAY, 4)
        assert days.ended == {"13": None}
        assert days.use.of_day(MEXICO.around(days.before or 0.0)) is None
        days.jump(-400 * DAY)
        days.answers(("2026-11-13 22:30", 4))
        assert days.told() == ({}, (13, None))
        days.answers(("2026-11-14 00:30", 0), ("2026-11-14 12:00", 9))
        assert days.told() == ({"13": None}, (14, 9))

    def test_a_day_ahead(self) -> None:
        days = self.whole()
        days.jump(DAY)
        days.answers(("2026-11-14 22:15", 4))
        assert days.told() == ({"13": None}, (14, None))

    def test_an_hour_ahead_over_midnight(self) -> None:
        """A day that lacks a little is known."""
        days = self.whole().answers(("2026-11-13 23:50", 0))
        days.jump(HOUR)
        days.answers(("2026-11-14 01:00", 4))
        assert days.told() == ({"13": 50}, (14, 4))

    def test_a_little_back_over_midnight(self) -> None:
        """The day that had begun goes on: else the one before would begin anew."""
        days = self.whole().answers(("2026-11-14 00:00", 0))
        days.jump(-HOUR)
        days.answers(("2026-11-13 23:10", 4))
        assert days.ended == {"13": 50}
        days.answers(("2026-11-14 01:00", 2))
        assert days.told() == ({"13": 50}, (14, 6))

    @pytest.mark.parametrize("back", [1, 5])
    def test_days_back(self, back: int) -> None:
        """They are lived once more; what was known of them is of another clock."""
        days = self.whole().answers(("2026-11-14 12:00", 10))
        days.jump(-back * DAY)
        days.answer(at(MEXICO, "2026-11-14 12:15") - back * DAY, 4)
        assert days.today == (14 - back, None)
        assert days.ended == {}

    def test_an_answer_from_before_the_last_one(self) -> None:
        """The clock was set back while nobody looked, over a restart."""
        days = self.whole()
        days.answer(at(MEXICO, "2026-11-13 20:00"), 5)
        assert days.today == (13, None)

    def test_nobody_knows_when_the_last_answer_was(self) -> None:
        """Then it isn't known either on which days its stamps were used."""
        days = self.whole()
        days.before = None
        days.answers(("2026-11-16 12:00", 500))
        assert days.today == (16, None)
        days.answers(("2026-11-17 01:00", 0))
        assert days.ended == {"16": None}


def test_a_file_from_before_days_were_counted() -> None:
    """The figures in it say when the last answer was, though nothing about days."""
    days = Days()
    days.before = at(MEXICO, "2026-11-13 12:00")
    days.answers(("2026-11-15 12:00", 200))
    assert days.told() == ({"13": None, "14": 100}, (15, 50))


def test_a_gap_of_years() -> None:
    """As many days as are looked at."""
    days = Days().answers(("2022-11-13 12:00", 0), ("2026-11-13 12:00", 146_100))
    assert len(days.use.ended) == 400
    assert {one.stamps for one in days.use.ended} <= {99, 100, 101}


def test_stored_days_are_left_out() -> None:
    """But those that ended meanwhile aren't."""
    one, other = Ended(FRIDAY, 5, b""), Ended(FRIDAY + 1, 6, b"")
    use = Use(FRIDAY + 2, ended=(one, other))
    assert use.stored((one,)).ended == (other,)
    assert use.stored((one, other)).ended == ()
    assert use.stored((other,)) is use
    assert use.stored(()) is use


def test_usual_hours_forget_slowly() -> None:
    """As the backtest has them."""
    of_day = array("f", [1.0] * 24).tobytes()
    assert table(usual_hours(b"", of_day)) == [1.0] * 24
    assert table(usual_hours(of_day, b"")) == pytest.approx([27 / 28] * 24)
    assert table(usual_hours(of_day, of_day)) == pytest.approx([27 / 28 + 1] * 24)


@pytest.mark.parametrize("name", ["office, payroll", "restaurant", "tiny"])
def test_it_is_what_the_backtest_is_fed_with(name: str) -> None:
    """The measured quality is of use and hours made like that: one poll an hour gives the same."""
    life = next(lives(next(kind for kind in KINDS if kind.name == name), 0))
    days, start, hours = Days(life.calendar), life.start, b""
    usual = [0.0] * 24
    today: LocalDay = life.calendar.around(start)
    days.answer(start, 0)
    for day in range(120):
        first, last = life.midnights[day], life.midnights[day + 1]
        usual = [share * 27 / 28 for share in usual]
        for hour in range(first, last):
            today = today.at(start + hour * HOUR)
            assert days.use.of_day(today) == life.used[hour] - life.used[first]
            usual[hour - first] += life.used[hour + 1] - life.used[hour]
            days.answer(start + (hour + 1) * HOUR, life.used[hour + 1] - life.used[hour])
    assert [one.stamps for one in days.use.ended] == [life.of_day(day) for day in range(120)]
    for one in days.use.ended:
        hours = usual_hours(hours, one.hours)
    assert table(hours) == pytest.approx(usual, rel=1e-4)


def test_a_timezone_that_changes() -> None:
    """By a reload: the day goes on, by the other clock's midnights."""
    days = Days().answers(("2026-11-13 00:00", 0), ("2026-11-14 00:30", 48))
    assert days.today == (14, 1)
    days.calendar = mexican("America/Tijuana")  # two hours later
    days.answer((days.before or 0.0) + HOUR / 2, 3)
    assert days.use == replace(days.use, day=FRIDAY + 1, stamps=4, whole=True)
