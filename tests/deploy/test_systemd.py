"""The systemd unit, as systemd's own tools see it, and what its README says to write."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.config import load
from tests.support.places import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "cfdi-stamps-exporter.service"
CREDENTIALS = "/run/credentials/cfdi-stamps-exporter.service/secrets_"


def setting(name: str) -> str:
    """The value of a setting, its lines joined."""
    (value,) = re.findall(rf"(?m)^{name}=((?:.*\\\n)*.*)", UNIT.read_text())
    return str(value).replace("\\\n", " ")


@pytest.mark.peer("systemd")
def test_verify_has_nothing_to_say(tmp_path: Path) -> None:
    """Every setting is known and well formed. Another program stands in for the one that isn't installed."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text()))
    run = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


@pytest.mark.peer("systemd")
def test_it_is_exposed_at_most_2_0() -> None:
    """Of 10. The bound is in tenths; systemd-analyze fails above it."""
    run = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.process
def test_the_command_is_one_that_the_exporter_takes(tmp_path: Path) -> None:
    """The flags exist; with --config.check they open nothing."""
    config = tmp_path / "config.yaml"
    config.write_text("accounts: [{name: acme, username: ws, password: s3cret}]")
    _, *flags = shlex.split(setting("ExecStart"))
    run = subprocess.run(
        [sys.executable, "-m", "exporter", *flags, f"--config.file={config}", "--config.check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr


def test_the_passwords_of_the_readme_are_where_systemd_puts_them(tmp_path: Path) -> None:
    """The folder of LoadCredential= shows as files whose names begin with its id; the example uses these."""
    identifier, _, folder = setting("LoadCredential").partition(":")
    assert f"/run/credentials/{UNIT.name}/{identifier}_" == CREDENTIALS
    readme = (FOLDER / "README.md").read_text()
    assert f"{folder}/acme" in readme
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert f"{CREDENTIALS}acme" in example
    (tmp_path / "secrets_acme").write_text("s3cret")
    (tmp_path / "config.yaml").write_text(example.replace(CREDENTIALS, f"{tmp_path}/secrets_"))
    (account,) = load(tmp_path / "config.yaml", {}).accounts
    assert account.password.reveal() == "s3cret"
