"""The alert rules: promtool's own tests of them, and what holds them together with the project."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.alerts import (
    ALERTS,
    METRIC,
    RECORDED,
    RULE_FILES,
    RUNBOOK_URL,
    RUNBOOKS,
    SEVERITIES,
    TESTS,
    alerts,
    rules,
)
from tests.support.interface import exposed_names
from tests.support.places import ROOT
from tests.support.tools import newer_peer


def promtool(program: str, *arguments: str | Path) -> str:
    """What a promtool prints; empty where it has nothing to complain of."""
    run = subprocess.run(
        [program, *arguments], cwd=ALERTS, capture_output=True, text=True, check=False, timeout=290
    )
    return "" if run.returncode == 0 else f"exit {run.returncode}:\n{run.stdout}{run.stderr}"


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("promtool", marks=pytest.mark.peer("prometheus"), id="distribution"),
        pytest.param(newer_peer("promtool"), marks=pytest.mark.peer("prometheus-3"), id="newer"),
    ],
)
class TestPromtool:
    """The distribution's, which is 2.42 in Debian 12, and a 3.x: ranges are left-open there."""

    def test_the_rules_are_sound(self, program: str) -> None:
        """promtool's linter finds nothing either, such as two rules that record the same."""
        assert promtool(program, "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES) == ""

    @pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
    def test_the_stories_end_as_they_should(self, program: str, file: Path) -> None:
        assert promtool(program, "test", "rules", file) == ""


def test_names_and_severities_are_those_promised() -> None:
    found = defaultdict(set)
    for alert in alerts():
        found[alert["alert"]].add(alert["labels"]["severity"])
    assert found == SEVERITIES


def test_no_two_rules_make_the_same_alert() -> None:
    """Alertmanager would take them for one that changes back and forth."""
    made = [(alert["alert"], *sorted(alert["labels"].items())) for alert in alerts()]
    assert len(made) == len(set(made))


@pytest.mark.parametrize(
    "alert", alerts(), ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}"
)
def test_an_alert_says_what_is_wrong_where_and_what_to_do(alert: dict[str, Any]) -> None:
    """In English and in Spanish."""
    annotations = alert["annotations"]
    assert annotations.keys() == {"summary", "description", "summary_es", "description_es", "runbook_url"}
    subject = "$labels.instance"
    if not alert["alert"].startswith("CfdiExporter"):
        subject = "$labels.pac_environment" if alert["alert"] == "CfdiProviderDown" else "$labels.account"
    for language in ("", "_es"):
        description = annotations[f"description{language}"]
        assert subject in annotations[f"summary{language}"]
        assert subject in description
        assert "$labels.account" not in description or "({{ $labels.pac_environment }})" in description
        assert description.removesuffix("{{ end }}").endswith(".")


@pytest.mark.parametrize(
    "alert",
    [alert for alert in alerts() if not re.match("CfdiExporter|CfdiProvider", alert["alert"])],
    ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}",
)
def test_an_alert_on_an_account_carries_the_labels_to_route_by(alert: dict[str, Any]) -> None:
    assert alert["expr"].endswith(
        "* on (cluster, account, pac_environment) group_left (team, owner, customer)\n"
        "topk by (cluster, account, pac_environment) (1, exporter_account:cfdi_account_info:known)\n"
    )


def test_an_account_has_ten_recorded_series_at_most() -> None:
    """Those that a healthy account has: the thresholds are two, what tells of trouble has none."""
    text = (ALERTS / "recording.rules.yml").read_text()
    healthy, _, rest = text.partition("The rest has no series for an account where all is well.")
    memory = rest.partition("- name: cfdi-memory")[2]
    names = re.findall(r"record: (\w*account:\S+)", healthy + memory)
    assert len(names) + names.count("account:cfdi_stamps_low_threshold:max") <= 10


def test_every_match_keeps_clusters_apart() -> None:
    for rule in rules():
        for labels in re.findall(r"\b(?:on|by) \(([^)]+)\)", rule["expr"]):
            assert labels.startswith("cluster"), rule


@pytest.mark.parametrize("name", SEVERITIES)
def test_an_alert_has_a_runbook(name: str) -> None:
    """A page of its own; `test_runbooks.py` reads it."""
    urls = {alert["annotations"]["runbook_url"] for alert in alerts() if alert["alert"] == name}
    assert urls == {f"{RUNBOOK_URL}{name}.md"}
    assert (RUNBOOKS / f"{name}.md").is_file()


def test_the_documentation_has_every_alert_in_its_table() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    rows = set(re.findall(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \|", page, re.MULTILINE))
    assert rows == {(name, name) for name in SEVERITIES}


def test_rules_use_metrics_that_exist() -> None:
    """Of the exporter, or recorded by another rule."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    expressions = [rule["expr"] for rule in rules()]
    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert used
    assert used <= exposed_names()
    assert {name for expression in expressions for name in RECORDED.findall(expression)} <= recorded


def test_every_selector_names_the_job() -> None:
    """Another job's series of the same name are none of ours."""
    for rule in rules():
        for selector in re.findall(rf"(?:{METRIC.pattern}|(?<![\w:])up\b)(?:{{[^}}]*}})?", rule["expr"]):
            assert 'job="cfdi-stamps"' in selector, rule


def test_inhibition_speaks_of_alerts_that_exist() -> None:
    """A typing error in a matcher would just inhibit nothing."""
    for rule in yaml.safe_load((ALERTS / "inhibit.yml").read_text())["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            label, operator, value = re.fullmatch(r'(\w+)(=~?)"(.+)"', matcher).groups()  # type: ignore[union-attr]
            known = set(SEVERITIES) if label == "alertname" else {"warning", "critical", "info"}
            for alternative in value.split("|") if operator == "=~" else [value]:
                assert [name for name in known if re.fullmatch(alternative, name)], matcher
        if rule["source_matchers"] != ['alertname="CfdiExporterStorageFailing"']:  # which knows no account
            assert rule["equal"] in (["pac_environment"], ["account", "pac_environment"])
