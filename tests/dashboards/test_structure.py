"""The JSON files: that the code writes them, and that what Grafana needs is there."""

import copy
import json
import re
from itertools import combinations
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.common import GraphFieldConfig, TableFieldOptions
from grafana_foundation_sdk.models.dashboard import Dashboard, FieldConfig

from dashboards.__main__ import files
from dashboards.board import TITLES
from tests.support.dashboards.files import DASHBOARDS, FOLDER, panels

ALL_PANELS = [(uid, panel) for uid in DASHBOARDS for panel in panels(uid)]
OWN_FIELDS = {"timeseries": GraphFieldConfig, "table": TableFieldOptions}
MODES = {"byName", "byFrameRefID"}
SEVERAL = re.compile(r"\b(?:table|bargauge|timeseries|heatmap|state-timeline)\b")
PANEL = pytest.mark.parametrize(
    ("uid", "panel"), ALL_PANELS, ids=[f"{uid}: {panel['title']}" for uid, panel in ALL_PANELS]
)
DASHBOARD = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))


def test_the_files_are_what_the_code_writes() -> None:
    """`make dashboards` writes them."""
    written = files()
    assert written.keys() == set(FOLDER.glob("*.json"))
    for file, text in written.items():
        assert file.read_text() == text, f"{file.name} is not what the code says: run make dashboards"


@DASHBOARD
def test_a_dashboard_has_its_name_for_good_and_nobody_edits_it_by_accident(dashboard: dict[str, Any]) -> None:
    uid = dashboard["uid"]
    assert {"cfdi-overview", "cfdi-account", "cfdi-exporter"} == TITLES.keys() == DASHBOARDS.keys()
    assert uid in DASHBOARDS
    assert dashboard["title"] == TITLES[uid]
    assert dashboard["description"]
    assert dashboard["editable"] is False
    assert dashboard["tags"] == ["cfdi-stamps"]
    assert "id" not in dashboard


@DASHBOARD
def test_panels_have_numbers_and_titles_of_their_own(dashboard: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]
    titles = [panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len(numbers) == len(set(numbers))
    assert len(titles) == len(set(titles))


@DASHBOARD
def test_no_panel_lies_on_another_or_beside_the_grid(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["w"] > 0
        assert place["h"] > 0
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@DASHBOARD
def test_rows_are_filled_from_edge_to_edge(dashboard: dict[str, Any]) -> None:
    """A hole is a panel whose width was forgotten."""
    cells = {
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    }
    assert len(cells) == 24 * (max(y for _, y in cells) + 1)


@DASHBOARD
def test_variables_are_complete(dashboard: dict[str, Any]) -> None:
    """The source of the data first, since the others need it; "All" is a short expression, not all names."""
    variables = dashboard["templating"]["list"]
    assert (variables[0]["name"], variables[0]["type"], variables[0]["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    for variable in variables[1:]:
        assert variable["label"]
        if variable["type"] == "query":
            assert variable["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        if variable.get("includeAll"):
            assert variable.get("allValue") == (None if variable["name"] == "listed" else ".*")
            assert variable["current"]["value"] == "$__all"


@DASHBOARD
def test_links_lead_to_dashboards_that_are_there(dashboard: dict[str, Any]) -> None:
    """And take the source of the data with them; each dashboard has one to both others."""
    urls = [link["url"] for link in dashboard["links"]]
    assert {url.partition("?")[0].removeprefix("/d/") for url in urls} == DASHBOARDS.keys() - {
        dashboard["uid"]
    }
    urls += re.findall(r"'url': '([^']+)'", str(panels(dashboard["uid"])))
    for url in urls:
        path, _, parameters = url.partition("?")
        names = set(re.findall(r"var-(\w+)=", parameters))
        target = DASHBOARDS[path.removeprefix("/d/")]
        assert "datasource" in names
        assert names <= {variable["name"] for variable in target["templating"]["list"]}, url


def test_an_account_leads_to_its_dashboard() -> None:
    """From its bar and from its row, with its name and environment, escaped."""
    texts = {panel["title"]: str(panel) for panel in panels("cfdi-overview")}
    for title in ("Days left", "Accounts, the first to run out first"):
        assert re.search(
            r"/d/cfdi-account\?.*var-environment=\${[\w.]+pac_environment:percentencode}", texts[title]
        )
        assert re.search(r"var-account=\${[\w.]+account:percentencode}", texts[title])


@PANEL
def test_a_panel_tells_what_it_shows(uid: str, panel: dict[str, Any]) -> None:
    assert panel["description"].endswith("."), uid
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["decimals"] in (0, 1, 2)
    steps = defaults["thresholds"]["steps"]
    assert steps[0]["value"] is None
    values = [step["value"] for step in steps[1:]]
    assert values == sorted(values)
    assert defaults["noValue"]


@PANEL
def test_a_panel_asks_the_chosen_source(uid: str, panel: dict[str, Any]) -> None:
    for one in (panel, *panel["targets"]):
        assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, uid
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references))


@PANEL
def test_series_have_names(uid: str, panel: dict[str, Any]) -> None:
    """What is drawn in several colours says which is which, in a legend below."""
    if panel["type"] in {"table", "stat"}:
        return
    assert all(target["legendFormat"] for target in panel["targets"]), uid
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"] is True
        assert panel["options"]["tooltip"]["mode"] == "multi"


def test_grafanas_sdk_knows_all_that_is_there() -> None:
    """What it reads and writes again is all there: options of another release would get lost on the way.

    Of the queries of annotations it types only the expression.
    """
    register_default_plugins()
    for dashboard in DASHBOARDS.values():
        read = Dashboard.from_json(copy.deepcopy(dashboard))
        written = json.loads(json.dumps(read, cls=JSONEncoder))
        assert _lost({**dashboard, "annotations": {}}, written) == []


def _lost(before: Any, after: Any, path: str = "") -> list[str]:
    """The paths of what is in one JSON value and not in another."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [lost for key in before for lost in _lost(before[key], after.get(key), f"{path}/{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [lost for place, (one, other) in pairs for lost in _lost(one, other, f"{path}/{place}")]
    return [] if before == after else [path]


@PANEL
def test_overrides_set_what_there_is(uid: str, panel: dict[str, Any]) -> None:
    """The SDK takes any name here: they are compared with those of the fields that it types."""
    standard, own = vars(FieldConfig()), vars(OWN_FIELDS.get(panel["type"], FieldConfig)())
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            name = re.sub(r"([A-Z])", r"_\1", one["id"].removeprefix("custom.")).lower()
            assert name in (own if one["id"].startswith("custom.") else standard), (uid, one["id"])


@PANEL
def test_overrides_meet_something(uid: str, panel: dict[str, Any]) -> None:
    """A typing error in a name would just do nothing."""
    names = {target["refId"] for target in panel["targets"]} | set(_columns(panel))
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] in MODES, uid
        assert override["matcher"]["options"] in names


def _columns(panel: dict[str, Any]) -> list[str]:
    renamed = [
        list(transformation["options"]["renameByName"].values())
        for transformation in panel.get("transformations", ())
        if transformation["id"] == "organize"
    ]
    return [name for names in renamed for name in names]
