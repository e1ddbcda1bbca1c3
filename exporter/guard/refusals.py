"""Refusals on their way into the storage: one that can't be kept yet suspends in memory and is kept later."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from exporter.account.login import Login
from exporter.account.outcome import Code, Reading, Verdict
from exporter.account.state import Suspension
from exporter.guard import ledger
from exporter.guard.owners import Owners
from exporter.guard.records import Codes, Unsure
from exporter.storage.engine import Storage, StorageError


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A refusal: of which login, in answer to which try, and when that was sent (Unix time)."""

    login: Login
    number: int | None
    reading: Reading
    started: float


class Refusals:
    """Keeps refusals. Until one is kept its try stays open: keeping takes long, and the storage may fail.

    ``codes``, ``refused`` and ``storage_failed`` are the gate's.
    """

    def __init__(
        self,
        storage: Storage,
        owners: Owners,
        *,
        codes: Codes,
        refused: Code,
        storage_failed: Callable[[StorageError], object],
    ) -> None:
        self._storage = storage
        self._owners = owners
        self._codes = codes
        self._refused = refused
        self._storage_failed = storage_failed
        self._pending: dict[Login, asyncio.Task[None]] = {}
        self._owed: list[_Refusal] = []

    def __contains__(self, login: Login) -> bool:
        """Return whether a refusal of a login isn't kept yet."""
        return login in self._pending

    def refuse(self, login: Login, number: int, reading: Reading, started: float) -> "asyncio.Task[None]":
        """Apply a refusal to its login at once; the task that is returned keeps it in the storage."""
        login.proven = False
        login.open = True
        login.refusals += 1
        stops = reading.verdict is Verdict.STOP
        if stops or login.refusals >= login.terms.auth_attempts:
            login.suspension = Suspension(reading.code if stops else self._refused, started)
        task = asyncio.get_running_loop().create_task(
            self._keep_or_owe(_Refusal(login, number, reading, started))
        )
        self._pending[login] = task
        return task

    async def tried(self, login: Login) -> None:
        """Wait until a login's refusal is kept, or has failed to be."""
        if pending := self._pending.get(login):
            await asyncio.wait([pending])

    async def keep_owed(self) -> None:
        """Keep the refusals that could not be kept when they came. Raises StorageError."""
        owed, self._owed = self._owed, []
        for place, refusal in enumerate(owed):
            try:
                await self._keep(refusal)
            except BaseException:
                self._owed = [*owed[place:], *self._owed]
                raise

    async def _keep_or_owe(self, refusal: _Refusal) -> None:
        try:
            await self._keep(refusal)
        except StorageError as error:
            # What can't be kept is taken for the worst: it suspends at once, in memory.
            login = refusal.login
            if login.suspension is None:
                login.suspension = Suspension(refusal.reading.code, refusal.started)
            self._owed.append(refusal)
            self._storage_failed(error)

    async def _keep(self, refusal: _Refusal) -> None:
        """Raises StorageError, whatever fails: there may be no memory, or no thread to compute in."""
        try:
            await self._write(refusal)
        except (RuntimeError, MemoryError, OSError) as error:
            raise StorageError(f"a refusal can't be kept: {error}") from error

    async def _write(self, refusal: _Refusal) -> None:
        login, reading = refusal.login, refusal.reading
        stop = reading.code if reading.verdict is Verdict.STOP else None
        fingerprint = None
        while True:
            made = fingerprint
            record = await self._storage.transact(
                lambda db, made=made: ledger.refuse(  # type: ignore[misc]
                    db, login, refusal.number, made, refusal.started, stop, self._refused, self._codes
                )
            )
            if isinstance(record, Unsure):
                await self._owners.identify(login)
            elif record is None:
                fingerprint = await self._owners.fingerprint(login)
            else:
                self._owners.give(login, record.id)
                login.refusals, login.suspension = record.refusals, record.suspension
                self._pending.pop(login, None)
                return
