"""From the tables of an earlier version to today's: one step after the other, each whole or not at all.

A step that was released is never changed: files in the field are what it left. What comes later is a step of
its own, appended to the list that the composition root hands to the storage.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from exporter.storage import states

Step = Callable[[sqlite3.Connection, float], None]
"""Changes the tables, within a transaction; the second argument is the time (Unix)."""

# What the guard kept in version 1.
_GUARD_1: Final = """
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


class NewerError(Exception):
    """The file has seen more steps than there are here: a newer version of this program wrote it."""


def first(connection: sqlite3.Connection, now: float) -> None:  # noqa: ARG001 - a Step
    """Make the tables of version 1."""
    for statement in (*states.TABLE_1.split(";"), *_GUARD_1.split(";")):
        connection.execute(statement)


def migrate(connection: sqlite3.Connection, steps: Sequence[Step], now: float) -> None:
    """Take the steps that the file has not seen; ``PRAGMA user_version`` counts those that it has.

    Each is a transaction with its count: one that is killed begins anew, and of two processes that come to it
    at once the second finds it done. ``connection`` is in autocommit mode. Raises NewerError, having changed
    nothing.
    """
    while _take_one(connection, steps, now):
        pass


def _take_one(connection: sqlite3.Connection, steps: Sequence[Step], now: float) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (done,) = connection.execute("PRAGMA user_version").fetchone()
        if done > len(steps):
            raise NewerError  # noqa: TRY301 - read under the lock, which is given back below
        if done < len(steps):
            steps[done](connection, now)
            connection.execute(f"PRAGMA user_version = {done + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return bool(done < len(steps))
