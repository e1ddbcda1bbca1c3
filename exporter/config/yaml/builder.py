"""Strict YAML: no duplicate keys, no tags, one document, and faults that never repeat what the file holds.

The value is built straight from the parser's events: that is several times faster than PyYAML's loaders and
lets a second pass, made only where there is an error, note the line of everything. PyYAML's own error texts
are never shown: they quote the file, and what they quote may be a password (``password: *hunter2``).
"""

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import SafeConstructor

from exporter.config.yaml.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[str | int, ...]
"""Keys and indexes from the root of a document: ``("accounts", 1, "interval")``."""

ALIASED_LIMIT = 2_000_000
"""Values that aliases may stand for in one file, counted where they are used."""
DEPTH_LIMIT = 50
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_SYNTAX = {
    "mapping values are": "a second ': ' in one line (text that has one needs quotes), or wrong indentation",
    "found character": "a value can't begin with this character: put it in quotes",
    "found unexpected end of stream": "a quotation mark is never closed",
    "found unexpected document": "a quotation mark is never closed",
    "found unknown escape": "no such escape in double quotes: use single quotes where a backslash is meant",
    "could not find expected ':'": "a key without ': ', or wrong indentation",
    "did not find expected ','": "a bracket or brace is never closed, or a comma is missing",
    "did not find expected '-'": "wrong indentation, or a list item without '- '",
    "did not find expected key": "wrong indentation, or text that needs quotes",
}
"""What the parser finds, by the beginning of its text, in our words. Any other problem is just not valid."""

_TAB = "a tab: YAML wants blanks for the indentation, and behind a - or a : too"
_TEMPLATE = "a brace in a brace: a template that was never filled in, or text that needs quotes"
_KEY = "a key that isn't text: put it in quotes"
_SPLIT_NUMBER = "write a number without a comma (5000, not 5,000); text that has one needs quotes"
_DIGITS = re.compile(r"[0-9]{1,3}")
_COMMENT = re.compile(r"[ \t]+#")

_TAG = "tag:yaml.org,2002:"
_CONSTRUCTOR = SafeConstructor()
_CONSTRUCTED = {
    _TAG + kind: SafeConstructor.yaml_constructors[_TAG + kind] for kind in ("null", "bool", "int", "float")
}
"""How an unquoted scalar becomes a value. All others stay text, dates too."""


class FaultError(Exception):
    """What is wrong with a file, be it well-formed YAML or not (then ``column`` says where too)."""

    def __init__(self, line: int, place: Place, text: str, column: int | None = None) -> None:
        super().__init__(text)
        self.line, self.place, self.text, self.column = line, place, text, column


class Builder:
    """Builds the value of one document from the parser's events.

    Without ``lines`` it is quick and raises the first fault; with them it notes the line of every place,
    collects the faults that can be read past, and remarks on text that YAML reads differently from how it
    looks.
    """

    def __init__(self, text: str, vocabulary: Vocabulary, lines: dict[Place, int] | None = None) -> None:
        self.faults: list[FaultError] = []
        self.remarks: dict[Place, str] = {}
        """By the place of a text, as the rest of a sentence about it."""
        self._text = text
        self._events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)  # typed too loosely
        self._vocabulary = vocabulary
        self._lines = lines
        self._anchors: dict[str, tuple[object, int]] = {}
        self._unused: dict[str, FaultError] = {}
        self._count = 0
        self._aliased = 0

    def value(self) -> object:
        """Return the document's value; ``None`` for an empty one. Raises FaultError."""
        if found := _FORBIDDEN.search(self._text):
            line = self._text.count("\n", 0, found.start()) + 1
            raise FaultError(line, (), "a character that YAML doesn't allow")
        try:
            return self._document()
        except yaml.YAMLError as error:
            fault = _syntax_fault(error, self._text)
        raise fault  # outside the handler: PyYAML's exception quotes the file

    def _document(self) -> object:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), (), 0)
        next(self._events)  # the document's end
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            self._fault(event, (), "a second YAML document (---): only one is allowed")
        for fault in self._unused.values():
            self._reject(fault)
        return value

    def _value(self, event: Any, place: Place, depth: int) -> object:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        before = self._count
        self._count += 1
        value: object
        if depth > DEPTH_LIMIT:
            raise FaultError(_line(event), (), "nested too deeply")
        if event.tag is not None:
            self._fault(event, place, "tags (!) are not allowed: put text that begins with ! in quotes")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(place, depth)
        else:
            value = self._mapping(place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._count - before
            if not isinstance(value, dict | list):
                text = "an anchor (&) that nothing refers to: put text that begins with & in quotes"
                self._unused[event.anchor] = FaultError(_line(event), place, text)
        return value

    def _alias(self, event: Any, place: Place) -> object:
        if event.anchor not in self._anchors:
            text = "an alias (*) without its anchor: put text that begins with * in quotes"
            self._fault(event, place, text)
            return None
        self._unused.pop(event.anchor, None)
        value, size = self._anchors[event.anchor]
        self._count += size
        self._aliased += size
        if self._aliased > ALIASED_LIMIT:
            raise FaultError(_line(event), (), f"aliases stand for more than {ALIASED_LIMIT} values")
        return value

    def _scalar(self, event: Any, place: Place) -> object:
        text = event.value
        if self._lines is not None and text:
            self._remark(event, place)
        tag = _plain_tag(text) if event.implicit[0] else None  # None: quoted
        if tag not in _CONSTRUCTED:
            return text
        try:
            return _CONSTRUCTED[tag](_CONSTRUCTOR, yaml.ScalarNode(tag, text))
        except ValueError:  # thousands of digits, or none after 0x
            self._fault(event, place, "a number that can't be read: put text in quotes")
            return None

    def _remark(self, event: Any, place: Place) -> None:
        if event.implicit[0] and _COMMENT.match(self._text, event.end_mark.index):
            self.remarks[place] = "ends where a comment (#) begins, and needs quotes if that belongs to it"
        elif event.style not in ("|", ">") and event.start_mark.line != event.end_mark.line:
            self.remarks[place] = "goes on in the next line, which YAML joins to it with a blank"

    def _sequence(self, place: Place, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, self._note(event, place, len(items)), depth + 1))
        return items

    def _mapping(self, place: Place, depth: int) -> dict[str, object]:
        own: dict[str, object] = {}
        merged: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if _merges(event):
                merged |= self._merge(event, place, self._value(next(self._events), place, depth + 1))
                continue
            key = self._value(event, place, depth + 1)
            inner = self._note(event, place, key) if isinstance(key, str) else place
            value = self._value(next(self._events), inner, depth + 1)
            if value is None and _is_rest_of_number(event):
                self._fault(event, place, _SPLIT_NUMBER)
            elif not isinstance(key, str):
                self._fault(event, place, _TEMPLATE if isinstance(key, dict) else _KEY)
            elif key in own:
                self._fault(event, place, f"{self._named(key, own, value)} stands twice")
            else:
                own[key] = value
        return merged | own if merged else own

    def _named(self, key: str, own: dict[str, object], value: object) -> str:
        """Return how a message names a key that stands twice."""
        if key in self._vocabulary.known:
            return f"key {key}"
        is_piece = any(self._vocabulary.guards(other) for other in own)
        if is_piece or not all(may_be_shown(key, v) for v in (own[key], value)):
            return "a key (not shown, it may be part of a secret)"
        return f"key {key}"

    def _merge(self, event: Any, place: Place, value: object) -> dict[str, object]:
        """Return what ``<<`` brings in: of several mappings the first one that has a key gives it."""
        merged: dict[str, object] = {}
        for base in reversed(value if isinstance(value, list) else [value]):
            if not isinstance(base, dict):
                self._fault(event, place, "<< merges mappings only")
                return {}
            merged |= base
        return merged

    def _note(self, event: Any, place: Place, step: str | int) -> Place:
        if self._lines is None:
            return place  # nobody asks yet
        inner = (*place, step)
        self._lines[inner] = _line(event)
        return inner

    def _fault(self, event: Any, place: Place, text: str) -> None:
        self._reject(FaultError(_line(event), place, text))

    def _reject(self, fault: FaultError) -> None:
        if self._lines is None:
            raise fault
        self.faults.append(fault)


def may_be_shown(key: str, value: object) -> bool:
    """Return whether a key that isn't known can stand in a message, as far as it alone can tell.

    ``{password: x,hunter2}`` gives a key hunter2 without a value, ``{password:hunter2}`` one with a colon.
    """
    if IDENTIFIER.fullmatch(key):
        return value is not None
    return isinstance(value, dict) and bool(value) and key.isprintable() and len(key) <= 64


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _merges(event: Any) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]


def _is_rest_of_number(event: Any) -> bool:
    """Return whether a key is what follows the comma in ``{warning: 5,000}``."""
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0] and bool(_DIGITS.fullmatch(event.value))


def _plain_tag(text: str) -> str | None:
    """Return what YAML 1.1 takes an unquoted scalar for; ``None`` for text."""
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            return str(tag)
    return None


def _syntax_fault(error: yaml.YAMLError, source: str) -> FaultError:
    """Return where, and in our own words why, the parser stopped."""
    found = str(getattr(error, "problem", ""))
    known = (ours for theirs, ours in _SYNTAX.items() if found.startswith(theirs))
    text = next(known, "the parser stops here")
    mark = getattr(error, "problem_mark", None)
    if "quotation" in text:  # where it begins, not the end of the file
        mark = getattr(error, "context_mark", None) or mark
    elif mark and _is_at_tab(source, mark):
        text = _TAB
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return FaultError(line, (), f"not valid YAML: {text}", column)


def _is_at_tab(source: str, mark: Any) -> bool:
    """Return whether a mark is at a tab, or behind one where its line begins or a value does."""
    before = source[source.rfind("\n", 0, mark.index) + 1 : mark.index]
    indentation = before[: len(before) - len(before.lstrip(" \t-"))]
    return source[mark.index : mark.index + 1] == "\t" or "\t" in indentation or before.endswith(":\t")
