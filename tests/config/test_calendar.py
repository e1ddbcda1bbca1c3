"""The key `calendar`: what days and business days are."""

import os
import subprocess
import sys
from datetime import date

import pytest

from exporter.config import CalendarConfig, redacted
from tests.support.configs import errors_of, load_text

ACCOUNTS = "accounts: [{name: a, username: u, password: p}]\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "calendar"),
    [
        ("", CalendarConfig("America/Mexico_City", "MX", frozenset())),
        ("calendar:", CalendarConfig()),
        ("calendar: {closed: []}", CalendarConfig()),
        ("calendar: {timezone: America/Tijuana, country: US}", CalendarConfig("America/Tijuana", "US")),
        ("calendar: {timezone: UTC}", CalendarConfig("UTC")),
        (
            "calendar: {closed: [2026-12-24, '2026-12-31', 2026-12-24]}",
            CalendarConfig(closed=frozenset((date(2026, 12, 24), date(2026, 12, 31)))),
        ),
    ],
)
def test_what_it_says_and_what_it_needn_t(text: str, calendar: CalendarConfig) -> None:
    """A configuration of before it came means Mexico."""
    assert load_text(ACCOUNTS + text).calendar == calendar


WRONG = [
    ("timezone: America/Mexico", "calendar.timezone: no timezone is called America/Mexico, did you mean"),
    ("timezone: america/mexico_city", "did you mean America/Mexico_City?"),
    ("timezone: America", "calendar.timezone: no timezone is called America"),
    ("timezone: Mars/Olympus", "no timezone is called Mars/Olympus: it must be one such as America/Mexico_C"),
    ("timezone: ../../etc/localtime", "calendar.timezone: must be a timezone such as America/Mexico_City"),
    ("timezone: /etc/localtime", "calendar.timezone: must be a timezone such as America/Mexico_City"),
    ("timezone: -6", "calendar.timezone: must be a string: put it in quotes"),
    ("timezone: '-6'", "calendar.timezone: must be a timezone such as America/Mexico_City, got -6"),
    ("timezone: null", "calendar.timezone: must not be empty"),
    ("country: mx", "a country's two letters (ISO 3166-1) such as MX, got mx, did you mean MX?"),
    ("country: Mexico", "calendar.country: must be a country's two letters (ISO 3166-1) such as MX, got Mex"),
    ("country: XX", "calendar.country: of XX no public holidays are known: take another country, and list"),
    ("country: NO", "calendar.country: must be a string: put it in quotes"),
    ("closed: [2026-02-30]", "calendar.closed[0]: must be a date such as 2026-12-24, got 2026-02-30"),
    ("closed: [2026-12-24, 24/12/2026]", "calendar.closed[1]: must be a date such as 2026-12-24, got text"),
    ("closed: [20261224]", "calendar.closed[0]: must be a string: put it in quotes"),
    ("closed: ['2026-12-24T00:00']", "calendar.closed[0]: must be a date such as 2026-12-24, got text that"),
    ("closed: 2026-12-24", "calendar.closed: must be a list, not text"),
    ("closed: [null]", "calendar.closed[0]: must not be empty"),
    (f"closed: [{'2026-12-24, ' * 1001}]", "calendar.closed: at most 1000 are allowed, got 1001"),
    ("zone: UTC", "calendar.zone: unknown key"),
    ("timezon: UTC", "calendar.timezon: unknown key, did you mean timezone?"),
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("text", "error"), WRONG)
def test_what_it_can_t_be(text: str, error: str) -> None:
    """Each error has its place, the value and what to write instead."""
    [found] = errors_of(f"{ACCOUNTS}calendar: {{{text}}}")
    assert found.startswith("config.yaml:2: calendar.")
    assert error in found


@pytest.mark.usefixtures("folder")
def test_all_that_is_wrong_is_told_at_once() -> None:
    """Also where the section isn't one, and beside errors elsewhere."""
    assert len(errors_of("accounts: 1\ncalendar: {timezone: X, country: XX, closed: [x, y]}")) == 5
    [error] = errors_of(f"{ACCOUNTS}calendar: MX")
    assert error == "config.yaml:2: calendar: must be a mapping of keys to values, not text"


@pytest.mark.usefixtures("folder")
def test_it_is_shown_with_the_running_configuration() -> None:
    """As one could write it."""
    shown = redacted(load_text(f"{ACCOUNTS}calendar: {{closed: [2026-12-31, 2026-12-24]}}"))
    assert load_text(f"{ACCOUNTS}{shown[: shown.index('environments:')]}").calendar.closed == {
        date(2026, 12, 24),
        date(2026, 12, 31),
    }


@pytest.mark.process
@pytest.mark.parametrize("name", ["America/Mexico_City", "America/Tijuana", "UTC"])
def test_timezones_don_t_need_the_system_s_database(name: str) -> None:
    """Images without /usr/share/zoneinfo have them too."""
    code = f"from exporter.config.values import _timezone; print(_timezone({name!r}))"
    environ = os.environ | {"PYTHONTZPATH": ""}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ran.stdout.strip(), ran.stderr) == (name, "")
