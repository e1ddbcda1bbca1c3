#!/usr/bin/env python3
"""Breaks each alert rule in many small ways and lists the mutants that no test of alerts/tests notices.

Usage: scripts/mutate-rules.py [--jobs N] [--rule NAME] [--list]

Needs promtool and PyYAML; takes half an hour. Exit code: 0, or 1 where a mutant survives.
"""

import argparse
import copy
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import yaml
from rule_mutants import Mutant, mutants, name_of


class _Loader(yaml.SafeLoader):
    """Takes `0x930`, which is a series to promtool, for text and not for a hexadecimal number."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":int")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))

ALERTS = Path(__file__).resolve().parent.parent / "alerts"
RULES = {path.name: yaml.safe_load(path.read_text()) for path in sorted(ALERTS.glob("*.rules.yml"))}
TESTS = {
    path.name: _Loader(path.read_text()).get_single_data()
    for path in sorted((ALERTS / "tests").glob("*.yml"))
}
TIMEOUT = 300.0
"""Seconds for one run of promtool. A mutant that takes longer counts as noticed."""

NAMES = re.compile(r"(?<![\w:])\w+:[\w:]+|Cfdi[A-Z]\w+")
"""What rules record, and alerts, where an expression refers to them."""
ALL_ALERTS = re.compile(r"ALERTS(\{[^}]*\})?")


def kept_for(name: str) -> set[str]:
    """Return the names of the rules that a change of one can have to do with.

    They are itself, those that need it, also for what they say, and what all these need.
    """
    needs: dict[str, set[str]] = {}
    for rule in _rules(RULES):
        texts = (rule["expr"], *rule.get("annotations", {}).values())
        needs.setdefault(name_of(rule), set()).update(*map(NAMES.findall, texts))
    affected = {name}
    while more := {one for one, needed in needs.items() if needed & affected} - affected:
        affected |= more
    kept = set(affected)
    while more := {needed for one in kept for needed in needs[one] if needed in needs} - kept:
        kept |= more
    return kept


def _rules(files: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for content in files.values():
        for group in content["groups"]:
            yield from group["rules"]


def rules_of(kept: set[str], mutant: Mutant | None) -> dict[str, Any]:
    """Return the rule files with some rules alone, one of them changed."""
    files = copy.deepcopy(RULES)
    if mutant:
        rule = files[mutant.file]["groups"][mutant.group]["rules"][mutant.rule]
        if mutant.value is None:
            del rule[mutant.key]
        else:
            rule[mutant.key] = mutant.value
    for content in files.values():
        for group in content["groups"]:
            group["rules"] = [rule for rule in group["rules"] if name_of(rule) in kept]
        content["groups"] = [group for group in content["groups"] if group["rules"]]
    return files


def tests_of(kept: set[str]) -> dict[str, Any]:
    """Return the test files with what they expect of some rules alone."""
    files = copy.deepcopy(TESTS)
    for content in files.values():
        for test in content["tests"]:
            test["alert_rule_test"] = [
                one for one in test.get("alert_rule_test", ()) if one["alertname"] in kept
            ]
            test["promql_expr_test"] = list(_expected(test.get("promql_expr_test", ()), kept))
        content["tests"] = [
            test for test in content["tests"] if test["alert_rule_test"] or test["promql_expr_test"]
        ]
    return {name: content for name, content in files.items() if content["tests"]}


def _expected(expressions: Iterable[dict[str, Any]], kept: set[str]) -> Iterator[dict[str, Any]]:
    for one in expressions:
        if ALL_ALERTS.fullmatch(one["expr"]) and "alertname" not in one["expr"]:
            samples = [
                sample for sample in one.get("exp_samples", ()) if kept & set(NAMES.findall(sample["labels"]))
            ]
            yield {**one, "exp_samples": samples}
        elif "ALERTS{" in one["expr"] and "alertname" not in one["expr"] and not one.get("exp_samples"):
            yield one  # where none is expected of all, none is of some
        elif (names := set(NAMES.findall(one["expr"]))) and names <= kept:
            yield one


class Judge:
    """Runs the tests on mutants: first what they say of the rules that a change can have to do with, alone,
    as that is soon done; where none of that notices it, all of them.

    Raises SystemExit where a test fails on the rules as they are: it would notice every mutant.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._everything = {name_of(rule) for rule in _rules(RULES)}
        seconds = {test: self._seconds(test) for test in TESTS}
        self._fast_first = sorted(seconds, key=seconds.__getitem__)
        # By rule: the files of tests that have noticed a mutant, the last one first.
        self._noticing: dict[str, list[str]] = {}

    def survives(self, mutant: Mutant) -> bool:
        """Tell whether all tests pass on a mutant."""
        name = mutant.name.partition(" ")[0]
        kept = kept_for(name)
        with self._lock:
            first = list(self._noticing.get(name, ()))
        tests = tests_of(kept)
        order = [*first, *(test for test in self._fast_first if test in tests and test not in first)]
        noticed = self._noticed(kept, mutant, order)
        if not noticed:
            return not self._noticed(self._everything, mutant, self._fast_first)
        if noticed not in first and self._noticed(kept, None, [noticed]):
            raise SystemExit(f"{noticed} fails without any change where {name} is tested alone")
        with self._lock:
            self._noticing[name] = [noticed, *(test for test in first if test != noticed)]
        return False

    def _seconds(self, test: str) -> float:
        start = time.monotonic()
        if self._noticed(self._everything, None, [test]):
            raise SystemExit(f"{test} fails without any change")
        return time.monotonic() - start

    def _noticed(self, kept: set[str], mutant: Mutant | None, order: list[str]) -> str | None:
        """Return the first file of tests, in an order, that a mutant of some rules alone doesn't pass."""
        tests = TESTS if kept == self._everything else tests_of(kept)
        with tempfile.TemporaryDirectory(dir=self._directory) as directory:
            alerts = Path(directory)
            _write(alerts, rules_of(kept, mutant))
            _write(alerts / "tests", tests)
            return next((test for test in order if not _passes(alerts / "tests" / test)), None)


def _write(directory: Path, files: dict[str, Any]) -> None:
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(yaml.safe_dump(content, sort_keys=False))


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
    if run.returncode < 0:
        raise SystemExit(f"promtool was killed by signal {-run.returncode}")
    return run.returncode == 0


def main() -> int:
    """Judge the mutants; return the exit code."""
    parser = argparse.ArgumentParser(description="Lists the mutants of alert rules that no test notices.")
    parser.add_argument("--jobs", type=int, default=2, help="runs of promtool at once")
    parser.add_argument("--rule", action="append", help="only rules whose name begins so; repeatable")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    options = parser.parse_args()
    chosen = [
        mutant for mutant in mutants(RULES) if not options.rule or mutant.name.startswith(tuple(options.rule))
    ]
    if options.list:
        print(*chosen, sep="\n")  # noqa: T201 - what it is for
        return 0
    survivors = 0
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(options.jobs) as pool:
        judge = Judge(Path(directory))
        for mutant, survives in zip(chosen, pool.map(judge.survives, chosen), strict=True):
            if survives:
                survivors += 1
                print(f"survives: {mutant}", flush=True)  # noqa: T201
    print(f"{len(chosen)} mutants, {survivors} survive")  # noqa: T201
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
