"""The manifests: as kustomize builds them, under Kubernetes' own schemas and this project's own loader."""

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from exporter.config import Config, load
from tests.support.peers.prometheus import JOB
from tests.support.places import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("demo", "single", "several")
# No schema of these is at hand; what is in them is checked below.
OPERATOR_KINDS = {"PodMonitor", "PrometheusRule"}
# https://kubernetes.io/docs/concepts/security/pod-security-standards/, profile restricted
RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}
SECRETS = "/run/secrets/accounts/"

Manifest = dict[str, Any]


@cache
def build(overlay: str) -> str:
    """What `kubectl apply --kustomize` would send."""
    command = ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def manifests(overlay: str, kind: str) -> list[Manifest]:
    """The built manifests of a kind."""
    return [one for one in yaml.safe_load_all(build(overlay)) if one["kind"] == kind]


def complaints(files: Sequence[Path]) -> list[str]:
    """What kubernetes-validate says against manifests, but for the operator's kinds, unknown to it."""
    validate = Path(sys.executable).parent / "kubernetes-validate"
    run = subprocess.run(
        [validate, "--strict", *files], capture_output=True, text=True, check=False, timeout=60
    )
    lines = (run.stdout + run.stderr).splitlines()
    assert sum(" passed for resource " in line for line in lines) > 0
    assert run.returncode == 0, lines
    unknown = [f"Couldn't find schema for kind {kind} " for kind in OPERATOR_KINDS]
    return [
        line
        for line in lines
        if " passed for resource " not in line and not any(text in line for text in unknown)
    ]


@pytest.mark.process
def test_each_file_of_the_base_is_valid() -> None:
    """As it stands: nothing in the base waits for an overlay to become a manifest."""
    files = sorted(path for path in (FOLDER / "base").glob("*.yaml") if path.stem != "kustomization")
    assert complaints(files) == []


@pytest.mark.process
def test_the_validation_finds_a_wrong_key(tmp_path: Path) -> None:
    """A typing error, and a value of the wrong kind, don't pass."""
    good = (FOLDER / "base" / "statefulset.yaml").read_text()
    for wrong in (good.replace("replicas: 1", "replica: 1"), good.replace("replicas: 1", "replicas: one")):
        (tmp_path / "wrong.yaml").write_text(wrong)
        with pytest.raises(AssertionError):
            complaints([tmp_path / "wrong.yaml"])


@pytest.mark.peer("kubectl")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_valid(overlay: str, tmp_path: Path) -> None:
    """Built by kubectl, under the strict schemas; everything is in the overlay's namespace."""
    (tmp_path / "built.yaml").write_text(build(overlay))
    assert complaints([tmp_path / "built.yaml"]) == []
    built = list(yaml.safe_load_all(build(overlay)))
    assert {one["metadata"].get("namespace") for one in built if one["kind"] != "Namespace"} == {
        "cfdi-stamps"
    }


@pytest.mark.peer("kubectl")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_exporter_runs_once_and_with_few_rights(overlay: str) -> None:
    """Never two pods on the same accounts; the profile `restricted`, and a root that is read-only."""
    (namespace,) = manifests(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for one in manifests(overlay, "StatefulSet"):
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert one["spec"]["replicas"] == 1
        assert container["image"] == f"cfdi-stamps-exporter:{__version__}"
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
        assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= RESTRICTED_VOLUMES
        assert pod["automountServiceAccountToken"] is False


@pytest.mark.peer("kubectl")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_selects_a_pod_selects_one(overlay: str) -> None:
    """Each of several exporters has its own service and policy; a policy's peers are not labelled as ours."""
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in manifests(overlay, "StatefulSet")
    }
    selectors = [
        *((one, one["spec"]["selector"]["matchLabels"]) for one in manifests(overlay, "StatefulSet")),
        *((one, one["spec"]["selector"]) for one in manifests(overlay, "Service")),
        *((one, one["spec"]["podSelector"]["matchLabels"]) for one in manifests(overlay, "NetworkPolicy")),
    ]
    for one, selector in selectors:
        chosen = [name for name, labels in pods.items() if selector.items() <= labels.items()]
        assert chosen == [one["metadata"]["name"]]
    for policy in manifests(overlay, "NetworkPolicy"):
        (scraper,) = policy["spec"]["ingress"][0]["from"]
        assert scraper["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
        (names,) = policy["spec"]["egress"][0]["to"]
        assert names["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}


def configurations(overlay: str, folder: Path) -> list[Config]:
    """Each exporter's configuration, loaded from the files that its pod would see."""
    found = []
    for one in manifests(overlay, "StatefulSet"):
        volumes = {volume["name"]: volume for volume in one["spec"]["template"]["spec"]["volumes"]}
        mounts = one["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert {"name": "accounts", "mountPath": SECRETS.rstrip("/"), "readOnly": True} in mounts
        (files,) = (
            config["data"]
            for config in manifests(overlay, "ConfigMap")
            if config["metadata"]["name"] == volumes["config"]["configMap"]["name"]
        )
        place = folder / volumes["accounts"]["secret"]["secretName"]
        place.mkdir()  # a Secret of its own for each
        for name, text in files.items():
            (place / name).write_text(text.replace(SECRETS, f"{place}/secret-"))
        for account in ("acme", "beta"):
            (place / f"secret-{account}").write_text("s3cret")
        found.append(load(place / "config.yaml", {}))
    return found


@pytest.mark.peer("kubectl")
@pytest.mark.parametrize("overlay", ["single", "several"])
def test_no_account_is_in_two_exporters(overlay: str, tmp_path: Path) -> None:
    """What the exporter makes of the configurations: all load, and share no login."""
    configs = configurations(overlay, tmp_path)
    logins = [account.guard_key for config in configs for account in config.accounts]
    assert len(configs) == (2 if overlay == "several" else 1)
    assert len(set(logins)) == len(logins) >= len(configs)


@pytest.mark.peer("kubectl")
@pytest.mark.parametrize("overlay", ["single", "several"])
def test_prometheus_gets_the_job_and_the_rules(overlay: str) -> None:
    """The rules are the files in alerts/, each once; the job has the name that they look for."""
    rules = {one["metadata"]["name"]: one["spec"] for one in manifests(overlay, "PrometheusRule")}
    files = sorted((ROOT / "alerts").glob("*.rules.yml"))
    assert rules == {
        f"cfdi-stamps-{path.name.removesuffix('.rules.yml')}": yaml.safe_load(path.read_text())
        for path in files
    }
    (monitor,) = manifests(overlay, "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": JOB} in endpoint["relabelings"]
    for one in manifests(overlay, "StatefulSet"):
        pod = one["spec"]["template"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}


@pytest.mark.process
def test_the_rules_are_made_anew() -> None:
    """`make manifests` has been run since alerts/ changed."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "prometheus-rule.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    assert (FOLDER / "monitoring" / "prometheusrule.yaml").read_text() == made
