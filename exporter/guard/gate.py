"""The lockout guard: a wrong credential is tried ``auth_attempts`` times, whatever happens to the process.

A login that fails too often locks the account at the provider, and with it the company's invoicing. So a
try with a credential that isn't proven is *charged*, durably, before it is sent, and is sent only while fewer
than ``auth_attempts`` charges stand. "Proven" is what the provider has accepted in this process.

Kept for each credential, by the account at the provider (``Account.guard_key``):

* its charges: of tries under way, and of those that were refused (601), which stay;
* the time before which no further try may be sent;
* its suspension;
* its fingerprint, once it was refused or suspended: a restart with another credential starts anew, one with
  the same, or with one that was refused before, doesn't.

A credential that the provider accepts is forgotten: nothing is held against it.
"""

import asyncio
import hashlib
import hmac
import os
import sqlite3
from dataclasses import dataclass

from exporter.account.codes import Effect, effect
from exporter.account.outcome import Failure, Outcome, Reading
from exporter.account.policy import suspends
from exporter.account.state import Suspension
from exporter.config import Account
from exporter.guard import ledger
from exporter.guard.ledger import Charge, Held, Standing
from exporter.secret import Secret
from exporter.storage.engine import Storage, StorageError


@dataclass(slots=True, eq=False)
class Credential:
    """A login that tries are charged to.

    ``record`` is its record in the storage, ``None`` while it has none; ``strangers`` are the records of the
    same account that are known to be other credentials'.
    """

    key: str
    password: Secret
    record: int | None = None
    strangers: frozenset[int] = frozenset()


class ResumeTooSoonError(Exception):
    """The account was resumed less than an hour ago; ``at`` is when it can be again (Unix time)."""

    def __init__(self, at: float) -> None:
        super().__init__("an account can be resumed once an hour")
        self.at = at


class Guard:
    """Charges tries and keeps suspensions.

    Its methods raise StorageError where the storage fails: nothing may be sent then that isn't proven.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        # Whose records are, of those that this process has used: it needs no fingerprint to tell.
        self._owners: dict[int, Secret] = {}
        self._owed: list[tuple[Credential, Charge | None, Reading, Account, float]] = []

    async def adopt(
        self, account: Account, now: float, previous: Credential | None = None
    ) -> tuple[Credential, Standing]:
        """Return the credential that an account has in the configuration, and what is held against it.

        It is told by its fingerprint. Where a record has none, as the process was killed before it was made,
        the credential is taken for that record's. ``previous`` is the credential that a reload replaced.
        """
        credential = Credential(account.guard_key, account.password)
        if previous and previous.key == credential.key and previous.password != credential.password:
            await self._remember(previous)
        standing = await self._identify(credential, account, now)
        if standing.refusals or standing.suspension:
            await self._remember(credential)
        return credential, standing

    async def charge(self, credential: Credential, account: Account, now: float) -> Charge | Held:
        """Charge a try with a credential that isn't proven; where it is held back nothing may be sent."""
        limit, interval = account.auth_attempts, account.interval

        def work(db: sqlite3.Connection) -> tuple[int, Charge | Held] | None:
            if ledger.is_unsure(db, credential.key, credential.record, credential.strangers):
                return None
            record = ledger.record_of(db, credential.key, credential.record)
            return record, ledger.charge(db, record, limit, interval, now)

        while (charged := await self._storage.transact(work)) is None:
            await self._identify(credential, account, now)
        record, charge = charged
        self._use(credential, record)
        return charge

    async def settle(
        self, credential: Credential, charge: Charge | None, outcome: Outcome, account: Account, now: float
    ) -> int:
        """Keep what an outcome means for the credential that it was sent with.

        ``charge`` is ``None`` where the credential was proven; ``now`` is when the try was sent. Return the
        refusals that stand.
        """
        kind = Effect.RETRY if isinstance(outcome, Failure) else effect(outcome.status)
        harmful = kind in (Effect.REFUSED, Effect.STOP)
        if kind is Effect.BALANCE:
            await self._forget(credential, charge)
            return 0
        if charge is None and not harmful:
            return 0  # nothing is held against a proven credential, and this changes nothing
        try:
            refusals = await self._charge_outcome(credential, charge, outcome, account, now)
        except StorageError:
            if harmful and isinstance(outcome, Reading):
                self._owed.append((credential, charge, outcome, account, now))
            raise
        if harmful:
            refusals = (await self._identify(credential, account, now)).refusals
            await self._remember(credential)
        return refusals

    async def pay(self) -> None:
        """Keep the refusals that could not be kept when they came."""
        owed, self._owed = self._owed, []
        for place, (credential, charge, outcome, account, now) in enumerate(owed):
            try:
                await self.settle(credential, charge, outcome, account, now)
            except StorageError:
                self._owed += owed[place + 1 :]
                raise

    async def _forget(self, credential: Credential, charge: Charge | None) -> None:
        record = credential.record
        if record is not None:
            await self._storage.transact(lambda db: ledger.forget(db, record, charge))
            self._owners.pop(record, None)
            credential.record = None

    def _use(self, credential: Credential, record: int) -> None:
        credential.record = record
        self._owners[record] = credential.password

    async def _charge_outcome(
        self, credential: Credential, charge: Charge | None, outcome: Outcome, account: Account, now: float
    ) -> int:
        kind = Effect.RETRY if isinstance(outcome, Failure) else effect(outcome.status)
        limit, interval = account.auth_attempts, account.interval

        def work(db: sqlite3.Connection) -> tuple[int, int]:
            record = ledger.record_of(db, credential.key, credential.record)
            if kind is Effect.REFUSED:
                ledger.refuse(db, record, charge, interval, now)
            elif charge:
                ledger.give_back(db, record, charge, sent=not isinstance(outcome, Failure) or outcome.sent)
            refusals = ledger.refusals(db, record)
            if not isinstance(outcome, Failure) and suspends(outcome.status, refusals, limit):
                ledger.suspend(db, record, Suspension(outcome.status, now))
            return record, refusals

        record, refusals = await self._storage.transact(work)
        self._use(credential, record)
        return refusals

    async def _identify(self, credential: Credential, account: Account, now: float) -> Standing:
        """Find the records that are, or may be, this credential's, and make one of them."""
        key, own = credential.key, credential.record
        limit, interval = account.auth_attempts, account.interval
        records = await self._storage.transact(lambda db: ledger.fingerprints(db, key))
        owners = {record: self._owners[record] for record, _, _ in records if record in self._owners}
        same = await asyncio.to_thread(_same, records, own, owners, credential.password)
        credential.strangers = frozenset(record for record, _, _ in records) - same
        if not same:
            credential.record = None
            return Standing()
        kept = own if own in same else max(same)
        self._use(credential, kept)
        others = same - {kept}
        return await self._storage.transact(lambda db: ledger.merge(db, kept, others, limit, interval, now))

    async def _remember(self, credential: Credential) -> None:
        """Make the fingerprint of a credential that has a record, unless it has one.

        It takes some 50 ms in another thread, so it comes after the refusal or suspension is kept.
        """
        record = credential.record
        if record is None or not await self._storage.transact(lambda db: ledger.is_unknown(db, record)):
            return
        salt = os.urandom(16)
        digest = await asyncio.to_thread(_digest, credential.password, salt)
        await self._storage.transact(lambda db: ledger.remember(db, record, salt, digest))

    async def resume(self, credential: Credential, account: Account, now: float) -> bool:
        """Lift a suspension: one new try. Return whether there was one.

        Raises ResumeTooSoonError where the account was resumed less than an hour ago.
        """
        key, record, limit = credential.key, credential.record, account.auth_attempts
        outcome = await self._storage.transact(lambda db: ledger.resume(db, key, record, limit, now))
        if isinstance(outcome, float):
            raise ResumeTooSoonError(outcome)
        return outcome

    async def suspensions(self) -> dict[str, dict[int, Suspension]]:
        """Return all suspensions by key and record: another process may have lifted one, or made one."""
        return await self._storage.transact(ledger.suspensions)


def _same(
    records: list[ledger.Fingerprint], own: int | None, owners: dict[int, Secret], password: Secret
) -> frozenset[int]:
    """Return the records that are a password's, or may be, as they have no fingerprint. It takes long."""

    def is_same(record: int, salt: bytes | None, digest: bytes | None) -> bool:
        if record == own:
            return True
        if record in owners:
            return owners[record] == password
        return salt is None or digest is None or hmac.compare_digest(_digest(password, salt), digest)

    return frozenset(record for record, salt, digest in records if is_same(record, salt, digest))


def _digest(password: Secret, salt: bytes) -> bytes:
    return hashlib.scrypt(password.reveal().encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
