"""Sections and the rules for their values, as pydantic checks them; what of a value a message may show."""

import re

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

_SHOWN = re.compile(r"[A-Za-z0-9+-][A-Za-z0-9._+-]{0,39}")
"""Values that can stand in a message: others may hold more than their own (``5m password:hunter2``)."""


class StandIn(str):
    """What stands for a needed value that is broken, so that the rest of a section can be used."""

    __slots__ = ()


class Section(BaseModel):
    """A mapping of the file. Keys may be left out; one that is there needs a right value, and never null."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


def keys(section: type[Section]) -> tuple[str, ...]:
    """Return the keys of a section as they stand in the file."""
    return tuple(field.alias or name for name, field in section.model_fields.items())


def wrong(text: str) -> PydanticCustomError:
    """Return the error of a broken rule of ours; the text reaches the user as it is."""
    return PydanticCustomError("rule", "{text}", {"text": text})


def got(value: object) -> str:
    """Return what was found, as far as it may be shown."""
    if isinstance(value, bool):
        return f"got {str(value).lower()}"
    if isinstance(value, str | int | float) and _SHOWN.fullmatch(text := str(value)):
        return f"got {text}"
    return "got text that isn't shown" if isinstance(value, str) else f"got {kind_of(value)}"


def kind_of(value: object) -> str:
    """Return what sort of value it is, in a reader's words."""
    kinds = {dict: "a mapping", list: "a list", str: "text", bool: "a boolean", type(None): "nothing"}
    return kinds.get(type(value), "a number")


def as_text(value: object) -> str:
    """Return a value that is text and isn't empty; raises what ``wrong`` returns."""
    if value is None or value == "":
        raise wrong("must not be empty")
    if isinstance(value, dict | list):
        raise wrong(f"must be a string, not {kind_of(value)}")
    if not isinstance(value, str):
        raise wrong("must be a string: put it in quotes")
    return value
