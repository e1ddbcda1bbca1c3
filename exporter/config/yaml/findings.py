"""What reading the configuration brings to light: sections as far as they are sound, problems, warnings.

The texts of errors that any section can have are made here, those about a single value by the rule that it
breaks.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import ValidationError

from exporter.config.model import ConfigError
from exporter.config.yaml.builder import Place
from exporter.config.yaml.document import Document, Problem, Where
from exporter.config.yaml.files import FILE_LIMIT, read_text
from exporter.config.yaml.rules import Section, StandIn, keys, kind_of
from exporter.config.yaml.vocabulary import Vocabulary
from exporter.suggestion import suggestion

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Checked(Generic[S]):
    """A section as far as it is sound: ``broken`` keys are left out, so that cross checks can go on."""

    where: Where
    section: S
    broken: frozenset[str]


@dataclass(slots=True)
class Findings:
    """What reading the files brings to light, good and bad."""

    base: Path
    """What relative file names are relative to: the configuration file's directory."""
    vocabulary: Vocabulary
    problems: list[Problem] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    """Each once, in their order; so are the files that were read or looked for."""
    files: dict[Path, None] = field(default_factory=dict)

    def read(self, path: Path) -> Document | None:
        """Return a YAML file; ``None``, and note the problems, where it is none. Raises ReadError."""
        rank = len(self.files)
        self.files[path] = None
        document = Document(read_text(path, FILE_LIMIT), str(path), rank, self.vocabulary)
        self.problems += document.problems
        return None if document.problems else document

    def check(self, model: type[S], where: Where) -> Checked[S] | None:
        """Return the section at a place; ``None``, and note the problem, where something else stands there.

        A section that is empty or missing has no keys.
        """
        raw = where.value()
        raw = {} if raw is None else raw
        try:
            return Checked(where, model.model_validate(raw), frozenset())
        except ValidationError as error:  # pydantic's own texts are never shown: they quote the input
            faults = [(fault["loc"], _fault_text(fault, model)) for fault in error.errors()]
        self.problems += [_problem(where, loc, text) for loc, text in faults]
        if not isinstance(raw, dict):
            return None
        broken = frozenset(str(loc[0]) for loc, _ in faults)
        sound = {key: value for key, value in raw.items() if key not in broken}
        return Checked(where, model.model_validate({**self._stand_ins(model, where), **sound}), broken)

    def reject(self, where: Where, text: str) -> None:
        """Note the error ``FILE:LINE: PLACE: TEXT``."""
        self.problems.append(where.document.problem(where.place, text))

    def warn(self, where: Where, text: str) -> str:
        """Note the warning ``FILE: PLACE: TEXT``: without the line, which would take another pass to find."""
        warning = f"{where.document.shown}: {where}: {text}"
        self.warnings[warning] = None
        return warning

    def error(self) -> ConfigError:
        """Return all problems, in the order of files and lines, each once."""
        in_order = sorted(self.problems, key=lambda problem: (problem.rank, problem.line))
        return ConfigError(tuple(dict.fromkeys(problem.text for problem in in_order)), tuple(self.files))

    def _stand_ins(self, model: type[Section], where: Where) -> dict[str, StandIn]:
        """Return values for the needed keys, all of them text, that are equal to no other section's."""
        unique = StandIn(f"{len(self.files)} {where.place}")
        return {key: unique for key, info in model.model_fields.items() if info.is_required()}


_UNKNOWN = "unknown key"


def _fault_text(fault: Any, model: type[Section]) -> str:
    kind, found = fault["type"], kind_of(fault["input"])
    if kind == "rule":
        return str(fault["ctx"]["text"])
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return _UNKNOWN + _suggestion(fault["loc"], model)
    if kind in ("model_type", "dict_type"):
        return f"must be a mapping of keys to values, not {found}"
    if kind == "list_type":
        return f"must be a list, not {found}"
    if kind == "too_long":
        return f"at most {fault['ctx']['max_length']} are allowed, got {len(fault['input'])}"
    return "is not valid"


def _suggestion(loc: Place, model: type[Section]) -> str:
    """Return the key that was probably meant, from the section that the unknown one stands in."""
    section = model if len(loc) == 1 else _inner(model, loc[0]) or model
    return suggestion(str(loc[-1]), keys(section))


def _inner(model: type[Section], key: str | int) -> type[Section] | None:
    """Return the section that stands under a key of another one."""
    field = next((info for name, info in model.model_fields.items() if key in (name, info.alias)), None)
    kinds = get_args(field.annotation) if field else ()
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def _problem(where: Where, loc: Place, text: str) -> Problem:
    steps = (step for step in loc if step != "[key]")  # pydantic's mark for a key that is wrong
    document, place = where.document, where.at(*steps).place
    if not text.startswith(_UNKNOWN):
        return document.problem(place, text)
    # One that resembles a key is a typing error rather than a piece of a secret, unless it's in its line.
    if document.shows(place) and (text != _UNKNOWN or not document.is_near_secret(place)):
        return document.problem(place, text)
    text = f"{_UNKNOWN} (not shown, it may be part of a secret: text with a comma or a colon needs quotes)"
    return document.problem(place, text, named=place[:-1])
