"""Who needs stamps now, of one account or of thousands."""

from typing import Final

from grafana_foundation_sdk.builders import bargauge, stat, timeseries
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from dashboards import listings, meanings, topups, use
from dashboards.board import OVERVIEW, Row, accounts, board, environments, limit, to_account
from dashboards.meanings import DAYS_UNIT, ORANGE, RED, STAGE_COLOURS, STAMPS_UNIT
from dashboards.panels import (
    HOURLY,
    bars,
    figure,
    lines,
    now,
    over_time,
)
from dashboards.selectors import CHOSEN, ON_ACCOUNT, Accounts
from dashboards.standing import (
    BALANCE,
    CONFIGURED,
    CRITICAL_DAYS,
    DAY,
    DAYS_LEFT,
    POLLED,
    SUSPENDED,
    WARNING_DAYS,
    Stamps,
    among,
    most_urgent,
    stage_of,
    stamps,
)

BARS: Final = 15
"""Accounts that have a bar or a line of their own."""

_WORST: Final = most_urgent(CHOSEN, BARS)
_LISTED: Final = most_urgent(CHOSEN, "$limit")


def overview() -> model.Dashboard:
    """Return the dashboard that people look at first."""
    return board(
        OVERVIEW,
        "Which accounts need stamps, the most urgent first; what is used, and what was bought.",
        variables=[environments(several=True), accounts(several=True), limit(100, 25, 500)],
        rows=[
            Row("Now", [*_counts(), _days_left(), _balances(), _balance_over_time()]),
            Row("Accounts", [listings.all_accounts()]),
            Row("Use", [use.of_all_by_day(), _attention()]),
            Row("Alerts", [listings.alerts()]),
        ],
        since="now-7d",
        refresh="5m",
        annotations=[topups.of_chosen()],
    )


def _counts() -> list[stat.Panel]:
    day, day_before = CHOSEN.recent(DAY), CHOSEN.recent(DAY, "1w")
    change = f"sum({day} and {ON_ACCOUNT} {day_before}) / (sum({day_before} and {ON_ACCOUNT} {day}) > 0) - 1"
    return [
        figure(
            "Accounts", "Accounts that are configured.", now(f"count({CHOSEN.recorded(CONFIGURED)})"), "none"
        ),
        _number_of(
            "Buy today",
            "Accounts without stamps, below their critical threshold, or that may run out within two "
            "days: at the usual pace, or on a day like the busiest of the last 35.",
            f"({stamps(CHOSEN)}) <= {Stamps.CRITICAL:d}",
            RED,
        ),
        _number_of(
            "Buy this week",
            "Accounts below their warning threshold, or whose stamps last less than seven days at the "
            "usual pace.",
            f"({stamps(CHOSEN)}) == {Stamps.LOW:d}",
            ORANGE,
        ),
        _number_of(
            "Unknown",
            "Accounts without a balance for a day, or that never had one: nobody can say whether they "
            "need stamps.",
            f"({stamps(CHOSEN)}) == {Stamps.UNKNOWN:d}",
            ORANGE,
        ),
        _number_of(
            "Suspended",
            "Accounts that the exporter no longer asks for, to protect them: the provider refused the "
            "credential.",
            f"{CHOSEN.recorded(SUSPENDED)} == 1",
            RED,
        ),
        _number_of(
            "Failing",
            "Accounts whose last poll got no balance; suspended ones aren't counted.",
            f"{CHOSEN.recorded(POLLED)} == 0",
            ORANGE,
        ),
        figure(
            "Used in 24 hours",
            "Stamps that all accounts used in the last 24 hours, where their figures are known for all of "
            "them.",
            now(f"sum({day})"),
            STAMPS_UNIT,
        ),
        figure(
            "Against a week ago",
            "The same compared to the 24 hours a week before, of the accounts that have both.",
            now(change),
            "percentunit",
        ),
    ]


def _number_of(title: str, description: str, condition: str, colour: str) -> stat.Panel:
    panel = figure(title, description, now(f"count({condition}) or vector(0)"), "none")
    return panel.thresholds(meanings.none_is_good(colour)).color_mode(look.BigValueColorMode.BACKGROUND_SOLID)


def _days_left() -> bargauge.Panel:
    query = now(f"sort({among(CHOSEN.recorded(DAYS_LEFT), _WORST)})", "{{account}}")
    panel = bars(
        "Days left",
        f"How long the balance lasts at the usual pace, for the {BARS} most urgent accounts. An account "
        "without use, or in its first day, has no forecast and so no bar. Bars end at 30 days.",
        [query],
        DAYS_UNIT,
        size=(8, 11),
    )
    return panel.decimals(1).max(30).thresholds(meanings.days_left()).override_by_query("A", [_series_link()])


def _balances() -> bargauge.Panel:
    """A query for each stage: a bar can have the colour of its query, but not that of another series."""
    stages = (Stamps.EXHAUSTED, Stamps.CRITICAL, Stamps.LOW, Stamps.ENOUGH)
    panel = bars(
        "Balance",
        f"Stamps of the {BARS} most urgent accounts: red to be bought today, orange this week. The last "
        "known balance counts for a day. An account whose balance nobody knows has no bar.",
        [now(_balance_at(stage), "{{account}}", stage.name.lower()) for stage in stages],
        STAMPS_UNIT,
        size=(8, 11),
    )
    for stage in stages:
        colour = {"mode": "fixed", "fixedColor": STAGE_COLOURS[stage]}
        properties = [model.DynamicConfigValue("color", colour), _series_link()]
        panel = panel.override_by_query(stage.name.lower(), properties)
    return panel


def _balance_at(stage: Stamps) -> str:
    return f"sort({among(CHOSEN.recorded(BALANCE), f'({stage_of(_WORST)} == {stage:d})')})"


def _balance_over_time() -> timeseries.Panel:
    at_the_end = Accounts(CHOSEN.account, CHOSEN.environment, " @ end()")
    query = over_time(
        among(CHOSEN.recorded(BALANCE), most_urgent(at_the_end, BARS)), "{{account}}", step=HOURLY
    )
    return lines(
        "Balance of the most urgent",
        f"Stamps of the {BARS} accounts that are the most urgent at the end of the range. Marks are stamps "
        "that were bought, of all chosen accounts the largest at each moment.",
        [query],
        STAMPS_UNIT,
        size=(8, 11),
    )


def _attention() -> timeseries.Panel:
    days = CHOSEN.recorded(DAYS_LEFT)
    counts = {
        f"under {CRITICAL_DAYS} days": f"{days} < {CRITICAL_DAYS}",
        f"under {WARNING_DAYS} days": f"{days} < {WARNING_DAYS}",
        "suspended": f"{CHOSEN.recorded(SUSPENDED)} == 1",
        "failing": f"{CHOSEN.recorded(POLLED)} == 0",
    }
    queries = [
        over_time(f"count({condition}) or vector(0)", name, ref, step=HOURLY)
        for ref, (name, condition) in zip("ABCD", counts.items(), strict=True)
    ]
    description = (
        "How many accounts had stamps for so few days at the usual pace, were suspended, or got no "
        "balance from their last poll."
    )
    return lines("Accounts that need attention", description, queries, "none")


def _series_link() -> model.DynamicConfigValue:
    link = to_account("__field.labels.account", "__field.labels.pac_environment")
    return model.DynamicConfigValue("links", [link])
