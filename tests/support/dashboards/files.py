"""The JSON files as Grafana reads them, and every query in them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.places import ROOT

FOLDER = ROOT / "dashboards"
DASHBOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}


@dataclass(frozen=True)
class Query:
    """A query of a panel or an annotation, with the smallest step and the span of time that it asks for."""

    dashboard: str
    place: str
    ref: str
    expression: str
    instant: bool
    step: str
    span: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.place}: {self.ref}"


def panels(dashboard: str) -> list[dict[str, Any]]:
    """The panels of a dashboard without the headings, those under closed ones too."""
    shown = DASHBOARDS[dashboard]["panels"]
    both = [each for one in shown for each in (one, *one.get("panels", ()))]
    return [panel for panel in both if panel["type"] != "row"]


def all_panels() -> list[dict[str, Any]]:
    """The panels of all dashboards."""
    return [panel for dashboard in DASHBOARDS for panel in panels(dashboard)]


def queries() -> Iterator[Query]:
    """Every query of every panel and annotation."""
    for uid, dashboard in DASHBOARDS.items():
        span = dashboard["time"]["from"].removeprefix("now-")
        places = [(panel["title"], panel.get("timeFrom", span), panel["targets"]) for panel in panels(uid)]
        places += [(one["name"], span, [one["target"]]) for one in dashboard["annotations"]["list"]]
        for place, asked_span, targets in places:
            for target in targets:
                step = target.get("interval", "")
                yield Query(uid, place, target["refId"], target["expr"], target["instant"], step, asked_span)


def query(dashboard: str, place: str, ref: str = "A") -> Query:
    """One of them."""
    [found] = [one for one in queries() if (one.dashboard, one.place, one.ref) == (dashboard, place, ref)]
    return found
