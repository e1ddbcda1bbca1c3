"""The accounts as CSV: for a spreadsheet, and harmless there."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.state import Figure, State
from exporter.page import Overview
from exporter.page.board import board
from exporter.page.table import table
from exporter.polling.accounts import Monitored
from tests.support.peers import FakeClock
from tests.support.standings import NOW, SITE, SUSPENDED, WELL, left, monitored


def lines(*accounts: Monitored) -> list[dict[str, str]]:
    """The table, read as a program reads it."""
    text = table(board(accounts, NOW).standings, datetime.fromtimestamp(NOW, UTC))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row() -> None:
    """All that the page shows."""
    state = replace(
        WELL,
        depletion=NOW + 20 * 86_400,
        usual_day=99.6,
        history_days=60,
        topped_up=Figure(20_000, NOW - 86_400),
    )
    assert lines(monitored(state=state, labels=(("team", "a"), ("owner", "b")))) == [
        {
            "account": "acme",
            "environment": "testing",
            "state": "ok",
            "available": "4000",
            "contracted": "5000",
            "used": "1000",
            "runs_out": "2023-12-04",
            "usual_day": "100",
            "last_topup": "20000",
            "last_topup_at": "2023-11-13T22:13:20+00:00",
            "warning": "500",
            "critical": "100",
            "last_code": "200",
            "last_poll": "2023-11-14T22:11:20+00:00",
            "last_success": "2023-11-14T22:11:20+00:00",
            "next_poll": "2023-11-14T22:26:20+00:00",
            "label_owner": "b",
            "label_team": "a",
        }
    ]


def test_what_is_not_known_is_empty() -> None:
    """Never 0."""
    [row] = lines(monitored(state=State(), warning=None, critical=None))
    assert {key for key, value in row.items() if value} == {"account", "environment", "state"}
    assert [row["state"] for row in lines(monitored("a", SUSPENDED), monitored("b", left(0)))] == [
        "exhausted",
        "suspended",
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", '=HYPERLINK("x","y")'])
def test_no_name_is_a_formula(name: str) -> None:
    """An apostrophe in front makes it text."""
    [row] = lines(monitored(name, labels=(("team", name),)))
    assert (row["account"], row["label_team"]) == (f"'{name}", f"'{name}")


@pytest.mark.parametrize("name", ['a,b "c"', "two\r\nlines", "ñ 漢", "'x", "a=b", "1-2"])
def test_any_other_name_is_as_it_is(name: str) -> None:
    """Quoted as RFC 4180 says."""
    assert lines(monitored(name))[0]["account"] == name


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_line_for_each_account(name: str) -> None:
    text = table(board([monitored(name), monitored("b")], NOW).standings, datetime.fromtimestamp(NOW, UTC))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == 3
    assert len({len(row) for row in rows}) == 1
    assert all(not row[0].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows)
    assert text.endswith("\r\n")


async def test_all_pages_of_what_is_asked_for_in_the_configured_zone() -> None:
    """With the filters and the order of the page."""
    accounts = [monitored(f"n{number:03}") for number in range(250)]
    zone = ZoneInfo("America/Mexico_City")
    overview = Overview(accounts, FakeClock(), SITE, zone=lambda: zone)
    rows = list(csv.DictReader(io.StringIO(await overview.table({"q": "n", "page": "2"}), newline="")))
    assert len(rows) == 250
    assert rows[0]["last_poll"] == "2023-11-14T16:11:20-06:00"
    assert (await overview.table({"state": "low"})).count("\r\n") == 1


def test_ten_thousand_accounts() -> None:
    accounts = [monitored(f"n{place:05}", left(place % 5000)) for place in range(10_000)]
    assert len(lines(*accounts)) == 10_000
