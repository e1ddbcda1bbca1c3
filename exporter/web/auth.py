"""Basic auth with bcrypt hashes, which take long to check on purpose: off the loop, cached and bounded."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

CACHED: Final = 256
"""Credentials whose check is remembered: a client sends the same ones again and again."""

WAITING: Final = 16
"""Checks that may wait for the one under way; those beyond are turned away."""

_BCRYPT_BYTES: Final = 72  # bcrypt looks no further; the package refuses what is longer


class Verdict(Enum):
    """What becomes of a request."""

    ALLOWED = auto()
    REFUSED = auto()
    BUSY = auto()
    """Too many credentials wait to be checked."""


class BasicAuth:
    """Checks the Authorization header against users and their bcrypt hashes, which can be replaced."""

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self.users = users
        self._key = os.urandom(32)
        # Apart, so that guesses don't push out what a good client sends.
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._checking = asyncio.Lock()
        self._waiting = 0

    async def judge(self, authorization: str | None) -> Verdict:
        """Return whether a request with this Authorization header may pass. Without users every one may."""
        if not self.users:
            return Verdict.ALLOWED
        credentials = _credentials(authorization)
        if credentials is None:
            return Verdict.REFUSED
        user, password = credentials
        hashed = self.users.get(user)
        # Somebody's hash is checked where the user doesn't exist, so that the time taken doesn't tell.
        against = hashed or next(iter(self.users.values()))
        mark = hmac.digest(self._key, b"\0".join((user.encode(), against, password)), hashlib.sha256)
        if mark not in self._right and mark not in self._wrong:
            if self._waiting >= WAITING:
                return Verdict.BUSY
            await self._check(mark, password, against)
        # The users may have been replaced meanwhile.
        allowed = mark in self._right and hashed is not None and self.users.get(user) == hashed
        return Verdict.ALLOWED if allowed else Verdict.REFUSED

    async def _check(self, mark: bytes, password: bytes, hashed: bytes) -> None:
        import bcrypt  # here, as most servers have no users

        self._waiting += 1
        try:
            # One at a time: guessing must not take more than one core.
            async with self._checking:
                if mark in self._right or mark in self._wrong:
                    return
                matches = await asyncio.to_thread(bcrypt.checkpw, password[:_BCRYPT_BYTES], hashed)
                known = self._right if matches else self._wrong
                known[mark] = None
                if len(known) > CACHED:
                    known.popitem(last=False)
        finally:
            self._waiting -= 1


def _credentials(authorization: str | None) -> tuple[str, bytes] | None:
    """Return user and password of a header ``Basic …`` (RFC 7617)."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except ValueError:  # not Base64, not ASCII, or a user that isn't UTF-8
        return None
