"""Commands that can be pasted as they are: of this very program, with its configuration and its storage."""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from exporter.cli.flags import PROGRAM
from exporter.resume import command


def program() -> list[str]:
    """Return the words that run this program, wherever a shell stands."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return [sys.executable, "-m", __name__.partition(".")[0]]
    if started.name == PROGRAM and (found := shutil.which(sys.argv[0])):
        return [os.path.abspath(found)]  # not what a link leads to: pipx and systemd name the link
    return [PROGRAM]


def check(options: argparse.Namespace, storage_path: Path | None) -> list[str]:
    """Return the words of the command that asks for accounts, as far as to their names.

    On another storage it would neither lift a suspension of the daemon nor count with its tries.
    """
    words = [*program(), "check", f"--config.file={options.config_file.absolute()}"]
    if options.storage_path:
        words.append(f"--storage.path={storage_path.absolute() if storage_path else ':memory:'}")
    return words


def resume(options: argparse.Namespace, storage_path: Path | None) -> Callable[[str, str], str]:
    """Return what makes the command that gives an account one new try, from its name and the daemon's URL.

    A daemon that keeps nothing can only be told itself: ``check`` has no part in its memory.
    """
    words = check(options, storage_path) if storage_path else []

    def of(name: str, url: str) -> str:
        if not words:
            return shlex.join(("curl", "-X", "POST", f"{url}-/resume?account={quote(name, safe='')}"))
        return command(name, words)

    return of
