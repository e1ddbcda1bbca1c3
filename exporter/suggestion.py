"""Did you mean: the known name that was probably meant."""

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like ``name``; ``None`` where none is like it."""
    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about a name that isn't known: empty, or ``, did you mean …?``."""
    close = closest(name, known)
    return f", did you mean {close}?" if close else ""
