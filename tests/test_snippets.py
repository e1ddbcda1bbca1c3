"""What the documents show can be pasted: configurations load, queries parse, commands do what they say."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from _pytest.mark import ParameterSet

from exporter.cli import main
from exporter.flags import parser
from exporter.simulator import PASSWORD, Simulator
from tests.config.configs import make_certificates
from tests.documents import ROOT, Block, pages
from tests.peers.daemon import EXPORTER, START_SECONDS
from tests.peers.process import Process
from tests.test_end_to_end import running

PAGES = pages()
PROGRAM = "cfdi-stamps-exporter"

GRAFANA = {
    "providers": {
        *("name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds"),
        *("allowUiUpdates", "options"),
    },
    "datasources": {
        *(
            "name",
            "orgId",
            "uid",
            "type",
            "access",
            "url",
            "isDefault",
            "editable",
            "basicAuth",
            "basicAuthUser",
        ),
        *("jsonData", "secureJsonData"),
    },
}

PEERS = {"prometheus": "prometheus", "promtool": "prometheus", "amtool": "alertmanager"}
"""Programs whose flags are looked up, and the peer that they come with."""

PROGRAMS = {
    *("alias", "cd", "chmod", "cp", "curl", "git", "install", "make", "mkdir", "python3", "umask"),
    *("apt-get", "docker", "journalctl", "kubectl", "pip", "sudo", "systemctl", "$EDITOR"),
    *(PROGRAM, *PEERS),
}
"""What commands may call: a name that isn't here may be a typing error."""


def blocks(language: str) -> list[Block]:
    return [block for page in PAGES for block in page.blocks if block.language == language]


def each(found: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", found, ids=str)


# YAML. What a snippet is follows from its keys. -----------------------------------------------------------


def of_the_exporter(text: str, _folder: Path) -> None:
    """A configuration, or a part of one that some account completes."""
    document = yaml.safe_load(text)
    if isinstance(document, list):
        Path("more.yaml").write_text(text)
        text = "account_files: [more.yaml]\n"
    elif "accounts" not in document:
        text += "\naccounts: [{name: first, username: first, password: x}]\n"
    Path("config.yaml").write_text(text)
    assert main(["--config.check"]) == 0


def of_the_web_pages(text: str, _folder: Path) -> None:
    Path("web.yaml").write_text(text)
    Path("config.yaml").write_text("accounts: [{name: first, username: first, password: x}]\n")
    assert main(["--config.check", "--web.config.file=web.yaml"]) == 0


def of_prometheus(text: str, folder: Path) -> None:
    """With the rules in the folder that snippets have them in."""
    shutil.copytree(ROOT / "alerts", folder / "rules")
    called("promtool", "check", "config", written("prometheus.yml", text))


def of_rules(text: str, _folder: Path) -> None:
    called("promtool", "check", "rules", written("rules.yml", text))


def of_grafana(text: str, _folder: Path) -> None:
    """Without a Grafana: the keys are those that its documentation of provisioning has."""
    document = yaml.safe_load(text)
    assert document["apiVersion"] == 1
    for kind, keys in GRAFANA.items():
        for item in document.get(kind, ()):
            assert item.keys() <= keys


def of_alertmanager(text: str, _folder: Path) -> None:
    called("amtool", "check-config", written("alertmanager.yml", text))


Check = Callable[[str, Path], None]
CHECKS: Mapping[frozenset[str], tuple[Check, str | None]] = {
    frozenset({"accounts", "account_files", "environments"}): (of_the_exporter, None),
    frozenset({"tls_server_config", "basic_auth_users"}): (of_the_web_pages, None),
    frozenset({"scrape_configs", "rule_files", "alerting", "remote_write"}): (of_prometheus, "prometheus"),
    frozenset({"groups"}): (of_rules, "prometheus"),
    frozenset({"route", "receivers"}): (of_alertmanager, "alertmanager"),
    frozenset({"providers", "datasources"}): (of_grafana, None),
}
"""The kinds of snippets: by a key that they have, what checks them, and the peer that this takes."""


def checked() -> Iterator[ParameterSet]:
    """Each snippet with its check, marked with its peer."""
    for block in blocks("yaml"):
        document = yaml.safe_load(block.text)
        check, peer = kind_of(document)
        marks = [pytest.mark.peer(peer)] if peer else []
        yield pytest.param(block, check, marks=marks, id=str(block))


def kind_of(document: Any) -> tuple[Check, str | None]:
    if isinstance(document, list):
        return (of_the_exporter if all("username" in item for item in document) else unknown), None
    return next((kind for keys, kind in CHECKS.items() if keys & document.keys()), (unknown, None))


def unknown(text: str, _folder: Path) -> None:
    pytest.fail(f"nothing checks this snippet: add it to CHECKS, or say what it is\n{text}")


def called(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def with_its_files(text: str, folder: Path) -> str:
    """Make the files that a snippet names, and name them where they are."""
    make_certificates(folder)
    made = {
        "ca_file": "ca.pem",
        "client_ca_file": "ca.pem",
        "cert_file": "client.pem",
        "key_file": "client.key",
    }
    (folder / "secret").write_text("hunter2\n")

    def there(found: re.Match[str]) -> str:
        return f"{found[1]}{folder / made.get(found[2], 'secret')}"

    return re.sub(r"(\b(\w+_file): *)[^\s,}]+", there, text)


@pytest.mark.parametrize(("block", "check"), list(checked()))
def test_a_snippet_is_taken_by_its_program(
    block: Block,
    check: Check,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    check(with_its_files(block.text, tmp_path), tmp_path)
    assert "error" not in capsys.readouterr().err


# Queries and data. ----------------------------------------------------------------------------------------


@pytest.mark.peer("prometheus")
def test_queries_parse(tmp_path: Path) -> None:
    """As the expressions of rules: promtool parses no query by itself."""
    found = blocks("promql")
    assert found
    rules = [{"record": f"query:{number}", "expr": block.text} for number, block in enumerate(found)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    called("promtool", "check", "rules", str(file))


@each(blocks("json"))
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


# Commands. ------------------------------------------------------------------------------------------------


@each(blocks("sh"))
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


def exporter_commands() -> list[list[str]]:
    """The arguments of each command line of the exporter, in blocks and in the text."""
    lines = [words for block in blocks("sh") for words in block.commands]
    lines += [span.split() for page in PAGES for span in page.spans if "…" not in span]
    found = set()
    for words in lines:  # it may stand behind another program, which runs it elsewhere
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
        yield tmp_path


def is_sandboxed(arguments: list[str]) -> bool:
    """Whether a command reads the configuration of the sandbox, or none."""
    files = [each for each in arguments if each.startswith("--config.file=")]
    without = arguments[0] in ("--version", "demo", "simulator")
    return files == ["--config.file=config.yaml"] or (without and not files)


def test_the_commands_do_what_they_say(sandbox: Path) -> None:
    """Each is run: what ends by itself with exit code 0, what serves until it is told to stop."""
    named = [[{"NAME": "acme"}.get(word, word) for word in command] for command in exporter_commands()]
    commands = {tuple(command) for command in named if is_sandboxed(command)}
    assert len(commands) >= 5
    for command in sorted(commands):
        if {"--config.check", "--version", "check"} & set(command):
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


def test_the_backup_is_one(sandbox: Path) -> None:
    """docs/operations.md: its block makes a copy that a daemon can start on."""
    serve(["--config.file=config.yaml"], sandbox)
    (block,) = [block for block in blocks("sh") if "state-backup.db" in block.text]
    called("sh", "-ec", block.text)
    assert os.stat("state-backup.db").st_mode & 0o777 == 0o600
    serve(["--config.file=config.yaml", "--storage.path=state-backup.db"], sandbox)
