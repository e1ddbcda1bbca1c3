"""The lines of accounts, joined in blocks: where one account changes only its block is joined anew.

Bytes are never changed, only replaced: a client that reads slowly keeps those that it was given.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

Families = tuple[bytes, ...]
"""One piece of bytes for each family of metrics."""

SIZE: Final = 512
"""Accounts in a block: so many that few pieces are sent, so few that they are joined in a millisecond."""


class Block:
    """The lines of some accounts, each known by its place, as one piece of bytes for each family of metrics.

    An account's lines are kept in the joined bytes alone, which halves the memory.
    """

    __slots__ = ("_columns", "_joined")

    def __init__(self, accounts: int, families: int) -> None:
        self._columns = tuple(_Column(accounts) for _ in range(families))
        self._joined: Families | None = (b"",) * families

    @property
    def settled(self) -> bool:
        """Whether all lines are joined already."""
        return self._joined is not None

    def put(self, place: int, lines: Sequence[bytes | None]) -> None:
        """Replace an account's lines, one piece for each family; ``None`` where they are as they were.

        There are none at first.
        """
        for column, piece in zip(self._columns, lines, strict=True):
            if piece is not None:
                column.changed[place] = piece
                self._joined = None

    def joined(self) -> Families:
        """Return all lines, one piece for each family: the same objects until an account changes."""
        if self._joined is None:
            self._joined = tuple(column.join() for column in self._columns)
        return self._joined

    @property
    def deflated(self) -> Sequence[bytes | None]:
        """The joined pieces compressed, each where it has been kept since it last changed."""
        return [column.deflated for column in self._columns]

    def keep_deflated(self, lines: Families, deflated: Families) -> None:
        """Keep the joined ``lines`` compressed, those that haven't changed meanwhile."""
        for column, piece, compressed in zip(self._columns, lines, deflated, strict=True):
            if piece is column.joined:
                column.deflated = compressed

    def split(self) -> Iterator[Sequence[bytes]]:
        """Yield the lines of each account, by its place."""
        self.joined()
        return zip(*(column.split() for column in self._columns), strict=True)


class _Column:
    """One family's lines of all accounts of a block: joined, and joined and compressed."""

    __slots__ = ("changed", "deflated", "joined", "lengths")

    def __init__(self, accounts: int) -> None:
        self.joined = b""
        self.lengths = array("I", [0] * accounts)
        self.changed: dict[int, bytes] = {}
        self.deflated: bytes | None = None

    def join(self) -> bytes:
        if self.changed:
            self.joined = _replaced(self.joined, self.lengths, self.changed)
            self.changed = {}
            self.deflated = None
        return self.joined

    def split(self) -> Iterator[bytes]:
        for end, length in zip(accumulate(self.lengths), self.lengths, strict=True):
            yield self.joined[end - length : end]


def _replaced(piece: bytes, lengths: "array[int]", changed: Mapping[int, bytes]) -> bytes:
    """Return a family's lines with those at some places replaced, and note their lengths."""
    places = sorted(changed)
    if len(places) == len(lengths):
        lines = [changed[place] for place in places]
        lengths[:] = array("I", map(len, lines))
        return b"".join(lines)
    before = memoryview(piece)
    ends = list(accumulate(lengths))
    parts: list[bytes | memoryview] = []
    done = 0
    for place in places:
        end = ends[place]
        start = end - lengths[place]
        if done < start:
            parts.append(before[done:start])
        parts.append(changed[place])
        lengths[place] = len(changed[place])
        done = end
    return b"".join([*parts, before[done:]])
