"""The lines of accounts that stand beside each other, joined: one that changes costs its block's joining.

Bytes are never changed, only replaced: a client that reads slowly keeps those that it was given.
"""

from array import array
from collections.abc import Iterator, Sequence
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

    __slots__ = ("_changed", "_deflated", "_joined", "_lengths")

    def __init__(self, accounts: int, families: int) -> None:
        self._joined: Families = (b"",) * families
        self._lengths = [array("I", [0] * accounts) for _ in range(families)]
        self._changed: dict[int, Sequence[bytes]] = {}
        self._deflated: Families | None = None

    @property
    def settled(self) -> bool:
        """Whether all lines are joined already."""
        return not self._changed

    def put(self, place: int, lines: Sequence[bytes]) -> None:
        """Replace an account's lines, one piece for each family; there are none at first."""
        self._changed[place] = lines

    def joined(self) -> Families:
        """Return all lines, one piece for each family: the same object until an account changes."""
        if self._changed:
            places = sorted(self._changed)
            self._joined = tuple(
                _replaced(piece, lengths, places, [self._changed[place][family] for place in places])
                for family, (piece, lengths) in enumerate(zip(self._joined, self._lengths, strict=True))
            )
            self._changed = {}
            self._deflated = None
        return self._joined

    @property
    def deflated(self) -> Families | None:
        """The joined pieces compressed, where they have been kept since they last changed."""
        return self._deflated

    def keep_deflated(self, lines: Families, deflated: Families) -> None:
        """Keep the joined ``lines`` compressed, unless they have changed meanwhile."""
        if lines is self._joined:
            self._deflated = deflated

    def split(self) -> Iterator[Sequence[bytes]]:
        """Yield the lines of each account, by its place."""
        families = [
            [piece[end - length : end] for end, length in zip(accumulate(lengths), lengths, strict=True)]
            for piece, lengths in zip(self.joined(), self._lengths, strict=True)
        ]
        return zip(*families, strict=True)


def _replaced(piece: bytes, lengths: "array[int]", places: Sequence[int], lines: Sequence[bytes]) -> bytes:
    """Return a family's lines with those at ``places`` replaced, and note their lengths."""
    if len(places) == len(lengths):
        lengths[:] = array("I", map(len, lines))
        return b"".join(lines)
    before = memoryview(piece)
    ends = list(accumulate(lengths))
    parts: list[bytes | memoryview] = []
    done = 0
    for place, new in zip(places, lines, strict=True):
        end = ends[place]
        start = end - lengths[place]
        if done < start:
            parts.append(before[done:start])
        parts.append(new)
        lengths[place] = len(new)
        done = end
    return b"".join([*parts, before[done:]])
