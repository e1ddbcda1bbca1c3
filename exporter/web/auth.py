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

WAITING: Final = 512
"""Credentials that may wait for their check; a request with one more is turned away."""

TURN: Final = 8.0
"""Seconds that a request waits for its credential, or the answer to a wrong one for the others.

Prometheus gives a scrape 10 by default.
"""

_BCRYPT_BYTES: Final = 72  # bcrypt looks no further; the package rejects what is longer


class Admission(Enum):
    """What becomes of a request."""

    ALLOWED = auto()
    REFUSED = auto()
    BUSY = auto()
    """Too many credentials wait to be checked."""


class _Check:
    """A credential that waits to be checked, how many requests wait for that, and whether it is done."""

    __slots__ = ("done", "hashed", "password", "requests")

    def __init__(self, password: bytes, hashed: bytes) -> None:
        self.password = password
        self.hashed = hashed
        self.requests = 0
        self.done = asyncio.Event()


class BasicAuth:
    """Checks the Authorization header against users and their bcrypt hashes, which can be replaced.

    They are checked one at a time, as guessing must not take more than one core: in turns the one that came
    last and the one that has waited for longest. Wrong ones are answered only once none waits any more. So
    the right one soon gets in, though many guess: they wait for their answers meanwhile.
    """

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self.users = users
        self._key = os.urandom(32)
        # Apart, so that guesses don't push out what a good client sends.
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: OrderedDict[bytes, _Check] = OrderedDict()
        self._checking: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()  # set while nobody waits

    async def judge(self, authorization: str | None) -> Admission:
        """Return whether a request with this Authorization header may pass. Without users every one may."""
        if not self.users:
            return Admission.ALLOWED
        credentials = _credentials(authorization)
        if credentials is None:
            return Admission.REFUSED
        user, password = credentials
        hashed = self.users.get(user)
        # Somebody's hash is checked where the user doesn't exist, so that the time taken doesn't tell.
        against = hashed or next(iter(self.users.values()))
        mark = hmac.digest(self._key, b"\0".join((user.encode(), against, password)), hashlib.sha256)
        if (
            mark not in self._right
            and mark not in self._wrong
            and not await self._checked(mark, password, against)
        ):
            return Admission.BUSY
        # The users may have been replaced meanwhile.
        allowed = mark in self._right and hashed is not None and self.users.get(user) == hashed
        return Admission.ALLOWED if allowed else Admission.REFUSED

    async def _checked(self, mark: bytes, password: bytes, hashed: bytes) -> bool:
        """Wait until a credential has been checked; return whether it had its turn."""
        check = self._waiting.get(mark)
        if check is None:
            if len(self._waiting) >= WAITING:
                return False
            self._waiting[mark] = check = _Check(password, hashed)
        check.requests += 1
        self._quiet.clear()
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_all())
        try:
            async with asyncio.timeout(TURN):
                await check.done.wait()
                if mark in self._wrong:
                    await self._quiet.wait()
        except TimeoutError:
            return check.done.is_set()
        finally:
            check.requests -= 1
            if not check.requests and self._waiting.get(mark) is check:
                del self._waiting[mark]
        return True

    async def _check_all(self) -> None:
        import bcrypt  # here, as most servers have no users

        last = True
        while self._waiting:
            mark, check = self._waiting.popitem(last=last)
            last = not last
            try:
                if mark in self._right or mark in self._wrong:
                    continue  # it came once more while it was checked
                password = check.password[:_BCRYPT_BYTES]
                matches = await asyncio.to_thread(bcrypt.checkpw, password, check.hashed)
                known = self._right if matches else self._wrong
                known[mark] = None
                if len(known) > CACHED:
                    known.popitem(last=False)
            finally:
                check.done.set()
                if not self._waiting:
                    self._quiet.set()


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
