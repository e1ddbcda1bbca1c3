"""The workflows for those who host the repository: what of them can be held without running them."""

import itertools
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.support.places import ROOT

FOLDER = ROOT / ".github"
FILES = sorted((FOLDER / "workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def workflow(file: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(file.read_text())
    return content


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(file)["jobs"].values() for step in job.get("steps", ())]


@pytest.mark.process
def test_the_auditor_finds_nothing() -> None:
    """zizmor knows what goes wrong in workflows: rights, injected text, what isn't pinned."""
    zizmor = Path(sys.executable).parent / "zizmor"
    flags = ("--offline", "--no-progress", "--persona=pedantic", "--strict-collection")
    done = subprocess.run([zizmor, *flags, FOLDER], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_exception_has_its_reason() -> None:
    """A comment stands before what the auditor is told to ignore, and nothing is ignored elsewhere."""
    lines = (FOLDER / "zizmor.yml").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r" +(- |disable:)", line):
            assert before.lstrip().startswith("# "), line
    assert not [file for file in FILES if "zizmor: ignore" in file.read_text()]


def test_actions_are_pinned_to_one_commit_each() -> None:
    """With the version that the commit is, which is what a person compares."""
    pins = defaultdict(set)
    for file in FILES:
        for uses in re.findall(r"uses: (.+)", file.read_text()):
            if not uses.startswith("./"):
                found = re.fullmatch(r"([\w/-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", uses)
                assert found, uses
                pins[found[1]].add(uses)
    assert pins
    assert all(len(found) == 1 for found in pins.values()), pins


@every_workflow
def test_nothing_is_allowed_that_is_not_said(file: Path) -> None:
    """Each job names its rights, none but those of a release may write, and each has an end."""
    content = workflow(file)
    assert content["permissions"] == {}
    for name, job in content["jobs"].items():
        assert job["permissions"]["contents"] in ("read", "write")
        writes = {right for right, level in job["permissions"].items() if level == "write"}
        assert not writes or file.stem == "release", name
        assert "timeout-minutes" in job or "uses" in job, name


def test_it_runs_on_each_supported_python() -> None:
    supported = SpecifierSet(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    )
    versions = workflow(FOLDER / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert [version for version in ("3.10", *versions) if f"{version}.0" in supported] == versions


def test_the_image_is_for_two_architectures() -> None:
    for name in ("image", "release"):
        inputs = [step.get("with", {}) for step in steps(FOLDER / "workflows" / f"{name}.yml")]
        assert "linux/amd64,linux/arm64" in [given.get("platforms") for given in inputs]


@pytest.mark.process
@every_workflow
def test_what_a_step_runs_is_there(file: Path) -> None:
    """Targets of make; and a shell takes each script."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in steps(file):
        script = step.get("run", "")
        assert set(re.findall(r"^make ([a-z-]+)", script, re.MULTILINE)) <= targets
        subprocess.run(["sh", "-n", "-c", script], check=True)
        assert "${{" not in script, "text from outside belongs into env"


def test_dependabot_looks_where_something_is() -> None:
    for update in yaml.safe_load((FOLDER / "dependabot.yml").read_text())["updates"]:
        assert (ROOT / update["directory"].lstrip("/")).is_dir(), update
