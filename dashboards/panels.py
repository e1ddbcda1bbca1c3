"""How things are drawn: the kinds of panels that the dashboards are made of."""

from collections.abc import Sequence
from typing import Final, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from dashboards.meanings import plain

DATASOURCE: Final = model.DataSourceRef("prometheus", "${datasource}")
"""The Prometheus that the variable names."""

DATE_UNIT: Final = "time:ddd D MMM YYYY"
"""Fri 4 Dec 2026, of milliseconds."""

HOURLY: Final = "1h"
"""The smallest step of what polls change: by default they come every 15 minutes, so each step has some."""

DAILY: Final = "1d"


class _Panel(Protocol):
    """What the builders of all kinds of panels have in common."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: model.DataSourceRef) -> Self: ...
    def targets(self, targets: list[Builder[Dataquery]]) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def decimals(self, decimals: float) -> Self: ...
    def thresholds(self, thresholds: Builder[model.ThresholdsConfig]) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...


P = TypeVar("P", bound=_Panel)
Queries = Sequence[prometheus.Dataquery]


def now(expression: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """Ask for the present values."""
    return _query(expression, legend, ref).instant()


def rows(expression: str, ref: str) -> prometheus.Dataquery:
    """Ask for the present values as rows of a table."""
    return _query(expression, "", ref).instant().format(PromQueryFormat.TABLE)


def over_time(expression: str, legend: str, ref: str = "A", *, step: str = "1m") -> prometheus.Dataquery:
    """Ask for values over the dashboard's range, ``step`` or more apart."""
    return _query(expression, legend, ref).range().interval(step)


def _query(expression: str, legend: str, ref: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(expression).ref_id(ref).datasource(DATASOURCE)
    query = query.editor_mode(QueryEditorMode.CODE).exemplar(False)
    return query.legend_format(legend) if legend else query


def drawn(panel: P, title: str, description: str, queries: Queries, *, size: tuple[int, int]) -> P:
    """Give a panel what each has: what it is, where its data comes from, and its width and height."""
    panel = panel.title(title).description(description).datasource(DATASOURCE).targets(list(queries))
    return panel.span(size[0]).height(size[1]).thresholds(plain()).no_value("–")


def figure(
    title: str, description: str, query: prometheus.Dataquery, unit: str, *, size: tuple[int, int] = (3, 4)
) -> stat.Panel:
    """Return a panel with one big figure."""
    panel = drawn(stat.Panel(), title, description, [query], size=size).unit(unit).decimals(0)
    return (
        panel.reduce_options(_latest())
        .graph_mode(look.BigValueGraphMode.NONE)
        .color_mode(look.BigValueColorMode.VALUE)
        .text_mode(look.BigValueTextMode.VALUE)
    )


def bars(
    title: str, description: str, queries: Queries, unit: str, *, size: tuple[int, int]
) -> bargauge.Panel:
    """Return a panel with a horizontal bar for each series."""
    panel = drawn(bargauge.Panel(), title, description, queries, size=size).unit(unit).decimals(0).min(0)
    return (
        panel.reduce_options(_latest())
        .orientation(look.VizOrientation.HORIZONTAL)
        .display_mode(look.BarGaugeDisplayMode.BASIC)
        .name_placement(look.BarGaugeNamePlacement.LEFT)
        .value_mode(look.BarGaugeValueMode.TEXT)
        .sizing(look.BarGaugeSizing.MANUAL)
        .min_viz_height(16)
        .max_viz_height(28)
    )


def lines(
    title: str, description: str, queries: Queries, unit: str, *, size: tuple[int, int] = (12, 8)
) -> timeseries.Panel:
    """Return a panel with lines over time, all of them in the tooltip."""
    panel = drawn(timeseries.Panel(), title, description, queries, size=size).unit(unit).decimals(0).min(0)
    return (
        panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .line_width(1)
        .fill_opacity(0)
        .show_points(look.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(_all_of_them())
    )


def columns(
    title: str, description: str, queries: Queries, unit: str, *, size: tuple[int, int] = (12, 8)
) -> timeseries.Panel:
    """Return a panel with a column for each step, which begins at the step's time."""
    panel = lines(title, description, queries, unit, size=size)
    return (
        panel.draw_style(look.GraphDrawStyle.BARS)
        .bar_alignment(look.BarAlignment.AFTER)
        .bar_width_factor(0.9)
        .fill_opacity(60)
    )


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Put the series on top of each other."""
    return panel.stacking(common.StackingConfig().mode(look.StackingMode.NORMAL).group("A"))


def states(
    title: str, description: str, queries: Queries, words: list[model.ValueMapping], *, size: tuple[int, int]
) -> statetimeline.Panel:
    """Return a panel with a band for each series, in the colours of its values."""
    panel = drawn(statetimeline.Panel(), title, description, queries, size=size).unit("none").decimals(0)
    return (
        panel.mappings(words)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .fill_opacity(70)
        .line_width(0)
        .show_value(look.VisibilityMode.AUTO)
        .row_height(0.8)
        .legend(_legend())
        .tooltip(_all_of_them())
    )


def heat(
    title: str, description: str, queries: Queries, unit: str, *, axis: str, size: tuple[int, int] = (12, 8)
) -> heatmap.Panel:
    """Return a panel with a cell for each step of each series. ``axis`` is the unit of the y axis."""
    panel = drawn(heatmap.Panel(), title, description, queries, size=size).unit(unit).decimals(0)
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return (
        panel.calculate(False)
        .color(colours)
        .cell_gap(1)
        .cell_values(heatmap.CellValues().unit(unit).decimals(0))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(look.HeatmapCellLayout.AUTO))
        .y_axis(heatmap.YAxisConfig().unit(axis).axis_placement(look.AxisPlacement.LEFT))
        .show_legend()
    )


def listing(title: str, description: str, queries: Queries, *, size: tuple[int, int]) -> table.Panel:
    """Return a table; what its columns look like is told by overrides."""
    panel = drawn(table.Panel(), title, description, queries, size=size).unit("none").decimals(0)
    return panel.cell_height(look.TableCellHeight.SM).filterable(True).show_header(True)


def one_row_each(hidden: Sequence[str], names: dict[str, str], by: str) -> list[model.DataTransformerConfig]:
    """Make one table of several queries: a row for the same labels, sorted by a column, with other names."""
    return [
        model.DataTransformerConfig("merge", options={}),
        model.DataTransformerConfig("sortBy", options={"sort": [{"field": by, "desc": False}]}),
        model.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": dict.fromkeys(("Time", *hidden), True),
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": names,
            },
        ),
    ]


def _latest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(look.LegendDisplayMode.LIST)
    return legend.placement(look.LegendPlacement.BOTTOM).show_legend(True)


def _all_of_them() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI).sort(look.SortOrder.DESCENDING)
