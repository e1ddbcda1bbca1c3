"""The reference pages say what the code has: keys, metrics, flags, events; and both READMEs say the same."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter.config import load
from exporter.config.duration import parse_duration
from exporter.config.environments import BUILT_IN, DEFAULT_CONCURRENCY
from exporter.config.schema import GlobalSection
from exporter.config.yaml.rules import Section, keys
from exporter.daemon.daemon import Options
from exporter.daemon.pace import PACE
from exporter.web import config as webconfig
from tests.support.documents import HAS_SOURCES, Page
from tests.support.interface import exporter_text, exposed_names, families, parsers
from tests.support.places import ROOT

COMMANDS = Page(ROOT / "docs" / "commands.md")
CONFIGURATION = Page(ROOT / "docs" / "configuration.md")
METRICS = Page(ROOT / "docs" / "metrics.md")
OPERATIONS = Page(ROOT / "docs" / "operations.md")
README = Page(ROOT / "README.md")
README_ES = Page(ROOT / "README.es.md")
GOLDEN = [ROOT / "tests" / "data" / "golden" / f"one-{one}.text" for one in ("account", "issuer")]


def names(cell: str) -> list[str]:
    """The names in a cell's code spans, without labels."""
    return [name.partition("{")[0] for name in re.findall(r"`([^`]+)`", cell)]


# The configuration. ---------------------------------------------------------------------------------------


@pytest.mark.process
def test_the_tables_of_keys_are_current(tmp_path: Path) -> None:
    """`make schema` writes them. Emptied, they come back as they are."""
    page = tmp_path / "configuration.md"
    page.write_text(re.sub(r"(?s)(<!-- keys: \w+ -->).*?(<!-- end -->)", r"\1\n\2", CONFIGURATION.text))
    script = ROOT / "scripts" / "configuration-tables.py"
    subprocess.run([sys.executable, script, page], check=True, cwd=ROOT)
    assert page.read_text() == CONFIGURATION.text


def test_the_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    """Descriptions are prose: what they call the default is what an account gets that says nothing."""
    rows = {names(row[0])[0]: row[2].strip("`") for row in CONFIGURATION.rows("global")}
    assert list(rows) == list(keys(GlobalSection))
    config = tmp_path / "config.yaml"
    config.write_text("accounts: [{name: a, username: u, password: hunter2}]\n")
    (account,) = load(config, {}).accounts
    assert account.environment.name == rows["environment"]
    assert account.interval == parse_duration(rows["interval"])
    assert account.timeout == parse_duration(rows["timeout"])
    assert rows["stale_after"] == "3 times the account's interval"
    assert account.stale_after == 3 * account.interval
    assert account.auth_attempts == int(rows["auth_attempts"])


def test_the_environments_are_the_documented_ones() -> None:
    rows = {names(row[0])[0]: row for row in CONFIGURATION.rows("environments")}
    assert {name: names(rows[name][1]) for name in BUILT_IN} == {
        name: [url] for name, url in BUILT_IN.items()
    }
    assert rows["concurrency"][2] == f"`{DEFAULT_CONCURRENCY}`"
    assert rows["allow_plaintext"][2] == "`false`"


def test_every_key_of_the_web_configuration_is_documented() -> None:
    """With its default; what isn't supported is named as such."""
    sections: dict[str, type[Section]] = {
        "tls_server_config.": webconfig._TlsServer,
        "http_server_config.": webconfig._HttpServer,
        "": webconfig._Outline,
    }
    fields = {
        f"{prefix}{key}": section.model_fields[key]
        for prefix, section in sections.items()
        for key in keys(section)
    }
    unsupported = {key for key, field in fields.items() if _has(field.metadata, webconfig._unsupported)}
    rows = {names(row[0])[0]: row[1].strip("`") for row in CONFIGURATION.rows("The web configuration")}
    assert rows.keys() == fields.keys() - unsupported - {"tls_server_config", "http_server_config"}
    for key in ("client_auth_type", "min_version", "max_version"):
        assert rows[f"tls_server_config.{key}"] == fields[f"tls_server_config.{key}"].default
    (refused,) = re.findall(r"(?s)Rejected by name.*?\n\n", CONFIGURATION.text)
    assert set(names(refused)) == unsupported


def _has(metadata: list[object], validator: object) -> bool:
    return any(getattr(item, "func", None) is validator for item in metadata)


# Metrics. -------------------------------------------------------------------------------------------------


TABLES = ("Balances", "The forecast", "Polls", "Accounts", "Issuers", "The exporter itself")


def test_every_metric_has_its_row() -> None:
    """In one table, with its type and a stability that the page explains."""
    rows = [row for heading in TABLES for row in METRICS.rows(heading)]
    assert sorted(name for row in rows for name in names(row[0])) == sorted(families())
    levels = {row[0] for row in METRICS.rows("Stability")}
    for row in rows:
        assert row[2] in levels, row
        for number, name in enumerate(names(row[0])):
            kind = re.sub(r" \(.*?\)", "", row[1]).split(", ")
            assert families()[name] == kind[min(number, len(kind) - 1)], name


def test_every_metric_has_an_example_that_the_exporter_shows() -> None:
    """To the letter for accounts; of the exporter's own, whose values differ, name and labels."""
    examples = [block.text for block in METRICS.blocks if block.language == "metrics"]
    lines = "".join(examples).splitlines()
    golden = {line for file in GOLDEN for line in file.read_text().splitlines()}
    shapes = {_shape(line) for line in exporter_text().splitlines()}
    for line in lines:
        assert line in golden or _shape(line) in shapes, line
    shown = {re.split(r"[{ ]", line)[0] for line in lines}
    assert shown == {name for name in exposed_names() if families().get(name) != "histogram"}


def _shape(line: str) -> tuple[str, ...]:
    """Name and labels of a sample, without what differs between machines and moments."""
    sample = re.sub(r'(pythonversion|version|revision)="[^"]*"', r'\1=""', line)
    return tuple(sample.split(" ")[:-1])


# Flags and events. ----------------------------------------------------------------------------------------


def test_every_flag_has_its_row_with_its_default() -> None:
    rows = {names(row[0])[0]: row[1] for row in COMMANDS.rows("Flags")}
    flags = parsers()[0]._option_string_actions
    assert rows.keys() == {flag for flag in flags if "." in flag}
    for flag, default in rows.items():
        if isinstance(flags[flag].default, str | Path):
            assert default == f"`{flags[flag].default}`", flag


def test_the_pace_is_the_documented_one() -> None:
    """Tests start daemons at other paces; this is what people get."""
    (row,) = [row for row in COMMANDS.rows("Flags") if "--config.auto-reload" in row[0]]
    assert f" {PACE.quiet:g} s" in row[2]
    spread = f"at most the interval, or {PACE.first_polls:g} s and 0.1 s for each account"
    assert spread in " ".join(OPERATIONS.text.split())
    assert Options((), "/metrics", None, lifecycle=False).pace == PACE


def events() -> set[tuple[str, str]]:
    """Level and text of each event that the sources log."""
    found = set()
    for path in (ROOT / "exporter").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args):
                continue
            method, texts = call.func.attr, [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
            if method in ("debug", "info", "warning", "error", "_log", "_lift"):
                level = {"warning": "warn", "_log": "info", "_lift": "info"}.get(method, method)
                found |= {(level, text) for text in texts if isinstance(text, str)}
    return found


@pytest.mark.skipif(not HAS_SOURCES, reason="reads the sources")
def test_every_event_of_the_log_is_explained() -> None:
    """And nothing that is explained has gone."""
    explained = {(row[0], name) for row in OPERATIONS.rows("The log") for name in names(row[1])}
    assert explained == events()


# The two READMEs. -----------------------------------------------------------------------------------------


def test_the_readmes_have_the_same_structure() -> None:
    """Headings, links, pictures and the code in tables, in the same order."""
    assert [level for level, _ in README.headings] == [level for level, _ in README_ES.headings]
    swapped = {"README.es.md": "README.md"}
    assert [swapped.get(link, link) for link in README.links] == README_ES.links
    english, spanish = (re.findall(r"(?m)^\| *(`[^|]*`) *\|", page.prose) for page in (README, README_ES))
    assert english == spanish


def test_the_readmes_have_the_same_commands() -> None:
    """But for the comments."""
    assert [block.language for block in README.blocks] == [block.language for block in README_ES.blocks]
    for english, spanish in zip(README.blocks, README_ES.blocks, strict=True):
        if english.language == "yaml":
            assert yaml.safe_load(english.text) == yaml.safe_load(spanish.text)
        else:
            assert english.commands == spanish.commands
