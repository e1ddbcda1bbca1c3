"""One YAML file, and the place of everything in it: what the other checks read, and how messages name it."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from exporter.config.yaml.builder import IDENTIFIER, Builder, FaultError, Place, may_be_shown
from exporter.config.yaml.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place. ``rank`` (of the file) and ``line`` put problems in a reader's order."""

    rank: int
    line: int
    text: str


class Document:
    """One YAML file: its value, and for messages the place of everything in it."""

    def __init__(self, text: str, shown: str, rank: int, vocabulary: Vocabulary) -> None:
        """Build the value of ``text``; ``shown`` is the file's name in messages."""
        self.shown = shown
        self._rank = rank
        self.problems: list[Problem] = []
        """All that is wrong with the file as YAML. Where there is any, its value isn't whole."""
        self._text = text
        self._vocabulary = vocabulary
        self._may_have_remarks: dict[str | int, bool] = {}
        self._value: object = None
        try:
            self._value = Builder(self._text, vocabulary).value()
        except FaultError:
            self._collect_problems()

    def problem(self, place: Place, text: str, named: Place | None = None) -> Problem:
        """Return ``FILE:LINE: PLACE: TEXT``, with the line where the key or the list item begins.

        ``named`` is the place to name where it isn't the one that gives the line.
        """
        return self._problem(self._line(place), place if named is None else named, text)

    def at(self, place: Place) -> object:
        """Return the value at a place; ``None`` where there is none."""
        value = self._value
        for step in place:
            value = _within(value, step)
        return value

    def shows(self, place: Place) -> bool:
        """Return whether a message may name the last key of this place."""
        if not place or isinstance(place[-1], int) or place[-1] in self._vocabulary.known:
            return True
        return may_be_shown(place[-1], self.at(place)) and not self._is_behind_secret(place, in_line=True)

    def is_near_secret(self, place: Place) -> bool:
        """Return whether a key can be a piece of a secret, however YAML came to take it for a key.

        It stands behind one whose value may be a secret, or at the top level in the line after it.
        """
        if len(place) == 1 and self._line(place) - 1 in self._secret_lines:
            return True
        return self._is_behind_secret(place, in_line=False)

    def place_text(self, place: Place) -> str:
        """Return a place as messages name it: ``accounts[1].interval``."""
        text = ""
        for depth, step in enumerate(place, 1):
            if isinstance(step, int):
                text += f"[{step}]"
            elif not self.shows(place[:depth]):
                text += ".(key not shown)"
            elif IDENTIFIER.fullmatch(step):
                text += f".{step}"
            else:
                text += f"[{json.dumps(step, ensure_ascii=False)}]"
        return text.removeprefix(".")

    def remark(self, place: Place) -> str | None:
        """Return how YAML reads the text at a place differently from how it looks, if it does.

        It is the rest of a sentence about that text. Finding it takes another pass, made only where the file
        may have such texts.
        """
        value, key = self.at(place), place[-1]
        if key not in self._may_have_remarks:
            comment = rf"{re.escape(str(key))}[\"']?[ \t]*:(?:[ \t\r]*\n)?[^\n]*[ \t]#"
            self._may_have_remarks[key] = bool(re.search(comment, self._text))
        folded = isinstance(value, str) and " " in value
        return self._passed[1].get(place) if folded or self._may_have_remarks[key] else None

    def _is_behind_secret(self, place: Place, *, in_line: bool) -> bool:
        """Return whether an earlier key of the same mapping (and in the same line) may hold a secret."""
        mapping = self.at(place[:-1])
        others = list(mapping) if isinstance(mapping, dict) else []
        before = others[: others.index(place[-1])] if place[-1] in others else others
        guards = [(*place[:-1], other) for other in before if self._vocabulary.guards(other)]
        return any(not in_line or self._lines.get(guard) == self._line(place) for guard in guards)

    def _line(self, place: Place) -> int:
        while place and place not in self._lines:
            place = place[:-1]  # what a merge or an alias brought in has no line of its own
        return self._lines.get(place, 1)

    @cached_property
    def _secret_lines(self) -> frozenset[int]:
        """Return the lines that may end with a secret, or with a piece of one."""
        text, guards = self._text.splitlines(), self._vocabulary.guards
        return frozenset(
            line
            for place, line in self._lines.items()
            if isinstance(place[-1], str) and guards(place[-1]) and not text[line - 1].endswith(("}", "]"))
        )

    @property
    def _lines(self) -> dict[Place, int]:
        return self._passed[0]

    @cached_property
    def _passed(self) -> tuple[dict[Place, int], dict[Place, str]]:
        """Return the line of every place, and the remarks: another pass, made only where somebody asks."""
        lines: dict[Place, int] = {}
        builder = Builder(self._text, self._vocabulary, lines)
        with suppress(FaultError):  # where the parser stops: what stands before that has its lines
            builder.value()
        return lines, builder.remarks

    def _problem(self, line: int, place: Place, text: str, column: int | None = None) -> Problem:
        where, colon = self.place_text(place), f":{column}" if column else ""
        return Problem(self._rank, line, f"{self.shown}:{line}{colon}: {where + ': ' if where else ''}{text}")

    def _collect_problems(self) -> None:
        """Read once more, past every fault that can be read past."""
        builder = Builder(self._text, self._vocabulary, lines={})
        try:
            self._value = builder.value()
        except FaultError as fault:
            builder.faults.append(fault)
        self.problems = [self._problem(f.line, f.place, f.text, f.column) for f in builder.faults]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file."""

    document: Document
    place: Place = ()

    def __str__(self) -> str:
        return self.document.place_text(self.place)

    def at(self, *steps: str | int) -> "Where":
        """Return a place within this one."""
        return Where(self.document, (*self.place, *steps))

    def value(self) -> object:
        """Return what stands there; ``None`` where nothing does."""
        return self.document.at(self.place)

    def remark(self) -> str | None:
        """Return what ``Document.remark`` has to say of the text there."""
        return self.document.remark(self.place)


def _within(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None
