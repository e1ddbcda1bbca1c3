"""The marker `process`: tests that start a process, which `make quick` leaves out. A pytest plugin.

A test has it by itself where it needs a peer or uses the fixture `processes`, as all fixtures do that start
one for a single test; others are marked. What starts one without it fails, so that no mark is forgotten.
"""

import _posixsubprocess
import sys
from collections.abc import Generator, Sequence
from typing import Any, Final

import pytest

EVENTS: Final = {
    "subprocess.Popen",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "tests.fork_exec",
}
"""What Python's auditing calls the ways to start a process; `os.exec` ends the test's own."""

_started: list[str] = []
"""One event for each process that was started, in the whole run."""

_starters: set[pytest.FixtureDef[Any]] = set()
"""Fixtures that started one while they were set up: a later test is given the same."""

_fork_exec = _posixsubprocess.fork_exec


def _audited(*arguments: Any) -> int:
    sys.audit("tests.fork_exec")
    return _fork_exec(*arguments)


def _note(event: str, _: object) -> None:
    if event in EVENTS:
        _started.append(event)


# multiprocessing calls this where nothing is audited; subprocess has its own name for it.
_posixsubprocess.fork_exec = _audited
sys.addaudithook(_note)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what is known to start a process, before pytest chooses by marks."""
    for item in items:
        if "processes" in getattr(item, "fixturenames", ()) or item.get_closest_marker("peer"):
            item.add_marker("process")


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Keep in mind which fixture starts one."""
    before = len(_started)
    value = yield
    if len(_started) > before:
        _starters.add(fixturedef)
    return value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has started a process, or is given one, and is not marked."""
    before = len(_started)
    value = yield
    if not item.get_closest_marker("process"):
        fixtures = {name for used in _fixtures_of(item) if used in _starters for name in (used.argname,)}
        if len(_started) > before or fixtures:
            by = f" by the fixture {', '.join(sorted(fixtures))}" if fixtures else ""
            pytest.fail(f"it starts a process{by}: mark it with pytest.mark.process", pytrace=False)
    return value


def _fixtures_of(item: pytest.Item) -> set[pytest.FixtureDef[Any]]:
    found = getattr(item, "_fixtureinfo", None)
    return {used for each in found.name2fixturedefs.values() for used in each} if found else set()
