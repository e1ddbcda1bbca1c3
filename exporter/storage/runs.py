"""Whether the last run on a state file ended in good order, and what was lost where it didn't.

Each daemon writes a row when it opens the file, sees that it gets into the file itself (not only into the
write-ahead log), and marks it when it closes. So the file tells, without its log, whether there must be one.
"""

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from exporter.storage import wal
from exporter.storage.error import StorageError
from exporter.storage.place import Lock, unusable

_REMEMBERED: Final = 8


_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS run (number INTEGER PRIMARY KEY, id TEXT, at REAL, ended REAL)",
    "CREATE TABLE IF NOT EXISTS damage (at REAL, what TEXT)",
)


def make_tables(connection: sqlite3.Connection) -> None:
    """Make what the storage itself needs, whatever the version: earlier ones don't mind it."""
    for statement in _TABLES:
        connection.execute(statement)


def look(path: Path, file: Path, lock: Lock | None) -> str | None:
    """Look at a file and its write-ahead log, which no process may be using, before SQLite opens them.

    Return what was lost, if anything was. Raises StorageError where they don't belong together.
    """
    log = file.with_name(file.name + "-wal")
    try:
        logged = log.exists() and log.stat().st_size > 0
        if not (file.exists() and file.stat().st_size):
            if logged:
                raise StorageError(
                    f"{path}: is missing or empty, but its write-ahead log is there: put it back, or, to "
                    f"begin with nothing, delete {log}"
                )
            return None
        found = wal.damage(log)
    except OSError as error:
        raise unusable(path, "can't be opened", error.strerror) from error
    runs = _runs(file)
    if not logged and any(ended is None for _, ended in runs[-1:]):
        return f"{log.name} is gone, or {file.name} is a copy that was made while a daemon had it"
    latest = lock.read() if lock else ""
    older = latest and runs and latest not in [run for run, _ in runs]
    if older and not logged:
        return f"{file.name} is a copy from before the last run"
    if older:
        raise StorageError(
            f"{path}: is not the file that {log.name} belongs to: one of them was put there from elsewhere; "
            f"put back the other, too, or delete {log}"
        )
    return found


def _runs(file: Path) -> list[tuple[str, float | None]]:
    """Return the runs that stand in the file itself, without its log, the latest last."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as connection:
            return connection.execute("SELECT id, ended FROM run ORDER BY number").fetchall()
    except sqlite3.Error:
        return []  # of version 1; or it is damaged, which is found when it is opened


def begin(connection: sqlite3.Connection, lost: str | None, now: float) -> str:
    """Write that a daemon has the file from now on; return the run's id. To be called in a transaction."""
    note(connection, lost, now)
    run = secrets.token_hex(8)
    connection.execute("INSERT INTO run (id, at) VALUES (?, ?)", (run, now))
    connection.execute(
        "DELETE FROM run WHERE number NOT IN (SELECT number FROM run ORDER BY number DESC LIMIT ?)",
        (_REMEMBERED,),
    )
    return run


def note(connection: sqlite3.Connection, lost: str | None, now: float) -> None:
    """Write what was lost, and that the runs before are dealt with. To be called in a transaction."""
    if lost:
        connection.execute("INSERT INTO damage VALUES (?, ?)", (now, lost))
    connection.execute("UPDATE run SET ended = ? WHERE ended IS NULL", (now,))


def settle(connection: sqlite3.Connection, lock: Lock, run: str) -> None:
    """Try to get a run's row into the file itself; then let the lock's file name it. Raises OSError."""
    _, logged, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if logged == moved:
        lock.write(run)


def end(connection: sqlite3.Connection, run: str, now: float) -> None:
    """Write that a run has ended in good order."""
    connection.execute("UPDATE run SET ended = ? WHERE id = ?", (now, run))


def damage(connection: sqlite3.Connection) -> str | None:
    """Return what was lost, until that has been dealt with."""
    row = connection.execute("SELECT what FROM damage ORDER BY at LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def forget_damage(connection: sqlite3.Connection) -> None:
    """Forget what was lost: in the transaction that deals with it."""
    connection.execute("DELETE FROM damage")
