"""What docs/scaling.md tells people to write is taken by the program that it is for."""

import re
import subprocess
from pathlib import Path

import pytest

from exporter.config import load
from tests.support.alerts import rules
from tests.support.places import ROOT

SNIPPETS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "scaling.md").read_text(), re.DOTALL)


def test_accounts_divided_by_name(tmp_path: Path) -> None:
    """Each exporter gets the files of its own name, and no others."""
    (snippet,) = (text for text in SNIPPETS if "account_files" in text)
    (tmp_path / "accounts.d").mkdir()
    for name in ("north-1", "north-2", "south-1"):
        (tmp_path / "accounts.d" / f"{name}.yaml").write_text(
            f"[{{name: {name}, username: {name}, password: s3cret}}]"
        )
    (tmp_path / "north.yaml").write_text(snippet)
    assert [one.name for one in load(tmp_path / "north.yaml", {}).accounts] == ["north-1", "north-2"]


@pytest.mark.peer("prometheus")
def test_prometheus_takes_its_snippets(tmp_path: Path) -> None:
    """Together they are a configuration; this exporter's series are sent on, and what comes of them."""
    config = tmp_path / "prometheus.yml"
    config.write_text("\n".join(text for text in SNIPPETS if "account_files" not in text))
    run = subprocess.run(
        ["promtool", "check", "config", config], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (kept,) = re.findall(r"regex: (.+)", config.read_text())
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    # Which exporters are silent matters only where the rules are evaluated.
    sent = {"up", "ALERTS", "cfdi_stamps_available"} | recorded - {"exporter:up:silent"}
    assert all(re.fullmatch(kept, name) for name in sent)
    assert not re.fullmatch(kept, "node_load1")
