"""What is released: the wheel and the source distribution, installed and run elsewhere; and the locks."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from exporter import __version__
from tests.support.documents import HAS_SOURCES
from tests.support.peers import Daemon, eventually
from tests.support.places import ROOT

pytestmark = [
    pytest.mark.skipif(not HAS_SOURCES, reason="builds from the sources"),
    pytest.mark.xdist_group("packaging"),
    pytest.mark.process,
]

NAME = "cfdi_stamps_exporter"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BIN = Path(sys.executable).parent

SUBSET = (
    "tests/config/test_example.py",
    "tests/provider/test_codes.py",
    "tests/page/test_page.py",
    "tests/simulator/test_service.py",
)
"""Tests of what a wheel can lack: a module, a subpackage. `make test-wheel` runs all of them against it."""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a program to its end, which must be a good one, and return what it printed."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=110, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both distributions, built as `make dist` does: offline, with the locked backend."""
    folder = tmp_path_factory.mktemp("dist")
    make_dist(folder)
    return folder


def make_dist(folder: Path) -> None:
    run("make", "dist", f"DIST={folder}", f"VENV={BIN.parent}", cwd=ROOT)


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(dist / f"{NAME}-{__version__}-py3-none-any.whl")


@pytest.fixture(scope="module")
def sources(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("sources")
    with tarfile.open(dist / f"{NAME}-{__version__}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"{NAME}-{__version__}"


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel, which borrows the other packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    uv = BIN / "uv"
    run(uv, "venv", "--quiet", "--offline", "--python", sys.executable, "venv", cwd=folder)
    (built,) = dist.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, built, cwd=folder)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # Its own .pth files, that of the checkout among them, are not followed from here.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


# Contents. ------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every module, the page's style, the marker that it is typed, and the licence; no tests, no tools."""
    info = f"{NAME}-{__version__}.dist-info"
    names = set(wheel.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "exporter").rglob("*.py")}
    described = {name for name in names if name.startswith(f"{info}/")}
    assert names - described == modules | {"exporter/py.typed", "exporter/page/style.css"}
    licence = wheel.read(f"{info}/licenses/LICENSE")
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_the_source_distribution_holds_the_repository(sources: Path) -> None:
    """So the tests run from it, and nothing lies in it that isn't tracked, such as somebody's passwords."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs the Git repository")
    tracked = set(run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines())
    shipped = {str(path.relative_to(sources)) for path in sources.rglob("*") if path.is_file()}
    assert shipped == tracked | {"PKG-INFO"}
    assert {"config.example.yaml", "config.schema.json", "LICENSE"} <= shipped


def description(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(f"{NAME}-{__version__}.dist-info/METADATA"))


def test_the_wheel_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    """The version comes from the package, the requirements and the oldest Python from pyproject.toml."""
    told = description(wheel)
    assert (told["Version"], told["License-Expression"]) == (__version__, "Apache-2.0")
    assert told["Requires-Python"] == PROJECT["requires-python"]
    needed = [Requirement(text) for text in told.get_all("Requires-Dist", [])]
    always = {str(each) for each in needed if each.marker is None}
    assert always == {str(Requirement(text)) for text in PROJECT["dependencies"]}


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert str(Version(__version__)) == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    latest = re.findall(r"(?m)^## \[(.+?)\]", changelog)[0]
    assert latest in ("Unreleased", __version__)


def test_two_builds_are_equal(dist: Path, tmp_path: Path) -> None:
    """To the byte, from one commit: whoever doubts a release can build it."""
    make_dist(tmp_path)
    built = sorted(dist.glob("cfdi*"))
    assert len(built) == 2
    assert [path.read_bytes() for path in built] == [(tmp_path / path.name).read_bytes() for path in built]


# The installed wheel. -------------------------------------------------------------------------------------


def test_the_program_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    """It is the wheel's, and works without anything of the repository."""
    program = installed / "cfdi-stamps-exporter"
    assert run(program, "--version", cwd=tmp_path).startswith(
        f"cfdi-stamps-exporter, version {__version__} ("
    )
    where = run(installed / "python", "-c", "import exporter; print(exporter.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(installed.parent)
    (tmp_path / "config.yaml").write_text("accounts: [{name: a, username: u, password: hunter2}]\n")
    assert run(program, "--config.check", cwd=tmp_path) == "config.yaml: 1 account, no errors\n"


def test_the_demonstration_is_scraped(installed: Path, tmp_path: Path) -> None:
    """The provider that it polls is in the wheel too."""
    program = (str(installed / "cfdi-stamps-exporter"), "demo")
    flags = ("--config.file", "--storage.path")  # the demonstration has neither
    with Daemon("", tmp_path, command=program, without=flags) as demo:
        available = 'cfdi_stamps_available{account="healthy"}'
        assert eventually(lambda: demo.metrics().get(available), timeout=30) > 0
        assert demo.get("/").status == 200
        assert demo.stop() == 0


def test_tests_pass_against_the_wheel(installed: Path, sources: Path) -> None:
    """Those of the source distribution, without the package in it."""
    hidden = sources / "exporter"
    hidden.rename(sources / "not-imported")
    try:
        said = run(installed / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUBSET, cwd=sources)
    finally:
        (sources / "not-imported").rename(hidden)
    assert re.search(r"^\d\d+ passed", said, re.MULTILINE), said


def test_the_package_imports_nothing_undeclared() -> None:
    """It must not live on what only tests or other packages need."""
    imported = set()
    for path in (ROOT / "exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    providers = metadata.packages_distributions()
    foreign = imported - sys.stdlib_module_names - {"exporter", "pydantic_core"}  # pydantic's other half
    used = {canonicalize_name(providers[module][0]) for module in foreign}
    declared = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert declared - used == {"tzdata"}, "the data that zoneinfo looks for where the system has none"
    assert used <= declared


# The locks. -----------------------------------------------------------------------------------------------


def pins(file: str) -> Iterator[tuple[Requirement, int]]:
    """Each requirement of a lock, and how many hashes it has."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement, *hashes = line.split("--hash=")
            yield Requirement(requirement.strip()), len(hashes)


def locked(file: str) -> dict[str, Version]:
    """The versions that a lock has for this Python."""
    here = [pin for pin, _ in pins(file) if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in here}


LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt")


@pytest.mark.parametrize("file", LOCKS)
def test_every_pin_is_exact_and_has_hashes(file: str) -> None:
    for pin, hashes in pins(file):
        assert re.fullmatch(r"==[^*,]+", str(pin.specifier)), pin
        assert hashes, pin


@pytest.mark.parametrize(("file", "extras"), [("requirements.txt", ()), ("requirements-dev.txt", ("dev",))])
def test_a_lock_is_current(file: str, extras: tuple[str, ...]) -> None:
    """`make lock` was run after the last change of pyproject.toml: all that is asked for there, and all that
    this needs in turn, is pinned at a version that satisfies it; and nothing else is pinned."""
    pinned = locked(file)
    asked = [
        *PROJECT["dependencies"],
        *(text for extra in extras for text in PROJECT["optional-dependencies"][extra]),
    ]
    reached: set[str] = set()
    ahead = [Requirement(text) for text in asked]
    seen = set()
    while ahead:
        requirement = ahead.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{requirement} is not in {file}: run make lock"
        assert requirement.specifier.contains(pinned[name], prereleases=True), f"{requirement}: run make lock"
        reached.add(name)
        ahead += _needs(name, requirement.extras)
    assert reached == pinned.keys()


def _needs(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed distribution requires here, with its extras."""
    found = [Requirement(text) for text in metadata.requires(name) or ()]
    asked = [{"extra": extra} for extra in ("", *extras)]
    return [each for each in found if each.marker is None or any(map(each.marker.evaluate, asked))]


def test_the_locks_agree() -> None:
    """What runs is what was developed and built with."""
    developed = locked("requirements-dev.txt")
    assert locked("requirements.txt").items() <= developed.items()
    assert locked("requirements-build.txt") == {"flit-core": developed["flit-core"]}
    installed_versions = {name: Version(metadata.version(name)) for name in developed}
    assert installed_versions == developed
