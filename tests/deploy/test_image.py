"""The Dockerfile, as far as it goes without an engine; deploy/build-with-buildah.sh builds and runs it."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.documents import HAS_SOURCES
from tests.support.peers.logfmt import listening_address
from tests.support.peers.process import Process
from tests.support.places import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def argument_list(instruction: str) -> list[str]:
    """The JSON array behind an instruction."""
    (found,) = re.findall(rf"(?m)^ *{instruction} (\[.*\])$", DOCKERFILE)
    arguments: list[str] = json.loads(found)
    return arguments


@pytest.mark.process
def test_hadolint_has_nothing_to_say() -> None:
    """No warning is switched off either."""
    hadolint = Path(sys.executable).parent / "hadolint"
    run = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")
    assert "hadolint" not in DOCKERFILE


def test_everything_rests_on_one_release() -> None:
    """A tag that says which release of Python, and of Debian; no other image."""
    (base,) = re.findall(r"(?m)^ARG BASE=(\S+)$", DOCKERFILE)
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-[a-z]+", base)
    assert re.findall(r"(?m)^FROM (\S+)", DOCKERFILE) == ["${BASE}", "${BASE}"]


@pytest.mark.skipif(not HAS_SOURCES, reason="they are what is copied")
def test_only_what_is_copied_gets_to_the_engine() -> None:
    """.dockerignore lets through what the Dockerfile copies, so that no password is near an image."""
    copied = {
        name for sources in re.findall(r"(?m)^COPY (?!--)(.+) \S+$", DOCKERFILE) for name in sources.split()
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture
def demo(tmp_path: Path, processes: ExitStack) -> tuple[Process, str]:
    """The demonstration as the image starts it, on a free port."""
    program, *flags = argument_list("ENTRYPOINT")
    assert program == "cfdi-stamps-exporter"
    command = [sys.executable, "-m", "exporter", *flags, "demo", "--web.listen-address=127.0.0.1:0"]
    process = Process(command, tmp_path / "demo.log", tmp_path, {})
    processes.callback(process.kill)
    return process, process.await_log(lambda log: listening_address(log, "listening"), 30)


@pytest.mark.process
def test_the_health_check(demo: tuple[Process, str]) -> None:
    """It succeeds while the exporter serves and fails when it doesn't, in the time that it has."""
    process, address = demo
    program, *arguments = argument_list("CMD")
    assert program == "python"
    assert "127.0.0.1:10520" in arguments[-1]
    command = [sys.executable, *(argument.replace("127.0.0.1:10520", address) for argument in arguments)]
    assert subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
    # As Docker puts them into each container where its client is configured so.
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    asked = subprocess.run(
        command, capture_output=True, check=False, timeout=30, env={**os.environ, **proxies, "NO_PROXY": ""}
    )
    assert asked.returncode == 0
    assert process.stop() == 0
    assert subprocess.run(command, capture_output=True, check=False, timeout=30).returncode != 0
