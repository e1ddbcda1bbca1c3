"""The compose files: as docker-compose reads them, and their Prometheus and Alertmanager run natively.

There is no engine here, and no Grafana: containers, health checks within them and dashboards aren't tried.
"""

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import load
from tests.support.alerts import hastened_rules
from tests.support.peers import Alertmanager, Daemon, Prometheus, amtool, eventually
from tests.support.places import ROOT

FOLDER = ROOT / "deploy" / "compose"
DEMO = ("compose.yaml",)
ACCOUNTS = ("compose.yaml", "compose.accounts.yaml")


def compose(files: tuple[str, ...], tmp_path: Path) -> dict[str, Any]:
    """What docker-compose makes of the files together."""
    command = ["docker-compose", "--project-name=cfdi-stamps", f"--project-directory={FOLDER}"]
    for name in files:
        # Its first generation, Debian 12's, knows everything in them but the project's name.
        (tmp_path / name).write_text(re.sub(r"(?m)^name: .*\n", "", (FOLDER / name).read_text()))
        command.append(f"--file={tmp_path / name}")
    run = subprocess.run([*command, "config"], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    content: dict[str, Any] = yaml.safe_load(run.stdout)
    return content


def bind_mounts(service: dict[str, Any]) -> dict[str, str]:
    """What of this machine a container sees, by where; the short and the long way to write it."""
    mounts = {}
    for volume in service.get("volumes", []):
        if isinstance(volume, str):
            source, target, *mode = volume.split(":")
            read_only = mode == ["ro"]
        else:
            source, target, read_only = volume["source"], volume["target"], volume.get("read_only", False)
        if source.startswith("/"):
            assert read_only, f"{source} could be written"
            mounts[target] = source
    return mounts


@pytest.mark.peer("docker-compose")
@pytest.mark.parametrize("files", [DEMO, ACCOUNTS], ids=["demo", "accounts"])
def test_every_container_is_kept_in(files: tuple[str, ...], tmp_path: Path) -> None:
    """Reachable from this machine only, without privileges, pinned, watched, and without a password."""
    services = compose(files, tmp_path)["services"]
    assert set(services) == {"exporter", "prometheus", "alertmanager", "grafana"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for port in service["ports"]:
            host = port.rpartition(":")[0] if isinstance(port, str) else port["host_ip"]
            assert host.startswith("127.0.0.1"), name
        if name == "exporter":
            assert service["image"] == "cfdi-stamps-exporter:local"
            assert Path(service["build"]["context"]) == ROOT
        else:
            assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
            assert service["healthcheck"]["test"][0] == "CMD"
        # Grafana's image was never tried with a root that is read-only; the others are made for it.
        assert service.get("read_only", False) == (name != "grafana"), name
    environment = services["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert not [
        key for service in services.values() for key in service.get("environment", {}) if "PASSWORD" in key
    ]


@pytest.mark.peer("docker-compose")
def test_what_is_mounted_is_there(tmp_path: Path) -> None:
    """Docker would make an empty folder of what isn't."""
    services = compose(DEMO, tmp_path)["services"]
    sources = {source for service in services.values() for source in bind_mounts(service).values()}
    assert [source for source in sorted(sources) if not Path(source).exists()] == []
    dashboards = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/cfdi-stamps.yaml").read_text())
    (provider,) = dashboards["providers"]
    assert provider["options"]["path"] in bind_mounts(services["grafana"])


@pytest.mark.peer("docker-compose")
def test_accounts_of_one_s_own(tmp_path: Path) -> None:
    """Configuration and secrets are where the README's example has them; state outlives the container."""
    combined = compose(ACCOUNTS, tmp_path)
    service = combined["services"]["exporter"]
    mounts = bind_mounts(service)
    assert mounts["/etc/cfdi-stamps-exporter"] == str(FOLDER / "accounts")
    assert "demo" not in service["command"]
    assert any("/var/lib/cfdi-stamps-exporter" in str(volume) for volume in service["volumes"])
    assert "state" in combined["volumes"]
    secrets = combined["secrets"]
    assert {name: secret["file"] for name, secret in secrets.items()} == {
        name: str(FOLDER / "secrets" / name) for name in secrets
    }
    (example,) = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    for name in secrets:
        (tmp_path / name).write_text("s3cret")
    (tmp_path / "config.yaml").write_text(example.replace("/run/secrets/", f"{tmp_path}/"))
    assert [account.name for account in load(tmp_path / "config.yaml", {}).accounts] == list(secrets)


def layout(directory: Path, rules: Path, targets: dict[str, str]) -> Path:
    """Lay out the container's /etc/prometheus, with other targets; return the configuration, as shipped."""
    (directory / "targets").mkdir(parents=True)
    for name in targets:
        assert (FOLDER / "prometheus" / "targets" / name).exists()
        (directory / "targets" / name).write_text(yaml.safe_dump([{"targets": [targets[name]]}]))
    (directory / "rules").symlink_to(rules)
    config = directory / "prometheus.yml"
    config.write_bytes((FOLDER / "prometheus" / "prometheus.yml").read_bytes())
    return config


@pytest.mark.peer("prometheus")
def test_promtool_accepts_prometheus_yml(tmp_path: Path) -> None:
    """With the rules and targets that the container has."""
    targets = {path.name: "localhost:1" for path in (FOLDER / "prometheus" / "targets").iterdir()}
    config = layout(tmp_path / "etc", ROOT / "alerts", targets)
    run = subprocess.run(
        ["promtool", "check", "config", config], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("rules found") == len(list((ROOT / "alerts").glob("*.rules.yml")))


@pytest.mark.peer("alertmanager")
def test_amtool_accepts_alertmanager_yml() -> None:
    """And it inhibits as alerts/inhibit.yml does."""
    config = FOLDER / "alertmanager" / "alertmanager.yml"
    assert "SUCCESS" in amtool("check-config", config)
    inhibit = yaml.safe_load((ROOT / "alerts" / "inhibit.yml").read_text())
    assert yaml.safe_load(config.read_text())["inhibit_rules"] == inhibit["inhibit_rules"]


@pytest.mark.peer("prometheus")
@pytest.mark.peer("alertmanager")
def test_the_demonstration_from_end_to_end(tmp_path: Path, processes: ExitStack) -> None:
    """The demonstration is scraped, and its exhausted account told of, with the very files of the containers.

    Only the targets are others, and the rules wait less.
    """
    daemon = processes.push(Daemon("", tmp_path, "demo"))
    daemon.start()
    alertmanager = processes.push(Alertmanager(tmp_path, FOLDER / "alertmanager" / "alertmanager.yml"))
    alertmanager.start()
    hastened_rules(tmp_path / "hastened")
    targets = {"cfdi-stamps.yml": daemon.address, "alertmanager.yml": alertmanager.address}
    config = layout(tmp_path / "etc", tmp_path / "hastened", targets)
    prometheus = processes.push(Prometheus(tmp_path, config_file=config))
    prometheus.start()
    eventually(lambda: prometheus.query('cfdi_stamps_available{job="cfdi-stamps"}'), 60)
    (alert, *_) = eventually(lambda: alertmanager.alerts(alertname="CfdiStampsExhausted"), 60)
    assert alert["labels"]["account"] == "exhausted"
    assert alert["receivers"] == [{"name": "page"}]
