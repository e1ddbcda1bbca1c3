"""One account in detail."""

from typing import Final

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from dashboards import meanings, polling, topups, use
from dashboards.board import ACCOUNT, Row, accounts, board, environments
from dashboards.meanings import DAYS_UNIT, GREEN, ORANGE, RED, STAMPS_UNIT, steps
from dashboards.panels import (
    figure,
    lines,
    listing,
    now,
    over_time,
    rows,
)
from dashboards.selectors import ONE
from dashboards.standing import (
    BALANCE,
    BUSIEST_DAY,
    CARRIES,
    DAY,
    DAYS_LEFT,
    LAST_CODE,
    THRESHOLD,
    USUAL_DAY,
)

LAST_HOUR: Final = "account:cfdi_stamps_consumed:last_hour"

FARTHEST: Final = 3650
"""Days: a date beyond says nothing, and Grafana can't write it."""


def account() -> model.Dashboard:
    """Return the dashboard of one account."""
    return board(
        ACCOUNT,
        "One account: balance, forecast, use, and how its polls end.",
        variables=[environments(several=False), accounts(several=False)],
        rows=[
            Row("Now", [*_stamps(), *_figures()]),
            Row("Balance and forecast", [_balance(), _days_left()]),
            Row("Use", [use.by_day(), use.by_hour(), use.last_hour(), _labels()]),
            Row(
                "Polls",
                [
                    polling.state(),
                    polling.answers(),
                    polling.failures(),
                    polling.latency(),
                    polling.ages(),
                ],
            ),
        ],
        since="now-14d",
        refresh="5m",
        annotations=[topups.of_one()],
    )


def _stamps() -> list[stat.Panel]:
    days = ONE.recorded(DAYS_LEFT)
    until = f"1000 * (time() + 86400 * clamp_max({days}, {FARTHEST}))"
    balance = "Stamps available, as last known within a day."
    return [
        figure("Balance", balance, now(ONE.recorded(BALANCE)), STAMPS_UNIT).no_value("unknown"),
        figure(
            "Days left",
            "How long the balance lasts at the usual pace. There is none without use, nor in an account's "
            "first day.",
            now(days),
            DAYS_UNIT,
        )
        .decimals(1)
        .thresholds(meanings.days_left()),
        figure(
            "Lasts until",
            f"When the balance is used up at the usual pace; {FARTHEST // 365} years at the most.",
            now(until),
            "dateTimeAsIso",
        ),
        figure(
            "Busiest day",
            "Whether the balance would outlast a day like the busiest of the last 35.",
            now(ONE.recorded(CARRIES)),
            "none",
        ).mappings(meanings.yes_or_no("carries it", "runs out")),
        figure(
            "Usual day",
            "Stamps that a day takes: the larger of the averages of 7 and 28 days.",
            now(ONE.recent(USUAL_DAY)),
            STAMPS_UNIT,
        ),
        figure(
            "Most in a day",
            "Stamps that the busiest of the last 35 days took.",
            now(ONE.recent(BUSIEST_DAY)),
            STAMPS_UNIT,
        ),
        figure("Used in 24 hours", "Stamps used in the last 24 hours.", now(ONE.recent(DAY)), STAMPS_UNIT),
        figure("Last answer", "The provider's last code.", now(ONE.recorded(LAST_CODE)), "none")
        .mappings(meanings.codes())
        .text(_small()),
    ]


def _figures() -> list[stat.Panel]:
    mismatch = "account:cfdi_stamps_available:mismatch"
    return [
        _exposed("Contracted", "Stamps contracted, as the provider says.", "cfdi_stamps_contracted"),
        _exposed("Used", "Stamps used, as the provider says.", "cfdi_stamps_used"),
        _exposed(
            "Available",
            "Stamps available, as the provider says: gone once older than stale_after, unlike the balance "
            "above.",
            "cfdi_stamps_available",
        ),
        figure(
            "Adds up",
            "Available less (contracted less used). Anything but 0 is to be explained by the provider.",
            now(ONE.recorded(mismatch)),
            STAMPS_UNIT,
        ).thresholds(steps(ORANGE, (0, GREEN), (1, ORANGE))),
        _exposed(
            "Consumption seen",
            "Stamps that the exporter has seen being used since it first asked for the account.",
            "cfdi_stamps_consumed_total",
        ),
        _exposed(
            "Purchases seen",
            "Stamps that the exporter has seen being bought since it first asked for the account.",
            "cfdi_stamps_purchased_total",
        ),
        _exposed(
            "Poll interval", "Configured time between polls.", "cfdi_account_poll_interval_seconds", unit="s"
        ),
        figure(
            "Exporters",
            "How many exporters poll the account. More than one would try a wrong password too often.",
            now(ONE.recorded("account:cfdi_account_info:exporters")),
            "none",
        ).thresholds(steps(GREEN, (2, RED))),
    ]


def _exposed(title: str, description: str, series: str, *, unit: str = STAMPS_UNIT) -> stat.Panel:
    panel = figure(title, description, now(f"max({ONE.own(ONE.exposed(series))})"), unit)
    return panel.no_value("unknown")


def _balance() -> timeseries.Panel:
    panel = lines(
        "Balance and thresholds",
        "Stamps available, the last known for a day, over the configured thresholds. Marks are stamps "
        "that were bought.",
        [
            over_time(ONE.recorded(BALANCE), "balance", "balance"),
            over_time(_threshold("warning"), "warning", "warning"),
            over_time(_threshold("critical"), "critical", "critical"),
        ],
        STAMPS_UNIT,
        size=(16, 9),
    )
    for severity, colour in (("warning", ORANGE), ("critical", RED)):
        panel = panel.override_by_query(severity, _dashed(colour))
    return panel.override_by_query("balance", [model.DynamicConfigValue("custom.fillOpacity", 10)])


def _threshold(severity: str) -> str:
    return f'{THRESHOLD}{{severity="{severity}", {ONE.account}, {ONE.environment}}}'


def _dashed(colour: str) -> list[model.DynamicConfigValue]:
    return [
        model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour}),
        model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
    ]


def _days_left() -> timeseries.Panel:
    panel = lines(
        "Forecast",
        "Days left over time. Buying stamps lifts it at once; a pay day in it wears off within four "
        "weeks. Below 7 days there is a warning, below 2 it is critical.",
        [over_time(ONE.recorded(DAYS_LEFT), "days left")],
        DAYS_UNIT,
        size=(8, 9),
    )
    return panel.decimals(1).thresholds(meanings.days_left()).thresholds_style(_areas())


def _labels() -> table.Panel:
    info = f"group without (__name__, job, endpoint, namespace, pod, service, container) ({ONE.info()})"
    panel = listing(
        "Labels",
        "The account as each exporter has it, with the labels that its configuration gives it.",
        [rows(info, "A")],
        size=(12, 8),
    )
    tidy = {"excludeByName": {"Time": True, "Value": True}, "indexByName": {}, "renameByName": {}}
    return panel.transformations([model.DataTransformerConfig("organize", options=tidy)])


def _areas() -> common.GraphThresholdsStyleConfig:
    return common.GraphThresholdsStyleConfig().mode(look.GraphThresholdsStyleMode.AREA)


def _small() -> common.VizTextDisplayOptions:
    return common.VizTextDisplayOptions().value_size(14)
