"""The mixin, as jsonnet renders it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import called
from tests.support.documents import Page
from tests.support.places import ROOT
from tests.support.tools import TOOLS

pytestmark = pytest.mark.peer("helm")  # jsonnet comes with it

MIXIN = ROOT / "mixin"
RENDER = "import sys, _jsonnet; print(_jsonnet.evaluate_file(sys.argv[1], jpathdir=sys.argv[2:]))"
ALL = (
    "{ rules: m.prometheusRules.groups, alerts: m.prometheusAlerts.groups, dashboards: m.grafanaDashboards }"
)


def rendered(text: str, folder: Path) -> Any:
    file = folder / "own.jsonnet"
    file.write_text(text)
    return json.loads(called(str(TOOLS / "bin" / "python"), "-c", RENDER, str(file), str(MIXIN)))


def test_with_the_defaults_it_is_the_files(tmp_path: Path) -> None:
    found = rendered(f"local m = import 'mixin.libsonnet'; {ALL}", tmp_path)
    files = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "alerts").glob("*.rules.yml"))]
    groups = {group["name"]: group for file in files for group in file["groups"]}
    assert {group["name"]: group for group in found["rules"] + found["alerts"]} == groups
    assert not [rule for group in found["rules"] for rule in group["rules"] if "alert" in rule]
    assert found["dashboards"] == {
        path.name: json.loads(path.read_text()) for path in (ROOT / "dashboards").glob("*.json")
    }


@pytest.mark.peer("prometheus")
def test_another_selector_is_everywhere(tmp_path: Path) -> None:
    """As in the README: no expression keeps the old one alone, and Prometheus takes the rules."""
    (example,) = (block for block in Page(MIXIN / "README.md").blocks if block.language == "jsonnet")
    found = rendered(example.text, tmp_path)
    (selector,) = re.findall(r"selector: '(.+)'", example.text)
    rest = json.dumps(found).replace("\\\\", "").replace("\\", "").replace("'", '"').replace(selector, "")
    assert 'job="cfdi-stamps"' not in rest
    for name in ("rules.yaml", "alerts.yaml"):
        (tmp_path / name).write_text(found[name])
        called("promtool", "check", "rules", str(tmp_path / name))
