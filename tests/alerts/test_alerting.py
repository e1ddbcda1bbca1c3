"""From the provider to the person who is told: exporter, Prometheus, Alertmanager and a webhook, all real.

The rules and the inhibition are the shipped ones; only the clock of the rules is made to run faster.
"""

import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from exporter.simulator import PASSWORD, Simulator
from tests.support.alerts import ALERTS, hastened_rules
from tests.support.peers import (
    Alertmanager,
    AlertmanagerFactory,
    DaemonFactory,
    Prometheus,
    PrometheusFactory,
    Webhook,
    eventually,
)
from tests.support.peers.daemon import EXPORTER
from tests.support.peers.loop import LoopThread
from tests.support.simulation import control

ACCOUNTS = ("healthy", "topped-up", "running-out", "load-00001", "load-00002")
FORESEEN = "load-00001"
"""Has a past, so that there is a forecast for it, and far more stamps than its thresholds say."""
MEXICO = ZoneInfo("America/Mexico_City")
PATIENCE = 60.0
"""Seconds for what takes about five on a machine that has nothing else to do."""


def telling(webhook: Webhook) -> dict[str, object]:
    """Alertmanager's configuration: it tells a webhook of each account, with the shipped inhibition."""
    return {
        "route": {
            "receiver": "webhook",
            "group_by": ["alertname", "account", "pac_environment"],
            "group_wait": "2s",
            "group_interval": "1s",
        },
        "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook.url}]}],
        **yaml.safe_load((ALERTS / "inhibit.yml").read_text()),
    }


def exporter_config(wsdl: str) -> str:
    """Accounts with thousands of stamps and the same thresholds, polled every second."""
    return yaml.safe_dump(
        {
            "global": {"environment": "peer", "interval": "1s", "timeout": "10s", "stale_after": "1h"},
            "environments": {"peer": {"wsdl": wsdl}},
            "accounts": [
                {
                    "name": name,
                    "username": f"{name}@demo.example",
                    "password": PASSWORD,
                    "thresholds": {"warning": 500, "critical": 100},
                }
                for name in ACCOUNTS
            ],
        }
    )


def give_past(folder: Path, config: str, storage: Path) -> None:
    """Import 60 days of 1,000 stamps for one account, as a user does."""
    (folder / "past.yaml").write_text(config)
    today = datetime.now(MEXICO).date()
    days = [f"{FORESEEN},{today - timedelta(days=back)},1000" for back in range(1, 61)]
    (folder / "past.csv").write_text("\n".join(["account,day,stamps", *days]))
    flags = [f"--config.file={folder / 'past.yaml'}", f"--storage.path={storage}"]
    command: list[str | Path] = [*EXPORTER, "history", "import", folder / "past.csv", *flags]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def firing(server: Prometheus, alertname: str) -> set[str]:
    """The accounts that an alert fires for in Prometheus."""
    rows = server.query(f'ALERTS{{alertname="{alertname}", alertstate="firing"}}')
    return {row["metric"]["account"] for row in rows}


def inhibited(server: Alertmanager, alertname: str) -> set[str]:
    """The accounts whose alert has come to Alertmanager and is held back there."""
    return {
        one["labels"]["account"] for one in server.alerts(alertname=alertname) if one["status"]["inhibitedBy"]
    }


@pytest.mark.peer("prometheus")
@pytest.mark.peer("alertmanager")
def test_people_are_told_what_happens_at_the_provider_and_nothing_else(
    daemon: DaemonFactory,
    prometheus: PrometheusFactory,
    alertmanager: AlertmanagerFactory,
    webhook: Webhook,
    tmp_path: Path,
) -> None:
    """Stamps get few, or will, and are bought; a password changes; the provider goes down and comes back."""
    simulator = Simulator(extra_accounts=2)
    with LoopThread("simulator") as loop:
        loop.run(simulator.start())
        port = int(simulator.wsdl_url.split(":")[2].partition("/")[0])
        give_past(tmp_path, exporter_config(simulator.wsdl_url), tmp_path / "kept.db")
        control(simulator, f"{FORESEEN}@demo.example", available=5_500)
        exporter = daemon(exporter_config(simulator.wsdl_url), f"--storage.path={tmp_path / 'kept.db'}")
        messenger = alertmanager(telling(webhook))
        watching = prometheus(
            [exporter.address],
            rule_files=hastened_rules(tmp_path / "rules"),
            alertmanagers=[messenger.address],
        )
        known = "count(account:cfdi_stamps_available:last)"
        until(lambda: [row["value"][1] for row in watching.query(known)] == [str(len(ACCOUNTS))])

        control(simulator, "healthy@demo.example", available=400)
        few = {"account": "healthy", "pac_environment": "peer", "severity": "warning"}
        until(lambda: webhook.statuses("CfdiStampsLow", **few) == ["firing"])
        control(simulator, "healthy@demo.example", top_up=10_000)
        until(lambda: webhook.statuses("CfdiStampsLow", **few) == ["firing", "resolved"])

        control(simulator, "topped-up@demo.example", available=50)
        very_few = {"account": "topped-up", "pac_environment": "peer", "severity": "critical"}
        until(lambda: webhook.statuses("CfdiStampsLow", **very_few) == ["firing"])
        assert inhibited(messenger, "CfdiStampsLow") == {"topped-up"}  # the warning
        assert webhook.statuses("CfdiStampsLow", account="topped-up", severity="warning") == []

        # What was to last for five days, more than a day's use is gone of at once, and then more is bought.
        soon = {"account": FORESEEN, "pac_environment": "peer", "severity": "warning"}
        until(lambda: webhook.statuses("CfdiStampsRunningOut", **soon) == ["firing"])
        assert webhook.statuses("CfdiStampsRunningOut", account=FORESEEN, severity="critical") == []
        runs_out = exporter.metrics()[f'cfdi_stamps_depletion_timestamp_seconds{{account="{FORESEEN}"}}']
        told = next(one for one in webhook.told if one.labels["alertname"] == "CfdiStampsRunningOut")
        assert told.annotations["summary"] in {
            f"{FORESEEN}: stamps last until {day:%A} {day.day} {day:%B %Y}"
            for day in (datetime.fromtimestamp(runs_out + apart, MEXICO) for apart in (-600, 600))
        }
        assert "A usual day takes 1000, and no more is expected." in told.annotations["description"]
        control(simulator, f"{FORESEEN}@demo.example", available=1_500)
        at_once = soon | {"severity": "critical"}
        until(lambda: webhook.statuses("CfdiStampsRunningOut", **at_once) == ["firing"])
        assert inhibited(messenger, "CfdiStampsRunningOut") == {FORESEEN}  # the warning
        control(simulator, f"{FORESEEN}@demo.example", top_up=100_000)
        until(lambda: webhook.statuses("CfdiStampsRunningOut", **at_once) == ["firing", "resolved"])
        until(lambda: firing(watching, "CfdiStampsRunningOut") == set())

        control(simulator, "load-00002@demo.example", password="another")
        until(lambda: webhook.statuses("CfdiAccountSuspended") == ["firing"])
        assert webhook.statuses("CfdiAccountSuspended", account="load-00002", severity="critical") == [
            "firing"
        ]

        loop.run(simulator.stop())
        others = set(ACCOUNTS) - {"load-00002"}
        until(lambda: webhook.statuses("CfdiProviderDown", pac_environment="peer") == ["firing"])
        until(lambda: firing(watching, "CfdiAccountDown") == others)
        until(lambda: inhibited(messenger, "CfdiAccountDown") == others)
        loop.run(simulator.start(port=port))
        until(lambda: webhook.statuses("CfdiProviderDown") == ["firing", "resolved"])
        until(lambda: firing(watching, "CfdiAccountDown") == set())
        loop.run(simulator.stop())

    # Without an environment it is about the exporter, which isn't scraped yet when Prometheus starts.
    about = [one.labels for one in webhook.told if "pac_environment" in one.labels]
    assert {(labels["alertname"], labels.get("account")) for labels in about} == {
        ("CfdiStampsLow", "healthy"),
        ("CfdiStampsLow", "topped-up"),
        ("CfdiStampsRunningOut", FORESEEN),
        ("CfdiAccountSuspended", "load-00002"),
        ("CfdiProviderDown", None),
    }
    suspended = next(one for one in webhook.told if one.labels["alertname"] == "CfdiAccountSuspended")
    assert "code 601" in suspended.annotations["description"]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    eventually(condition, PATIENCE)
