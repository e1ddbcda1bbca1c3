"""What survives a restart: one SQLite file, written by one thread, in transactions that are grouped.

This is the engine: opening with all its checks, and the thread. Which tables there are is the matter of the
packages that own them: each brings the steps that make and change them (``migrations``).
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from exporter.storage.migrations import NewerError, Step, migrate

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

APPLICATION_ID: Final = 0x43464449  # "CFDI": marks the file as this program's
BUSY_SECONDS: Final = 5.0
"""How long a write waits for another process (``check`` beside the daemon) to finish its own."""


class StorageError(Exception):
    """The storage can't be had, read or written; the message is safe to show."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A work and who waits for it."""

    work: Work[Any]
    durable: bool
    future: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None


class Storage:
    """An open storage. ``path`` is ``None`` for one in memory, which keeps nothing.

    ``steps`` make and change the tables; ``mend`` is what is done after them at each opening. Raises
    StorageError where the file can't be used: it is damaged, foreign, newer, read-only, on a full disk, or
    another daemon has it (``exclusive``).
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
        self._lock = _take_lock(path) if path and exclusive else None
        self.works = True
        """Whether the latest transaction could be written."""
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._synced = True  # whether a commit waits for the disk, as the connection is set
        try:
            self._connection = _open(path, steps, mend, now)
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    async def transact(self, work: Work[Result], *, durable: bool = True) -> Result:
        """Run ``work`` in a transaction and return its result once that is on the disk.

        What isn't ``durable`` is only handed to the kernel: it survives the end of the process, however that
        comes, but not of the machine.

        Works that wait together share a transaction, but not their errors: where one fails, nothing of it is
        kept and the others are run once more. ``work`` runs in the storage's thread and must not touch
        anything but the connection and what it closes over. Raises StorageError where the transaction failed:
        nothing of it is kept then.
        """
        waiting = _Waiting(work, durable, asyncio.get_running_loop().create_future())
        self._waiting.put(waiting)
        # A poll that is cancelled leaves its work to be done: it may be a refusal to be kept.
        return await waiting.future  # type: ignore[no-any-return]

    def read(self, work: Work[Result]) -> Result:
        """Run ``work`` at once, in this thread: only before anything is written. Raises StorageError."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StorageError(f"reading failed: {error}") from error

    async def close(self) -> None:
        """Finish what waits to be written, then close the file."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = [first], False
            with contextlib.suppress(queue.Empty):
                while not last:
                    if (waiting := self._waiting.get_nowait()) is None:
                        last = True
                    else:
                        batch.append(waiting)
            self._transact(batch)
            _resolve(batch)
            if last:
                return

    def _transact(self, batch: list[_Waiting]) -> None:
        """Run works in one transaction, and leave with each what became of it."""
        try:
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
            self.works = all(waiting.error is None for waiting in batch)

    def _run_all(self, batch: list[_Waiting], run: Callable[[sqlite3.Connection, _Waiting], None]) -> None:
        connection = self._connection
        durable = any(waiting.durable for waiting in batch)
        if durable is not self._synced:
            # Not by execute(): SQLite obeys this when it prepares the statement, and Python keeps those.
            connection.executescript(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
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
    """Return what may be shown of an error: the text of one that isn't SQLite's could hold anything."""
    return str(error) if isinstance(error, sqlite3.Error) else type(error).__name__


def _resolve(batch: list[_Waiting]) -> None:
    """Give those who wait their results, from another thread: one call to their loop for all of them."""
    loops: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in batch:
        loops.setdefault(waiting.future.get_loop(), []).append(waiting)
    for loop, its in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits any more
            loop.call_soon_threadsafe(_resolve_here, its)


def _resolve_here(batch: list[_Waiting]) -> None:
    for waiting in batch:
        future = waiting.future
        if future.done():
            continue  # cancelled
        if waiting.error:
            future.set_exception(waiting.error)
            future.exception()  # seen, though nobody may wait any more
        else:
            future.set_result(waiting.result)


def _take_lock(path: Path) -> int:
    """Lock the storage for one daemon. The lock goes with the process, however that ends."""
    file = path.resolve()  # a link to it is the same storage
    lock = file.with_name(file.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path}: can't be locked: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StorageError(f"{path}: another daemon uses it") from error
    return descriptor


def _open(path: Path | None, steps: Sequence[Step], mend: Sequence[Step], now: float) -> sqlite3.Connection:
    try:
        if path:
            # Made here, as SQLite would make it readable for everyone.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"{path}: can't be opened: {reason}") from error
    try:
        _prepare(connection, path, steps, mend, now)
    except sqlite3.Error as error:
        connection.close()
        # SQLite calls it an I/O error where there is no room for the memory that processes share.
        full = error.sqlite_errorname == "SQLITE_IOERR_SHMSIZE"
        reason = "database or disk is full" if full else str(error)
        raise StorageError(f"{path}: can't be used: {reason}") from error
    except BaseException as error:
        connection.close()
        if isinstance(error, NewerError):
            raise StorageError(f"{path}: was written by a newer version of cfdi-stamps-exporter") from error
        raise
    return connection


def _prepare(
    connection: sqlite3.Connection,
    path: Path | None,
    steps: Sequence[Step],
    mend: Sequence[Step],
    now: float,
) -> None:
    """Check that the file is ours and whole, make or update its tables, and prove that it can be written."""
    # The tables are looked for first: another process may be making them.
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not empty and _pragma(connection, "application_id") != APPLICATION_ID:
        raise StorageError(f"{path}: is not a state file of cfdi-stamps-exporter")
    if _pragma(connection, "user_version") > len(steps):
        raise NewerError
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise StorageError(f"{path}: is damaged: {found}")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Before there are tables: whoever finds some finds it as well.
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection, steps, now)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE IF NOT EXISTS opened (at REAL NOT NULL)")
    connection.execute("DELETE FROM opened")
    connection.execute("INSERT INTO opened VALUES (?)", (now,))
    for step in mend:
        step(connection, now)
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to WAL: SQLite by itself doesn't wait for another process that is just doing so."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
