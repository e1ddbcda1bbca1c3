"""What to do where the exporter can't start: what is missing, which flag names another file or address."""

import errno
import os
from pathlib import Path
from typing import Final

from exporter.cli.flags import PROGRAM

_PLACE: Final = (
    *(os.strerror(number) for number in (errno.EACCES, errno.EPERM, errno.EROFS)),
    *(os.strerror(number) for number in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)),
    "readonly database",  # SQLite's own words
    "unable to open",
)
"""Errors of the storage that another place or other rights cure."""

_ADDRESS: Final = {
    errno.EADDRINUSE: "another program listens there, perhaps this one",
    errno.EACCES: "ports below 1024 are kept for root",
    errno.EPERM: "ports below 1024 are kept for root",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine has no such address",
}


def of_configuration(error: str, flag: str, path: Path | None) -> str:
    """Return what to do about an error of the file that a flag names; empty where it says so itself."""
    reason = error.removeprefix(f"{path}: ")
    if path is None or reason == error:
        return ""
    if reason in (os.strerror(errno.ENOENT), os.strerror(errno.ENOTDIR)):
        if flag == "--config.file":
            return f"name yours with {flag}, copy config.example.yaml, or look around first: {PROGRAM} demo"
        return f"name yours with {flag}"
    if reason == os.strerror(errno.EISDIR):
        return f"name the file in it with {flag}"
    if reason in (os.strerror(errno.EACCES), os.strerror(errno.EPERM)):
        return f"user {os.geteuid()} must be allowed to read it, or name another with {flag}"
    return ""


def of_storage(error: str) -> str:
    """Return what to do about an error of the storage; empty where it says so itself or nothing is known."""
    if not any(reason in error for reason in _PLACE):
        return ""
    rights = f"user {os.geteuid()} must be allowed to write this file and its directory"
    other = "another file" if "--storage.path" in error else "--storage.path names another, which"
    return f"{rights}; {other} knows nothing of earlier refusals"


def of_address(error: OSError, flag: str) -> str:
    """Return what to do about an address that can't be had; empty where nothing is known."""
    number = error.errno or 0
    looked_up = "no such host" if number < 0 else ""  # the lookup's own numbers
    reason = _ADDRESS.get(number, looked_up)
    return f"{reason}: choose another with {flag}" if reason else ""
