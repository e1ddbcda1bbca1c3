"""The standard streams, whatever their state: closed, full, without a reader, without some letters."""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def prepare() -> None:
    """Make all three usable, whatever the process was started with.

    A closed one becomes the null device: else the next file or socket would get its number, and what is
    written to the terminal with it.
    """
    streams: Any = sys  # a closed one is None, which its type doesn't say
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(streams, name) is None:
            setattr(streams, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for good
    streams.stdout.reconfigure(errors="backslashreplace")  # as stderr does: it may lack letters of a name


def say(text: str) -> None:
    """Print a line to stdout. Its reader may have seen enough, as in `check NAME | head -1`."""
    with suppress(BrokenPipeError):
        print(text)  # noqa: T201


def complain(text: str) -> None:
    """Print a line to stderr. Where that isn't possible the exit code has to tell."""
    with suppress(OSError):
        print(text, file=sys.stderr)  # noqa: T201


class Progress:
    """Shows on a terminal how far it is, in one line of stderr; nothing where that is a file or a pipe."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._anything = False

    def show(self, number: int, what: str) -> None:
        """Show the number of what is done now, and its name."""
        if self._shown:
            line = f"{number:,} of {self._number:,}: {what}"
            width = shutil.get_terminal_size().columns - 1
            self._write("".join(letter if letter.isprintable() else "?" for letter in line)[:width])
            self._anything = True

    def clear(self) -> None:
        """Take the line away, before another one comes."""
        if self._anything:
            self._write("")
            self._anything = False

    def _write(self, line: str) -> None:
        with suppress(OSError):
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)  # noqa: T201 - for people


def flush(tell: Callable[[str], None]) -> bool:
    """Write out what is left, at the end; return whether stdout has, or wants, all of it.

    ``tell`` is given the error where it has not.
    """
    complete = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                tell(f"can't write: {error.strerror}")
                complete = False
            # Python would try once more when it ends, complain, and have an exit code of its own.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return complete
