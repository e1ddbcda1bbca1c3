"""What survives a restart: one SQLite file, written by one thread, in transactions that are grouped.

This is the engine: opening with all its checks, the thread, the schema. What is kept about accounts is in
``records``, what the guard keeps in ``guard``.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

APPLICATION_ID: Final = 0x43464449  # "CFDI": marks the file as this program's
SCHEMA_VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
"""How long a write waits for another process (``check`` beside the daemon) to finish its own."""

_SCHEMA: Final = """
CREATE TABLE account (
    key TEXT PRIMARY KEY,
    contracted INTEGER, contracted_at REAL, used INTEGER, used_at REAL, available INTEGER, available_at REAL,
    consumed INTEGER NOT NULL, consumed_baseline INTEGER,
    purchased INTEGER NOT NULL, purchased_baseline INTEGER,
    up INTEGER, last_code INTEGER, last_poll REAL, last_success REAL, next_poll REAL,
    retries INTEGER NOT NULL, slow_downs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE credential (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    salt BLOB, digest BLOB,
    not_before REAL NOT NULL DEFAULT 0,
    suspended_code INTEGER, suspended_since REAL
);
CREATE INDEX credential_key ON credential (key);
CREATE TABLE charge (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    at REAL NOT NULL,
    refused INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX charge_credential ON charge (credential);
CREATE TABLE resumption (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE opened (at REAL NOT NULL);
"""


class StorageError(Exception):
    """The storage can't be had, read or written; the message is safe to show."""


class Storage:
    """An open storage. ``path`` is ``None`` for one in memory, which keeps nothing.

    Raises StorageError where the file can't be used: it is damaged, foreign, newer, read-only, on a full
    disk, or another daemon has it (``exclusive``).
    """

    def __init__(self, path: Path | None, *, exclusive: bool, now: float) -> None:
        self._lock = _take_lock(path) if path and exclusive else None
        self.works = True
        """Whether the latest transaction could be written."""
        self._work: queue.SimpleQueue[tuple[Work[Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        try:
            self._connection = _open(path, now)
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    async def write(self, work: Work[Result]) -> Result:
        """Run ``work`` in a transaction and return its result once that is on the disk.

        Works that wait together share a transaction. ``work`` runs in the storage's thread and must not
        touch anything but the connection and what it closes over. Raises StorageError where the transaction
        failed: nothing of it is kept then.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._work.put((work, future))
        # A poll that is cancelled leaves its work to be done: it may be a refusal to be kept.
        return await asyncio.shield(future)

    def read(self, work: Work[Result]) -> Result:
        """Run ``work`` at once, in this thread: only before anything is written. Raises StorageError."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StorageError(f"reading failed: {error}") from error

    async def close(self) -> None:
        """Finish what waits to be written, then close the file."""
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self) -> None:
        while (first := self._work.get()) is not None:
            works, last = [first], False
            with contextlib.suppress(queue.Empty):
                while not last:
                    if (work := self._work.get_nowait()) is None:
                        last = True
                    else:
                        works.append(work)
            self._transact(works)
            if last:
                return

    def _transact(self, works: list[tuple[Work[Any], asyncio.Future[Any]]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [work(self._connection) for work, _ in works]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits must be told, and the thread live
            self.works = False
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            reason = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
            for _, future in works:
                _resolve(future, None, StorageError(f"writing failed: {reason}"))
        else:
            self.works = True
            for (_, future), result in zip(works, results, strict=True):
                _resolve(future, result, None)


def _resolve(future: "asyncio.Future[Any]", result: object, error: Exception | None) -> None:
    """Give a future its result from another thread; one whose loop is gone, or who was cancelled, is left."""

    def resolve() -> None:
        if future.done():
            return
        if error:
            future.set_exception(error)
            future.exception()  # seen, though nobody may wait any more
        else:
            future.set_result(result)

    with contextlib.suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(resolve)


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


def _open(path: Path | None, now: float) -> sqlite3.Connection:
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
        _prepare(connection, path, now)
    except sqlite3.Error as error:
        connection.close()
        # SQLite calls it an I/O error where there is no room for the memory that processes share.
        full = error.sqlite_errorname == "SQLITE_IOERR_SHMSIZE"
        reason = "database or disk is full" if full else str(error)
        raise StorageError(f"{path}: can't be used: {reason}") from error
    except StorageError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None, now: float) -> None:
    """Check that the file is ours and whole, make or update its tables, and prove that it can be written."""
    # The tables are looked for first: another process may be making them, all in one transaction.
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not empty and _pragma(connection, "application_id") != APPLICATION_ID:
        raise StorageError(f"{path}: is not a state file of cfdi-stamps-exporter")
    if _pragma(connection, "user_version") > SCHEMA_VERSION:
        raise StorageError(f"{path}: was written by a newer version of cfdi-stamps-exporter")
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise StorageError(f"{path}: is damaged: {found}")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have made the tables meanwhile.
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("DELETE FROM opened")
    connection.execute("INSERT INTO opened VALUES (?)", (now,))
    # A clock that was ahead must not make charges stand, or accounts wait, for longer than they may.
    connection.execute("UPDATE charge SET at = ? WHERE at > ?", (now, now))
    connection.execute("UPDATE resumption SET at = ? WHERE at > ?", (now, now))
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
