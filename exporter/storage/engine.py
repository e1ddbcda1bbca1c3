"""What survives a restart: one SQLite file, written by one thread, in transactions that are grouped.

This is the engine: the thread, and what becomes of those who wait for it. How the file is opened is in
``opening``. Which tables there are is the matter of the packages that own them: each brings the steps that
make and change them (``migrations``).
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from exporter.storage.error import StorageError
from exporter.storage.migrations import Step
from exporter.storage.opening import APPLICATION_ID, Opened, in_memory, opened

__all__ = ["APPLICATION_ID", "Result", "Storage", "StorageError", "Work"]

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

PATIENCE: Final = 8.0
"""Seconds after which those who wait get an error, as the disk doesn't answer: longer than another process
may keep the file."""

CLOSE_SECONDS: Final = 2.0
"""How long a close waits for the disk."""

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at whether the file is still the same, while nothing has to be durable."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A work and who waits for it."""

    work: Work[Any]
    durable: bool
    future: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None
    withdrawn: bool = False  # who waited got an error, so it must not be done any more


class Storage:
    """An open storage. ``path`` is ``None`` for one in memory, which keeps nothing.

    ``steps`` make and change the tables; ``mend`` is what is done after them at each opening. Raises
    StorageError where the file can't be used: it is damaged, foreign, newer, read-only, on a full disk, lies
    where it doesn't last, or another daemon has it (``exclusive``).
    """

    def __init__(
        self,
        path: Path | None,
        steps: Sequence[Step],
        *,
        mend: Sequence[Step] = (),
        exclusive: bool,
        now: float,
    ) -> None:
        self._opened: Opened = (
            opened(path, steps, mend, exclusive=exclusive, now=now) if path else in_memory(steps, mend, now)
        )
        self._connection = self._opened.connection
        self.damaged = self._opened.damaged
        """What of the memory was lost before this start, until ``runs.forget_damage`` is called."""
        self.network = self._opened.network
        """The kind of the network filesystem that the file is on, if it is."""
        self.works = True
        """Whether the latest transaction that had something to write could write it."""
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._pending: set[_Waiting] = set()
        self._finished = 0  # transactions
        self._looking: asyncio.TimerHandle | None = None
        self._stands_still = False
        self._synced = True  # whether a commit waits for the disk, as the connection is set
        self._looked = 0.0
        self._closed: Future[None] = Future()
        self._closed.set_running_or_notify_cancel()  # so that the thread can always say so
        threading.Thread(target=self._run, name="storage", daemon=True).start()

    async def transact(self, work: Work[Result], *, durable: bool = True) -> Result:
        """Run ``work`` in a transaction and return its result once that is on the disk.

        What isn't ``durable`` is only handed to the kernel: it survives the end of the process, however that
        comes, but not of the machine.

        Works that wait together share a transaction, but not their errors: where one fails, nothing of it is
        kept and the others are run once more. ``work`` runs in the storage's thread and must not touch
        anything but the connection and what it closes over.

        Raises StorageError where the transaction failed: nothing of it is kept then. Only where the disk
        stands still in the middle of it, it may be kept all the same, once that goes on.
        """
        loop = asyncio.get_running_loop()
        if self._stands_still:
            raise _standstill()
        waiting = _Waiting(work, durable, loop.create_future())
        self._pending.add(waiting)
        self._queue.put(waiting)
        if self._looking is None:
            self._looking = loop.call_later(PATIENCE / 2, self._look_for_progress, self._finished, 1)
        # A poll that is cancelled leaves its work to be done: it may be a refusal to be kept.
        return await waiting.future  # type: ignore[no-any-return]

    async def verify(self) -> None:
        """See that the file is still the one that was opened, though nothing is written.

        Raises StorageError where it was deleted or replaced, has another name, or where another has its lock.
        """
        await self.transact(lambda _: None, durable=False)

    def read(self, work: Work[Result]) -> Result:
        """Run ``work`` at once, in this thread: only before anything is written. Raises StorageError."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StorageError(f"reading failed: {error}") from error

    async def close(self) -> None:
        """Finish what waits to be written, then close the file.

        Raises StorageError where the disk stands still: what waits is lost then, and the file left as a kill
        would leave it.
        """
        if self._looking:
            self._looking.cancel()
        self._queue.put(None)
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._closed), CLOSE_SECONDS)
        except TimeoutError as error:
            raise _standstill() from error

    def _look_for_progress(self, finished: int, looks: int) -> None:
        """Tell those who wait where nothing was finished since the looks before: they must not hang with it.

        One look isn't enough: where the whole process was frozen, its thread has had no time either.
        """
        self._looking = None
        if not self._pending:
            return
        looks = looks + 1 if finished == self._finished else 1
        if looks <= 2:
            loop = asyncio.get_running_loop()
            self._looking = loop.call_later(PATIENCE / 2, self._look_for_progress, self._finished, looks)
            return
        self._stands_still, self.works = True, False
        for waiting in self._pending:
            waiting.withdrawn = True
            if not waiting.future.done():
                waiting.future.set_exception(_standstill())
                waiting.future.exception()  # seen, though nobody may wait any more
        self._pending.clear()

    def _run(self) -> None:
        last = False
        while not last and (first := self._queue.get()) is not None:
            batch = [first]
            with contextlib.suppress(queue.Empty):
                while not last:
                    if (waiting := self._queue.get_nowait()) is None:
                        last = True
                    else:
                        batch.append(waiting)
            self._transact([waiting for waiting in batch if not waiting.withdrawn])
            self._finished += 1
            self._resolve(batch)
        self._opened.close(time.time())
        self._closed.set_result(None)

    def _transact(self, batch: list[_Waiting]) -> None:
        """Run works in one transaction, and leave with each what became of it."""
        changes = self._connection.total_changes
        try:
            self._look(durable=any(waiting.durable for waiting in batch))
            try:
                self._run_all(batch, _run_work)
            except _WorkError:
                # Rare: only now is the cost of a savepoint for each work worth it.
                self._run_all(batch, _run_apart)
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits must be told, and the thread live
            self.works = False
            failed = StorageError(f"writing failed: {_reason(error)}")
            for waiting in batch:
                waiting.error = waiting.error or failed
        else:
            if any(waiting.error for waiting in batch):
                self.works = False
            elif self._connection.total_changes != changes:
                self.works = True

    def _look(self, *, durable: bool) -> None:
        """See that what is written now is written where it lasts."""
        watch, now = self._opened.watch, time.monotonic()
        if watch and (durable or now - self._looked > LOOK_EVERY):
            watch.look()
            self._looked = now

    def _run_all(self, batch: list[_Waiting], run: Callable[[sqlite3.Connection, _Waiting], None]) -> None:
        connection = self._connection
        durable = any(waiting.durable for waiting in batch)
        if durable is not self._synced:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synced = durable
        connection.execute("BEGIN IMMEDIATE")
        try:
            for waiting in batch:
                run(connection, waiting)
            connection.execute("COMMIT")
        except Exception:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _resolve(self, batch: list[_Waiting]) -> None:
        """Give those who wait their results, from the thread: one call to their loop for all of them."""
        loops: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        for waiting in batch:
            loops.setdefault(waiting.future.get_loop(), []).append(waiting)
        for loop, its in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits any more
                loop.call_soon_threadsafe(self._resolve_here, its)

    def _resolve_here(self, batch: list[_Waiting]) -> None:
        self._stands_still = False
        for waiting in batch:
            self._pending.discard(waiting)
            future = waiting.future
            if future.done():
                continue  # cancelled, or withdrawn
            if waiting.error:
                future.set_exception(waiting.error)
                future.exception()  # seen, though nobody may wait any more
            else:
                future.set_result(waiting.result)


class _WorkError(Exception):
    """A work failed, and the storage itself may well be in order."""


def _run_work(connection: sqlite3.Connection, waiting: _Waiting) -> None:
    """Run a work among others in a transaction; its failure is that of the transaction."""
    try:
        waiting.result = waiting.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite has given up all of it: no room, no disk
        raise _WorkError from error


def _run_apart(connection: sqlite3.Connection, waiting: _Waiting) -> None:
    """Run a work among others in a transaction; its failure is its own."""
    connection.execute("SAVEPOINT work")
    try:
        waiting.result = waiting.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO work")
        waiting.error = StorageError(f"writing failed: {_reason(error)}")
    connection.execute("RELEASE work")


def _reason(error: Exception) -> str:
    """Return what may be shown of an error: the text of one that isn't known here could hold anything."""
    if isinstance(error, (sqlite3.Error, StorageError)):
        return str(error)
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _standstill() -> StorageError:
    return StorageError("writing failed: the disk stands still")
