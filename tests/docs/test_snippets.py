"""What the documents show can be pasted: configurations load, and queries parse."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from _pytest.mark import ParameterSet

from exporter.cli.http_config import load_http_config
from exporter.cli.main import main
from tests.support.commands import called
from tests.support.configs import make_certificates
from tests.support.documents import Block, blocks
from tests.support.kubernetes import rendered
from tests.support.peers.prometheus import JOB
from tests.support.places import ROOT

GRAFANA = {
    "providers": "name orgId folder type disableDeletion updateIntervalSeconds allowUiUpdates options",
    "datasources": "name orgId uid type access url isDefault editable basicAuth jsonData secureJsonData",
}
"""The keys of Grafana's provisioning files that documents may show."""


# YAML. What a snippet is follows from its keys. -----------------------------------------------------------


def of_the_exporter(text: str, _folder: Path) -> None:
    """A configuration, or a part of one that some account completes."""
    document = yaml.safe_load(text)
    if isinstance(document, list):
        Path("more.yaml").write_text(text)
        of_issuers = all("rfc" in item for item in document)
        account = "{name: first, username: first, password: x, issuer_files: [more.yaml]}"
        text = f"accounts: [{account}]\n" if of_issuers else "account_files: [more.yaml]\n"
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
            assert item.keys() <= set(keys.split())


def of_http(text: str, _folder: Path) -> None:
    """How a client gets in: it names files beside it."""
    access = load_http_config(Path(written("http.yaml", text)))
    assert access.authorization
    assert access.tls.ca_file


def of_alertmanager(text: str, _folder: Path) -> None:
    called("amtool", "check-config", written("alertmanager.yml", text))


def of_the_chart(text: str, _folder: Path) -> None:
    """Values of the Helm chart, or a part of them that the demonstration completes."""
    values = yaml.safe_load(text)
    alone = not {"config", "instances", "existingConfigMap"} & values.keys()
    assert rendered({**({"demo": True} if alone else {}), **values})


Check = Callable[[str, Path], None]
CHECKS: Mapping[frozenset[str], tuple[Check, str | None]] = {
    frozenset({"accounts", "account_files", "environments"}): (of_the_exporter, None),
    frozenset({"tls_server_config", "basic_auth_users"}): (of_the_web_pages, None),
    frozenset({"scrape_configs", "rule_files", "alerting", "remote_write"}): (of_prometheus, "prometheus"),
    frozenset({"config", "instances", "podMonitor", "webConfig"}): (of_the_chart, "helm"),
    frozenset({"groups"}): (of_rules, "prometheus"),
    frozenset({"basic_auth", "authorization"}): (of_http, None),
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
        known = any(all(key in item for item in document) for key in ("username", "rfc"))
        return (of_the_exporter if known else unknown), None
    return next((kind for keys, kind in CHECKS.items() if keys & document.keys()), (unknown, None))


def unknown(text: str, _folder: Path) -> None:
    pytest.fail(f"nothing checks this snippet: add it to CHECKS, or say what it is\n{text}")


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


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_parses(block: Block) -> None:
    """Telegraf's: it gives the labels that the rules look for."""
    (scrape,) = tomllib.loads(block.text)["inputs"]["prometheus"]
    assert scrape["tags"]["job"] == JOB


@pytest.mark.parametrize("block", blocks("alloy"), ids=str)
def test_alloy_s_configuration_holds_together(block: Block) -> None:
    """Nothing here reads that language: brackets pair, and what is forwarded to is there."""
    text = re.sub(r'"[^"]*"', '""', block.text)
    brackets = re.sub(r"[^{}\[\]()]", "", text)
    while brackets != (fewer := re.sub(r"\{\}|\[\]|\(\)", "", brackets)):
        brackets = fewer
    assert brackets == ""
    labels = {f"{kind}.{label}" for kind, label in re.findall(r'(?m)^([\w.]+) "(\w+)" \{$', block.text)}
    assert set(re.findall(r"\[([\w.]+)\.receiver\]", block.text)) <= labels
    assert f'job_name        = "{JOB}"' in block.text
