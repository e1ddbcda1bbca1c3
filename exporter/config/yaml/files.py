"""Files that the configuration is made of, read whole. No error repeats a file's content or name."""

import codecs
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

FILE_LIMIT: Final = 64 * 2**20
"""Bytes; a hundred thousand accounts take about a quarter of it."""

# Little-endian UTF-32 begins as UTF-16 does.
_WIDE: Final = (codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PIECE: Final = 64 * 1024  # bytes


class ReadError(Exception):
    """A file (or a variable) holds nothing that can be used; the text says why, without name and content."""


class UnreachableError(ReadError):
    """There is no such file, or it can't be read: another place or other rights may help."""


def read_bytes(path: Path, limit: int) -> bytes:
    """Return what a regular file of at most ``limit`` bytes holds.

    Raises UnreachableError where there is nothing to be read, ReadError where it is too large.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a FIFO would block there
            raise UnreachableError("Is a directory" if path.is_dir() else "Not a regular file")
        with path.open("rb") as file:
            data = _read_at_most(file, limit + 1)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ReadError(os.strerror(errno.ENAMETOOLONG)) from None
        raise UnreachableError(error.strerror or "Can't be read") from None
    except ValueError:  # a NUL, or what the file system's encoding can't say
        raise ReadError("Not a possible file name") from None
    if len(data) > limit:
        raise ReadError(f"Larger than {limit // 1024} KiB")
    return data


def _read_at_most(file: BinaryIO, size: int) -> bytes:
    """The file's bytes in pieces: to ask for all at once makes room for `size`, however short the file is."""
    data = bytearray()
    while len(data) < size and (piece := file.read(min(_PIECE, size - len(data)))):
        data += piece
    return bytes(data)


def read_text(path: Path, limit: int) -> str:
    """Return the text of a regular UTF-8 file of at most ``limit`` bytes, without a byte order mark.

    Raises ReadError.
    """
    data = read_bytes(path, limit)
    if _is_wide(data):
        raise ReadError("UTF-16 or UTF-32 text: save it as UTF-8")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    # Outside the handler: that exception holds the content.
    raise ReadError(f"Not UTF-8 text (line {line}): save it as UTF-8")


def _is_wide(data: bytes) -> bool:
    """Return whether characters have two or four bytes: by the mark, or as half of the first ones are 0."""
    first = data[:64]
    half = len(first) // 2
    return data.startswith(_WIDE) or (half > 0 and half in (first[::2].count(0), first[1::2].count(0)))
