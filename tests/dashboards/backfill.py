"""Fills a Prometheus with the past: a history of scrapes, and what the shipped rules record of it."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.peers import Prometheus

ALERTS = Path(__file__).resolve().parent.parent.parent / "alerts"
RULE_FILES = sorted(ALERTS.glob("*.rules.yml"))
RECORDED = re.compile(r"(?<![\w:])\w+:[\w:]+")

LONGEST_BLOCK = "--max-block-duration=486h"
"""promtool makes blocks of two hours otherwise, a hundred for each rule."""


def fill(directory: Path, lines: Iterable[str], since: int, until: int, step: int) -> None:
    """Make the data of a Prometheus that has `directory`: of samples, then of the rules over that time.

    Rules are evaluated every `step` seconds, as often as samples come; those of slower groups as that says.
    """
    samples, tsdb = directory / "history.om", directory / "tsdb"
    with samples.open("w") as file:
        file.writelines(lines)
    _blocks("openmetrics", samples, tsdb)
    samples.unlink()
    for layer in layers(step):
        rules = directory / "layer.yml"
        rules.write_text(yaml.safe_dump({"groups": layer}))
        with TemporaryDirectory(dir=directory) as made:
            with Prometheus(directory, []) as server:
                times = (f"--start={since}", f"--end={until}")
                _blocks("rules", *times, f"--url={server.url}", f"--output-dir={made}", rules)
            for block in Path(made).iterdir():
                block.rename(tsdb / block.name)


def layers(step: int) -> list[list[dict[str, Any]]]:
    """The rules, each in a group of its own, all that it needs in layers before it.

    promtool shows a rule nothing of what the same run makes. Rules that need themselves or each other bridge
    gaps, of which there are none here. An alert that doesn't wait is recorded as Prometheus does.
    """
    left: list[dict[str, Any]] = [
        {
            "name": f"{group['name']} {place}",
            "interval": _seconds(group.get("interval", "1s"), step),
            "rules": [rule],
        }
        for file in RULE_FILES
        for group in yaml.safe_load(file.read_text())["groups"]
        for place, rule in enumerate(_recording(group["rules"]))
    ]
    made: list[list[dict[str, Any]]] = []
    while left:
        missing = {group["rules"][0]["record"] for group in left}
        ready = [group for group in left if not needs(group["rules"][0]) & missing] or left[:1]
        made.append(ready)
        left = [group for group in left if group not in ready]
    return made


def _recording(rules: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for rule in rules:
        if "record" in rule:
            yield rule
        elif "for" not in rule:
            labels = {**rule["labels"], "alertname": rule["alert"], "alertstate": "firing"}
            yield {"record": "ALERTS", "labels": labels, "expr": f"0 * ({rule['expr']}) + 1"}


def _seconds(interval: str, least: int) -> str:
    seconds = int(interval[:-1]) * {"s": 1, "m": 60, "h": 3600}[interval[-1]]
    return f"{max(seconds, least)}s"


def needs(rule: dict[str, Any]) -> set[str]:
    """The recorded series that a rule looks up, but for itself."""
    return set(RECORDED.findall(rule["expr"])) - {rule["record"]}


def fast_rules(directory: Path) -> list[Path]:
    """The shipped rules, evaluated each second instead of every 1 to 15 minutes."""
    copies = []
    for file in RULE_FILES:
        copy = directory / file.name
        copy.write_text(re.sub(r"(?m)^  interval: \w+$", "  interval: 1s", file.read_text()))
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
