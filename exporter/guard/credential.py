"""Fingerprints of credentials: enough to recognise a password that was refused, too little to guess it by.

A fingerprint takes some 50 ms and 16 MB to compute, on purpose. So they are computed in another thread, one
at a time however many logins are refused at once.
"""

import asyncio
import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final

from exporter.secret import Secret
from exporter.storage.engine import StorageError

_SCRYPT: Final = "scrypt"
_PBKDF2: Final = "pbkdf2"
_ROUNDS: Final = 600_000  # of PBKDF2 with SHA-256, as OWASP recommends


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A salted digest of a password, and how it was made."""

    method: str
    salt: bytes
    digest: bytes


class Fingerprints:
    """Makes fingerprints and compares passwords with them. To be made in a running event loop."""

    def __init__(self) -> None:
        self._computing = asyncio.Lock()

    async def make(self, password: Secret) -> Fingerprint:
        """Return a new fingerprint: by scrypt, where the system forbids that (FIPS 140) by PBKDF2."""
        async with self._computing:
            return await asyncio.to_thread(_make, password)

    async def match(self, password: Secret, fingerprint: Fingerprint) -> bool:
        """Return whether a fingerprint is a password's; one that can't be computed here counts as its own."""
        async with self._computing:
            return await asyncio.to_thread(_match, password, fingerprint)


def _make(password: Secret) -> Fingerprint:
    salt = os.urandom(16)
    digest = _digest(_SCRYPT, password, salt)
    if digest is not None:
        return Fingerprint(_SCRYPT, salt, digest)
    digest = _digest(_PBKDF2, password, salt)
    if digest is None:
        raise StorageError("a refusal can't be kept: the system computes neither scrypt nor PBKDF2")
    return Fingerprint(_PBKDF2, salt, digest)


def _match(password: Secret, fingerprint: Fingerprint) -> bool:
    digest = _digest(fingerprint.method, password, fingerprint.salt)
    return digest is None or hmac.compare_digest(digest, fingerprint.digest)


def _digest(method: str, password: Secret, salt: bytes) -> bytes | None:
    """Return a digest, ``None`` where this system can't compute it."""
    value = password.reveal().encode("utf-8", "surrogatepass")
    try:
        if method == _SCRYPT:
            return hashlib.scrypt(value, salt=salt, n=2**14, r=8, p=1, dklen=32)
        if method == _PBKDF2:
            return hashlib.pbkdf2_hmac("sha256", value, salt, _ROUNDS, dklen=32)
    except (ValueError, AttributeError, MemoryError):  # OpenSSL refuses it, or was built without it
        pass
    return None
