"""Who needs stamps now, of one account or of thousands."""

from typing import Final

from grafana_foundation_sdk.builders import bargauge, stat, timeseries
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from dashboards import listings, meanings, topups, use
from dashboards.board import (
    OVERVIEW,
    Row,
    accounts,
    board,
    environments,
    limit,
    listed,
    teams,
    to_account,
)
from dashboards.meanings import DAYS_UNIT, ORANGE, RED, STAMPS_UNIT
from dashboards.panels import HOURLY, bars, columns, figure, lines, now, over_time, stacked
from dashboards.selectors import CHOSEN, JOB, LISTED, ON_ACCOUNT, ON_EXPORTERS_ACCOUNT
from dashboards.standing import (
    BALANCE,
    CONSUMED,
    DEPLETION,
    POLLED,
    SUSPENDED,
    days_left,
    this_week,
    today,
)

BARS: Final = 15
"""Accounts that have a bar or a line of their own."""

NO_FORECAST: Final = "1e11"
"""Later than any Unix time."""


def overview() -> model.Dashboard:
    """Return the dashboard that people look at first."""
    return board(
        OVERVIEW,
        "Which accounts need stamps, the first to run out first; what is used, and what was bought.",
        variables=[
            environments(several=True),
            teams(),
            accounts(several=True),
            limit(100, 25, 250),
            listed(),
        ],
        rows=[
            Row("Now", [*_counts(), _days_left(), _balance_over_time()]),
            Row("Accounts", [listings.all_accounts()]),
            Row("Alerts", [_alerts(), listings.alerts()]),
            # Closed, as all balances of two weeks are read for it: seconds, where there are thousands.
            Row("Use of all accounts", [use.of_all_by_day(), use.of_all_lately()], closed=True),
        ],
        since="now-7d",
        refresh="5m",
        annotations=[topups.of_chosen()],
    )


def _counts() -> list[stat.Panel]:
    up = f"up{{{JOB}}}"
    fresh = f"cfdi_stamps_available{{{JOB}}}"
    total = CHOSEN.recorded(CONSUMED)
    return [
        _bad(
            "Exporters down",
            "Exporters that can't be asked, or 1 where there is none at all. The figures beside this one are "
            "those from before then, and nobody asks the provider.",
            f"sum({up} == bool 0) or sum(absent({up}))",
            RED,
        ),
        figure(
            "Accounts",
            "Accounts that are configured.",
            now(f"count(group by (cluster, account, pac_environment) ({CHOSEN.known()}))"),
            "none",
        ),
        _number_of(
            "Buy today",
            "Accounts without stamps, below their critical threshold, or whose stamps by the forecast last "
            "for less than two days or not to the end of the next business day.",
            CHOSEN.among(today(CHOSEN)),
            RED,
        ),
        _number_of(
            "Buy this week",
            "Other accounts that are below their warning threshold, or whose stamps last for less than seven "
            "days.",
            CHOSEN.among(f"({this_week(CHOSEN)}) unless {ON_ACCOUNT} ({today(CHOSEN)})"),
            ORANGE,
        ),
        _number_of(
            "No fresh balance",
            "Accounts whose balance no exporter shows: it is too old, was never known, or the exporter is "
            "down. For the other figures the last one counts.",
            f"{CHOSEN.known()} unless {ON_EXPORTERS_ACCOUNT} {fresh}",
            ORANGE,
        ),
        _number_of(
            "Suspended",
            "Accounts that the exporter no longer asks for, to protect them: the provider refused the "
            "credential.",
            CHOSEN.among(f"{CHOSEN.recorded(SUSPENDED)} == 1"),
            RED,
        ),
        _number_of(
            "Failing",
            "Accounts whose last poll got no balance; suspended ones aren't counted.",
            CHOSEN.among(f"{CHOSEN.recorded(POLLED)} == 0"),
            ORANGE,
        ),
        figure(
            "Used in 24 hours",
            "Stamps that all accounts used in the last 24 hours, where their figures are known for all of "
            "them.",
            now(f"sum({CHOSEN.among(f'{total} - {total} offset 1d')})"),
            STAMPS_UNIT,
        ).no_value("after a day"),
    ]


def _number_of(title: str, description: str, condition: str, colour: str) -> stat.Panel:
    return _bad(title, description, f"count({condition}) or vector(0)", colour)


def _bad(title: str, description: str, expression: str, colour: str) -> stat.Panel:
    panel = figure(title, description, now(expression), "none")
    return panel.thresholds(meanings.none_is_good(colour)).color_mode(look.BigValueColorMode.BACKGROUND_SOLID)


def _days_left() -> bargauge.Panel:
    panel = bars(
        "Days left",
        f"For how many days the stamps last by the forecast, for the {BARS} accounts that run out first. "
        "Bars end at 30 days. There is none before a whole day of use is known.",
        [now(f"sort(bottomk({BARS}, {days_left(LISTED)}))", "{{account}}")],
        DAYS_UNIT,
        size=(8, 11),
    )
    panel = panel.decimals(1).max(30).thresholds(meanings.days_left()).no_value("after a day of use")
    return panel.override_by_query("A", [_series_link()])


def _balance_over_time() -> timeseries.Panel:
    """Accounts that are among the first at any moment would be a crowd: the lines are those of the end."""
    balance = LISTED.recorded(BALANCE)
    by_balance = f"{NO_FORECAST} + {balance} @ end()"
    at_the_end = f"bottomk({BARS}, {LISTED.recorded(DEPLETION)} @ end() or {ON_ACCOUNT} {by_balance})"
    query = over_time(f"{balance} and {ON_ACCOUNT} {at_the_end}", "{{account}}", step=HOURLY)
    return lines(
        "Balance of the first to run out",
        f"Stamps over time of the {BARS} accounts that run out first; after them, where there is no "
        "forecast, those with the fewest. Marks are stamps that were bought.",
        [query],
        STAMPS_UNIT,
        size=(16, 11),
    )


def _alerts() -> timeseries.Panel:
    firing = f"count by (alertname) (last_over_time({listings.firing()}[$__interval]))"
    panel = columns(
        "Alerts over time",
        "On how many accounts and exporters each alert fired in each hour, or longer step.",
        [over_time(f"topk({BARS}, {firing})", "{{alertname}}", step=HOURLY)],
        "none",
    )
    return stacked(panel).no_value("none fired")


def _series_link() -> model.DynamicConfigValue:
    link = to_account("__field.labels.account", "__field.labels.pac_environment")
    return model.DynamicConfigValue("links", [link])
