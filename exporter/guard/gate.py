"""The gate: charge → send → settle. Whatever puts a credential on the wire comes through here.

A login that fails too often locks the account at the provider, and with it the company's invoicing. So a try
with a credential that the provider hasn't accepted in this process is written down, durably, before it is
sent, and is sent only while refusals of this credential and open tries of its login are fewer than
``auth_attempts``. A try whose outcome isn't known stays open until it lapses. What is kept, and for how long,
is the ledger's.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exporter.account.login import Held, Login, TooLateError, Tried
from exporter.account.outcome import Code, Outcome, Reading, Reason, Verdict, unsent
from exporter.account.state import Suspension
from exporter.clock import Clock
from exporter.guard import ledger, marks, records, tries
from exporter.guard.owners import Owners
from exporter.guard.records import Codes, Unsure
from exporter.guard.refusals import Refusals
from exporter.guard.tables import Kind, shift_times
from exporter.secret import Secret
from exporter.storage.engine import Storage, StorageError
from exporter.storage.runs import forget_damage

JUMP: Final = 1.0
"""Seconds that the wall clock may run apart from the monotonic one before it is taken to have jumped."""

OUTAGE: Final = 600.0
"""Seconds without any answer of a provider after which the next one lets open tries lapse early."""

_STRANGE: Final = 64  # latest tries of a login whose passwords are remembered, to know those with another one


class ResumeTooSoonError(Exception):
    """The login was resumed less than an hour ago; ``at`` is when it can be again (Unix time)."""

    def __init__(self, at: float) -> None:
        super().__init__("an account can be resumed once an hour")
        self.at = at


@dataclass(frozen=True, slots=True)
class _Permit:
    """Permission to send one try, until it could have lapsed: a frozen process must not send it hours later.

    ``number`` is that of the try; ``at`` (Unix time) and ``start`` (monotonic) are when it was asked for.
    """

    number: int
    login: Login
    clock: Clock
    at: float
    start: float

    def password(self) -> Secret:
        passed = max(self.clock.time() - self.at, self.clock.monotonic() - self.start)
        if not self.login.wanted or passed > self.login.terms.timeout:
            raise TooLateError
        return self.login.password


class Gate:
    """Lets tries through, and keeps what became of them. To be made in a running event loop.

    ``codes`` gives the meaning of a stored number, ``refused`` is the code of the suspension of a login that
    has used up its tries. ``storage_failed`` is called with those errors that no caller gets.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        *,
        codes: Codes,
        refused: Code,
        storage_failed: Callable[[StorageError], object],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._codes = codes
        self._refused = refused
        self._storage_failed = storage_failed
        self._marks = marks.Marks(storage)
        self._numbers = marks.numbers()
        self._owners = Owners(storage, codes)
        self._refusals = Refusals(
            storage, self._owners, codes=codes, refused=refused, storage_failed=storage_failed
        )
        # What this process has tried of each login that isn't proven: the latest tries and their passwords.
        self._tries: dict[str, dict[int, Login]] = {}
        self._keeping: set[asyncio.Task[None]] = set()
        self._apart = clock.time() - clock.monotonic()
        self._shifting = asyncio.Lock()
        self._silent_since: dict[str, float] = {}  # by provider: the first poll without an answer since one

    async def attempt(
        self, login: Login, send: "Callable[[_Permit], Awaitable[Outcome]]", *, only_proven: bool = False
    ) -> Tried | Held:
        """Have a try with a login sent, if that is allowed, and keep what its outcome says.

        ``only_proven`` holds one that isn't. Raises StorageError where that can't be charged: it isn't sent.
        """
        if login.suspension:
            return Held(self._clock.time(), login.suspension)
        permit = await self._mark(login) if login.proven else None
        proven = permit is not None
        if permit is None:
            charged = Held(self._clock.time(), login.suspension) if only_proven else await self._charge(login)
            if isinstance(charged, Held):
                return charged
            permit = charged
        start = self._clock.monotonic()
        try:
            outcome = await send(permit)
        except TooLateError:
            outcome = unsent(Reason.TIMEOUT, "the process stood still, or the configuration was reloaded")
        took = self._clock.monotonic() - start
        started = self._clock.time() - took  # by the clock as it is now: it may have been set meanwhile
        await self._settle(permit, outcome, started, proven=proven)
        return Tried(outcome, started, took)

    async def assume_open(self, keys: Iterable[str], *, all_of_them: bool = False) -> None:
        """Where a part of the storage was lost, take it that these logins have used up their tries.

        With ``all_of_them`` the loss is dealt with, and forgotten. Raises StorageError.
        """
        if self._storage.damaged is None:
            return

        def work(db: sqlite3.Connection) -> None:
            tries.assume_open(db, keys, self._clock.time())
            if all_of_them:
                forget_damage(db)

        await self._storage.transact(work)

    async def adopt(self, login: Login) -> float:
        """Find out what is held against a login's password. It takes long where others were refused.

        Return the time before which no try with it is sent (Unix time). Raises StorageError.
        """
        known = await self._owners.identify(login)
        login.refusals = known.refusals if known else 0
        login.suspension = known.suspension if known else None
        if known and not known.suspension and known.refusals >= login.terms.auth_attempts:
            # The limit was lowered meanwhile.
            suspension = Suspension(self._refused, self._clock.time())
            await self._storage.transact(lambda db: records.suspend(db, known.id, suspension))
            login.suspension = suspension
        return known.next_at if known else 0.0

    async def resume(self, login: Login) -> bool:
        """Lift a suspension, or close the open tries, for one new try; return whether there was any need.

        Raises StorageError, and ResumeTooSoonError where it was resumed less than an hour ago.
        """
        await self._refusals.tried(login)
        await self.keep_owed()
        await self._notice_jump()
        fingerprint = None
        while True:
            now = self._clock.time()
            made = fingerprint
            outcome = await self._storage.transact(
                lambda db, made=made, now=now: ledger.resume(db, login, made, now, self._codes)  # type: ignore[misc]
            )
            if isinstance(outcome, Unsure):
                await self._owners.identify(login)
            elif outcome is None:
                fingerprint = await self._owners.fingerprint(login)
            elif outcome is True or outcome is False:
                if outcome:
                    await self.adopt(login)
                return outcome
            else:
                raise ResumeTooSoonError(outcome)

    async def review(self, logins: Iterable[Login]) -> list[Login]:
        """Take over what other processes have suspended or resumed; return the logins that are to be adopted.

        These have a suspended credential of which it isn't known whether it is their own. Raises
        StorageError.
        """
        await self.keep_owed()
        await self._notice_jump()
        # Those that are suspended from here on have no record yet.
        asked = list(logins)
        found = await self._storage.transact(lambda db: records.suspensions(db, self._codes))
        unsure = []
        for login in asked:
            suspensions = found.get(login.key, {})
            if suspensions.keys() - login.others - {login.record}:
                unsure.append(login)
            elif login not in self._refusals:
                login.suspension = suspensions.get(login.record or 0)
                if login.suspension:
                    login.proven = False
        return unsure

    async def free_at(self, logins: Sequence[Login]) -> list[float | None]:
        """Return from when on each login may be tried (Unix time), as far as its open tries go.

        ``None`` where something else holds it. Raises StorageError.
        """
        await self._notice_jump()
        now = self._clock.time()
        strangers = [self._strange(login) for login in logins]
        return await self._storage.transact(
            lambda db: [
                ledger.free_at(db, login, now, strange=strange, codes=self._codes)
                for login, strange in zip(logins, strangers, strict=True)
            ],
            durable=False,
        )

    async def keep_owed(self) -> None:
        """Keep the refusals that could not be kept when they came. Raises StorageError."""
        await self._refusals.keep_owed()

    async def kept(self) -> None:
        """Wait until all outcomes so far are kept, as far as the storage works."""
        while self._keeping:
            await asyncio.wait(self._keeping)
        await self._marks.written()

    async def close(self, limit: float) -> None:
        """Keep what is still to be kept, for at most ``limit`` seconds: what isn't leaves its try open."""
        try:
            async with asyncio.timeout(limit):
                await self.kept()
                await self.keep_owed()
        except TimeoutError:
            pass
        except StorageError as error:
            self._storage_failed(error)
        for task in self._keeping:
            task.cancel()

    # Charge. --------------------------------------------------------------------------------------------

    async def _permit(self, login: Login) -> _Permit:
        await self._notice_jump()
        return self._permit_now(login)

    def _permit_now(self, login: Login) -> _Permit:
        return _Permit(next(self._numbers), login, self._clock, self._clock.time(), self._clock.monotonic())

    async def _mark(self, login: Login) -> _Permit | None:
        """Open the try of a proven login; return ``None`` where it isn't proven any more by then.

        Where the storage fails it is sent all the same: what is proven goes on.
        """
        try:
            permit = await self._permit(login)
            over_at = permit.at + login.terms.timeout
            found = await self._marks.open((permit.number, login.key, permit.at, over_at))
        except StorageError as error:
            self._storage_failed(error)
            permit = self._permit_now(login)
        else:
            if found - login.others - {login.record}:
                # Another process had a password of this login refused, and it may be this very one. (Its own
                # record is there where it was accepted, and the storage failed to forget it.)
                login.proven = False
        if login.proven:
            return permit
        self._marks.give_back(permit.number)
        return None

    async def _charge(self, login: Login) -> _Permit | Held:
        """Open the try of a login that isn't proven, on the disk. Raises StorageError."""
        while True:
            permit = await self._permit(login)
            if login.suspension:
                return Held(permit.at, login.suspension)
            strange = self._strange(login)
            charged = await self._storage.transact(
                lambda db, permit=permit, strange=strange: ledger.charge(  # type: ignore[misc]
                    db,
                    login,
                    permit.number,
                    permit.at,
                    strange=strange,
                    refused=self._refused,
                    codes=self._codes,
                )
            )
            if isinstance(charged, Unsure):
                await self._owners.identify(login)
            elif isinstance(charged, Held):
                login.suspension = charged.suspension
                return charged
            else:
                login.refusals = charged
                self._note_try(login, permit.number)
                return permit

    def _strange(self, login: Login) -> set[int]:
        """Return the tries of a login that are known to have carried another password."""
        tries = self._tries.get(login.key, {})
        return {number for number, its in tries.items() if its.password != login.password}

    def _note_try(self, login: Login, number: int) -> None:
        tries = self._tries.setdefault(login.key, {})
        tries[number] = login
        while len(tries) > _STRANGE:
            del tries[next(iter(tries))]

    # Settle. --------------------------------------------------------------------------------------------

    async def _settle(self, permit: _Permit, outcome: Outcome, started: float, *, proven: bool) -> None:
        login, number = permit.login, permit.number
        self._listen(login.provider, answered=outcome.answered)
        match outcome.verdict:
            case Verdict.ACCEPTED:
                await self._accept(login, number, proven=proven)
            case Verdict.NEUTRAL:
                sent = isinstance(outcome, Reading) or outcome.sent
                await self._give_back(number, sent=sent, proven=proven)
            case Verdict.REFUSED | Verdict.STOP if isinstance(outcome, Reading):
                self._keep(self._refusals.refuse(login, number, outcome, started))
            case Verdict.UNKNOWN_FROM_SERVICE:
                await self._leave_open(login, number, started, Kind.FROM_SERVICE)
            case _:
                await self._leave_open(login, number, started, Kind.ON_THE_WAY)

    async def _accept(self, login: Login, number: int, *, proven: bool) -> None:
        now = self._clock.time()
        login.proven = login.suspension is None
        login.refusals = login.unknown = 0
        self._tries.pop(login.key, None)
        if proven and not login.open:
            self._marks.close(login.key, number, now)
            return
        login.open = True
        await self._write(lambda db: ledger.accept(db, login, number, now), lambda: self._forget(login))

    def _forget(self, login: Login) -> None:
        login.open = False
        self._owners.take(login)

    async def _give_back(self, number: int, *, sent: bool, proven: bool) -> None:
        if proven:
            self._marks.give_back(number)
        elif sent:
            await self._write(lambda db: tries.give_back(db, number))
        else:
            await self._write(lambda db: tries.unmark(db, [number]))

    async def _leave_open(self, login: Login, number: int, started: float, kind: Kind) -> None:
        login.open = True
        proven = login.proven
        if kind is Kind.FROM_SERVICE:
            login.unknown += 1
            if login.unknown >= login.terms.auth_attempts:
                login.proven = False
        await self._write(lambda db: tries.leave_open(db, login, number, started, kind, proven=proven))

    async def _write(self, work: Callable[[Any], None], then: Callable[[], None] = lambda: None) -> None:
        """Keep what needs no disk: where it is lost, the try stays open."""
        try:
            await self._storage.transact(work, durable=False)
        except StorageError as error:
            self._storage_failed(error)
        else:
            then()

    # Outages, and clocks that jump. ---------------------------------------------------------------------

    def _listen(self, provider: str, *, answered: bool) -> None:
        """Notice the end of an outage: open tries whose answers got lost in it lapse early then."""
        now = self._clock.monotonic()
        if not answered:
            self._silent_since.setdefault(provider, now)
        elif (since := self._silent_since.pop(provider, None)) is not None and now - since >= OUTAGE:
            at = self._clock.time()
            relief = self._write(lambda db: tries.relieve(db, provider, at))
            self._keep(asyncio.get_running_loop().create_task(relief))

    async def _notice_jump(self) -> None:
        """Move the times of tries with a clock that has jumped ahead: none lapses by that.

        It comes before everything that lets tries lapse. Raises StorageError.
        """
        apart = self._clock.time() - self._clock.monotonic()
        if abs(apart - self._apart) <= JUMP:
            return
        async with self._shifting:
            jump = apart - self._apart
            if jump > JUMP:
                await self._storage.transact(lambda db: shift_times(db, jump))
            self._apart = apart

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
