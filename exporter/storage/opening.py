"""Opens a state file: checks that it lasts, is ours, undamaged and not in use, and brings it up to date."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.storage import place, runs
from exporter.storage.error import StorageError
from exporter.storage.migrations import NewerError, Step, migrate
from exporter.storage.place import Lock, Watch

APPLICATION_ID: Final = 0x43464449  # "CFDI": marks the file as this program's
BUSY_SECONDS: Final = 5.0
"""How long a write waits for another process (``check`` beside the daemon) to finish its own."""


@dataclass(slots=True)
class Opened:
    """An open state file; only its connection where it is in memory."""

    connection: sqlite3.Connection
    lock: Lock | None = None
    watch: Watch | None = None
    run: str | None = None
    damaged: str | None = None
    network: str | None = None

    def close(self, now: float) -> None:
        """Close it in good order, and let others have it."""
        with suppress(sqlite3.Error):
            if self.run:
                runs.end(self.connection, self.run, now)
        with suppress(sqlite3.Error):
            self.connection.close()
        if self.lock:
            self.lock.release()


def in_memory(steps: Sequence[Step], mend: Sequence[Step], now: float) -> Opened:
    """Open a storage that keeps nothing."""
    connection = _connect(":memory:")
    _prepare(connection, ":memory:", steps)
    _bring_up_to_date(connection, steps, mend, now)
    return Opened(connection)


def opened(path: Path, steps: Sequence[Step], mend: Sequence[Step], *, exclusive: bool, now: float) -> Opened:
    """Open a file, making it where there is none. Raises StorageError."""
    file = place.resolved(path)
    if file.exists():
        place.check(path, file)
    lock = Lock(path, file) if exclusive else None
    try:
        # Nobody may look at the files, and write what follows, while a daemon has them.
        alone = lock or place.moment_alone(file)
        try:
            return _opened(path, file, steps, mend, lock, now, alone=alone is not None)
        finally:
            if alone and not lock:
                alone.release()
    except BaseException:
        if lock:
            lock.release()
        raise


def _opened(
    path: Path,
    file: Path,
    steps: Sequence[Step],
    mend: Sequence[Step],
    lock: Lock | None,
    now: float,
    *,
    alone: bool,
) -> Opened:
    lost = runs.look(path, file, lock) if alone else None
    _make(path)
    place.check(path, file)
    if lock:
        lock.take_file()
    try:
        connection = _connect(path)
        try:
            _prepare(connection, path, steps)
            run = _bring_up_to_date(connection, steps, mend, now, lost, lock=lock, alone=alone)
            watch = Watch(path, file, lock)
            return Opened(connection, lock, watch, run, runs.damage(connection), place.network(file))
        except BaseException:
            connection.close()
            raise
    except NewerError as error:
        raise StorageError(f"{path}: was written by a newer version of cfdi-stamps-exporter") from error
    except sqlite3.Error as error:
        # SQLite calls it an I/O error where there is no room for the memory that processes share.
        full = error.sqlite_errorname == "SQLITE_IOERR_SHMSIZE"
        raise place.unusable(
            path, "can't be used", "database or disk is full" if full else str(error)
        ) from error
    except OSError as error:
        raise place.unusable(path, "can't be used", error.strerror) from error


def _make(path: Path) -> None:
    """Make the file where there is none: SQLite would make it readable for everyone."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise place.unusable(path, "can't be opened", error.strerror) from error


def _connect(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path | str, steps: Sequence[Step]) -> None:
    """Check that the file is ours and whole, and set how it is to be written."""
    # The tables are looked for first: another process may be making them.
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not empty and _pragma(connection, "application_id") != APPLICATION_ID:
        raise StorageError(f"{path}: is not a state file of cfdi-stamps-exporter")
    if _pragma(connection, "user_version") > len(steps):
        raise NewerError
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise StorageError(
            f"{path}: is damaged: {found}; put back a copy, or, to begin with nothing, move it away"
        )
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Before there are tables: whoever finds some finds it as well.
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _bring_up_to_date(
    connection: sqlite3.Connection,
    steps: Sequence[Step],
    mend: Sequence[Step],
    now: float,
    lost: str | None = None,
    *,
    lock: Lock | None = None,
    alone: bool = False,
) -> str | None:
    """Make or change the tables, and prove that they can be written; return the run's id, a daemon's."""
    migrate(connection, steps, now)
    connection.execute("BEGIN IMMEDIATE")
    for step in mend:
        step(connection, now)
    runs.make_tables(connection)
    run = runs.begin(connection, lost, now) if lock else None
    if alone and not lock:
        runs.note(connection, lost, now)
    # Whoever opens it writes: `check`, too, is to find out at once that it can't.
    connection.execute(f"PRAGMA user_version = {len(steps)}")
    connection.execute("COMMIT")
    if lock and run:
        runs.settle(connection, lock, run)
    return run


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
