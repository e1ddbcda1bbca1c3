"""docs/architecture.md holds: its picture is that of the sources, and what it sends a reader to is there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.documents import HAS_SOURCES, Page
from tests.support.places import ROOT

PAGE = Page(ROOT / "docs" / "architecture.md")
RECIPES = ("a metric", "a code", "a flag", "a key", "an alert", "a provider")

pytestmark = pytest.mark.skipif(not HAS_SOURCES, reason="reads the sources")


def files(text: str) -> list[str]:
    """The files that a text names in code, * for many."""
    named = re.findall(r"`([^/`\s][^`\s]*)(?: [^`]*)?`", text)
    return [name for name in named if "/" in name or name.endswith((".md", ".yaml", ".json", ".toml"))]


def section(heading: str) -> str:
    """What stands under a heading, as far as the next of any level."""
    (found,) = re.findall(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", PAGE.prose)
    return str(found)


@pytest.mark.process
def test_the_picture_is_current(tmp_path: Path) -> None:
    """`make rooms` draws it. Emptied, it comes back as it is."""
    page = tmp_path / "architecture.md"
    page.write_text(re.sub(r"(?s)(<!-- rooms -->\n).*?(<!-- end -->)", r"\1\2", PAGE.text))
    subprocess.run([sys.executable, ROOT / "scripts" / "rooms.py", page], check=True, cwd=ROOT)
    assert page.read_text() == PAGE.text


def test_the_picture_has_every_package_and_points_down() -> None:
    """As the layers in pyproject.toml are, which import-linter holds the sources to."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    floor = {name: number for number, layer in enumerate(layers) for name in layer.split(" | ")}
    (block,) = [block for block in PAGE.blocks if block.language == "mermaid"]
    arrows = re.findall(r"(\w+) --> (\w+)", block.text)
    assert arrows
    assert all(floor[upper] < floor[lower] for upper, lower in arrows)
    packages = {path.parent.name for path in (ROOT / "exporter").glob("*/__init__.py")}
    assert {name for name in re.findall(r"\w+", block.text) if name in floor} == packages


def test_every_package_has_its_row() -> None:
    packages = {f"`exporter/{path.parent.name}/`" for path in (ROOT / "exporter").glob("*/__init__.py")}
    assert {row[0] for row in PAGE.rows("Packages")} == packages


@pytest.mark.parametrize("row", PAGE.rows("Where is …"), ids=lambda row: row[0])
def test_what_is_looked_for_stands_there(row: list[str]) -> None:
    _, place, word = (cell.strip("`") for cell in row)
    assert word in (ROOT / place).read_text(encoding="utf-8")


@pytest.mark.parametrize("way", ["A poll", "A scrape"])
def test_a_way_has_ten_steps_that_each_begin_with_a_file(way: str) -> None:
    steps = re.findall(r"(?m)^\d+\. `([\w/.]+)`: ", section(way))
    assert len(steps) == 10
    assert not [step for step in steps if not (ROOT / step).is_file()]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_names_files_that_are_there(recipe: str) -> None:
    """Each point has one, and the changelog is always among them."""
    text = section(f"Add {recipe}")
    points = re.split(r"(?m)^\* ", text)[1:]
    assert all(files(point) for point in points)
    named = files(text)
    assert "CHANGELOG.md" in named
    assert not [name for name in named if not list(ROOT.glob(name))]


def test_there_is_no_other_recipe() -> None:
    assert re.findall(r"(?m)^### Add (.+)$", PAGE.prose) == list(RECIPES)
