"""The example of docs/alertmanager.md is what its text says: amtool and a real Alertmanager are asked."""

import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from shlex import split
from typing import Any

import pytest
import yaml

from tests.support.alerts import ALERTS, RUNBOOKS, SEVERITIES
from tests.support.peers import AlertmanagerFactory, MailServer, amtool, eventually
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "alertmanager.md").read_text()
EXAMPLE = next(block for block in re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL) if "receivers:" in block)
LABELS = ("account=acme", "pac_environment=production", "job=cfdi-stamps", "instance=localhost:10520")


def told() -> Iterator[tuple[str, str, list[str]]]:
    """What the page's table says: alert, severity, receivers."""
    for names, severity, receivers in re.findall(r"^\| (`Cfdi.+?) \| (\w+) \| (.+?) \|$", PAGE, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            yield name, severity, re.findall(r"`([\w-]+)`", receivers)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example as a file."""
    file = tmp_path / "alertmanager.yml"
    file.write_text(EXAMPLE)
    return file


def test_the_table_has_every_alert_with_every_severity() -> None:
    told_of = [(name, severity) for name, severity, _ in told()]
    assert sorted(told_of) == sorted(
        (name, one) for name, severities in SEVERITIES.items() for one in severities
    )


def test_the_example_has_the_shipped_inhibition() -> None:
    shipped = yaml.safe_load((ALERTS / "inhibit.yml").read_text())
    assert yaml.safe_load(EXAMPLE)["inhibit_rules"] == shipped["inhibit_rules"]


@pytest.mark.peer("alertmanager")
def test_amtool_accepts_the_example(example: Path) -> None:
    """Names of receivers and intervals, matchers, durations."""
    assert " - 4 receivers" in amtool("check-config", example)


@pytest.mark.peer("alertmanager")
@pytest.mark.parametrize(("name", "severity", "receivers"), list(told()), ids=str)
def test_an_alert_goes_where_the_table_says(
    name: str, severity: str, receivers: list[str], example: Path
) -> None:
    labels = (f"alertname={name}", f"severity={severity}", *LABELS)
    found = amtool("config", "routes", "test", f"--config.file={example}", *labels)
    assert found.strip().split(",") == receivers


def post(address: str, alerts: list[dict[str, Any]]) -> None:
    """Give alerts to an Alertmanager as Prometheus does."""
    connection = HTTPConnection(address, timeout=10)
    connection.request("POST", "/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.peer("alertmanager")
def test_a_thousand_accounts_are_one_mail(alertmanager: AlertmanagerFactory, mail_server: MailServer) -> None:
    """The example, but for its waits and the mail server: finance reads one line for each account."""
    config = yaml.safe_load(EXAMPLE)
    config["global"] = {
        "smtp_smarthost": mail_server.address,
        "smtp_from": "alertmanager@acme.example",
        "smtp_require_tls": False,
    }
    config["route"]["routes"][1]["routes"][0]["group_wait"] = "1s"
    server = alertmanager(config)
    names = [f"account-{number:04}" for number in range(1000)]
    post(
        server.address,
        [
            {
                "labels": {
                    "alertname": "CfdiStampsLow",
                    "severity": severity,
                    "account": name,
                    "pac_environment": "production",
                },
                "annotations": {"summary": f"{name} is {severity}", "description": "Buy stamps today."},
            }
            for name in names
            for severity in ("critical", "warning")
        ],
    )
    (mail,) = eventually(lambda: mail_server.mails)
    assert mail.recipients == ("finance@acme.example",)
    assert mail.message["Subject"] == "CFDI stamps, critical: 1000 to look at, 0 resolved"
    (part,) = mail.message.iter_parts()
    assert part.get_content_type() == "text/plain"
    lines = part.get_content().splitlines()
    assert [line for line in lines if line] == [f"{name} is critical. Buy stamps today." for name in names]


def commands(page: Path) -> list[list[str]]:
    """The words of the commands of a page's examples, as a shell splits them."""
    blocks = re.findall(r"```sh\n(.+?)```", page.read_text(), re.DOTALL)
    return [split(block.replace("\\\n", " ")) for block in blocks]


@pytest.mark.peer("alertmanager")
def test_the_silences_of_the_runbooks_can_be_made(alertmanager: AlertmanagerFactory) -> None:
    """Each is taken, and for the alert of its page."""
    server = alertmanager(
        yaml.safe_load(EXAMPLE) | {"global": {"smtp_smarthost": "127.0.0.1:1", "smtp_from": "a@b"}}
    )
    url = f"--alertmanager.url=http://{server.address}"
    for name in SEVERITIES:
        (command,) = (
            words for words in commands(RUNBOOKS / f"{name}.md") if words[:3] == ["amtool", "silence", "add"]
        )
        assert f"alertname={name}" in command
        amtool(*command[1:], url)
    silences = json.loads(amtool("silence", "query", "--output=json", url))
    silenced = {
        one["value"] for silence in silences for one in silence["matchers"] if one["name"] == "alertname"
    }
    assert silenced == SEVERITIES.keys()
