"""Every query of the dashboards, asked of a real Prometheus: it has an answer, and the answer is right."""

import math
import time
from collections import defaultdict
from dataclasses import replace

import pytest

from exporter.simulator.rhythm import MEXICO_CITY
from tests.support.dashboards.asking import Row, Viewer, seconds
from tests.support.dashboards.backfill import RECORDED
from tests.support.dashboards.files import DASHBOARDS, Query, queries, query
from tests.support.dashboards.monitored import Monitored
from tests.support.peers import eventually

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.xdist_group("monitored")]

OVERVIEW, ACCOUNT, EXPORTER = "cfdi-overview", "cfdi-account", "cfdi-exporter"
STAGES = {
    "exhausted": 0,
    "low": 1,
    "running-out": 1,
    "slow": 2,
    "wrong-password": 2,
    "flaky": 3,
    "healthy": 4,
    "topped-up": 4,
}


def viewer(monitored: Monitored, dashboard: str, account: str = "topped-up") -> Viewer:
    return Viewer(monitored.prometheus, dashboard, {"account": account} if dashboard == ACCOUNT else {})


def by_account(rows: list[Row]) -> dict[str, float]:
    """The last value of each series."""
    return {labels["account"]: points[-1][1] for labels, points in rows}


@pytest.mark.parametrize("asked", list(queries()), ids=str)
def test_every_query_returns_data(monitored: Monitored, asked: Query) -> None:
    """A series at least, with a number in it: not even NaN is an answer.

    What only the live exporter exposes is too young for the steps of a wide range: it is asked for zoomed in.
    """

    def answered() -> bool:
        now = viewer(monitored, asked.dashboard)
        rows = now.ask(asked) or now.ask(asked, span="5m")
        return any(math.isfinite(value) for _, points in rows for _, value in points)

    assert eventually(answered, timeout=30)


@pytest.mark.parametrize(
    "series", sorted({name for one in queries() for name in RECORDED.findall(one.expression)})
)
def test_every_recorded_series_has_a_past(monitored: Monitored, series: str) -> None:
    """What is recorded live fills the last minutes only, and whether these are asked for is chance."""
    assert monitored.prometheus.query(f"present_over_time({series}[1h] offset 3d)")


@pytest.mark.parametrize("minutes", range(0, 25, 2))
def test_the_most_urgent_are_found_whenever_the_range_ends(monitored: Monitored, minutes: int) -> None:
    """It ends with a full step, which may lie just where the history goes over into what is live."""
    at = time.time() - 60 * minutes
    asked = query(OVERVIEW, "Balance of the first to run out")
    rows = Viewer(monitored.prometheus, OVERVIEW, at=at).ask(replace(asked, instant=True))
    assert {labels["account"] for labels, _ in rows} >= {"exhausted", "running-out", "low"}


@pytest.mark.parametrize("dashboard", list(DASHBOARDS))
def test_every_variable_has_values(monitored: Monitored, dashboard: str) -> None:
    options = viewer(monitored, dashboard).options
    assert all(options.values())
    if "account" in options:
        assert set(options["account"]) == STAGES.keys()
        assert options["environment"] == ["simulated"]
    else:
        assert options["instance"] == [monitored.exporter.address]


def test_who_needs_stamps_comes_first(monitored: Monitored) -> None:
    """By the days left; below a threshold, or without a balance, is as if only so many days were."""
    overview = viewer(monitored, OVERVIEW)
    table = "Accounts, the first to run out first"
    assert by_account(overview.ask(query(OVERVIEW, table, "stage"))) == STAGES
    due = by_account(overview.ask(query(OVERVIEW, table, "due")))
    order = sorted(due, key=due.__getitem__)
    assert [STAGES[name] for name in order] == sorted(STAGES.values())
    assert order[:2] == ["exhausted", "running-out"]
    assert [due[name] for name in overview.options["listed"]] == [due[name] for name in order]
    assert order[-2:] == ["healthy", "topped-up"]


def test_the_table_lists_no_more_accounts_than_chosen(monitored: Monitored) -> None:
    """The first two, in every column, and rows that Grafana can join: no label but these two."""
    overview = Viewer(monitored.prometheus, OVERVIEW, {"limit": "2"})
    for asked in queries():
        if asked.place == "Accounts, the first to run out first":
            rows = overview.ask(asked)
            assert {labels["account"] for labels, _ in rows} == {"exhausted", "running-out"}, asked
            assert all(labels.keys() == {"account", "pac_environment"} for labels, _ in rows), asked


def test_the_figures_count_the_accounts(monitored: Monitored) -> None:
    """Suspended are `wrong-password` and `slow`: what becomes of its tries nobody knows, so it waits."""
    overview = viewer(monitored, OVERVIEW)
    expected = {"Accounts": 8, "Buy today": 3, "Buy this week": 1, "No fresh balance": 2}
    expected |= {"Suspended": 2, "Exporters down": 0}
    for title, number in expected.items():
        [(_, [(_, value)])] = overview.ask(query(OVERVIEW, title))
        assert value == number, title


def test_the_forecast_is_that_of_the_exporter(monitored: Monitored) -> None:
    """4,800 stamps a day, day and night, and 7,200 left a moment ago; and it may be the eve of a pay day."""
    account = viewer(monitored, ACCOUNT, "running-out")
    [(_, [(_, days)])] = account.ask(query(ACCOUNT, "Days left"))
    assert 0 < days < 1.6
    [(_, [(_, until)])] = account.ask(query(ACCOUNT, "Lasts until"))
    assert until / 1000 - time.time() == pytest.approx(days * 86400, abs=60)
    [(_, [(_, usual)])] = account.ask(query(ACCOUNT, "Usual day"))
    assert usual == pytest.approx(4800, rel=0.1)
    [(_, [(_, known)])] = account.ask(query(ACCOUNT, "Days known"))
    assert known in (9, 10)
    [(_, [(_, lasts)])] = account.ask(query(ACCOUNT, "Next business day"))
    assert lasts == 0


def test_a_team_has_its_accounts_alone(monitored: Monitored) -> None:
    """Also in what is recorded without the team."""
    overview = Viewer(monitored.prometheus, OVERVIEW, {"team": "another"})
    assert overview.options["listed"] == []
    for title in ("Accounts", "Buy today", "Buy this week", "No fresh balance", "Suspended", "Failing"):
        assert sum(value for _, [(_, value)] in overview.ask(query(OVERVIEW, title))) == 0, title
    assert viewer(monitored, OVERVIEW).options["team"] == ["demo"]


def midnight(days_ago: int) -> float:
    """The beginning of a day in Mexico City."""
    offset = MEXICO_CITY.utcoffset(None).total_seconds()
    return (time.time() + offset) // 86400 * 86400 - offset - days_ago * 86400


def used(monitored: Monitored, days_ago: int, name: str = "healthy") -> int:
    """What the provider itself says of a whole day."""
    life = monitored.simulator.accounts[f"{name}@demo.example"].life
    start = midnight(days_ago)
    return life.balance(start + 86400).used - life.balance(start).used


def test_columns_are_whole_days_beside_the_week_before(monitored: Monitored) -> None:
    """Each stands at the beginning of its day and tells what the provider says of it."""
    account = viewer(monitored, ACCOUNT, "healthy")
    [(_, these)] = account.ask(query(ACCOUNT, "Used by day", "A"))
    [(_, week_before)] = account.ask(query(ACCOUNT, "Used by day", "B"))
    for days_ago in (1, 2, 3):
        at = midnight(days_ago)
        assert dict(these)[at] == pytest.approx(used(monitored, days_ago), rel=0.05, abs=5)
    assert dict(week_before)[midnight(1)] == pytest.approx(used(monitored, 8), rel=0.05, abs=5)
    assert midnight(0) not in dict(these)  # the day isn't over


@pytest.mark.parametrize("minutes", [1, 20, 40, 59])
@pytest.mark.parametrize("dashboard", [OVERVIEW, ACCOUNT])
def test_a_day_has_no_column_until_it_is_over(monitored: Monitored, dashboard: str, minutes: int) -> None:
    """Also in its last hour, when what was recorded last tells of nearly as many hours, but of others."""
    asked = replace(query(dashboard, "Used by day", "A"), instant=True)
    now = time.time()
    ends_soon, has_ended = (now - 86400 + 60 * left for left in (minutes, -minutes))
    assert not Viewer(monitored.prometheus, dashboard, {"account": "healthy"}, ends_soon).ask(asked)
    assert Viewer(monitored.prometheus, dashboard, {"account": "healthy"}, has_ended).ask(asked)


def test_the_heat_shows_office_hours_in_their_rows(monitored: Monitored) -> None:
    """24 rows, whose sum is the day; the hours of Mexico City, not of Greenwich."""
    account = viewer(monitored, ACCOUNT, "healthy")
    rows = account.ask(query(ACCOUNT, "Used by hour and day"))
    assert sorted(labels["hour"] for labels, _ in rows) == [f"{hour:02}" for hour in range(24)]
    assert all(labels.keys() == {"hour"} for labels, _ in rows)
    days: dict[float, list[float]] = defaultdict(lambda: [0.0] * 24)
    for labels, points in rows:
        for at, value in points:
            days[at][int(labels["hour"])] = value
    for days_ago in (1, 2, 3):
        hours = days[midnight(days_ago)]
        assert sum(hours) == pytest.approx(used(monitored, days_ago), rel=0.02, abs=5)
        assert sum(hours[8:20]) > 0.8 * sum(hours)
        assert sum(hours[:6]) < 0.05 * sum(hours)


@pytest.mark.parametrize("step", ["1h", "6h", "1d"])
def test_a_purchase_is_marked_once_with_its_stamps(monitored: Monitored, step: str) -> None:
    """20,000 stamps were bought: one mark, at whatever step Grafana asks."""
    rows = viewer(monitored, ACCOUNT).ask(query(ACCOUNT, "Stamps bought", "Anno"), step=step)
    [(labels, points)] = rows
    assert labels == {"stamps": "20000"}
    assert len(points) == 1


@pytest.mark.parametrize("step", ["1h", "6h", "1d"])
def test_the_overview_marks_for_whom_stamps_were_bought(monitored: Monitored, step: str) -> None:
    """Once as well: Grafana makes one mark of points that are no more than a step apart."""
    rows = viewer(monitored, OVERVIEW).ask(query(OVERVIEW, "Stamps bought", "Anno"), step=step)
    [(labels, points)] = rows
    assert labels == {"account": "topped-up", "pac_environment": "simulated"}
    assert points[-1][0] - points[0][0] <= seconds(step)


def test_an_outage_shows_as_failures_by_reason(monitored: Monitored) -> None:
    """The first one too; what never happened has no series."""
    rows = viewer(monitored, ACCOUNT, "healthy").ask(query(ACCOUNT, "Failures by reason"))
    failed = {labels["reason"]: sum(value for _, value in points) for labels, points in rows}
    assert failed.keys() == {"connection"}
    assert failed["connection"] > 5


def test_a_suspended_account_shows_as_such(monitored: Monitored) -> None:
    """Also on the time line: since the second refusal, without a gap."""
    account = viewer(monitored, ACCOUNT, "wrong-password")
    [(_, points)] = account.ask(query(ACCOUNT, "Polls"))
    states = [value for _, value in points]
    assert states.index(2) < 3
    assert set(states[states.index(2) :]) == {2}
