"""Until when the stamps last, in words."""

from array import array
from dataclasses import replace
from datetime import date

import pytest

from exporter.account.expectation import Expected, expected, with_profile
from exporter.account.forecast import Why, local_day, profile
from exporter.account.resemblance import timetable
from exporter.account.state import Figure, State
from exporter.page.english import ENGLISH
from exporter.page.expectation import about, in_words
from exporter.page.spanish import SPANISH
from tests.support.calendars import at, mexican

MEXICO = mexican()
NOW = at(MEXICO, "2026-11-13 12:00")
DECEMBER = date(2026, 12, 4)
PAY_DAY = Why(date(2026, 11, 30), date(2026, 10, 31))

WORDS = [
    (
        Expected(DECEMBER, 4812.3, 90, Why()),
        "until Friday 4 December, about 4,800 a day",
        "hasta el viernes 4 de diciembre, unos 4,800 al día",
    ),
    (
        Expected(DECEMBER, 4812.3, 28, PAY_DAY),
        "until Friday 4 December, about 4,800 a day (30 Nov, as on 31 Oct)",
        "hasta el viernes 4 de diciembre, unos 4,800 al día (30 nov, como el 31 oct)",
    ),
    (
        Expected(date(2027, 1, 20), 0.3, 27, PAY_DAY),
        "until Wednesday 20 January, about 1 a day (30 Nov, as on 31 Oct; by 27 days of use)",
        "hasta el miércoles 20 de enero, unos 1 al día (30 nov, como el 31 oct; según 27 días de consumo)",
    ),
    (
        Expected(date(2026, 8, 1), 95.0, 1, Why()),
        "until Saturday 1 August, about 95 a day (by 1 day of use)",
        "hasta el sábado 1 de agosto, unos 95 al día (según 1 día de consumo)",
    ),
]


@pytest.mark.parametrize(("told", "english", "spanish"), WORDS)
def test_words(told: Expected, english: str, spanish: str) -> None:
    """A date, a usual day, why; and that little is known, where it is little."""
    assert in_words(told, ENGLISH) == english
    assert in_words(told, SPANISH) == spanish


def test_every_day_has_a_name() -> None:
    """Each of the week and each month."""
    days = [date.fromordinal(date(2026, 1, 1).toordinal() + number) for number in range(365)]
    assert len({ENGLISH.day(day) for day in days}) == len({SPANISH.short_day(day) for day in days}) == 365


@pytest.mark.parametrize(
    ("stamps", "shown"),
    [
        (0.01, "1"),
        (3.4, "3"),
        (57.4, "57"),
        (99.6, "100"),
        (124.4, "120"),
        (4850, "4,900"),
        (1.25e6, "1,300,000"),
    ],
)
def test_about(stamps: float, shown: str) -> None:
    """Two digits: more would claim to know."""
    assert about(stamps) == shown


def test_what_is_expected_of_a_state() -> None:
    """The day on which the last known balance runs out, however old it is."""
    today = MEXICO.around(NOW)
    made = profile([100] * 60, timetable(MEXICO, MEXICO.day(NOW)), array("f", [1.0] * 24))
    state = with_profile(State(available=Figure(1040, NOW)), made, today)
    told = expected(state)
    assert told
    assert (told.usual_day, told.history_days, told.why) == (100, 60, Why())
    assert told.until == date(2026, 11, 23)
    for nothing in (
        State(),
        replace(state, profile=None),
        replace(state, available=None),
        replace(state, available=Figure(0, NOW)),
        replace(state, depletion=None),
    ):
        assert expected(nothing) is None
    older = with_profile(replace(state, available=Figure(1040, NOW - 2 * 86_400.0)), made, today)
    assert expected(older) == told._replace(until=date(2026, 11, 21))
    gone = with_profile(replace(state, available=Figure(30, NOW - 2 * 86_400.0)), made, today)
    assert expected(gone) == told._replace(until=date(2026, 11, 11))


def test_days_near_and_far() -> None:
    """Also before the timetable's first and after its last."""
    table = timetable(MEXICO, date(2026, 11, 13))
    for days in (-40, -1, 0, 1, 69, 70, 71, 300):
        day = date.fromordinal(table.today + days)
        assert local_day(table, MEXICO.midnight(day)) == day
        assert local_day(table, MEXICO.midnight(day) + 86_399) == day
