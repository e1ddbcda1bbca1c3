"""Fingerprints: a password is recognised by its own, on systems that forbid scrypt, too."""

import asyncio
import hashlib

import pytest

from exporter.guard.credential import Fingerprint, Fingerprints
from exporter.secret import Secret
from exporter.storage.engine import StorageError

ONE, OTHER = Secret("pässwörd 1"), Secret("pässwörd 2")


def forbidden(*_arguments: object, **_options: object) -> bytes:
    """As OpenSSL says it where FIPS 140 is enforced."""
    raise ValueError("[digital envelope routines] unsupported")


@pytest.mark.parametrize("scrypt", [True, False])
async def test_a_password_is_recognised_and_no_other(scrypt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not scrypt:
        monkeypatch.setattr(hashlib, "scrypt", forbidden)
    fingerprints = Fingerprints()
    made = await fingerprints.make(ONE)
    assert made.method == ("scrypt" if scrypt else "pbkdf2")
    assert (len(made.salt), len(made.digest)) == (16, 32)
    assert await fingerprints.match(ONE, made)
    assert not await fingerprints.match(OTHER, made)
    assert (await fingerprints.make(ONE)).digest != made.digest


@pytest.mark.parametrize("method", ["scrypt", "of a later version"])
async def test_one_that_can_not_be_computed_counts_as_the_same(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose it is can't be told, and it may be this password's."""
    monkeypatch.setattr(hashlib, "scrypt", forbidden)
    assert await Fingerprints().match(OTHER, Fingerprint(method, b"salt", b"digest"))


async def test_without_any_way_it_is_an_error_of_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that can't be kept suspends in memory, and that is told."""
    monkeypatch.setattr(hashlib, "scrypt", forbidden)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", forbidden)
    with pytest.raises(StorageError, match="neither scrypt nor PBKDF2"):
        await Fingerprints().make(ONE)


async def test_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 16 MB: however many logins are refused at once, that is all."""
    under_way = most = 0

    def digest(*_arguments: object) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(100):
            hashlib.sha256(b"x" * 10_000).digest()  # lets other threads run
        under_way -= 1
        return b"digest"

    monkeypatch.setattr("exporter.guard.credential._digest", digest)
    fingerprints = Fingerprints()
    await asyncio.gather(*(fingerprints.make(ONE) for _ in range(20)))
    assert most == 1
