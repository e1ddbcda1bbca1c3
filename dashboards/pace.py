"""Whether polls keep up with the configuration, and how long they take."""

from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, timeseries
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.meanings import GREEN, RED, STAMPS_UNIT, steps
from dashboards.panels import HOURLY, columns, heat, lines, over_time, stacked
from dashboards.selectors import exporters

LATE: Final = 60
"""Seconds after which ``CfdiExporterOverloaded`` calls a poll late."""

LEGEND: Final = "{{{{pac_environment}}}} {{{{{}}}}}"


def done() -> timeseries.Panel:
    done = f"sum by (instance) (increase({exporters('cfdi_poll_duration_seconds_count')}[1h]))"
    due = (
        f"sum by (instance) (3600 / {exporters('cfdi_account_poll_interval_seconds')} "
        f"unless on (instance, account) {exporters('cfdi_account_suspended')} == 1)"
    )
    return lines(
        "Polls in an hour",
        "Polls of the hour before, and those that the configured intervals ask for, without suspended "
        "accounts. Fewer: the exporter is overloaded or the provider asks it to slow down. More: failed "
        "polls are repeated.",
        [
            over_time(done, "{{instance}} done", "A", step="15m"),
            over_time(due, "{{instance}} configured", "B", step="15m"),
        ],
        STAMPS_UNIT,
    )


def _quantiles(histogram: str) -> list[prometheus.Dataquery]:
    buckets = f"sum by (le) (increase({exporters(f'{histogram}_bucket')}[1h]))"
    return [
        over_time(f"histogram_quantile({share}, {buckets})", name, ref, step="5m")
        for ref, share, name in (("A", 0.5, "half of them"), ("B", 0.95, "95%"), ("C", 1, "the latest"))
    ]


def lag() -> timeseries.Panel:
    return lines(
        "Lateness of polls",
        "How late polls of the hour before started after they were due; estimates between bucket limits.",
        _quantiles("cfdi_exporter_poll_lag_seconds"),
        "s",
    ).decimals(2)


def late() -> timeseries.Panel:
    panel = lines(
        "Polls over a minute late",
        "Their share of the polls of the hour before. From 10% on CfdiExporterOverloaded fires.",
        [over_time(late_share(), "{{instance}}", step="5m")],
        "percentunit",
    )
    dashed = common.GraphThresholdsStyleConfig().mode(look.GraphThresholdsStyleMode.DASHED)
    return panel.decimals(1).max(1).thresholds(late_steps()).thresholds_style(dashed)


def late_share() -> str:
    lag = "cfdi_exporter_poll_lag_seconds"
    bucket = exporters(f"{lag}_bucket", f', le="{LATE}.0"')
    in_time, all_of_them = f"increase({bucket}[1h])", f"increase({exporters(f'{lag}_count')}[1h])"
    return f"1 - {in_time} / ignoring (le) {all_of_them}"


def late_steps() -> dashboard.ThresholdsConfig:
    return steps(GREEN, (0.1, RED))


def latency() -> timeseries.Panel:
    buckets = f"sum by (pac_environment, le) (increase({exporters('cfdi_poll_duration_seconds_bucket')}[1h]))"
    return lines(
        "Poll latency",
        "Time within which 95% of the polls of the hour before ended, failures included, by the provider's "
        "environment; an estimate between bucket limits.",
        [over_time(f"histogram_quantile(0.95, {buckets})", "{{pac_environment}}", step="5m")],
        "s",
    ).decimals(1)


def durations() -> heatmap.Panel:
    buckets = f"sum by (le) (increase({exporters('cfdi_poll_duration_seconds_bucket')}[$__interval]))"
    query = over_time(buckets, "{{le}}", step=HOURLY).format(PromQueryFormat.HEATMAP)
    return heat(
        "Poll durations",
        "How many polls took how long, in each hour or longer step. A dark band at the timeout means that "
        "the provider hangs.",
        [query],
        "none",
        axis="s",
    )


def codes() -> timeseries.Panel:
    counts = f'count_values("code", {exporters("cfdi_account_last_status_code")})'
    panel = columns(
        "Accounts by last answer",
        "How many accounts have which of the provider's codes as their last answer; "
        "docs/runbooks/response-codes.md explains them.",
        [over_time(counts, "{{code}}", step=HOURLY)],
        "none",
    )
    return stacked(panel)


def answers() -> timeseries.Panel:
    increase = f"increase({exporters('cfdi_provider_responses_total')}[$__interval])"
    panel = columns(
        "Answers by code",
        "The provider's answers to all accounts in each hour, or longer step; "
        "docs/runbooks/response-codes.md explains the codes.",
        [over_time(f"sum by (pac_environment, code) ({increase}) > 0", LEGEND.format("code"), step=HOURLY)],
        "none",
    )
    return stacked(panel)


def failures() -> timeseries.Panel:
    increase = f"increase({exporters('cfdi_provider_poll_failures_total')}[$__interval])"
    expression = f"sum by (pac_environment, reason) ({increase}) > 0"
    panel = columns(
        "Failures by reason",
        "Polls of all accounts that got no answer, in each hour or longer step.",
        [over_time(expression, LEGEND.format("reason"), step=HOURLY)],
        "none",
    )
    return stacked(panel).no_value("no failures")
