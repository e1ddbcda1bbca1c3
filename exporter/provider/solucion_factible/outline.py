"""The outline of an XML document: its elements in their order, and what sort of text each has.

It reads what nobody has seen yet, so it takes anything: of a document that is damaged it gives what stands
before the damage. It is bounded, and resolves nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

_LONGEST_NAMESPACE: Final = 300  # characters: expat writes it out in each name
_LONGEST_TEXT: Final = 10_000  # characters that are looked at
_INTEGER: Final = re.compile(r"\s*[+-]?[0-9]+\s*")


@dataclass(slots=True)
class Element:
    """An element by its local name; ``text`` is what stands in it beside its children, cut where it is long.

    Names of attributes are pairs of namespace and local name. ``prefixes`` are those that hold within it.
    """

    namespace: str
    name: str
    attributes: dict[tuple[str, str], str]
    prefixes: dict[str, str] = field(repr=False)
    children: list["Element"] = field(default_factory=list)
    text: str = field(default="", repr=False)
    length: int = 0
    """Characters of its text."""

    def get(self, name: str) -> str:
        """Return an attribute without a namespace; empty where there is none."""
        return self.attributes.get(("", name), "")

    def walk(self) -> Iterator["Element"]:
        """Yield it and all within it."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def sort(self) -> str:
        """What sort of text it has, without the text."""
        if not self.length:
            return "empty"
        if not self.text.strip():
            return "blanks"
        return "a whole number" if _INTEGER.fullmatch(self.text) else f"text, {self.length} characters"


@dataclass(frozen=True, slots=True)
class Outline:
    """What stands in a document as far as it could be read; ``damage`` is why not further."""

    root: Element | None
    damage: str = ""


class _StopError(Exception):
    """Enough was read; the message says why."""


class _Reader:
    def __init__(self, most: int, deepest: int) -> None:
        self._left = most
        self._deepest = deepest
        self._open: list[Element] = []
        self._prefixes: list[dict[str, str]] = [{}]
        self._declared: dict[str, str] = {}
        self.root: Element | None = None
        self.parser = parser = expat.ParserCreate("utf-8", " ")
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _doctype(self, *_declaration: object) -> None:
        raise _StopError("a document type declaration")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        if len(uri or "") > _LONGEST_NAMESPACE:
            raise _StopError("a very long namespace")
        self._declared[prefix or ""] = uri or ""

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0 or len(self._open) > self._deepest:
            raise _StopError("more elements than are described")
        prefixes = {**self._prefixes[-1], **self._declared} if self._declared else self._prefixes[-1]
        self._declared = {}
        self._prefixes.append(prefixes)
        named = {_split(name): value for name, value in attributes.items()}
        element = Element(*_split(tag), named, prefixes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = self.root or element
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        self._open.pop()
        self._prefixes.pop()

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        element.length += len(text)
        if len(element.text) < _LONGEST_TEXT:
            element.text += text


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition(" ")
    return namespace, local


def outline(document: bytes, most: int, deepest: int = 50) -> Outline:
    """Return the outline of a document in UTF-8 that begins with its first element. It never raises."""
    reader = _Reader(most, deepest)
    damage = ""
    try:
        reader.parser.Parse(document, True)
    except expat.ExpatError:
        damage = "what is no well-formed XML"
    except _StopError as error:
        damage = str(error)
    finally:
        del reader.parser  # it and the reader hold each other
    return Outline(reader.root, damage)
