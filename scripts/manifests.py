#!/usr/bin/env python3
"""Writes what follows from other files: parts of the chart and the mixin, and the plain manifests.

Usage: scripts/manifests.py [--check] (make manifests), with the Helm of `make tools` or one on the PATH.
With --check nothing is written: what differs is listed, and the exit code is then 1.
"""

import argparse
import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "helm" / "cfdi-stamps-exporter"
PLAIN = ROOT / "deploy" / "kubernetes"

COPIED = {"rules": ("alerts", "*.rules.yml"), "dashboards": ("dashboards", "*.json")}
"""Folders of the chart's `files`, which is all that a template can read, and what they are copies of."""

RENDERED = {
    "demo": ("serviceaccount", "service", "networkpolicy", "statefulset"),
    "single": ("serviceaccount", "configmap", "service", "networkpolicy", "statefulset"),
    "several": ("serviceaccount", "configmap", "service", "networkpolicy", "statefulset"),
    "monitoring": ("podmonitor", "prometheusrule", "dashboards"),
}
"""The plain manifests, and the templates that each is made of."""

NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: cfdi-stamps
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
"""


def main() -> int:
    """Write the files, or tell which are not as they should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, list what differs")
    options = parser.parse_args()
    helm = shutil.which("helm", path=str(ROOT / ".venv-tools" / "bin")) or shutil.which("helm")
    if helm is None:
        sys.exit("there is no helm: run make tools, or put it on the PATH")
    wrong = [path for path, text in wanted(helm) if bring(path, text, options.check)]
    if options.check:
        for path in wrong:
            print(f"{path.relative_to(ROOT)}: not as it follows from its sources: run make manifests")  # noqa: T201 - a script
    return 1 if options.check and wrong else 0


def wanted(helm: str) -> Iterator[tuple[Path, str | None]]:
    """Yield each file with what it is to be, None for not there; those that need others after these."""
    yield from copies().items()
    yield from ((path, None) for path in stale_copies())
    yield ROOT / "mixin" / "files.libsonnet", mixin_files()
    documented = list(documented_values((CHART / "values.yaml").read_text(encoding="utf-8")))
    yield CHART / "values.schema.json", schema(documented)
    yield CHART / "README.md", readme(documented)
    for name in RENDERED:
        yield PLAIN / f"{name}.yaml", rendered(helm, name)


def bring(path: Path, text: str | None, check: bool) -> bool:
    """Make a file what it is to be, unless this is a check; tell whether it was another."""
    present = path.read_text(encoding="utf-8") if path.exists() else None
    if present == text:
        return False
    if not check:
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return True


def copies() -> dict[Path, str]:
    """Return the rules and dashboards by where the chart has them."""
    return {
        CHART / "files" / name / path.name: path.read_text(encoding="utf-8")
        for name, (folder, pattern) in COPIED.items()
        for path in sorted((ROOT / folder).glob(pattern))
    }


def stale_copies() -> set[Path]:
    """Return the chart's files that nothing is the source of any more."""
    return {path for path in (CHART / "files").rglob("*") if path.is_file()} - copies().keys()


def mixin_files() -> str:
    """Return the list of what the mixin imports: jsonnet knows no pattern of names."""
    rules, dashboards = (sorted((ROOT / folder).glob(pattern)) for folder, pattern in COPIED.values())
    lines = [
        "// Written by `make manifests`.",
        "{",
        "  rules: [",
        *(f"    importstr '../alerts/{path.name}'," for path in rules),
        "  ],",
        "  dashboards: {",
        *(f"    '{path.name}': import '../dashboards/{path.name}'," for path in dashboards),
        "  },",
        "}",
    ]
    return "\n".join(lines) + "\n"


def documented_values(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each value's key, default and comment, from the chart's values.yaml.

    A comment stands above its key and begins with `# `; one alone between empty lines belongs to no key.
    """
    comment: list[str] = []
    above = ""
    for line in text.splitlines():
        if found := re.match(r"(?P<indent> *)# (?P<text>.*)", line):
            comment.append(found["text"])
        elif found := re.match(r"(?P<indent> *)(?P<key>\w+):(?: (?P<default>.+))?$", line):
            above = found["key"] if not found["indent"] else above
            key = f"{above}.{found['key']}" if found["indent"] else found["key"]
            if comment:
                yield key, found["default"] or "", " ".join(comment)
            comment = []
        else:
            comment = []


def schema(documented: list[tuple[str, str, str]]) -> str:
    """Return values.schema.json with the exporter's schema of its configuration and the values' comments."""
    own = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    configuration = for_helm(json.loads((ROOT / "config.schema.json").read_text(encoding="utf-8")))
    sections = configuration.pop("$defs")
    del configuration["$schema"]
    # The chart names the file of a password that has none.
    del sections["AccountSection"]["oneOf"]
    # Helm shows a value that doesn't fit its pattern, and these may hold a secret. The exporter checks them.
    for section, key in (
        ("AccountSection", "password_env"),
        ("EnvironmentSection", "wsdl"),
        ("EnvironmentSection", "proxy_url"),
    ):
        del sections[section]["properties"][key]["pattern"]
    own["$defs"].update(sections, ConfigFile=configuration)
    for key, _, comment in documented:
        outer, _, inner = key.partition(".")
        described = own["properties"][outer]
        if inner:
            reference = described.get("$ref", "").rpartition("/")[2]
            described = own["$defs"].get(reference, described)["properties"].get(inner, {})
        described["description"] = comment
    return json.dumps(own, indent=2, ensure_ascii=False) + "\n"


def for_helm(value: Any) -> Any:
    """Return a schema as Helm understands it, with errors that name one thing.

    Go's regular expressions have no lookahead: the exporter rejects what that keeps out. A null, which stands
    for an empty section, would make two errors of each.
    """
    if isinstance(value, list):
        return [for_helm(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "anyOf" in value and value["anyOf"][-1] == {"type": "null"}:
        value = {**value["anyOf"][0], **{key: each for key, each in value.items() if key != "anyOf"}}
    changed = {without_lookahead(key): for_helm(each) for key, each in copy.deepcopy(value).items()}
    if isinstance(value.get("pattern"), str):
        changed["pattern"] = without_lookahead(value["pattern"])
        changed.setdefault("minLength", 1)
    return changed


def without_lookahead(pattern: str) -> str:
    """Remove the negative lookaheads at the beginning of a regular expression."""
    return re.sub(r"\(\?!(?:[^()]|\([^()]*\))*\)", "", pattern)


def readme(documented: list[tuple[str, str, str]]) -> str:
    """Return the chart's README with the table of its values."""
    rows = []
    for key, default, comment in documented:
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{key}` | {shown} | {comment.replace('|', chr(92) + '|')} |\n")
    table = f"\n| value | default | meaning |\n| --- | --- | --- |\n{''.join(rows)}\n"
    text = (CHART / "README.md").read_text(encoding="utf-8")
    return re.sub(r"(?s)(<!-- values -->\n).*(<!-- end -->)", lambda found: found[1] + table + found[2], text)


def rendered(helm: str, name: str) -> str:
    """Return a plain manifest: what the chart renders, without what only Helm uses."""
    values = PLAIN / "values" / f"{name}.yaml"
    command = [
        helm,
        "template",
        "cfdi-stamps-exporter",
        str(CHART),
        "--namespace=cfdi-stamps",
        f"--values={values}",
    ]
    templates = [f"--show-only=templates/{template}.yaml" for template in RENDERED[name]]
    run = subprocess.run([*command, *templates], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    if run.returncode:
        sys.exit(run.stderr)
    text = re.sub(
        r"(?m)^ +(?:app\.kubernetes\.io/managed-by|helm\.sh/chart): .*\n|^# Source: .*\n", "", run.stdout
    )
    text = re.sub(r"(?m)\n+---$", "\n---", text).strip("\n") + "\n"
    head = f"# Rendered from deploy/helm/cfdi-stamps-exporter with values/{name}.yaml by `make manifests`.\n"
    namespace = "" if name == "monitoring" else f"---\n{NAMESPACE}"
    return head + namespace + text


if __name__ == "__main__":
    sys.exit(main())
