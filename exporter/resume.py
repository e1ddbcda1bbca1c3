"""The command that gives an account one new try, as it is printed wherever somebody may need it."""

import shlex
from collections.abc import Sequence
from typing import Final

CHECK: Final = ("cfdi-stamps-exporter", "check")
"""The words of ``check`` where nobody knows more of the installation."""


def command(name: str, check: Sequence[str] = CHECK) -> str:
    """Return the command for an account, ready to be pasted; ``check`` is its words without account."""
    return shlex.join((*check, "--resume", *(("--",) if name.startswith("-") else ()), name))
