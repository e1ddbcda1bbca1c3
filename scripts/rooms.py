#!/usr/bin/env python3
"""Draws the packages of exporter/ in docs/architecture.md anew: which imports which, as the sources have it.

Usage: rooms.py PAGE (make rooms). What stands between `<!-- rooms -->` and `<!-- end -->` is replaced.
An arrow that follows from others is left out, and so are the modules beside the packages, which all may use.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "exporter"
PICTURE = re.compile(r"(<!-- rooms -->\n).*?(<!-- end -->)", re.DOTALL)

Graph = Mapping[str, set[str]]


def rooms() -> Graph:
    """The packages, and which others each imports, wherever in a module that stands."""
    names = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    return {name: {other for other in _imported(name) if other in names} - {name} for name in names}


def _imported(name: str) -> Iterator[str]:
    for path in (PACKAGE / name).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (module.split(".")[1] for module in modules if module.startswith("exporter."))


def reduced(graph: Graph) -> Graph:
    """The same, without arrows that other arrows together lead along."""

    def reached(start: str) -> set[str]:
        return {start}.union(*(reached(other) for other in graph[start]))

    return {
        name: {one for one in others if not any(one in reached(other) for other in others - {one})}
        for name, others in graph.items()
    }


def picture(graph: Graph) -> str:
    """The graph as a block that GitHub draws."""
    arrows = [f"  {name} --> {other}" for name, others in graph.items() for other in sorted(others)]
    alone = [f"  {name}" for name, others in graph.items() if not others]
    return "\n".join(["```mermaid", "flowchart TD", *alone, *arrows, "```", ""])


def main(page: Path) -> None:
    """Write the page anew."""
    drawn = picture(reduced(rooms()))
    text = page.read_text(encoding="utf-8")
    page.write_text(PICTURE.sub(lambda found: found[1] + drawn + found[2], text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
