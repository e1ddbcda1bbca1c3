"""The commands that the documents show: programs and flags exist, and the exporter's do what they say."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from exporter.cli.flags import parser
from exporter.simulator import PASSWORD, Simulator
from tests.support.commands import called
from tests.support.documents import Block, blocks, pages
from tests.support.peers.daemon import EXPORTER, START_SECONDS
from tests.support.peers.process import Process
from tests.support.simulation import running
from tests.support.tools import tool

PAGES = pages()
PROGRAM = "cfdi-stamps-exporter"

PEERS = {"prometheus": "prometheus", "promtool": "prometheus", "amtool": "alertmanager"}
"""Programs whose flags are looked up, and the peer that they come with."""

PROGRAMS = {
    *("alias", "cd", "chmod", "cp", "curl", "git", "install", "make", "mkdir", "python3", "sed", "umask"),
    *("apt-get", "docker", "helm", "journalctl", "kubectl", "pip", "sudo", "systemctl", "$EDITOR"),
    *("dnf", "dpkg", "mimirtool", "pipx", "uvx", "vmagent", "vmalert"),
    *(PROGRAM, *PEERS),
}
"""What commands may call: a name that isn't here may be a typing error."""


@pytest.mark.process
@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_a_shell_takes_it(block: Block) -> None:
    """And each program in it is one that is meant."""
    called("sh", "-n", "-c", block.text)
    aliases = set(re.findall(r"^alias (\w+)=", block.text, re.MULTILINE))
    for words in block.commands:
        program = Path(words[0].strip("(")).name
        assert program in PROGRAMS | aliases, words


@pytest.mark.parametrize(
    "program", [pytest.param(program, marks=pytest.mark.peer(peer)) for program, peer in PEERS.items()]
)
def test_the_flags_of_other_programs_exist(program: str) -> None:
    """They stand in the program's own help."""
    commands = [words for block in blocks("sh") for words in block.commands if words[0] == program]
    flags = {word.partition("=")[0] for words in commands for word in words if word.startswith("--")}
    known = set(re.findall(r"--(?:\[no-\])?([\w.-]+)", called(program, "--help-long")))
    assert {flag.removeprefix("--") for flag in flags} <= known


@pytest.mark.peer("helm")
@pytest.mark.parametrize("program", ["helm", "kubectl"])
def test_the_flags_of_subcommands_exist(program: str) -> None:
    """Of what is run in the cluster, behind `--`, the exporter's own flags are looked up below."""
    path = tool(program)
    assert path
    commands = {tuple(words) for block in blocks("sh") for words in block.commands if words[0] == program}
    assert commands
    options = called(path, "options") if program == "kubectl" else ""
    for command in commands:
        words = list(itertools.takewhile(lambda word: word != "--", command))
        subcommands = list(itertools.takewhile(lambda word: re.fullmatch("[a-z][a-z-]*", word), words[1:4]))
        told = options + called(path, *subcommands, "--help")
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert {flag for flag in flags if not re.search(rf"{flag}[ =]", told)} == set(), command


IN_CLUSTER = {"helm", "kubectl"}
"""Programs whose words may be names of things that are called like the exporter."""


def exporter_commands() -> list[list[str]]:
    """The arguments of each command line of the exporter, in blocks and in the text."""
    lines = [words for block in blocks("sh") for words in block.commands]
    lines += [span.split() for page in PAGES for span in page.spans if "…" not in span]
    found = set()
    for line in lines:  # it may stand behind another program, which runs it elsewhere
        behind = line.index("--") if "--" in line else len(line)
        words = line[behind:] if line[0] in IN_CLUSTER else line
        starts = [number for number, word in enumerate(words) if Path(word).name == PROGRAM]
        found |= {tuple(words[start + 1 :]) for start in starts if words[start + 1 :]}
    return [list(arguments) for arguments in sorted(found)]


@pytest.mark.parametrize("arguments", exporter_commands(), ids=" ".join)
def test_the_exporter_knows_these_flags(arguments: list[str]) -> None:
    assert exit_code(arguments) == 0


def exit_code(arguments: list[str]) -> object:
    """What the exporter's command line says, without running what it asks for."""
    try:
        parser(*[lambda _options, _log: 0] * 4).parse_args(arguments)
    except SystemExit as ended:  # --version, or a flag that doesn't exist
        return ended.code
    return 0


LOCAL = {"/", "/metrics", "/config", "/-/healthy", "/-/ready", "/-/reload", "/-/resume"}


def test_addresses_on_this_machine_are_pages() -> None:
    for page in PAGES:
        paths = re.findall(r"(?:localhost|127\.0\.0\.1):10520(/[\w/-]*)", page.text)
        assert set(paths) <= LOCAL, page


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory whose accounts, called as in the documents, are those of a simulator.

    The built-in environments lead to it too: no command can reach the provider.
    """
    monkeypatch.chdir(tmp_path)
    simulator = Simulator()
    with running(simulator):
        environments = {name: {"wsdl": simulator.wsdl_url} for name in ("production", "testing")}
        account = {"username": "healthy@demo.example", "password": PASSWORD, "interval": "1h"}
        config = {"environments": environments, "accounts": [{"name": "acme", **account}]}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        (tmp_path / "past.csv").write_text("account,day,stamps\nacme,2026-01-05,40\n")
        yield tmp_path


def is_sandboxed(arguments: list[str]) -> bool:
    """Whether a command reads the configuration of the sandbox, or none, and asks nobody outside."""
    files = [each for each in arguments if each.startswith("--config.file=")]
    if any(each.startswith("--from-prometheus") for each in arguments):
        return False  # there is none here: tests/cli/test_replay.py has one
    without = arguments[0] in ("--version", "demo", "simulator")
    return files == ["--config.file=config.yaml"] or (without and not files)


@pytest.mark.process
def test_the_commands_do_what_they_say(sandbox: Path) -> None:
    """Each is run: what ends by itself with exit code 0, what serves until it is told to stop."""
    named = [[{"NAME": "acme"}.get(word, word) for word in command] for command in exporter_commands()]
    commands = {tuple(command) for command in named if is_sandboxed(command)}
    assert len(commands) >= 5
    for command in sorted(commands):
        if {"--config.check", "--version", "check", "history"} & set(command):
            called(*EXPORTER, *command)
        else:
            serve(command, sandbox)


def serve(arguments: Sequence[str], folder: Path) -> None:
    """Run what serves, at a free port, until it listens; it must end with 0."""
    simulator = arguments[0] == "simulator"
    flag = "--simulator.listen-address" if simulator else "--web.listen-address"
    others = [word for word in arguments if not word.startswith(flag)]
    process = Process([*EXPORTER, *others, f"{flag}=127.0.0.1:0"], folder / "serve.log", cwd=folder, env={})
    serving = "SIMULATED" if simulator else "msg=polling"
    process.await_log(lambda log: serving in log or None, START_SECONDS)
    assert process.stop() == 0, process.log


@pytest.mark.process
def test_the_backup_is_one(sandbox: Path) -> None:
    """docs/operations.md: its block makes a copy that a daemon can start on."""
    serve(["--config.file=config.yaml"], sandbox)
    (block,) = [block for block in blocks("sh") if "state-backup.db" in block.text]
    called("sh", "-ec", block.text)
    assert os.stat("state-backup.db").st_mode & 0o777 == 0o600
    serve(["--config.file=config.yaml", "--storage.path=state-backup.db"], sandbox)
