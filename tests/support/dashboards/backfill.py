"""Fills a Prometheus with the past: a history of scrapes, and what the shipped rules record of it."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.support.dashboards.files import queries
from tests.support.peers import Prometheus
from tests.support.places import ROOT

ALERTS = ROOT / "alerts"
RULE_FILES = sorted(ALERTS.glob("*.rules.yml"))
RECORDED = re.compile(r"(?<![\w:])\w+:[\w:]+")

SHOWN = ("CfdiStampsExhausted", "CfdiStampsLow", "CfdiStampsPurchased")
"""The alerts that the overview marks on its graphs and sorts by; here they fire without waiting."""

LONGEST_BLOCK = "--max-block-duration=486h"
"""promtool makes blocks of two hours otherwise, a hundred for each rule."""


def fill_with_samples(directory: Path, lines: Iterable[str]) -> None:
    """Make the data of a Prometheus that has `directory` of samples in the OpenMetrics format."""
    samples = directory / "history.om"
    with samples.open("w") as file:
        file.writelines(lines)
    _blocks("openmetrics", samples, directory / "tsdb")
    samples.unlink()


def fill_with_records(directory: Path, since: int, until: int, step: int) -> None:
    """Add what the rules record of the data that is there.

    Rules are evaluated every `step` seconds, as often as samples come; those of slower groups as that says.
    """
    for layer in layers(step):
        rules = directory / "layer.yml"
        rules.write_text(yaml.safe_dump({"groups": _evaluated_together(layer)}))
        with TemporaryDirectory(dir=directory) as made:
            with Prometheus(directory, []) as server:
                times = (f"--start={since}", f"--end={until}")
                _blocks("rules", *times, f"--url={server.url}", f"--output-dir={made}", rules)
            for block in Path(made).iterdir():
                block.rename(directory / "tsdb" / block.name)


def layers(step: int) -> list[list[dict[str, Any]]]:
    """The rules that the dashboards need, in parts of their groups, all that one needs in layers before it.

    promtool shows a rule nothing of what the same run makes. Rules that need themselves or each other bridge
    gaps, of which there are none here: the first of these begins.
    """
    needs = {
        group["name"]: {name for rule in group["rules"] for name in _recorded(rule["expr"])}
        for group in _groups(step)
    }
    wanted = _reached(
        {name for query in queries() for name in _recorded(query.expression)} | set(SHOWN), needs
    )
    left = [group for group in _groups(step) if group["name"] in wanted]
    made: list[list[dict[str, Any]]] = []
    while left:
        missing = {group["name"] for group in left}
        ready = [group for group in left if not (needs[group["name"]] - {group["name"]}) & missing]
        if not ready:
            ready = [group for group in left if group["name"] in _reached(needs[group["name"]], needs)][:1]
        made.append(ready)
        left = [group for group in left if group not in ready]
    return made


def _groups(step: int) -> Iterator[dict[str, Any]]:
    """The recording rules, and the alerts that the dashboards show the past of, as Prometheus records it."""
    for file in RULE_FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            interval = _seconds(group.get("interval", "1s"), step)
            # By name: two rules may differ in their labels alone.
            recorded: dict[str, list[dict[str, Any]]] = {}
            for rule in group["rules"]:
                if (alert := rule.get("alert")) in SHOWN:
                    labels = {**rule["labels"], "alertname": alert, "alertstate": "firing"}
                    fires = {"record": "ALERTS", "labels": labels, "expr": f"0 * ({rule['expr']}) + 1"}
                    recorded.setdefault(alert, []).append(fires)
                elif "record" in rule:
                    recorded.setdefault(rule["record"], []).append(rule)
            for name, rules in recorded.items():
                yield {"name": name, "group": group["name"], "interval": interval, "rules": rules}


def _evaluated_together(layer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a layer as groups that have their own names again.

    When a group is evaluated within its interval depends on its name: two parts of one that had others would
    miss each other's samples, where they are further apart than an instant looks back.
    """
    groups: dict[str, dict[str, Any]] = {}
    for part in layer:
        whole = {"name": part["group"], "interval": part["interval"], "rules": []}
        groups.setdefault(part["group"], whole)["rules"] += part["rules"]
    return list(groups.values())


def _recorded(expression: str) -> set[str]:
    return set(RECORDED.findall(expression))


def _reached(names: set[str], needs: Mapping[str, set[str]]) -> set[str]:
    """Some rules, all that they need, what these need, and so on."""
    reached: set[str] = set()
    while new := names - reached:
        reached |= new
        names = {name for one in new for name in needs.get(one, ())}
    return reached


def _seconds(interval: str, least: int) -> str:
    seconds = int(interval[:-1]) * {"s": 1, "m": 60, "h": 3600}[interval[-1]]
    return f"{max(seconds, least)}s"


def fast_rules(directory: Path) -> list[Path]:
    """The shipped rules, evaluated each second instead of every 1 to 15 minutes; no alert waits."""
    copies = []
    for file in RULE_FILES:
        copy = directory / file.name
        text = re.sub(r"(?m)^    for: \w+\n", "", file.read_text())
        copy.write_text(re.sub(r"(?m)^  interval: \w+$", "  interval: 1s", text))
        copies.append(copy)
    return copies


def _blocks(*arguments: str | Path) -> None:
    run = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "--quiet", LONGEST_BLOCK, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert run.returncode == 0, run.stdout + run.stderr
