"""The exporters themselves: do they run, poll in time, and store what they learn?"""

from typing import Final

from grafana_foundation_sdk.builders import (
    bargauge,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import dashboard as model

from dashboards import meanings, pace
from dashboards.board import EXPORTER, Row, board, instances
from dashboards.meanings import GREEN, ORANGE, RED, STAMPS_UNIT, steps
from dashboards.panels import (
    DATE_UNIT,
    HOURLY,
    bars,
    columns,
    figure,
    lines,
    listing,
    now,
    one_row_each,
    over_time,
    rows,
    states,
)
from dashboards.selectors import exporters

_NEXT_BUSINESS_DAY: Final = "cfdi_calendar_next_business_day_end_timestamp_seconds"
_DAYS: Final = meanings.yes_or_no("business day", "day off", no_colour=meanings.BLUE)


def exporter() -> model.Dashboard:
    """Return the dashboard of the exporters' own health."""
    return board(
        EXPORTER,
        "The exporters' own health: scrapes, polls, storage, configuration, resources.",
        variables=[instances()],
        rows=[
            Row("Now", [*_figures(), _exporters(), _failures()]),
            Row(
                "Polls",
                [
                    pace.done(),
                    pace.lag(),
                    pace.latency(),
                    pace.durations(),
                    pace.codes(),
                    pace.late(),
                    pace.answers(),
                    pace.failures(),
                ],
            ),
            Row("State and resources", [_up(), _storage(), _cpu(), _memory(), _files(), _scrapes()]),
        ],
        since="now-24h",
        refresh="5m",
    )


def _figures() -> list[stat.Panel]:
    loaded = "cfdi_exporter_config_last_reload_success"
    overdue = exporters("cfdi_account_next_poll_timestamp_seconds")
    errors = f"sum(increase({exporters('cfdi_exporter_storage_errors_total')}[1h]))"
    return [
        _bad(
            "Down",
            "Exporters that can't be asked; 1 where there is none at all.",
            f"sum({exporters('up')} == bool 0) or sum(absent({exporters('up')}))",
        ),
        figure(
            "Accounts",
            "Accounts that they have.",
            now(f"count({exporters('cfdi_account_info')})"),
            STAMPS_UNIT,
        ),
        _bad(
            "Suspended",
            "Accounts that they no longer ask for.",
            f"sum({exporters('cfdi_account_suspended')})",
        ),
        figure(
            "Late polls",
            "Polls of the last hour that started over a minute late. From 10% on CfdiExporterOverloaded "
            "fires.",
            now(f"max({pace.late_share()})"),
            "percentunit",
        )
        .decimals(1)
        .thresholds(pace.late_steps()),
        figure(
            "Longest overdue",
            "How long the poll that waits the longest should have begun. Some seconds are usual: it may "
            "be under way.",
            now(f"max(clamp_min(time() - {overdue}, 0))"),
            "s",
        ).thresholds(steps(GREEN, (pace.LATE, ORANGE), (10 * pace.LATE, RED))),
        _bad("Storage errors", "Reads and writes of the state file that failed in the last hour.", errors),
        figure(
            "Configuration",
            "Whether the running configuration is the one on the disk, for all of them.",
            now(f"min({exporters(f'{loaded}ful')})"),
            "none",
        ).mappings(meanings.yes_or_no("loaded", "refused")),
        figure(
            "Loaded",
            "When one of them last loaded its configuration.",
            now(f"1000 * max({exporters(f'{loaded}_timestamp_seconds')})"),
            "dateTimeFromNow",
        ),
    ]


def _bad(title: str, description: str, expression: str) -> stat.Panel:
    return figure(title, description, now(expression), "none").thresholds(meanings.none_is_good(RED))


def _exporters() -> table.Panel:
    names = {
        "instance": "Exporter",
        "version": "Version",
        "revision": "Revision",
        "pythonversion": "Python",
        "Value #accounts": "Accounts",
        "Value #started": "Started",
        "Value #today": "Today",
        "Value #next": "Next business day",
    }
    build = exporters("cfdi_exporter_build_info")
    panel = listing(
        "Exporters",
        "What runs, since when, for how many accounts, and what its calendar takes for business days.",
        [
            rows(f"group by (instance, version, revision, pythonversion) ({build})", "build"),
            rows(f"count by (instance) ({exporters('cfdi_account_info')})", "accounts"),
            rows(f"1000 * max by (instance) ({exporters('process_start_time_seconds')})", "started"),
            rows(f"max by (instance) ({exporters('cfdi_calendar_business_day')})", "today"),
            rows(f"1000 * max by (instance) ({exporters(_NEXT_BUSINESS_DAY)})", "next"),
        ],
        size=(16, 7),
    )
    panel = panel.transformations(one_row_each(["Value #build"], names, by="instance"))
    looks_of = {
        "Version": [_wide(80)],
        "Revision": [_wide(110)],
        "Python": [_wide(80)],
        "Accounts": [_wide(90)],
        "Started": [_wide(190), model.DynamicConfigValue("unit", f"{DATE_UNIT}, HH:mm")],
        "Today": [_wide(120), model.DynamicConfigValue("mappings", _DAYS)],
        "Next business day": [_wide(150), model.DynamicConfigValue("unit", DATE_UNIT)],
    }
    for name, looks in looks_of.items():
        panel = panel.override_by_name(name, looks)
    return panel


def _wide(pixels: int) -> model.DynamicConfigValue:
    return model.DynamicConfigValue("custom.width", pixels)


def _failures() -> bargauge.Panel:
    increase = f"increase({exporters('cfdi_provider_poll_failures_total')}[1h])"
    return bars(
        "Failures in the last hour",
        "Polls that got no answer, by reason: an outage of the provider or the network shows here first.",
        [now(f"sort_desc(sum by (reason) ({increase}))", "{{reason}}")],
        "none",
        size=(8, 7),
    )


def _up() -> statetimeline.Panel:
    return states(
        "Up, and configured as on the disk",
        "Whether Prometheus gets an answer from each exporter, and whether its last reload succeeded.",
        [
            over_time(exporters("up"), "{{instance}} up", "A"),
            over_time(
                exporters("cfdi_exporter_config_last_reload_successful"), "{{instance}} configured", "B"
            ),
        ],
        meanings.yes_or_no(),
        size=(12, 8),
    )


def _storage() -> timeseries.Panel:
    increase = f"increase({exporters('cfdi_exporter_storage_errors_total')}[$__interval])"
    return columns(
        "Storage errors by hour",
        "Reads and writes of the state file that failed, in each hour or longer step. Until they end "
        "consumption isn't counted and new credentials aren't tried.",
        [over_time(increase, "{{instance}}", step=HOURLY)],
        "none",
    )


def _cpu() -> timeseries.Panel:
    rate = f"rate({exporters('process_cpu_seconds_total')}[5m])"
    return lines(
        "CPU",
        "Share of one core, as the average of five minutes.",
        [over_time(rate, "{{instance}}", step="15s")],
        "percentunit",
    ).decimals(1)


def _memory() -> timeseries.Panel:
    query = over_time(exporters("process_resident_memory_bytes"), "{{instance}}", step="15s")
    return lines("Memory", "Resident memory.", [query], "bytes")


def _files() -> timeseries.Panel:
    share = f"{exporters('process_open_fds')} / {exporters('process_max_fds')}"
    description = (
        "Open files and connections, as a share of the limit. Each poll in flight and each client has one."
    )
    return lines(
        "Open files", description, [over_time(share, "{{instance}}", step="15s")], "percentunit"
    ).decimals(1)


def _scrapes() -> timeseries.Panel:
    description = "How long Prometheus' scrapes take, as it measures them."
    query = over_time(exporters("scrape_duration_seconds"), "{{instance}}", step="15s")
    return lines("Scrapes", description, [query], "s").decimals(2)
