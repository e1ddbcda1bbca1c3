"""The documents of the project, taken apart: headings, links, tables, fenced blocks, commands, code spans."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support.places import ROOT

HAS_SOURCES = (ROOT / "exporter").is_dir()
"""Not so where the tests run against the installed wheel."""

SITE = "https://github.com/cfdi-stamps-exporter/cfdi-stamps-exporter/blob/main/"
"""Where the documents are once they are published: links from outside the repository begin with this."""

FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=indent)```$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its first line in the page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """The lines of a shell block, those that a backslash continues joined."""
        return self.text.replace("\\\n", " ").strip("\n").splitlines()

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command line, without comments."""
        return [words for line in self.lines if (words := shlex.split(line, comments=True))]


class Page:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        """Read it."""
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return self.name

    @cached_property
    def blocks(self) -> list[Block]:
        """The fenced blocks, without the indentation that a list gives them."""
        return [
            Block(
                self.name,
                self.text[: found.start()].count("\n") + 2,
                found["language"],
                textwrap.dedent(found["text"]),
            )
            for found in FENCE.finditer(self.text)
        ]

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return FENCE.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """What stands in code spans."""
        return [span.replace("\n", " ") for span in SPAN.findall(self.prose)]

    @property
    def command_lines(self) -> list[str]:
        """The lines of all shell blocks."""
        return [line for block in self.blocks if block.language == "sh" for line in block.lines]

    @property
    def links(self) -> list[str]:
        """The targets of all links and images."""
        return LINK.findall(SPAN.sub("`code`", self.prose))

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        return [(len(found[1]), found[2]) for found in re.finditer(r"^(#+) (.+)$", self.prose, re.MULTILINE)]

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors that GitHub gives to the headings."""
        found: set[str] = set()
        for _, heading in self.headings:
            anchor = slug(heading)
            number = 0
            while (name := f"{anchor}-{number}" if number else anchor) in found:
                number += 1
            found.add(name)
        return found

    def rows(self, heading: str) -> list[list[str]]:
        """The cells of the tables under a heading, as they are written; without the heads of the tables."""
        (part,) = re.findall(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", self.prose)
        lines = [line for line in part.splitlines() if line.startswith("|")]
        rules = [number for number, line in enumerate(lines) if re.fullmatch(r"[|\- ]+", line)]
        heads = {number + offset for number in rules for offset in (-1, 0)}
        return [cells(line) for number, line in enumerate(lines) if number not in heads]


def cells(row: str) -> list[str]:
    """The cells of a table's row; an escaped bar belongs to its cell."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def slug(heading: str) -> str:
    """The anchor of a heading: GitHub keeps letters, digits, hyphens and underscores."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def pages() -> list[Page]:
    """Every document of the project."""
    return [Page(path) for path in sorted(_markdown(ROOT))]


def _markdown(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        hidden = path.name.startswith(".") and path.name != ".github"
        if path.is_dir() and not hidden and path.name not in ("build", "dist", "node_modules"):
            yield from _markdown(path)
        elif path.suffix == ".md":
            yield path


def blocks(language: str) -> list[Block]:
    """The fenced blocks of a language in all documents."""
    return [block for page in pages() for block in page.blocks if block.language == language]
