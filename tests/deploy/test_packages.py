"""The packages, built of a stand-in for what is staged; try-in-nspawn.sh installs the real ones."""

import re
import subprocess
from pathlib import Path

import pytest

from exporter import __version__
from tests.support.commands import called
from tests.support.places import ROOT
from tests.support.tools import tool

pytestmark = pytest.mark.peer("nfpm")

FOLDER = ROOT / "deploy" / "packages"
HOME = "opt/cfdi-stamps-exporter"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A deb and an rpm, as scripts/make-packages.sh has nfpm build them."""
    folder = tmp_path_factory.mktemp("packages")
    program = folder / "stage" / HOME / "bin" / "cfdi-stamps-exporter"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    values = {
        "VERSION": __version__,
        "RELEASE": "1.py311",
        "MTIME": "2026-01-02T03:04:05Z",
        "STAGE": str(folder / "stage"),
        "PYTHON": "3.11",
    }
    text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], (FOLDER / "nfpm.yaml").read_text())
    (folder / "nfpm.yaml").write_text(text)
    nfpm = tool("nfpm")
    assert nfpm
    for kind in ("deb", "rpm"):
        config = str(folder / "nfpm.yaml")
        command = [nfpm, "package", "--config", config, "--packager", kind, "--target", str(folder)]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    return {path.suffix: path for path in folder.iterdir() if path.suffix in (".deb", ".rpm")}


def contents(deb: Path) -> dict[str, str]:
    """What is in a deb: the rights of each path."""
    lines = called("dpkg-deb", "--contents", str(deb)).splitlines()
    return {line.split("./", 1)[1].partition(" -> ")[0]: line.split()[0] for line in lines}


def test_both_are_built(packages: dict[str, Path]) -> None:
    names = {path.name for path in packages.values()}
    assert names == {
        f"cfdi-stamps-exporter_{__version__}-1.py311_amd64.deb",
        f"cfdi-stamps-exporter-{__version__}-1.py311.x86_64.rpm",
    }


def test_everything_is_where_it_belongs(packages: dict[str, Path]) -> None:
    """The unit, which names the program; rules and dashboards; secrets for root alone; no configuration."""
    found = contents(packages[".deb"])
    unit = (ROOT / "deploy" / "systemd" / "cfdi-stamps-exporter.service").read_text()
    (program,) = re.findall(r"(?m)^ExecStart=/(\S+)", unit)
    assert found[program] == "-rwxr-xr-x"
    assert "usr/lib/systemd/system/cfdi-stamps-exporter.service" in found
    assert "usr/bin/cfdi-stamps-exporter" in found
    assert found["etc/cfdi-stamps-exporter/secrets/"] == "drwx------"
    assert [path for path in found if path.startswith("etc/") and not path.endswith("/")] == []
    for folder, pattern in (("alerts", "*.yml"), ("dashboards", "*.json")):
        wanted = {
            f"usr/share/cfdi-stamps-exporter/{path.relative_to(ROOT)}"
            for path in (ROOT / folder).glob(pattern)
        }
        assert wanted
        assert wanted <= found.keys()


def test_it_depends_on_the_python_that_it_was_built_for(packages: dict[str, Path]) -> None:
    assert called("dpkg-deb", "--field", str(packages[".deb"]), "Depends") == "python3.11, ca-certificates\n"


@pytest.mark.parametrize("name", ["postinstall", "preremove"])
def test_a_shell_takes_the_scripts(name: str) -> None:
    called("sh", "-n", str(FOLDER / f"{name}.sh"))
