"""What the queries of the dashboards must and must not have, whatever the data."""

import re
from typing import Any

import pytest

from tests.support.dashboards.asking import seconds
from tests.support.dashboards.files import DASHBOARDS, Query, all_panels, queries

ALL_QUERIES = list(queries())
TWO_POLLS = 2 * 15 * 60
"""Seconds: polls come every 15 minutes by default, and a rate over fewer than two tells nothing."""

EACH_SCRAPE = re.compile(r"rate\(process_\w+{[^}]*}\[5m\]\)")
"""What changes with each scrape, not with polls."""

WINDOW = re.compile(r"\[([^\]]+)\]")


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))
def test_variables_are_used_and_known(dashboard: dict[str, Any]) -> None:
    """Several values make a regular expression, one value doesn't."""
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    expressions = [one.expression for one in ALL_QUERIES if one.dashboard == dashboard["uid"]]
    expressions += [one["query"] for one in variables.values() if one["type"] == "query"]
    used = {name for text in expressions for name in re.findall(r"\$(?!__)(\w+)", text)}
    assert used == variables.keys() - {"datasource"}
    for text in expressions:
        for operator, name in re.findall(r'(=~?)"\$(\w+)"', text):
            assert operator == ("=~" if variables[name]["multi"] else "="), text


@pytest.mark.parametrize("query", ALL_QUERIES, ids=str)
def test_recorded_series_are_those_of_the_chosen_accounts(query: Query) -> None:
    """By name and environment: an account of the same name at another environment is another account."""
    for selector in re.findall(r"(?<![\w:])account:[\w:]+(?:{[^}]*})?", query.expression):
        assert re.search(r'account=~?"\$(?:account|listed)"', selector), selector
        assert re.search(r'pac_environment=~?"\$environment"', selector), selector


@pytest.mark.parametrize("query", ALL_QUERIES, ids=str)
def test_windows_hold_polls(query: Query) -> None:
    """One that follows the zoom (`$__interval`) has a smallest step, and none is shorter than two polls."""
    text = EACH_SCRAPE.sub("", query.expression)
    assert "$__rate_interval" not in text
    assert "$__range" not in text
    if "$__interval" in text:
        assert not query.instant
        assert seconds(query.step) >= TWO_POLLS
    for window in WINDOW.findall(text):
        assert window == "$__interval" or seconds(window) >= TWO_POLLS


@pytest.mark.parametrize("query", ALL_QUERIES, ids=str)
def test_selectors_name_the_job(query: Query) -> None:
    """Another job's series of the same name are none of ours; recorded series have a colon in their name."""
    names = re.compile(r"(?<![\w:\"$])(?:cfdi_\w+|process_\w+|up|scrape_\w+)(?![\w:\"(])(?:{([^}]*)})?")
    for selector in names.finditer(query.expression):
        assert 'job="cfdi-stamps"' in (selector[1] or ""), selector[0]


def test_thousands_of_accounts_never_go_to_the_browser() -> None:
    """On the overview each query makes a figure of all of them, takes the first few, or asks for those."""
    for query in ALL_QUERIES:
        if query.dashboard == "cfdi-overview":
            counted = re.match(
                r"(?:sort_desc\()?(?:count|sum)(?: by \(alertname, severity\))? ?\(", query.expression
            )
            of_some = not re.search(r'"\$account"', query.expression)
            assert counted or of_some or re.search(r"\b(?:bottomk|topk)\(", query.expression), query


def test_range_and_instant_are_told_apart() -> None:
    """A figure, a bar and a table ask once, a graph over time; each says so: Grafana guesses otherwise."""
    for panel in all_panels():
        for target in panel["targets"]:
            once = panel["type"] in {"stat", "bargauge", "table"}
            assert (target["instant"], target["range"]) == (once, not once), panel["title"]
            assert once or target["interval"]
