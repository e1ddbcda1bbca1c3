"""Asks a Prometheus what Grafana would ask it, since no Grafana is to be had.

These are the queries of a dashboard with its variables filled in, over its range, at Grafana's steps: as the
source text of Grafana's data source for Prometheus has it.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.support.dashboards.files import DASHBOARDS, Query
from tests.support.peers import Prometheus

POINTS = 1000
"""Pixels of a wide panel: Grafana asks for no more points."""

NICE_STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
UTC_OFFSETS = {"America/Mexico_City": timedelta(hours=-6)}
LABEL_VALUES = re.compile(r"label_values\((?:(?P<match>.+), )?(?P<label>\w+)\)")
QUERY_RESULT = re.compile(r"query_result\((?P<expression>.+)\)")
VARIABLE = re.compile(r"\$(?:{(\w+)}|(\w+))")

Row = tuple[dict[str, str], list[tuple[float, float]]]
"""A series: its labels, and times with values."""


def seconds(duration: str) -> int:
    """`1h` as 3600."""
    return int(duration[:-1]) * UNITS[duration[-1]]


@dataclass
class Viewer:
    """Someone before a dashboard who has chosen values of some variables; of the others the first are."""

    server: Prometheus
    dashboard: str
    chosen: Mapping[str, str] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self._offset = UTC_OFFSETS[DASHBOARDS[self.dashboard]["timezone"]].total_seconds()
        self.values: dict[str, str] = {}
        self.options: dict[str, list[str]] = {}
        for variable in DASHBOARDS[self.dashboard]["templating"]["list"]:
            self._choose(variable)

    def ask(self, query: Query, *, step: str = "", span: str = "") -> list[Row]:
        """The answer to a query, over its span or another, at the step that Grafana takes or a larger one."""
        if query.instant:
            parameters = {"query": self._filled(query.expression, 0), "time": str(self.at)}
            answer = self.server.api("query", **parameters)["result"]
            return [(row["metric"], [_point(row["value"])]) for row in answer]
        asked = seconds(span or query.span)
        every = max(_nice(asked), *(seconds(least) for least in (query.step, step) if least))
        parameters = {
            "query": self._filled(query.expression, every),
            "start": str(self._aligned(self.at - asked, every)),
            "end": str(self._aligned(self.at, every)),
            "step": str(every),
        }
        answer = self.server.api("query_range", **parameters)["result"]
        return [(row["metric"], [_point(value) for value in row["values"]]) for row in answer]

    def _aligned(self, at: float, step: int) -> float:
        """A time at a multiple of the step, counted from midnight where the dashboard is."""
        return (at + self._offset) // step * step - self._offset

    def _filled(self, expression: str, step: int) -> str:
        values = {**self.values, "__interval": f"{step}s"}
        return VARIABLE.sub(lambda found: values[found[1] or found[2]], expression)

    def _choose(self, variable: Mapping[str, Any]) -> None:
        name = variable["name"]
        if variable["type"] == "query":
            self.options[name] = self._values(self._filled(variable["query"], 0), variable.get("regex", ""))
        elif variable["type"] == "custom":
            self.options[name] = variable["query"].split(",")
        else:
            self.options[name] = ["of this test"]
        everything = variable.get("allValue") or f"({'|'.join(map(_escaped, self.options[name]))})"
        first = everything if variable.get("includeAll") else self.options[name][0]
        self.values[name] = self.chosen.get(name, first)

    def _values(self, query: str, regex: str) -> list[str]:
        """The values of a variable; of a query's result its regular expression takes them out of the text."""
        if found := QUERY_RESULT.fullmatch(query):
            rows = self.server.api("query", query=found["expression"], time=str(self.at))["result"]
            texts = [_text(row["metric"]) + " ".join(map(str, reversed(row["value"]))) for row in rows]
            values = [taken[1] for text in texts if (taken := re.search(regex.strip("/"), text))]
            return list(dict.fromkeys(values))
        found = LABEL_VALUES.fullmatch(query)
        assert found, query
        match = {"match[]": found["match"]} if found["match"] else {}
        return [*self.server.api(f"label/{found['label']}/values", **match)]


def _escaped(value: str) -> str:
    """A value as Grafana writes it into a regular expression of PromQL, where a backslash is two."""
    return re.sub(r"[\\^$*+?.()|\[\]{}']", r"\\\\\g<0>", value)


def _text(metric: Mapping[str, str]) -> str:
    """A series as Grafana writes it for the variables that are made of a query's result."""
    labels = ",".join(f'{name}="{value}"' for name, value in metric.items() if name != "__name__")
    return f"{metric.get('__name__', '')}{{{labels}}} "


def _nice(span: int) -> int:
    """The step without which there were more points than pixels."""
    return next(step for step in NICE_STEPS if step >= span / POINTS)


def _point(pair: tuple[float, str]) -> tuple[float, float]:
    return pair[0], float(pair[1])
