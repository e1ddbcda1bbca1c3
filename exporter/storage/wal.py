"""SQLite's write-ahead log, read as SQLite reads it after a kill, to see whether something of it is lost.

SQLite takes what is whole from the start and silently skips the rest: most often rightly, as what a kill has
cut off was never committed. Here the rest is searched for what was committed. The format:
https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html
"""

import struct
import sys
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682  # the last bit: the checksums' order of bytes
_INDEX_VERSION: Final = 3007000


def damage(log: Path) -> str | None:
    """Return what is wrong with a log (``state.db-wal``) that no process uses, ``None`` where it is in order.

    Raises OSError.
    """
    try:
        data = log.read_bytes()
    except FileNotFoundError:
        return None
    if not data:
        return None
    if (size := _page_size(data)) is None:
        return f"{log.name} is damaged: its header is wrong"
    salts, frames = data[16:24], range(_HEADER.size, len(data), _FRAME.size + size)
    committed, place = _follow(data, size)
    # What is left of earlier rounds bears other salts; what was given up for lack of space ends in no commit.
    for number in range(place, len(frames)):
        start = frames[number]
        head = data[start : start + _FRAME.size]
        if head[8:16] == salts and head[4:8] != b"\0\0\0\0":
            return f"{log.name} is damaged: it breaks off at frame {place + 1}, and a commit comes later"
    if (known := _committed(log.with_name(log.name[: -len("wal")] + "shm"), salts)) > committed:
        return f"{log.name} is damaged: it holds {committed} of {known} frames that were committed"
    return None


def _page_size(data: bytes) -> int | None:
    """Return the size of pages; ``None`` where the header isn't one."""
    if len(data) < _HEADER.size:
        return None
    magic, _, size, _, _, _, *checksum = _HEADER.unpack_from(data)
    if magic & ~1 != _MAGIC or size not in (2**bits for bits in range(9, 17)):
        return None
    return size if _sum(data[:24], magic, (0, 0)) == tuple(checksum) else None


def _follow(data: bytes, size: int) -> tuple[int, int]:
    """Return how many frames are committed, and how many are whole."""
    magic, *_, first, second = _HEADER.unpack_from(data)
    checksum, committed, place = (first, second), 0, 0
    for start in range(_HEADER.size, len(data) - _FRAME.size - size + 1, _FRAME.size + size):
        _, pages, _, _, *expected = _FRAME.unpack_from(data, start)
        if data[start + 8 : start + 16] != data[16:24]:
            break
        page = start + _FRAME.size
        checksum = _sum(data[start : start + 8] + data[page : page + size], magic, checksum)
        if checksum != tuple(expected):
            break
        place += 1
        if pages:
            committed = place
    return committed, place


def _sum(data: bytes, magic: int, start: tuple[int, int]) -> tuple[int, int]:
    """Return SQLite's checksum of a piece whose length is a multiple of eight."""
    first, second = start
    words = struct.unpack(f"{'>' if magic & 1 else '<'}{len(data) // 4}I", data)
    for place in range(0, len(words), 2):
        first = (first + words[place] + second) & 0xFFFFFFFF
        second = (second + words[place + 1] + first) & 0xFFFFFFFF
    return first, second


def _committed(index: Path, salts: bytes) -> int:
    """Return how many frames of the log with these salts its index knows to be committed."""
    try:
        with index.open("rb") as file:
            head = file.read(96)
    except OSError:
        return 0
    version = int.from_bytes(head[:4], sys.byteorder)
    if head[:48] != head[48:] or version != _INDEX_VERSION or head[32:40] != salts:
        return 0
    return int.from_bytes(head[16:20], sys.byteorder)
