"""What helps those who work on the project: hooks, forms for issues, settings of editors and a container."""

import json
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import called
from tests.support.places import ROOT

FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def test_hooks_run_the_locked_tools_and_fetch_nothing() -> None:
    """Each is a program of `.venv` that the lock pins, and nothing comes from another repository."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    locked = (ROOT / "requirements-dev.txt").read_text()
    packages = {"lint-imports": "import-linter"}
    lint = (ROOT / "Makefile").read_text()
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        program = re.match(r"\.venv/bin/([\w-]+)", hook["entry"])
        assert program, hook["entry"]
        assert f"\n{packages.get(program[1], program[1])}==" in locked
        assert f"$(BIN)/{program[1]}" in lint


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_for_issues_is_one(form: Path) -> None:
    """The keys that GitHub wants, and something that must be answered or is free."""
    content: dict[str, Any] = yaml.safe_load(form.read_text())
    assert content.keys() == {"name", "description", "labels", "body"}
    assert {element["type"] for element in content["body"]} <= KINDS
    for element in content["body"]:
        wanted = "value" if element["type"] == "markdown" else "label"
        assert element["attributes"][wanted]
        assert element.keys() <= {"type", "attributes", "validations"}


def test_the_editor_is_told_what_the_formatter_wants() -> None:
    settings = ConfigParser()
    settings.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    ruff = re.search(r"(?m)^line-length = (\d+)$", (ROOT / "pyproject.toml").read_text())
    assert ruff
    assert settings["*.py"]["max_line_length"] == ruff[1]
    assert settings["Makefile"]["indent_style"] == "tab"


def test_the_container_is_made_with_what_is_there() -> None:
    """It was never built here: its commands exist, and its Python is one that the tests run on."""
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    script, target = container["postCreateCommand"].split(" && make ")
    assert (ROOT / script).is_file()
    assert f"$(VENV)/{target.removeprefix('.venv/')}:" in (ROOT / "Makefile").read_text()
    assert re.fullmatch(r"python:3\.1[1-3]-\w+", container["image"])


def test_the_checklist_is_that_of_a_contribution() -> None:
    """The pull request's asks for what CONTRIBUTING.md says, which names `make test` as everything."""
    asked = (ROOT / ".github" / "pull_request_template.md").read_text()
    assert asked.count("* [ ] ") == len(re.findall(r"(?m)^\* ", asked))
    for word in ("make test", "CHANGELOG.md", "password", "state.db"):
        assert word in asked


def test_every_target_is_explained() -> None:
    """By `make help` and in CONTRIBUTING.md; what only other targets call needs no words."""
    rules = re.findall(r"(?m)^([a-z][a-z-]*):.*?(## .+)?$", (ROOT / "Makefile").read_text())
    assert rules[0][0] == "help"
    targets = {name for name, _ in rules if not name.startswith("measured-")}
    assert {name for name, told in rules if told} == targets
    named = re.findall(r"`make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert set(named) == targets


@pytest.mark.process
def test_make_alone_lists_the_targets() -> None:
    said = called("make", "--no-print-directory", f"--directory={ROOT}")
    assert re.search(r"(?m)^make quick +lint, types and the tests that start no process$", said)
