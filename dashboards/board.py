"""What all dashboards share: variables, links to each other, and that nobody edits them by accident."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import DATASOURCE
from dashboards.selectors import CHOSEN, JOB, KNOWN
from dashboards.standing import first

OVERVIEW: Final = "cfdi-overview"
ACCOUNT: Final = "cfdi-account"
EXPORTER: Final = "cfdi-exporter"
TITLES: Final = {
    OVERVIEW: "CFDI stamps: overview",
    ACCOUNT: "CFDI stamps: account",
    EXPORTER: "CFDI stamps: exporter",
}
"""The dashboards by their ``uid``, which never changes: links and bookmarks hold it."""

TIMEZONE: Final = "America/Mexico_City"
"""Where days begin, as in the exporter's ``calendar`` by default: a dashboard can't ask for it."""

EVERYTHING: Final = ".*"
"""The value of "All": the names of 5,000 accounts make no regular expression that Prometheus would take."""


_ALL: Final = model.VariableOption(True, "All", "$__all")


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading. What a ``closed`` one asks for is asked for once somebody opens it."""

    title: str
    panels: Sequence[Builder[model.Panel]]
    closed: bool = False


def board(
    uid: str,
    description: str,
    *,
    variables: Sequence[Builder[model.VariableModel]],
    rows: Sequence[Row],
    since: str,
    refresh: str,
    annotations: Sequence[model.AnnotationQuery] = (),
) -> model.Dashboard:
    """Return a dashboard; panels are numbered in the order in which they stand."""
    builder = (
        dashboard.Dashboard(TITLES[uid])
        .uid(uid)
        .description(description)
        .tags(["cfdi-stamps"])
        .timezone(TIMEZONE)
        .time(since, "now")
        .refresh(refresh)
        .timepicker(dashboard.TimePicker().refresh_intervals(["1m", "5m", "15m", "1h"]))
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .links(list(_links(uid)))
        .variables([_datasource(), *variables])
    )
    for row in rows:
        heading = dashboard.Row(row.title).collapsed(row.closed)
        if row.closed:
            for panel in row.panels:
                heading = heading.with_panel(panel)
        builder = builder.with_row(heading)
        for panel in () if row.closed else row.panels:
            builder = builder.with_panel(panel)
    made = builder.build()
    made.annotations = model.AnnotationContainer(list(annotations))
    for number, panel_or_row in enumerate(_all_of(made), 1):
        panel_or_row.id_val = number
    return made


def _all_of(made: model.Dashboard) -> Iterator[model.Panel | model.RowPanel]:
    for panel in made.panels or ():
        yield panel
        if isinstance(panel, model.RowPanel):
            yield from panel.panels


def environments(*, several: bool) -> dashboard.QueryVariable:
    """Choose among the provider's environments that accounts are in."""
    return _choice("environment", "Environment", f"label_values({KNOWN}, pac_environment)", several=several)


def teams() -> dashboard.QueryVariable:
    """Choose among the teams that accounts have as a label; all of them include accounts without one."""
    query = f'label_values({KNOWN}{{pac_environment=~"$environment"}}, team)'
    return _choice("team", "Team", query, several=True)


def accounts(*, several: bool) -> dashboard.QueryVariable:
    """Choose among the accounts of the chosen environments and teams."""
    matchers = (
        'pac_environment=~"$environment", team=~"$team"' if several else 'pac_environment="$environment"'
    )
    return _choice("account", "Account", f"label_values({KNOWN}{{{matchers}}}, account)", several=several)


def listed() -> dashboard.QueryVariable:
    """Name the chosen accounts that need stamps first, anew at each refresh; nobody sees this variable.

    Panels then ask for these accounts by name. To sort thousands in each query would take seconds.
    """
    return (
        _choice("listed", "Listed", f"query_result({first(CHOSEN, '$limit')})", several=False)
        .regex('/[{,]account="([^"]+)"/')
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.DISABLED)
        .hide(model.VariableHide.HIDE_VARIABLE)
        .multi(True)
        .include_all(True)
        .current(_ALL)
    )


def instances() -> dashboard.QueryVariable:
    """Choose among the exporters that are scraped."""
    return _choice("instance", "Exporter", f"label_values(up{{{JOB}}}, instance)", several=True)


def limit(default: int, *others: int) -> dashboard.CustomVariable:
    """Choose how many accounts the table lists."""
    values = [str(number) for number in (default, *others)]
    options = [model.VariableOption(value == values[0], value, value) for value in values]
    variable = dashboard.CustomVariable("limit").label("Accounts listed").values(",".join(values))
    return variable.options(options).current(options[0]).allow_custom_value(False)


def to_account(account: str, environment: str) -> dict[str, str]:
    """Return a link to an account's dashboard; the templates give its name and environment."""
    url = (
        f"/d/{ACCOUNT}?var-datasource=${{datasource}}"
        f"&var-environment=${{{environment}:percentencode}}&var-account=${{{account}:percentencode}}"
        "&${__url_time_range}"
    )
    return {"title": "Show this account", "url": url}


def _choice(name: str, label: str, query: str, *, several: bool) -> dashboard.QueryVariable:
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(DATASOURCE)
        .refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(model.VariableSort.NATURAL_ASC)
        .multi(several)
        .include_all(several)
    )
    if several:
        variable = variable.all_value(EVERYTHING).current(_ALL)
    return variable


def _datasource() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _links(uid: str) -> Iterator[dashboard.DashboardLink]:
    """Yield links to the other dashboards, which keep the source of the data and the time."""
    for other, title in TITLES.items():
        if other != uid:
            link = dashboard.DashboardLink(title).type(model.DashboardLinkType.LINK).icon("dashboard")
            yield link.url(f"/d/{other}?var-datasource=${{datasource}}").keep_time(True)
