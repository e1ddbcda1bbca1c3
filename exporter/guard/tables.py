"""The guard's tables, and how those of earlier versions become them.

``try`` has a row for each try that is under way, or whose outcome isn't known: an *open try*. It belongs to
the login, as nobody knows any more which password it carried. ``credential`` has a row for each password of a
login that was refused, recognised by its fingerprint. ``login`` has how often an open try of a login has
lapsed since it was last accepted, and ``resumption`` when somebody last gave it a new try.
"""

import sqlite3
from enum import IntEnum
from typing import Final

from exporter.config.model import login_key

MOST_TRIES: Final = 3
"""The largest ``auth_attempts`` that can be configured: so many open tries stop every login."""


class Kind(IntEnum):
    """What is known of a try in the storage."""

    UNDER_WAY = 0
    """It was begun. Where its time is over and it is still under way, its process was killed or frozen."""
    ON_THE_WAY = 1
    """Its answer got lost on the way."""
    FROM_SERVICE = 2
    """The service answered, and what that means isn't known."""
    GIVEN_BACK = 3
    """It didn't count. Only the distance to the next one is kept."""


_TABLES: Final = """
CREATE TABLE try (
    id INTEGER PRIMARY KEY,
    login TEXT NOT NULL,
    at REAL NOT NULL,
    over_at REAL NOT NULL,
    next_at REAL NOT NULL,
    kind INTEGER NOT NULL
);
CREATE INDEX try_login ON try (login);
CREATE TABLE credential (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    login TEXT NOT NULL,
    method TEXT NOT NULL, salt BLOB NOT NULL, digest BLOB NOT NULL,
    refusals INTEGER NOT NULL,
    refused_at REAL NOT NULL,
    next_at REAL NOT NULL,
    suspended_code INTEGER, suspended_since REAL
);
CREATE INDEX credential_login ON credential (login);
CREATE TABLE login (
    key TEXT PRIMARY KEY,
    lapses INTEGER NOT NULL DEFAULT 0,
    lapsed_at REAL NOT NULL DEFAULT 0,
    relieved_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


def open_tries(connection: sqlite3.Connection, now: float) -> None:
    """Make the tables of version 2, from those of version 1.

    There a credential could have a record without a fingerprint, where the process was killed in between.
    Whose it was nobody knows: its tries become open ones of the login.
    """
    connection.execute("ALTER TABLE credential RENAME TO credential_1")
    connection.execute("DROP INDEX credential_key")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO credential "
        "SELECT id, key, 'scrypt', salt, digest, "
        "(SELECT count(*) FROM charge WHERE credential = credential_1.id AND refused), "
        "coalesce(suspended_since, (SELECT max(at) FROM charge WHERE credential = credential_1.id), 0), "
        "not_before, suspended_code, suspended_since "
        "FROM credential_1 WHERE digest IS NOT NULL"
    )
    connection.execute(
        "INSERT INTO try (login, at, over_at, next_at, kind) "
        "SELECT key, at, at, not_before, CASE WHEN refused THEN ? ELSE ? END "
        "FROM charge JOIN credential_1 ON credential = credential_1.id WHERE digest IS NULL OR NOT refused",
        (Kind.FROM_SERVICE, Kind.ON_THE_WAY),
    )
    # A suspension without a fingerprint: as many as stop the login for hours, and then one at a time.
    connection.executemany(
        "INSERT INTO try (login, at, over_at, next_at, kind) VALUES (?, ?, ?, ?, ?)",
        [
            (key, now, now, now, Kind.FROM_SERVICE)
            for (key,) in connection.execute(
                "SELECT key FROM credential_1 WHERE digest IS NULL AND suspended_code IS NOT NULL"
            ).fetchall()
            for _ in range(MOST_TRIES)
        ],
    )
    connection.execute("DROP TABLE charge")
    connection.execute("DROP TABLE credential_1")
    _rename_logins(connection)


def _rename_logins(connection: sqlite3.Connection) -> None:
    """Give logins the names that they have from version 2 on: usernames are compared more loosely."""
    for table, column in (
        ("try", "login"),
        ("credential", "login"),
        ("resumption", "key"),
        ("account", "key"),
    ):
        names = f"SELECT DISTINCT {column} FROM {table}"  # noqa: S608 - constant text
        # Of two that are one login now, the one that has the name already stays.
        rename = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?"  # noqa: S608 - likewise
        for (key,) in connection.execute(names).fetchall():
            name = login_key(*key.split(" ", 1))
            if name != key:
                connection.execute(rename, (name, key))


def lose_tries(connection: sqlite3.Connection, now: float) -> None:
    """Take what is under way for lost: a daemon starts, and the one before it is dead."""
    connection.execute(
        "UPDATE try SET kind = ?, over_at = min(over_at, ?) WHERE kind = ?",
        (Kind.ON_THE_WAY, now, Kind.UNDER_WAY),
    )


def mend_times(connection: sqlite3.Connection, now: float) -> None:
    """Undo what a clock that was ahead has left: tries and resumptions that would count for too long."""
    connection.execute(
        "UPDATE try SET next_at = next_at - (at - ?), over_at = over_at - (at - ?), at = ? WHERE at > ?",
        (now, now, now, now),
    )
    connection.execute(
        "UPDATE credential SET next_at = next_at - (refused_at - ?), refused_at = ? WHERE refused_at > ?",
        (now, now, now),
    )
    connection.execute("UPDATE login SET lapsed_at = ? WHERE lapsed_at > ?", (now, now))
    connection.execute("UPDATE login SET relieved_at = ? WHERE relieved_at > ?", (now, now))
    connection.execute("UPDATE resumption SET at = ? WHERE at > ?", (now, now))


def shift_times(connection: sqlite3.Connection, seconds: float) -> None:
    """Move all times with a clock that has jumped ahead: no try lapses by that."""
    connection.execute(
        "UPDATE try SET at = at + ?, over_at = over_at + ?, next_at = next_at + ?", (seconds,) * 3
    )
    connection.execute("UPDATE credential SET next_at = next_at + ?", (seconds,))
    connection.execute("UPDATE login SET lapsed_at = lapsed_at + ? WHERE lapsed_at > 0", (seconds,))
    connection.execute("UPDATE login SET relieved_at = relieved_at + ? WHERE relieved_at > 0", (seconds,))
    connection.execute("UPDATE resumption SET at = at + ?", (seconds,))
