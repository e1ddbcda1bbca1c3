"""One account in detail."""

from typing import Final

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model

from dashboards import meanings, polling, topups, use
from dashboards.board import ACCOUNT, Row, accounts, board, environments
from dashboards.meanings import DAYS_UNIT, GREEN, ORANGE, RED, STAMPS_UNIT, steps
from dashboards.panels import (
    DATE_UNIT,
    figure,
    lines,
    listing,
    now,
    over_time,
    rows,
)
from dashboards.selectors import JOB, ONE
from dashboards.standing import (
    BALANCE,
    CONSUMED,
    DEPLETION,
    THRESHOLD,
    days_left,
    lasts,
)


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
    none = "There is none where nothing is used, where it is over a year away, nor before a whole day of use."
    return [
        figure(
            "Balance",
            "Stamps available, the last that is known.",
            now(f"min({ONE.recorded(BALANCE)})"),
            STAMPS_UNIT,
        ).no_value("unknown"),
        figure(
            "Lasts until",
            f"The day on which the stamps run out by the forecast, or did. {none}",
            now(f"1000 * min({ONE.recorded(DEPLETION)})"),
            DATE_UNIT,
        ).text(_small()),
        figure("Days left", f"How long that is from now. {none}", now(f"min({days_left(ONE)})"), DAYS_UNIT)
        .decimals(1)
        .thresholds(meanings.days_left()),
        figure(
            "Next business day",
            "Whether the stamps last to the end of the next business day after today, and for two days.",
            now(f"min({lasts(ONE)})"),
            "none",
        )
        .mappings(meanings.yes_or_no("lasts", "runs out"))
        .text(_small()),
        _exposed(
            "Usual day", "Stamps used on a usual day, as the forecast sees it.", "cfdi_stamps_usual_day"
        ),
        _exposed(
            "Days known",
            "Days of use that the forecast knows. It takes two months of them for what comes monthly.",
            "cfdi_stamps_history_days",
            unit=DAYS_UNIT,
        ),
        figure(
            "Used in 24 hours",
            "Stamps used in the last 24 hours.",
            now(f"max({ONE.recorded(CONSUMED)} - {ONE.recorded(CONSUMED)} offset 1d)"),
            STAMPS_UNIT,
        ).no_value("after a day"),
        _exposed("Last answer", "The provider's last code.", "cfdi_account_last_status_code", unit="none")
        .mappings(meanings.codes())
        .text(_small())
        .no_value("none yet"),
    ]


def _figures() -> list[stat.Panel]:
    contracted, used, available = (
        ONE.own(ONE.exposed(f"cfdi_stamps_{name}")) for name in ("contracted", "used", "available")
    )
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
            now(f"max({available} - ({contracted} - {used}))"),
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
            "How many exporters poll the account. None: it is down. More than one would try a wrong password "
            "too often.",
            now(f"count({ONE.known()} and on (cluster, instance) (up{{{JOB}}} == 1)) or vector(0)"),
            "none",
        ).thresholds(steps(RED, (1, GREEN), (2, RED))),
    ]


def _exposed(title: str, description: str, series: str, *, unit: str = STAMPS_UNIT) -> stat.Panel:
    panel = figure(title, description, now(f"max({ONE.own(ONE.exposed(series))})"), unit)
    return panel.no_value("unknown")


def _balance() -> timeseries.Panel:
    panel = lines(
        "Balance and thresholds",
        "Stamps available, the last that is known, over the configured thresholds. Marks are stamps "
        "that were bought.",
        [
            over_time(f"min({ONE.recorded(BALANCE)})", "balance", "balance"),
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
    matchers = f', severity="{severity}"'
    return f"max({ONE.recorded(THRESHOLD, matchers)})"


def _dashed(colour: str) -> list[model.DynamicConfigValue]:
    return [
        model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour}),
        model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}),
    ]


def _days_left() -> timeseries.Panel:
    panel = lines(
        "Forecast",
        "Days left over time. Buying stamps lifts it at once. Below 7 days there is a warning, below 2, or "
        "before the end of the next business day, it is critical.",
        [over_time(f"min({days_left(ONE)})", "days left")],
        DAYS_UNIT,
        size=(8, 9),
    )
    return panel.decimals(1).thresholds(meanings.days_left()).thresholds_style(_areas())


_INFO: Final = f"cfdi_account_info{{{JOB}, {ONE.account}, {ONE.environment}}}"


def _labels() -> table.Panel:
    info = f"group without (__name__, job, endpoint, namespace, pod, service, container) ({_INFO})"
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
