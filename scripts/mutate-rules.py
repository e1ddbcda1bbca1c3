#!/usr/bin/env python3
"""Breaks each alert rule in many small ways and lists the mutants that no test of alerts/tests notices.

Usage: scripts/mutate-rules.py [--jobs N] [--rule NAME] [--list]

Needs promtool and PyYAML; takes about half an hour. Exit code: 0, or 1 where a mutant survives.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ALERTS = Path(__file__).resolve().parent.parent / "alerts"
TIMEOUT = 300.0
"""Seconds for one run of promtool. A mutant that takes longer counts as noticed."""

TOKEN = re.compile(
    r"""\s+|"[^"]*"|\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*|\d+(?:\.\d+)?|[A-Za-z_:][\w:]*|==|!=|<=|>=|=~|!~|."""
)
FLIPS = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    ">": (">=", "<"),
    ">=": (">", "<"),
    "*": ("+",),
    "/": ("*",),
    "-": ("+",),
    "and": ("unless",),
    "unless": ("and",),
    "max": ("min",),
    "min": ("max",),
    "count": ("max",),
    "increase": ("delta", "rate"),
    "avg_over_time": ("max_over_time", "min_over_time"),
    "max_over_time": ("min_over_time",),
    "last_over_time": ("min_over_time", "max_over_time"),
}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Mutant:
    """One rule with one change."""

    file: str
    group: int
    rule: int
    name: str
    change: str
    key: str  # of the rule: expr, for or keep_firing_for
    value: str | None  # None: the key is left out

    def __str__(self) -> str:
        return f"{self.name}: {self.change}"


def mutants() -> Iterator[Mutant]:
    """Yield all mutants of all rules."""
    for file in sorted(ALERTS.glob("*.rules.yml")):
        for group_index, group in enumerate(yaml.safe_load(file.read_text())["groups"]):
            for rule_index, rule in enumerate(group["rules"]):
                name = rule.get("alert") or rule["record"]
                if severity := rule.get("labels", {}).get("severity"):
                    name += f" ({severity})"
                for key, change, value in _changes(rule):
                    yield Mutant(file.name, group_index, rule_index, name, change, key, value)


def _changes(rule: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    tokens = TOKEN.findall(rule["expr"].strip())
    seen = {"".join(tokens)}
    for change, changed in _changed_expressions(tokens):
        expression = "".join(changed)
        if expression not in seen:
            seen.add(expression)
            yield "expr", change, expression
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield key, f"without {key}", None
            for factor in (0.5, 2):
                duration = _scaled(rule[key], factor)
                yield key, f"{key}: {rule[key]} -> {duration}", duration


def _changed_expressions(tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    for at, word in enumerate(tokens):
        for replacement in _replacements(tokens, at):
            yield _place(tokens, at, f"-> {replacement}"), [*tokens[:at], replacement, *tokens[at + 1 :]]
        if word == "bool":
            yield _place(tokens, at, "left out"), [*tokens[:at], *tokens[at + 1 :]]
        if word in {"and", "unless", "or"}:
            end = _end(tokens, at, {"or"} if word == "or" else {"and", "unless", "or"})
            yield _place(tokens, at, "right side left out"), [*tokens[:at], *tokens[end:]]
            if word == "or":
                start = _start(tokens, at)
                yield _place(tokens, at, "left side left out"), [*tokens[:start], *tokens[at + 1 :]]
        if word in {"by", "on", "ignoring", "group_left"}:
            yield from _without_items(tokens, at, "(", ")")
        if word == "{":
            yield from _without_items(tokens, at - 1, "{", "}")


def _replacements(tokens: list[str], at: int) -> Iterator[str]:
    token = tokens[at]
    if token in FLIPS and not _within(tokens, at, "{", "}"):
        yield from FLIPS[token]
    elif re.fullmatch(r"\d+[smhdw]", token):
        yield _scaled(token, 2)
        yield _scaled(token, 0.5)
    elif re.fullmatch(r"\d+(\.\d+)?", token):
        number = float(token)
        yield f"{number * 1.5 if number else 1:g}"
        if number:
            yield f"{number * 0.5:g}"


def _without_items(tokens: list[str], at: int, opening: str, closing: str) -> Iterator[tuple[str, list[str]]]:
    """Leave out each item of the list in parentheses or braces that follows a token."""
    start = at + 1
    while tokens[start].isspace():
        start += 1
    if tokens[start] != opening:
        return
    end = tokens.index(closing, start)
    items = "".join(tokens[start + 1 : end]).split(",")
    for item in filter(str.strip, items):
        rest = ",".join(other for other in items if other is not item)
        yield (
            _place(tokens, at, f"without {item.strip()}"),
            [*tokens[: start + 1], rest, *tokens[end:]],
        )


def _within(tokens: list[str], at: int, opening: str, closing: str) -> bool:
    return tokens[:at].count(opening) > tokens[:at].count(closing)


def _end(tokens: list[str], at: int, operators: set[str]) -> int:
    """Return where the right operand of the operator at a place ends."""
    depth = 0
    for place in range(at + 1, len(tokens)):
        depth += (tokens[place] in "([{") - (tokens[place] in ")]}")
        if depth < 0 or (depth == 0 and tokens[place] in operators):
            return place
    return len(tokens)


def _start(tokens: list[str], at: int) -> int:
    """Return where the parenthesis that an operator stands in begins."""
    depth = 0
    for place in range(at - 1, -1, -1):
        depth += (tokens[place] in ")]}") - (tokens[place] in "([{")
        if depth < 0:
            return place + 1
    return 0


def _place(tokens: list[str], at: int, change: str) -> str:
    """Describe a change by what stands around it."""
    before, after = "".join(tokens[max(0, at - 12) : at]), "".join(tokens[at + 1 : at + 8])
    return " ".join(f"{before}[{tokens[at]}]{after}".split()) + f"  {change}"


def _scaled(duration: str, factor: float) -> str:
    seconds = int(duration[:-1]) * UNITS[duration[-1]] * factor
    return f"{seconds:.0f}s"


class Judge:
    """Runs the tests on mutants, first those that noticed the last ones of the same rule, then the fast ones.

    Raises SystemExit where a test fails on the rules as they are: it would notice every mutant.
    """

    def __init__(self) -> None:
        self._tests = sorted((path.name for path in (ALERTS / "tests").glob("*.yml")), key=_seconds)
        self._noticed: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def survives(self, mutant: Mutant) -> bool:
        """Tell whether all tests pass on a mutant."""
        with tempfile.TemporaryDirectory() as directory:
            alerts = Path(directory) / "alerts"
            shutil.copytree(ALERTS, alerts)
            _apply(mutant, alerts / mutant.file)
            for test in self._order(mutant.name):
                if not _passes(alerts / "tests" / test):
                    with self._lock:
                        order = self._noticed.setdefault(mutant.name, [])
                        if test in order:
                            order.remove(test)
                        order.insert(0, test)
                    return False
        return True

    def _order(self, name: str) -> list[str]:
        with self._lock:
            first = list(self._noticed.get(name, []))
        return [*first, *(test for test in self._tests if test not in first)]


def _seconds(test: str) -> float:
    start = time.monotonic()
    if not _passes(ALERTS / "tests" / test):
        raise SystemExit(f"{test} fails without any change")
    return time.monotonic() - start


def _apply(mutant: Mutant, file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    rule = content["groups"][mutant.group]["rules"][mutant.rule]
    if mutant.value is None:
        del rule[mutant.key]
    else:
        rule[mutant.key] = mutant.value
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def _passes(test: Path) -> bool:
    try:
        run = subprocess.run(  # noqa: S603 - a fixed program
            ["promtool", "test", "rules", test.name],  # noqa: S607 - wherever Prometheus is installed
            cwd=test.parent,
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def main() -> int:
    """Judge the mutants; return the exit code."""
    parser = argparse.ArgumentParser(description="Lists the mutants of alert rules that no test notices.")
    parser.add_argument("--jobs", type=int, default=2, help="runs of promtool at once")
    parser.add_argument("--rule", action="append", help="only rules whose name begins so; repeatable")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    options = parser.parse_args()
    chosen = [
        mutant for mutant in mutants() if not options.rule or mutant.name.startswith(tuple(options.rule))
    ]
    if options.list:
        print(*chosen, sep="\n")  # noqa: T201 - what it is for
        return 0
    judge = Judge()
    survivors = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, survives in zip(chosen, pool.map(judge.survives, chosen), strict=True):
            if survives:
                survivors += 1
                print(f"survives: {mutant}", flush=True)  # noqa: T201
    print(f"{len(chosen)} mutants, {survivors} survive")  # noqa: T201
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
