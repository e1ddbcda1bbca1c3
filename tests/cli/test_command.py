"""Commands that are printed: they can be pasted, wherever one stands."""

import shlex
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from exporter.cli import command


def options(config: str = "config.yaml", storage: Path | None = None) -> Namespace:
    return Namespace(config_file=Path(config), storage_path=storage)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The program, started by its name in the directory where it is."""
    path = tmp_path / "cfdi-stamps-exporter"
    path.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["cfdi-stamps-exporter"])
    monkeypatch.chdir(tmp_path)
    return str(path)


@pytest.mark.parametrize("started", ["cfdi-stamps-exporter", "./cfdi-stamps-exporter", "{}"])
def test_the_whole_path(program: str, started: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the program, the configuration and, where it isn't beside that, the storage."""
    monkeypatch.setattr("sys.argv", [started.format(program)])
    here = Path(program).parent
    assert command.check(options(), here / "state.db") == [
        program,
        "check",
        f"--config.file={here / 'config.yaml'}",
    ]
    words = command.check(options("/etc/c d.yaml", Path("s.db")), Path("s.db"))
    assert words == [program, "check", "--config.file=/etc/c d.yaml", f"--storage.path={here / 's.db'}"]


def test_started_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/exporter/__main__.py"])
    assert command.program() == [sys.executable, "-m", "exporter"]


def test_started_by_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test runner is no program to paste."""
    monkeypatch.setattr("sys.argv", ["/usr/bin/pytest"])
    assert command.program() == ["cfdi-stamps-exporter"]


@pytest.mark.parametrize("name", ["acme", "a b", "$(reboot)", "-x", "'"])
def test_resume(program: str, name: str) -> None:
    """A shell reads the name as it is."""
    text = command.resume(options(), Path("state.db"))(name, "http://localhost:10520/")
    words = shlex.split(text)
    assert words[:2] == [program, "check"]
    assert words[3:] == ["--resume", *(["--"] if name == "-x" else []), name]


def test_resume_where_nothing_is_kept() -> None:
    """Another process has no part in that: the daemon itself is asked."""
    text = command.resume(options(), None)("a b&c/'", "http://localhost:10520/")
    assert shlex.split(text) == [
        *("curl", "-X", "POST"),
        "http://localhost:10520/-/resume?account=a%20b%26c%2F%27",
    ]
