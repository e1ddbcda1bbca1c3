"""Lists of sections, at a place of the configuration and in files of their own, and what repeats in them."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from exporter.config.yaml.document import Document, Where
from exporter.config.yaml.files import ReadError
from exporter.config.yaml.findings import Checked, Findings
from exporter.config.yaml.rules import Section

S = TypeVar("S", bound=Section)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entries(Generic[S]):
    """Reads lists of one kind of section. ``kind`` is what messages call its items."""

    model: type[S]
    kind: str
    findings: Findings
    documents: dict[Path, Document | None] = field(default_factory=dict)
    """The files of such lists that were read; None for one that is no YAML."""

    def at(self, where: Where) -> list[Checked[S]]:
        """Return the sections in the list at a place."""
        items = where.value()
        if items is None:
            return []
        if not isinstance(items, list):
            self.findings.reject(where, f"must be a list of {self.kind}s")
            return []
        entries = []
        for index, item in enumerate(items):
            if item is None:
                self.findings.reject(where.at(index), "is empty")
            elif entry := self.findings.check(self.model, where.at(index)):
                entries.append(entry)
        return entries

    def in_files(self, where: Where, patterns: list[str]) -> list[Checked[S]]:
        """Return the sections in the files that the key at a place names, each file once."""
        entries: list[Checked[S]] = []
        seen = self.findings.files.keys() - self.documents.keys()  # files of another kind
        for index, pattern in enumerate(patterns):
            is_glob = re.search(r"[*?[]", pattern)
            names = sorted(glob.glob(pattern, root_dir=self.findings.base)) if is_glob else [pattern]
            if not names:
                self.findings.warn(where.at(index), "matches no file")
            for path in (self.findings.base / name for name in names):
                if path in seen:
                    continue
                seen.add(path)
                try:
                    document = self._document(path)
                except ReadError as error:
                    self.findings.reject(where.at(index), f"{path}: {error}")
                    continue
                entries += self.at(Where(document)) if document else []
        return entries

    def _document(self, path: Path) -> Document | None:
        """Return a file that several lists may name. Raises ReadError."""
        if path not in self.documents:
            self.documents[path] = self.findings.read(path)
        return self.documents[path]


def globs(base: Path, patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns of file names that are relative to a folder as they are from the working directory."""
    return tuple(os.path.join(glob.escape(str(base)), pattern) for pattern in patterns)


def repeats(keyed: Iterable[tuple[str, T]]) -> Iterator[tuple[T, T]]:
    """Yield each item whose key an earlier one has too, with the first that has it."""
    first: dict[str, T] = {}
    for key, item in keyed:
        other = first.setdefault(key, item)
        if other is not item:
            yield item, other


def seen_from(entry: Checked[S], other: Checked[S]) -> str:
    """Return the place of another section, with its file where that isn't the one of this section."""
    document = other.where.document
    return f"{'' if document is entry.where.document else f'{document.shown}: '}{other.where}"
