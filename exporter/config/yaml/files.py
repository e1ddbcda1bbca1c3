"""Files that the configuration is made of, read whole. No error repeats what a file holds or is called."""

import stat
from pathlib import Path
from typing import BinaryIO, Final

FILE_LIMIT = 64 * 2**20
"""Bytes; a hundred thousand accounts take about a quarter of it."""

_PIECE: Final = 64 * 1024  # bytes


class ReadError(Exception):
    """A file (or a variable) holds nothing that can be used; the text says why, without name and content."""


def read_bytes(path: Path, limit: int) -> bytes:
    """What a regular file of at most `limit` bytes holds; raises ReadError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a FIFO would block there
            raise ReadError("Is a directory" if path.is_dir() else "Not a regular file")
        with path.open("rb") as file:
            data = _read_at_most(file, limit + 1)
    except OSError as error:
        raise ReadError(error.strerror or "Can't be read") from None
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
    """The text of a regular UTF-8 file of at most `limit` bytes; raises ReadError."""
    data = read_bytes(path, limit)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ReadError(f"Not UTF-8 text (line {line})")  # outside the handler: that exception holds the content
