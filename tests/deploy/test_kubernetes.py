"""The plain manifests: under Kubernetes' and the operator's schemas, and the exporter's own loader."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import load
from tests.support.kubernetes import NAMESPACE, PLAIN, Manifest, complaints, of_kind

FILES = ("demo", "single", "several", "monitoring")
SECRETS = "/run/secrets/accounts/"


def manifests(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((PLAIN / f"{name}.yaml").read_text()))


def test_each_file_is_known() -> None:
    assert {path.stem for path in PLAIN.glob("*.yaml")} == set(FILES)
    assert {path.stem for path in (PLAIN / "values").iterdir()} == set(FILES)


@pytest.mark.peer("helm")
@pytest.mark.parametrize("name", FILES)
def test_each_is_valid(name: str) -> None:
    """And everything is in one namespace."""
    found = manifests(name)
    assert [each["kind"] for each in found if complaints(each)] == []
    places = {each["metadata"].get("namespace") for each in found if each["kind"] != "Namespace"}
    assert places == {NAMESPACE}


@pytest.mark.parametrize("name", ["demo", "single", "several"])
def test_it_needs_nothing_that_a_cluster_may_lack(name: str) -> None:
    """The namespace comes first, and enforces few rights; the operator's kinds are in a file of their own."""
    namespace, *others = manifests(name)
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", NAMESPACE)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert all("monitoring.coreos.com" not in each["apiVersion"] for each in others)


@pytest.mark.parametrize("name", ["demo", "single", "several"])
def test_the_monitoring_is_for_each(name: str) -> None:
    """Its PodMonitor selects the pods of all of them."""
    (monitor,) = of_kind(manifests("monitoring"), "PodMonitor")
    for each in of_kind(manifests(name), "StatefulSet"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", FILES)
def test_nothing_says_that_helm_manages_it(name: str) -> None:
    """Helm would take it for its own."""
    text = (PLAIN / f"{name}.yaml").read_text()
    assert "managed-by" not in text
    assert "helm.sh" not in text


def configuration(config_map: Manifest, folder: Path) -> Any:
    """What the exporter makes of it, with the password of each account."""
    place = folder / config_map["metadata"]["name"]
    place.mkdir()
    for account in yaml.safe_load(config_map["data"]["config.yaml"])["accounts"]:
        (place / account["name"]).write_text("s3cret")
    text = config_map["data"]["config.yaml"].replace(SECRETS, f"{place}/")
    (place / "config.yaml").write_text(text)
    return load(place / "config.yaml", {})


@pytest.mark.parametrize(("name", "exporters"), [("single", 1), ("several", 2)])
def test_no_account_is_in_two_exporters(name: str, exporters: int, tmp_path: Path) -> None:
    """The configurations load, and share no login."""
    configs = [configuration(each, tmp_path) for each in of_kind(manifests(name), "ConfigMap")]
    logins = [account.guard_key for config in configs for account in config.accounts]
    assert len(configs) == len(of_kind(manifests(name), "StatefulSet")) == exporters
    assert len(set(logins)) == len(logins) >= exporters


def test_claims_are_named_as_ever() -> None:
    """Who applied an earlier version finds the state again: a claim has the StatefulSet's and this name."""
    names = {
        (each["metadata"]["name"], claim["metadata"]["name"])
        for name in ("single", "several")
        for each in of_kind(manifests(name), "StatefulSet")
        for claim in each["spec"]["volumeClaimTemplates"]
    }
    exporters = ("cfdi-stamps-exporter", "cfdi-stamps-exporter-north", "cfdi-stamps-exporter-south")
    assert names == {(exporter, "state") for exporter in exporters}
