"""The example configuration and the JSON Schema: true to what the exporter takes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from exporter.config import load
from exporter.config.schema import SECTIONS, json_schema
from exporter.config.yaml.rules import keys
from tests.support.configs import account, environment, make_certificates
from tests.support.places import ROOT

EXAMPLE = ROOT / "config.example.yaml"


def all_switched_on() -> str:
    """The example with the settings that stand behind a # switched on."""
    return re.sub(r"(?m)^( *)#(?=[-a-z]| +(- )?[a-z_]+:( |$)| +- [a-z])", r"\1", EXAMPLE.read_text())


def test_example_has_every_key() -> None:
    """A newcomer finds each setting there, with its comment."""
    lines = EXAMPLE.read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=config.schema.json"
    for section in SECTIONS:
        for key in keys(section):
            assert any(re.match(rf"[ #-]*{key}:( |$)", line) for line in lines), key


@pytest.mark.parametrize(
    "text", [EXAMPLE.read_text(), all_switched_on()], ids=["as it is", "all switched on"]
)
def test_example_loads(text: str, folder: Path) -> None:
    """It is a configuration to start from: nothing in it is rejected, nor by an editor with the schema."""
    (folder / "tls").mkdir()
    make_certificates(folder / "tls")
    (folder / "secrets").mkdir()
    for name in ("acme", "integrator"):
        (folder / "secrets" / name).write_text("hunter2\n")
    (folder / "config.yaml").write_text(text)
    config = load(Path("config.yaml"), {"ACME_TESTING_PASSWORD": "hunter2"})
    assert all(warning.endswith("_files[0]: matches no file") for warning in config.warnings)
    assert len(config.accounts) == text.count("\n- name: ")
    jsonschema.validate(yaml.safe_load(text), json.loads(json_schema()))


def test_switched_on_is_all() -> None:
    """The example that is loaded in full really has every key, so that each one's value is checked."""
    on = all_switched_on()
    assert on.count("\n- name: ") == 4
    assert set(yaml.safe_load(on)["environments"]["production"]) == {"concurrency", "proxy_url", "tls_config"}


@pytest.mark.process
def test_schema_file_is_current() -> None:
    """config.schema.json is what the models say: `make schema` writes it."""
    printed = subprocess.run(
        [sys.executable, "-m", "exporter.config.schema"], capture_output=True, check=True, cwd=ROOT
    )
    assert (ROOT / "config.schema.json").read_text(encoding="utf-8") == printed.stdout.decode()


@pytest.mark.parametrize(
    "text",
    [
        account("interval: 30"),
        account("intervall: 5m"),
        account("password_env: SET"),
        account("labels: {job: x}"),
        account("thresholds: {warning: -1}"),
        account("auth_attempts: 4"),
        environment("wsdl: ftp://x"),
        "accounts: [{name: a}]",
    ],
)
def test_schema_rejects(text: str) -> None:
    """An editor marks what the exporter would reject."""
    schema = jsonschema.Draft202012Validator(json.loads(json_schema()))
    schema.check_schema(schema.schema)
    assert not schema.is_valid(yaml.safe_load(text))
