"""The shipped alert rules: where they lie, what they are called, and how a test doesn't wait for them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from exporter.config.duration import format_duration, parse_duration
from tests.support.places import ROOT

ALERTS = ROOT / "alerts"
RULE_FILES = sorted(ALERTS.glob("*.rules.yml"))
TESTS = sorted((ALERTS / "tests").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
RUNBOOK_URL = "https://github.com/cfdi-stamps-exporter/cfdi-stamps-exporter/blob/main/docs/runbooks/"

SEVERITIES = {
    "CfdiStampsExhausted": {"critical"},
    "CfdiStampsLow": {"warning", "critical"},
    "CfdiStampsRunningOut": {"warning", "critical"},
    "CfdiAccountSuspended": {"critical"},
    "CfdiAccountDown": {"warning"},
    "CfdiBalanceStale": {"warning"},
    "CfdiConsumptionSpike": {"warning"},
    "CfdiConsumptionStopped": {"warning"},
    "CfdiBalanceMismatch": {"info"},
    "CfdiStampsPurchased": {"info"},
    "CfdiAccountPolledTwice": {"critical"},
    "CfdiProviderDown": {"critical"},
    "CfdiExporterConfigReloadFailed": {"warning"},
    "CfdiExporterStorageFailing": {"critical"},
    "CfdiExporterOverloaded": {"warning"},
    "CfdiExporterDown": {"critical"},
}
"""The alerts that users route by: their names and severities are fixed."""

METRIC = re.compile(r"(?<![\w:\"])(?:cfdi|process)_\w+(?![\w:])")
"""A metric of the exporter in a PromQL expression; what rules record has a colon in its name."""
RECORDED = re.compile(r"(?<![\w:])\w+:[\w:]+")
"""What a rule records."""

HASTE = 60
"""How much faster than written the hastened rules wait and are evaluated: a minute is a second."""


def rules() -> Iterator[dict[str, Any]]:
    """All rules, those that record and those that alert."""
    for file in RULE_FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """The rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


def hastened_rules(directory: Path) -> list[Path]:
    """The shipped rules with shorter waits and intervals of groups, nothing else changed."""
    directory.mkdir()
    written = []
    for file in sorted(ALERTS.glob("*.rules.yml")):
        content = yaml.safe_load(file.read_text())
        for group in content["groups"]:
            _hasten(group, "interval")
            for rule in group["rules"]:
                _hasten(rule, "for")
                _hasten(rule, "keep_firing_for")
        written.append(directory / file.name)
        written[-1].write_text(yaml.safe_dump(content, sort_keys=False))
    return written


def _hasten(rule_or_group: dict[str, Any], key: str) -> None:
    if key in rule_or_group:
        rule_or_group[key] = format_duration(parse_duration(rule_or_group[key]) / HASTE)
