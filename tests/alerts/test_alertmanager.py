"""The example of docs/alertmanager.md is what its text says: amtool and a real Alertmanager are asked."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, reduce
from http.client import HTTPConnection
from pathlib import Path
from shlex import split
from shutil import copy
from textwrap import wrap
from typing import Any

import pytest
import yaml

from tests.support.alerts import ALERTS, RUNBOOK_URL, RUNBOOKS, SEVERITIES
from tests.support.peers import Alertmanager, AlertmanagerFactory, MailServer, amtool, eventually
from tests.support.peers.smtp import Mail
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
    copy(ALERTS / "mail.tmpl", tmp_path)
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
    assert " - 7 receivers" in amtool("check-config", example)


@pytest.mark.peer("alertmanager")
@pytest.mark.parametrize(("name", "severity", "receivers"), list(told()), ids=str)
def test_an_alert_goes_where_the_table_says(
    name: str, severity: str, receivers: list[str], example: Path
) -> None:
    labels = (f"alertname={name}", f"severity={severity}", *LABELS)
    found = amtool("config", "routes", "test", f"--config.file={example}", *labels)
    assert found.strip().split(",") == receivers


@pytest.mark.peer("alertmanager")
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("owner=norte alertname=CfdiStampsLow severity=warning", "owner"),
        ("owner=norte alertname=CfdiStampsExhausted severity=critical", "operations-now,owner"),
        ("owner=norte alertname=CfdiStampsPurchased severity=info", "finance-notes"),
        ("owner=norte alertname=CfdiAccountDown severity=warning", "operations"),
        ("customer=norte alertname=CfdiStampsRunningOut severity=critical", "customer,finance"),
        ("team=billing alertname=CfdiConsumptionSpike severity=warning", "team"),
        ("team=billing alertname=CfdiStampsLow severity=critical", "finance"),
    ],
)
def test_an_alert_goes_to_whom_the_account_belongs(labels: str, receivers: str, example: Path) -> None:
    found = amtool("config", "routes", "test", f"--config.file={example}", *labels.split(), *LABELS)
    assert found.strip() == receivers


def post(address: str, alerts: list[dict[str, Any]]) -> None:
    """Give alerts to an Alertmanager as Prometheus does."""
    connection = HTTPConnection(address, timeout=10)
    connection.request("POST", "/api/v2/alerts", json.dumps(alerts), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def mails_of(
    alertmanager: AlertmanagerFactory, server: MailServer, alerts: list[dict[str, Any]], number: int
) -> dict[str, Mail]:
    """The mails that these alerts make, by recipient."""
    post(started(alertmanager, server).address, alerts)
    eventually(lambda: len(server.mails) >= number, 20)
    assert len(server.mails) == number
    return {mail.recipients[0]: mail for mail in server.mails}


def started(alertmanager: AlertmanagerFactory, server: MailServer) -> Alertmanager:
    """An Alertmanager with the example, but for its waits, hours and the mail server."""
    config = yaml.safe_load(EXAMPLE)
    config["templates"] = [str(ALERTS / "mail.tmpl")]
    config["global"] = {
        "smtp_smarthost": server.address,
        "smtp_from": "alertmanager@acme.example",
        "smtp_require_tls": False,
    }
    for route in routes(config["route"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
        route.pop("active_time_intervals", None)
    return alertmanager(config)


def routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A route and all below it."""
    yield route
    for child in route.get("routes", []):
        yield from routes(child)


def content(mail: Mail) -> str:
    """The text of a mail, which has no other part."""
    (part,) = mail.message.iter_parts()
    assert part.get_content_type() == "text/plain"
    return str(part.get_content()).replace("\r\n", "\n")


@cache
def annotations() -> dict[str, str]:
    """The texts of a critical CfdiStampsRunningOut, as promtool proves them."""
    (story,) = yaml.safe_load((ALERTS / "tests" / "forecast.yml").read_text())["tests"]
    (found,) = (
        one["exp_annotations"]
        for one in story["alert_rule_test"][0]["exp_alerts"]
        if (one["exp_labels"]["account"], one["exp_labels"]["severity"]) == ("monday", "critical")
    )
    return dict(found)


def alert(account: str, **labels: str) -> dict[str, Any]:
    """What Prometheus sends of an account that runs out on the last of November."""
    of = {"alertname": "CfdiStampsRunningOut", "severity": "critical", "account": account}
    other = {
        "Monday 5 January 1970": "Monday 30 November 2026",
        "05/01/1970": "30/11/2026",
        " 1000 ": " 4812 ",
        " 100,": " 1204,",
        "monday": account,
    }
    texts = {
        name: reduce(lambda text, old: text.replace(old, other[old]), other, text)
        for name, text in annotations().items()
    }
    return {"labels": {**of, "pac_environment": "production", **labels}, "annotations": texts}


@pytest.mark.peer("alertmanager")
def test_the_mails_are_those_of_the_page(alertmanager: AlertmanagerFactory, mail_server: MailServer) -> None:
    """In English to finance, in Spanish to the customer."""
    shown = re.findall(r"^```text\nSubject: (.+?)\n\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)
    alerts = [alert("acme", customer="compras")]
    mails = mails_of(alertmanager, mail_server, alerts, 2)
    receivers = ("finance@acme.example", "compras@customers.acme.example")
    found = [(mails[to].message["Subject"], content(mails[to])) for to in receivers]
    assert found == shown


@pytest.mark.peer("alertmanager")
def test_a_mail_has_twenty_lines_at_most(alertmanager: AlertmanagerFactory, mail_server: MailServer) -> None:
    """Also about a thousand accounts, and where a window has but 80 columns. The subject says which."""
    sizes = (1, 2, 3, 12, 13, 1000)
    alerts = [alert(f"branch-{number:04}", owner=f"of-{size}") for size in sizes for number in range(size)]
    alerts += [alert("both", owner="twice"), alert("both", owner="twice", alertname="CfdiStampsLow")]
    mails = mails_of(alertmanager, mail_server, alerts, len(sizes) + 1)
    for mail in mails.values():
        wrapped = [part for line in content(mail).splitlines() for part in wrap(line, 80) or [""]]
        assert len(wrapped) <= 20, content(mail)
        assert "%!" not in content(mail)
    five = ", ".join(f"branch-{number:04}" for number in range(5))
    subjects = {to.partition("@")[0]: mail.message["Subject"] for to, mail in mails.items()}
    assert subjects == {
        "of-1": "[crítica] branch-0000: los timbres alcanzan hasta el lunes 30/11/2026",
        "of-2": "[crítica] 2 alertas: branch-0000, branch-0001",
        "of-3": "[crítica] 3 alertas: branch-0000, branch-0001, branch-0002",
        "of-12": f"[crítica] 12 alertas: {five}, …",
        "of-13": f"[crítica] 13 alertas: {five}, …",
        "of-1000": f"[crítica] 1000 alertas: {five}, …",
        "twice": "[crítica] both: 2 alertas",
    }
    twelve, more = content(mails["of-12@acme.example"]), content(mails["of-13@acme.example"])
    assert "branch-0011: los timbres" in twelve
    assert "Se muestran" not in twelve
    assert "Se muestran 12 de 13 alertas.\n" in more
    assert more.count("- branch-") == 12
    assert f"Qué hacer: {RUNBOOK_URL}es/CfdiStampsRunningOut.md\n" in more


@pytest.mark.peer("alertmanager")
def test_a_mail_tells_what_is_resolved(alertmanager: AlertmanagerFactory, mail_server: MailServer) -> None:
    """Beside what goes on, and alone; what knows no account is called by its exporter."""
    late = {"alertname": "CfdiExporterOverloaded", "severity": "warning", "instance": "north:10520"}
    operations = {"labels": late, "annotations": {"summary": "late", "description": "Very."}}
    server = started(alertmanager, mail_server)
    post(server.address, [alert("first"), alert("second"), operations])
    eventually(lambda: len(mail_server.mails) == 2, 20)
    ended = {"endsAt": datetime.now(UTC).isoformat()}
    post(server.address, [alert("second") | ended, operations | ended])
    eventually(lambda: len(mail_server.mails) == 4, 20)
    found = {mail.recipients[0]: mail for mail in mail_server.mails[2:]}
    finance, exporter = found["finance@acme.example"], found["operations@acme.example"]
    assert finance.message["Subject"] == "[critical] first: stamps last until Monday 30 November 2026"
    assert "\n\nResolved (1): second\nAll accounts: https://" in content(finance)
    assert exporter.message["Subject"] == "[resolved] north:10520"
    assert content(exporter) == "Resolved (1): north:10520\nAll accounts: https://stamps.acme.example/\n"


def commands(page: Path) -> list[list[str]]:
    """The words of the commands of a page's examples, as a shell splits them."""
    blocks = re.findall(r"```sh\n(.+?)```", page.read_text(), re.DOTALL)
    return [split(block.replace("\\\n", " ")) for block in blocks]


@pytest.mark.peer("alertmanager")
def test_the_silences_of_the_runbooks_can_be_made(alertmanager: AlertmanagerFactory) -> None:
    """Each is taken, and for the alert of its page."""
    server = alertmanager(
        yaml.safe_load(EXAMPLE)
        | {"global": {"smtp_smarthost": "127.0.0.1:1", "smtp_from": "a@b"}, "templates": []}
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
