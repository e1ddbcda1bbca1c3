"""How the tests are laid out: beside the packages that they test, what they share in `tests/support/`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.documents import HAS_SOURCES
from tests.support.places import ROOT

TESTS = ROOT / "tests"
BESIDE = {"alerts", "bench", "dashboards", "deploy", "docs"}
"""Folders whose tests are of what lies beside the package."""
SHARED = {"data", "support"}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, in full; of `from a import b` both, as b may be one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def is_test(module: str) -> bool:
    """Whether pytest collects it, or reads it as a configuration."""
    return any(part.startswith("test_") or part == "conftest" for part in module.split("."))


def test_no_test_imports_a_test() -> None:
    """What two of them need has a name of its own in `tests/support/`; nor does anything else import one."""
    files = [path for folder in ("bench", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")]
    found = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files
        for module in imported(path)
        if module.startswith(("tests.", ".")) and is_test(module)
    }
    assert not found


def test_tests_mirror_the_packages() -> None:
    """So whoever has a module's path has that of its tests, and the other way round."""
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and list(path.rglob("*.py"))}
    packages = {path.parent.name for path in (ROOT / "exporter").glob("*/__init__.py")}
    if HAS_SOURCES:
        assert folders - BESIDE - SHARED == packages
