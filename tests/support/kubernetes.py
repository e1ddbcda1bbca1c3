"""The Helm chart, rendered by Helm itself, and what Kubernetes and the operator would say of it."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from tests.support.places import ROOT
from tests.support.tools import OPERATOR_SCHEMAS, tool

CHART = ROOT / "deploy" / "helm" / "cfdi-stamps-exporter"
PLAIN = ROOT / "deploy" / "kubernetes"
RELEASE = "cfdi-stamps-exporter"
NAMESPACE = "cfdi-stamps"
OPERATOR_KINDS = {"PodMonitor", "PrometheusRule"}
KUBERNETES = ("1.27.0", "1.37.0")
"""The oldest version that the chart is for, and the newest whose schemas are at hand."""

Manifest = dict[str, Any]


def helm(*arguments: str | Path, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm, without a cluster; with values, if any, as its last file of them."""
    program = tool("helm")
    assert program
    given = ["--values=-"] if values is not None else []
    return subprocess.run(
        [program, *arguments, *given],
        input=json.dumps(values) if values is not None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": "/dev/null"},
    )


def rendered(values: Manifest, release: str = RELEASE) -> list[Manifest]:
    """What the chart makes of values."""
    return [*_rendered(json.dumps(values), release)]


@cache
def _rendered(values: str, release: str) -> tuple[Manifest, ...]:
    run = helm("template", release, CHART, f"--namespace={NAMESPACE}", values=json.loads(values))
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return tuple(one for one in yaml.safe_load_all(run.stdout) if one)


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of a kind."""
    return [one for one in manifests if one["kind"] == kind]


def complaints(manifest: Manifest) -> list[str]:
    """What its schema says against a manifest; an unknown key is an error too."""
    if manifest["kind"] in OPERATOR_KINDS:
        validator = Draft202012Validator(operator_schemas()[manifest["kind"]])
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
    found = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{version}: {error.message}")
    return found


@cache
def operator_schemas() -> dict[str, Any]:
    """Those of the operator's own types, by kind."""
    schemas: dict[str, Any] = json.loads(OPERATOR_SCHEMAS.read_text())
    return schemas
