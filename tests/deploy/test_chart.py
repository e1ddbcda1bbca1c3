"""The Helm chart over a table of values: rendered by Helm, judged by Kubernetes' and the operator's types."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from exporter.config import Config, load
from exporter.config.environments import BUILT_IN
from tests.support.commands import called
from tests.support.kubernetes import (
    CHART,
    NAMESPACE,
    PLAIN,
    RELEASE,
    Manifest,
    complaints,
    helm,
    of_kind,
    rendered,
)
from tests.support.peers import Daemon, eventually
from tests.support.peers.daemon import EXPORTER
from tests.support.peers.prometheus import JOB
from tests.support.places import ROOT

pytestmark = pytest.mark.peer("helm")

# https://kubernetes.io/docs/concepts/security/pod-security-standards/, profile restricted
RESTRICTED_VOLUMES = {
    *(
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
}
SECRETS = "/run/secrets/accounts/"
LARGEST_APPLIED = 262_144
"""Bytes of an object that `kubectl apply` keeps in an annotation."""

ACME: Manifest = {"name": "acme", "username": "ws@acme.example"}
BETA: Manifest = {"name": "beta", "username": "ws@beta.example"}


def one(*accounts: Manifest, config: Manifest | None = None, **more: Any) -> Manifest:
    """Values of one exporter; `config` is what its configuration has beside the accounts."""
    return {"existingSecret": "passwords", "config": {"accounts": list(accounts), **(config or {})}, **more}


def several(**instances: Manifest) -> list[Manifest]:
    return [{"name": name, **values} for name, values in instances.items()]


def plain(name: str) -> Manifest:
    values: Manifest = yaml.safe_load((PLAIN / "values" / f"{name}.yaml").read_text())
    return values


MONITORING = {name: {"enabled": True} for name in ("podMonitor", "prometheusRule", "dashboards")}
TEXTS = (
    *(
        "012",
        "0o17",
        "1e3",
        "yes",
        "12:30:45",
        "~",
        "=",
        "2020-01-01",
        "0x1F",
        "1_000",
        ".inf",
        "+1",
        "<<",
        "-",
    ),
    *(
        "null",
        "1.",
        "'",
        '"',
        "%s",
        "",
        " lead",
        "two\nlines",
        "a: b #c",
        "\\",
        "{{ .Values }}",
        "ñ\u2028x\u00a0",
    ),
)
"""What YAML could take for something else, and Helm for a template."""

GOOD: dict[str, Manifest] = {
    "demo": {"demo": True, **MONITORING},
    "single": plain("single"),
    "several": {**plain("several"), **MONITORING},
    "texts": one(
        {**ACME, "labels": {f"l{number}": text for number, text in enumerate(TEXTS)}},
        {**BETA, "thresholds": {"warning": 2_500_000, "critical": 0}},
        {"name": "ñandú", "username": "0o17", "password_file": f"{SECRETS}nandu"},
    ),
    "many settings": one(
        {**ACME, "password_env": "ACME_PASSWORD"},
        BETA,
        extraEnv=[
            {"name": "ACME_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "passwords", "key": "acme"}}}
        ],
        extraArgs=["--log.format=json"],
        extraVolumes=[{"name": "ca", "configMap": {"name": "ca"}}],
        extraVolumeMounts=[{"name": "ca", "mountPath": "/etc/ca"}],
        image={"repository": "registry.example/cfdi", "digest": "sha256:" + 64 * "0"},
        imagePullSecrets=[{"name": "registry"}],
        webConfig={"existingSecret": "web", "tls": True},
        podMonitor={
            "enabled": True,
            "labels": {"release": "other"},
            "tlsConfig": {"ca": {"secret": {"name": "web", "key": "ca.pem"}}},
            "basicAuth": {each: {"name": "scraper", "key": each} for each in ("username", "password")},
        },
        persistence={"size": "5Gi", "storageClass": "fast"},
        priorityClassName="high",
        nodeSelector={"disk": "ssd"},
        tolerations=[{"key": "x", "operator": "Exists"}],
        affinity={"nodeAffinity": {}},
        podLabels={"team": "billing", "app.kubernetes.io/name": "other"},
        podAnnotations={"note": "1"},
        commonLabels={"team": "billing", "app.kubernetes.io/part-of": "other"},
        networkPolicy={"extraEgress": [{"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}], "extraIngress": [{}]},
        fullnameOverride="cfdi",
    ),
    "openshift": one(ACME, podSecurityContext=dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"))),
    "no policy, a claim": one(
        ACME, networkPolicy={"enabled": False}, persistence={"existingClaim": "state-of-before"}
    ),
    "from a ConfigMap": {"existingConfigMap": "accounts", "existingSecret": "passwords"},
    "from a Secret": {"existingConfigSecret": "all-of-it"},
    "one login in two environments": one(ACME, {**ACME, "name": "trial", "environment": "testing"}),
    "several, each its own way": {
        "instances": several(
            a={
                "existingConfigMap": "a",
                "persistence": {"existingClaim": "a"},
                "nodeSelector": {"zone": "a"},
            },
            b={"existingConfigSecret": "b", "webConfig": {"existingSecret": "web", "tls": True}},
            c={
                "existingSecret": "c",
                "config": {"accounts": [ACME]},
                "resources": {"limits": {"memory": "1Gi"}},
            },
        )
    },
}
every_good = pytest.mark.parametrize("values", GOOD.values(), ids=GOOD)


def stateful_sets(values: Manifest) -> list[Manifest]:
    return of_kind(rendered(values), "StatefulSet")


def container(stateful_set: Manifest) -> Manifest:
    (found,) = stateful_set["spec"]["template"]["spec"]["containers"]
    return dict(found)


# What is rendered. ----------------------------------------------------------------------------------------


@every_good
def test_everything_is_valid(values: Manifest) -> None:
    """For the oldest and the newest Kubernetes, strictly, and the operator; in the release's namespace."""
    manifests = rendered(values)
    assert {manifest["kind"]: found for manifest in manifests if (found := complaints(manifest))} == {}
    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {NAMESPACE}
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(set(names)) == len(names)


def test_the_schemas_find_what_is_wrong() -> None:
    """A typing error, and a value of the wrong kind, of Kubernetes' and of the operator's."""
    for kind, key, value in (
        ("StatefulSet", "replica", 1),
        ("StatefulSet", "replicas", "one"),
        ("PodMonitor", "podMetricEndpoints", []),
        ("PodMonitor", "podMetricsEndpoints", [{"port": "http", "interval": "often"}]),
        ("PrometheusRule", "groups", [{"name": "x", "rules": [{"expr": "1", "fore": "1m"}]}]),
    ):
        manifest = json.loads(json.dumps(of_kind(rendered(GOOD["demo"]), kind)[0]))
        assert complaints(manifest) == []
        manifest["spec"][key] = value
        assert complaints(manifest)


@pytest.mark.parametrize("name", ["demo", "single", "several", "monitoring"])
def test_lint_has_nothing_to_say(name: str) -> None:
    run = helm("lint", "--strict", CHART, values=plain(name))
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.findall(r"\[(?!INFO).+", run.stdout) == []


@every_good
def test_every_pod_runs_once_and_with_few_rights(values: Manifest) -> None:
    """Never two on the same accounts; the profile `restricted`, a read-only root; the test's pod too."""
    assert {each["spec"]["replicas"] for each in stateful_sets(values)} == {1}
    pods = [each["spec"]["template"]["spec"] for each in stateful_sets(values)]
    pods += [each["spec"] for each in of_kind(rendered(values), "Pod")]
    for pod in pods:
        (each,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        user = pod["securityContext"].get("runAsUser")
        assert user is None or f"USER {user}:" in (ROOT / "Dockerfile").read_text()
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
        volumes = {kind for volume in pod.get("volumes", ()) for kind in volume if kind != "name"}
        assert volumes <= RESTRICTED_VOLUMES
        assert pod["automountServiceAccountToken"] is False


@every_good
def test_what_selects_a_pod_selects_one(values: Manifest) -> None:
    """Each exporter has its service and policy; the PodMonitor takes the release's, not the test's pod."""
    manifests = rendered(values)
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in stateful_sets(values)
    }
    (test,) = of_kind(manifests, "Pod")
    everyone = {**pods, "test": test["metadata"]["labels"]}

    def chosen(selector: Manifest) -> list[str]:
        return [name for name, labels in everyone.items() if selector.items() <= labels.items()]

    for manifest in manifests:
        spec, name = manifest.get("spec", {}), manifest["metadata"]["name"]
        if manifest["kind"] == "StatefulSet":
            assert chosen(spec["selector"]["matchLabels"]) == [name] == [spec["serviceName"]]
        elif manifest["kind"] == "Service":
            assert chosen(spec["selector"]) == [name]
        elif manifest["kind"] == "NetworkPolicy":
            assert chosen(spec["podSelector"]["matchLabels"]) == [name]
            scraper, tester = spec["ingress"][0]["from"]
            assert scraper["namespaceSelector"] == {
                "matchLabels": {"kubernetes.io/metadata.name": "monitoring"}
            }
            assert scraper["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
            assert chosen(tester["podSelector"]["matchLabels"]) == ["test"]
        elif manifest["kind"] == "PodMonitor":
            assert chosen(spec["selector"]["matchLabels"]) == list(pods)


@every_good
def test_the_state_is_kept_in_a_folder_of_its_own(values: Manifest) -> None:
    """Mounted as a whole where the image keeps it, on a claim: a pod's disk would forget refusals."""
    entrypoint = (ROOT / "Dockerfile").read_text().rpartition("ENTRYPOINT")[2]
    (state,) = re.findall(r"--storage\.path=(.+)/state\.db", entrypoint)
    (config,) = re.findall(r"--config\.file=(.+)/config\.yaml", entrypoint)
    for each in stateful_sets(values):
        mounts = {mount["mountPath"]: mount for mount in container(each)["volumeMounts"]}
        assert not [mount for mount in mounts.values() if "subPath" in mount]
        claims = [claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", ())]
        volumes = each["spec"]["template"]["spec"]["volumes"]
        claims += [volume["name"] for volume in volumes if "persistentVolumeClaim" in volume]
        if values.get("demo"):
            assert not {state, config} & mounts.keys()
            assert claims == []
        else:
            assert claims == [mounts[state]["name"]]
            assert mounts[config]["readOnly"]


@every_good
def test_every_volume_is_mounted_and_every_mount_has_one(values: Manifest) -> None:
    for each in stateful_sets(values):
        volumes = [volume["name"] for volume in each["spec"]["template"]["spec"]["volumes"]]
        volumes += [claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", ())]
        assert sorted(volumes) == sorted(mount["name"] for mount in container(each)["volumeMounts"])


def configurations(values: Manifest, folder: Path) -> Iterator[Config]:
    """Each exporter's configuration, loaded from the files that its pod would see, with these passwords."""
    for number, config_map in enumerate(of_kind(rendered(values), "ConfigMap")):
        if "config.yaml" not in config_map["data"]:
            continue
        place = folder / str(number)
        place.mkdir()
        text = config_map["data"]["config.yaml"]
        for name in re.findall(rf"{SECRETS}([-.\w]+)", text):
            (place / name).write_text("s3cret")
        (place / "config.yaml").write_text(text.replace(SECRETS, f"{place}/"))
        yield load(place / "config.yaml", {"ACME_PASSWORD": "s3cret"})


@every_good
def test_the_exporter_takes_the_configuration(values: Manifest, tmp_path: Path) -> None:
    """It means there what it means in the values, and no login is in two exporters."""
    accounts = [account for config in configurations(values, tmp_path) for account in config.accounts]
    wanted = [
        account
        for part in (values, *values.get("instances", ()))
        for account in part.get("config", {}).get("accounts", ())
    ]
    assert [(account.name, account.username) for account in accounts] == [
        (account["name"], account["username"]) for account in wanted
    ]
    assert [dict(account.labels) for account in accounts] == [account.get("labels", {}) for account in wanted]
    assert {account.password.reveal() for account in accounts} <= {"s3cret"}
    assert len({account.guard_key for account in accounts}) == len(accounts)


def test_the_exporter_takes_its_flags(tmp_path: Path) -> None:
    """What stands behind the image's entrypoint, with the files that are mounted."""
    (tmp_path / "config.yaml").write_text("accounts: [{name: acme, username: ws, password: s3cret}]")
    (tmp_path / "web.yaml").write_text("basic_auth_users: {}\n")
    found = {tuple(container(each)["args"]) for values in GOOD.values() for each in stateful_sets(values)}
    assert ("demo",) in found
    for flags in found - {("demo",)}:
        given = [flag.replace("/run/secrets/web", str(tmp_path)) for flag in flags]
        called(*EXPORTER, f"--config.file={tmp_path}/config.yaml", *given, "--config.check")


def test_tls_reaches_probes_monitor_and_test() -> None:
    manifests = rendered(GOOD["many settings"])
    (exporter,) = of_kind(manifests, "StatefulSet")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container(exporter)[probe]["httpGet"]["scheme"] == "HTTPS"
    (monitor,) = of_kind(manifests, "PodMonitor")
    assert monitor["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"
    (test,) = of_kind(manifests, "Pod")
    assert test["spec"]["containers"][0]["args"][1:] == ["https://cfdi:10520/-/ready"]


def test_each_instance_has_what_is_its_own() -> None:
    """And what all have from the values above them."""
    north, south = stateful_sets(GOOD["several"])
    assert north["metadata"]["name"] == f"{RELEASE}-north"
    secrets = [
        volume["secret"]["secretName"]
        for each in (north, south)
        for volume in each["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    ]
    assert secrets == ["cfdi-stamps-accounts-north", "cfdi-stamps-accounts-south"]
    texts = [
        config_map["data"]["config.yaml"]
        for config_map in of_kind(rendered(GOOD["several"]), "ConfigMap")
        if "config.yaml" in config_map["data"]
    ]
    assert [yaml.safe_load(text)["global"] for text in texts] == [{"interval": "15m"}] * 2
    a, b, c = stateful_sets(GOOD["several, each its own way"])
    assert a["spec"]["template"]["spec"]["nodeSelector"] == {"zone": "a"}
    assert "nodeSelector" not in b["spec"]["template"]["spec"]
    assert container(c)["resources"]["limits"] == {"memory": "1Gi"}
    schemes = [
        "https" if "scheme" in container(each)["livenessProbe"]["httpGet"] else "http" for each in (a, b, c)
    ]
    assert schemes == ["http", "https", "http"]


def test_prometheus_and_grafana_get_the_files() -> None:
    """The rules of alerts/ and the dashboards of dashboards/, each once, labelled as they are selected."""
    manifests = rendered(GOOD["several"])
    rules = {each["metadata"]["name"]: each for each in of_kind(manifests, "PrometheusRule")}
    assert {name: each["spec"] for name, each in rules.items()} == {
        f"{RELEASE}-{path.name.removesuffix('.rules.yml')}": yaml.safe_load(path.read_text())
        for path in (ROOT / "alerts").glob("*.rules.yml")
    }
    config_maps = [each for each in of_kind(manifests, "ConfigMap") if "config.yaml" not in each["data"]]
    boards = {name: text for each in config_maps for name, text in each["data"].items()}
    assert {name: json.loads(text) for name, text in boards.items()} == {
        path.name: json.loads(path.read_text()) for path in (ROOT / "dashboards").glob("*.json")
    }
    (monitor,) = of_kind(manifests, "PodMonitor")
    assert {each["metadata"]["labels"]["release"] for each in (monitor, *rules.values())} == {
        "kube-prometheus-stack"
    }
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in config_maps} == {"1"}
    assert max(len(json.dumps(each)) for each in (*config_maps, *rules.values())) < LARGEST_APPLIED
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": JOB} in endpoint["relabelings"]
    assert endpoint["port"] in {
        port["name"] for port in container(of_kind(manifests, "StatefulSet")[0])["ports"]
    }


def test_a_label_of_one_s_own_changes_none_of_the_chart_s() -> None:
    for each in rendered(GOOD["many settings"]):
        if each["kind"] != "Pod":
            assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "cfdi"
            assert each["metadata"]["labels"]["team"] == "billing"


# What is refused. -----------------------------------------------------------------------------------------

BAD: dict[str, tuple[Manifest, str]] = {
    "nothing": ({}, "nothing to poll: set config.accounts, existingConfigMap or existingConfigSecret"),
    "a typing error": ({"demmo": True}, "at '': additional properties 'demmo' not allowed"),
    "a typing error in the configuration": (
        one({**ACME, "intervall": "1h"}),
        "at '/config/accounts/0': additional properties 'intervall' not allowed",
    ),
    "a wrong kind": ({"demo": "yes"}, "at '/demo': got string, want boolean"),
    "a number for a name": (
        one({**ACME, "username": 12}),
        "at '/config/accounts/0/username': got number, want string",
    ),
    "no username": (one({"name": "acme"}), "at '/config/accounts/0': missing property 'username'"),
    "no duration": (
        one(ACME, config={"global": {"interval": "5 minutes"}}),
        "at '/config/global/interval': '5 minutes'",
    ),
    "a section removed": (one(ACME, persistence=None), "missing property 'persistence'"),
    "root": (
        one(ACME, podSecurityContext={"runAsUser": 0}),
        "at '/podSecurityContext/runAsUser': minimum: got 0, want 1",
    ),
    "root, otherwise": (
        one(ACME, podSecurityContext={"runAsNonRoot": False}),
        "at '/podSecurityContext/runAsNonRoot'",
    ),
    "a pull policy": (
        one(ACME, image={"pullPolicy": "Often"}),
        "must be one of 'IfNotPresent', 'Always', 'Never'",
    ),
    "half a login of the scraper": (
        one(ACME, podMonitor={"basicAuth": {"username": {"name": "x"}}}),
        "at '/podMonitor/basicAuth/username': missing property 'key'",
    ),
    "no Secret": (
        {"config": {"accounts": [ACME]}},
        "Secret: kubectl create secret generic NAME --namespace cfdi-stamps --from-file=acme=PASSWORD_FILE",
    ),
    "a password": (
        one({**ACME, "password": "s3cret"}),
        "config.accounts[0] (acme).password: could be read in the ConfigMap",
    ),
    "a password in the environment": (
        one({**ACME, "password_env": "PW"}, extraEnv=[{"name": "PW", "value": "s3cret"}]),
        "config.accounts[0] (acme).password_env: its value in extraEnv could be read",
    ),
    "a password instead of a variable": (
        one({**ACME, "password_env": "s3cret!"}),
        "no such variable in extraEnv",
    ),
    "a proxy's password": (
        one(ACME, config={"environments": {"production": {"proxy_url": "http://me:s3cret@proxy:1"}}}),
        "config.environments.production.proxy_url: a password in it could be read",
    ),
    "a proxy's password, and its scheme": (
        one(ACME, config={"environments": {"production": {"proxy_url": "socks5://me:s3cret@proxy:1"}}}),
        "existingConfigSecret",
    ),
    "a name that is no key": (one({**ACME, "name": "ñandú"}), "set password_file: /run/secrets/accounts/KEY"),
    "one login twice": (
        one(ACME, {**ACME, "name": "again", "username": " WS@acme.example"}),
        "config.accounts[1] (again).username:  WS@acme.example is polled already",
    ),
    "one login at two environments of one host": (
        one(
            ACME,
            {**ACME, "name": "again", "environment": "mine"},
            config={
                "environments": {
                    "mine": {"wsdl": "https://SolucionFactible.com:443/ws/services/Utilerias?wsdl"}
                }
            },
        ),
        "is polled already",
    ),
    "one login in two instances": (
        {
            "existingSecret": "passwords",
            "instances": several(
                a={"config": {"accounts": [ACME]}}, b={"config": {"accounts": [{**ACME, "name": "again"}]}}
            ),
        },
        "instances[1] (b): config.accounts[0] (again).username: ws@acme.example is polled already",
    ),
    "one name in two instances": (
        {
            "existingSecret": "passwords",
            "instances": several(
                a={"config": {"accounts": [ACME]}}, b={"config": {"accounts": [{**BETA, "name": "acme"}]}}
            ),
        },
        "instances[1] (b): config.accounts[0] (acme).name: is there twice",
    ),
    "accounts for every instance": (
        one(ACME, instances=several(a={}, b={})),
        "config.accounts: would be polled by every instance, which doubles the logins",
    ),
    "a ConfigMap for every instance": (
        {"existingConfigMap": "x", "instances": several(a={}, b={})},
        "existingConfigMap: would give every instance the same accounts",
    ),
    "an instance without accounts": ({"instances": several(a={})}, "instances[0] (a): nothing to poll"),
    "an instance without a name": ({"instances": [{}]}, "at '/instances/0': missing property 'name'"),
    "a capital letter": ({"instances": several(North={})}, "at '/instances/0/name': 'North' does not match"),
    "an instance twice": (
        {"instances": [{"name": "a", "existingConfigMap": name} for name in ("x", "y")]},
        "instances[1] (a): name: is there twice",
    ),
    "one state for two": (
        {
            "instances": several(
                **{
                    name: {"existingConfigMap": name, "persistence": {"existingClaim": "state"}}
                    for name in ("a", "b")
                }
            )
        },
        "instances[1] (b): persistence.existingClaim: another instance has state",
    ),
    "one state for all": (
        {"persistence": {"existingClaim": "state"}, "instances": several(a={"existingConfigMap": "x"})},
        "persistence.existingClaim: one state is one exporter's",
    ),
    "two sources": (one(ACME, existingConfigMap="x"), "keep one of config.accounts, existingConfigMap"),
    "a demonstration with accounts": (
        one(ACME, demo=True),
        "demo: has accounts of its own: remove config.accounts",
    ),
    "demonstrations": ({"demo": True, "instances": several(a={})}, "demo: the demonstration is one exporter"),
    "a flag that is set": (
        one(ACME, extraArgs=["--storage.path=/tmp/state.db"]),
        "extraArgs: --storage.path=/tmp/state.db: the chart sets this flag itself",
    ),
    "no flag": (one(ACME, extraArgs=["demo"]), "at '/extraArgs/0': 'demo' does not match pattern"),
    "a file in the state's folder": (
        one(ACME, extraVolumeMounts=[{"name": "x", "mountPath": "/var//lib/cfdi-stamps-exporter/state.db"}]),
        "extraVolumeMounts: /var//lib/cfdi-stamps-exporter/state.db: the state's folder is one volume",
    ),
    "TLS from nowhere": (one(ACME, webConfig={"tls": True}), "webConfig.tls: needs webConfig.existingSecret"),
    "a long name": (
        one(ACME, fullnameOverride=53 * "a"),
        "at '/fullnameOverride': maxLength: got 53, want 52",
    ),
    "a long name of an instance": (
        {"instances": several(**{40 * "a": {"existingConfigMap": "x"}})},
        "has over 52 characters",
    ),
}


@pytest.mark.parametrize(("values", "error"), BAD.values(), ids=BAD)
def test_wrong_values_are_refused(values: Manifest, error: str) -> None:
    """With the place, what is wrong and, where it isn't plain, the remedy; never with a password."""
    run = helm("template", RELEASE, CHART, f"--namespace={NAMESPACE}", values=values)
    assert run.returncode != 0
    assert error in run.stderr
    assert "s3cret" not in run.stderr + run.stdout


# The chart itself. ----------------------------------------------------------------------------------------


def test_what_is_made_from_other_files_is_made_anew() -> None:
    """`make manifests` was run after alerts/, dashboards/, the configuration's schema or the chart."""
    called(sys.executable, str(ROOT / "scripts" / "manifests.py"), "--check")


def test_the_versions_are_the_exporter_s() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_the_built_in_hosts_are_the_exporter_s() -> None:
    """The chart tells one login from another by them."""
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    for name, wsdl in BUILT_IN.items():
        assert f'"{name}" "{wsdl.partition("/ws/")[0]}/"' in helpers


def test_every_value_is_explained_and_has_a_schema() -> None:
    """Keys of the chart's own; the schema is that of the values, and the README has each."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    readme = (CHART / "README.md").read_text()
    assert schema["properties"].keys() - {"global"} == values.keys()
    for key, value in values.items():
        if schema["properties"][key].get("additionalProperties") is False:
            assert schema["properties"][key]["properties"].keys() == value.keys()
            assert all(f"| `{key}.{inner}` |" in readme for inner in value)
        else:
            assert f"| `{key}` |" in readme or f"| `{key}." in readme


def test_the_package_is_the_chart(tmp_path: Path) -> None:
    """`helm package` takes along the rules and dashboards, and nothing else that lies about."""
    run = helm("package", CHART, f"--destination={tmp_path}")
    assert run.returncode == 0, run.stderr
    (package,) = tmp_path.iterdir()
    values = GOOD["several"]
    run = helm("template", RELEASE, package, f"--namespace={NAMESPACE}", values=values)
    assert [each for each in yaml.safe_load_all(run.stdout) if each] == rendered(values)


def test_the_notes_tell_what_is_next() -> None:
    """How to look at it and what is missing until somebody is told."""
    flags = ("--dry-run=client", f"--namespace={NAMESPACE}")
    notes = helm("install", "trial", CHART, *flags, values=plain("several")).stdout.partition("NOTES:")[2]
    for name, account in (("north", "acme"), ("south", "beta")):
        pod = f"trial-cfdi-stamps-exporter-{name}-0"
        assert f"kubectl port-forward --namespace {NAMESPACE} {pod} 10520" in notes
        assert f"{pod} -- cfdi-stamps-exporter check {account} " in notes.replace("'", "")
    assert "Nothing scrapes them yet" in notes
    assert "Nobody is told when stamps run out" in notes
    demo = helm("install", "trial", CHART, *flags, values=GOOD["demo"]).stdout.partition("NOTES:")[2]
    assert "SIMULATED" in demo.upper()
    assert "Nobody is told" not in demo


def test_the_test_hook_asks_each_exporter(tmp_path: Path, processes: ExitStack) -> None:
    """Its very command, against the demonstration: good where it polls, not where there is none."""
    (pod,) = of_kind(rendered(GOOD["demo"]), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (hook,) = pod["spec"]["containers"]
    assert hook["image"] == container(stateful_sets(GOOD["demo"])[0])["image"]
    daemon = processes.push(Daemon("", tmp_path, "demo"))
    daemon.start()
    eventually(lambda: daemon.get("/-/ready").status == 200)
    _, *flags = hook["command"]
    script, url = hook["args"]
    for address, good in ((daemon.address, True), ("127.0.0.1:9", False)):
        command = [sys.executable, *flags, script, url.replace(f"{RELEASE}:10520", address)]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (run.returncode == 0) == good, run.stderr
    assert url.endswith("/-/ready")
