"""One YAML file, and the place of everything in it: what the other checks read, and how messages name it."""

import json
from dataclasses import dataclass
from functools import cached_property

from exporter.config.yaml.builder import IDENTIFIER, Builder, FaultError, Place, may_be_shown


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place. `rank` (of the file) and `line` put problems in a reader's order."""

    rank: int
    line: int
    text: str


class Document:
    """One YAML file: its value, and for messages the place of everything in it."""

    def __init__(self, text: str, shown: str, rank: int, known_keys: frozenset[str]) -> None:
        """Build the value of `text`.

        `shown` is the file's name in messages, `known_keys` are those that may be shown whatever they hold.
        """
        self.shown = shown
        self._rank = rank
        self.problems: list[Problem] = []
        """All that is wrong with the file as YAML. Where there is any, its value isn't whole."""
        self._text = text.removeprefix("\ufeff")
        self._known_keys = known_keys
        self._value: object = None
        try:
            self._value = Builder(self._text, known_keys).value()
        except FaultError:
            self._collect_problems()

    def problem(self, place: Place, text: str, named: Place | None = None) -> Problem:
        """`FILE:LINE: PLACE: TEXT`, with the line where the key or the list item begins.

        `named` is the place to name where it isn't the one that gives the line.
        """
        within = place
        while within and within not in self._lines:
            within = within[:-1]  # what a merge or an alias brought in has no line of its own
        return self._problem(self._lines.get(within, 1), place if named is None else named, text)

    def at(self, place: Place) -> object:
        """The value at a place; None where there is none."""
        value = self._value
        for step in place:
            value = _within(value, step)
        return value

    def shows(self, place: Place) -> bool:
        """Whether a message may name the last key of this place."""
        return not place or self._may_name(place[-1], self.at(place))

    def place_text(self, place: Place) -> str:
        """`accounts[1].interval`: a place as messages name it."""
        text, value = "", self._value
        for step in place:
            value = _within(value, step)
            if isinstance(step, int):
                text += f"[{step}]"
            elif not self._may_name(step, value):
                text += ".(key not shown)"
            elif IDENTIFIER.fullmatch(step):
                text += f".{step}"
            else:
                text += f"[{json.dumps(step, ensure_ascii=False)}]"
        return text.removeprefix(".")

    def _may_name(self, step: str | int, value: object) -> bool:
        return isinstance(step, int) or step in self._known_keys or may_be_shown(step, value)

    @cached_property
    def _lines(self) -> dict[Place, int]:
        """The line of every place: another pass, made only where there is a problem."""
        lines: dict[Place, int] = {}
        Builder(self._text, self._known_keys, lines).value()
        return lines

    def _problem(self, line: int, place: Place, text: str, column: int | None = None) -> Problem:
        where, colon = self.place_text(place), f":{column}" if column else ""
        return Problem(self._rank, line, f"{self.shown}:{line}{colon}: {where + ': ' if where else ''}{text}")

    def _collect_problems(self) -> None:
        """Read once more, past every fault that can be read past."""
        builder = Builder(self._text, self._known_keys, lines={})
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
        """A place within this one."""
        return Where(self.document, (*self.place, *steps))

    def value(self) -> object:
        """What stands there; None where nothing does."""
        return self.document.at(self.place)


def _within(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None
