"""The media type of a body, as the header Content-Type gives it (RFC 9110, section 8.3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 4096  # characters of the header that are looked at
_PARAMETER: Final = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;"]*)')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A type such as ``text/xml`` and its parameters, names in lower case. Empty where the header is."""

    name: str
    parameters: Mapping[str, str]

    @property
    def charset(self) -> str | None:
        """The charset that it names."""
        return self.parameters.get("charset")


def media_type(header: str) -> MediaType:
    """Return what a header says, without what can't be read of it. A parameter's first value counts."""
    name, separator, rest = header[:_LONGEST].partition(";")
    parameters: dict[str, str] = {}
    for key, value in _PARAMETER.findall(separator + rest):
        unquoted = _QUOTED_PAIR.sub(r"\1", value[1:-1]) if value.startswith('"') else value.strip()
        parameters.setdefault(key.lower(), unquoted)
    return MediaType(name.strip().lower(), parameters)
