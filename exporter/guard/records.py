"""What is kept of credentials that were refused: fingerprint, refusals, suspension.

Each function runs in the storage's thread, within a transaction. Times are Unix time. Whether a record is
that of a login's password isn't found out here, as that takes long: ``Unsure`` means that it isn't known.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.account.login import Login
from exporter.account.outcome import Code
from exporter.account.state import Suspension
from exporter.guard.credential import Fingerprint

REMEMBERED: Final = 8
"""Credentials of a login that are remembered: those that were refused last."""

Codes = Callable[[int], Code]
"""Gives the meaning of a number that was stored."""


class Unsure:
    """A record of the login may be this password's: the caller has to find out first (``Owners``)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one credential of a login."""

    id: int
    fingerprint: Fingerprint
    refusals: int
    next_at: float
    suspension: Suspension | None


def of_login(db: sqlite3.Connection, key: str, codes: Codes) -> list[Record]:
    """Return what is kept of a login's credentials."""
    rows = db.execute(
        "SELECT id, method, salt, digest, refusals, next_at, suspended_code, suspended_since "
        "FROM credential WHERE login = ?",
        (key,),
    )
    return [
        Record(
            number,
            Fingerprint(method, salt, digest),
            refusals,
            next_at,
            None if code is None else Suspension(codes(code), since),
        )
        for number, method, salt, digest, refusals, next_at, code, since in rows
    ]


def own(db: sqlite3.Connection, login: Login, codes: Codes) -> Record | Unsure | None:
    """Return the record of a login's present password, ``None`` where it has none."""
    own: Record | None = None
    for record in of_login(db, login.key, codes):
        if record.id == login.record:
            own = record
        elif record.id not in login.others:
            return Unsure()
    return own


def remember(db: sqlite3.Connection, key: str, fingerprint: Fingerprint, at: float) -> Record:
    """Make a record, and forget those of a login that were refused longest ago."""
    number = db.execute(
        "INSERT INTO credential (login, method, salt, digest, refusals, refused_at, next_at) "
        "VALUES (?, ?, ?, ?, 0, ?, 0)",
        (key, fingerprint.method, fingerprint.salt, fingerprint.digest, at),
    ).lastrowid
    assert number is not None  # noqa: S101 - for the type checker: an INSERT has a row
    db.execute(
        "DELETE FROM credential WHERE login = ? AND id <> ? AND id NOT IN "
        "(SELECT id FROM credential WHERE login = ? AND id <> ? ORDER BY refused_at DESC, id DESC LIMIT ?)",
        (key, number, key, number, REMEMBERED - 1),
    )
    return Record(number, fingerprint, 0, 0.0, None)


def suspend(db: sqlite3.Connection, record: int, suspension: Suspension) -> None:
    """Let no try be sent with a credential until it is resumed."""
    db.execute(
        "UPDATE credential SET suspended_code = ?, suspended_since = ? WHERE id = ?",
        (suspension.code.number, suspension.since, record),
    )


def suspensions(db: sqlite3.Connection, codes: Codes) -> dict[str, dict[int, Suspension]]:
    """Return all suspensions by login and by their credentials' records."""
    rows = db.execute(
        "SELECT login, id, suspended_code, suspended_since FROM credential WHERE suspended_code IS NOT NULL"
    )
    found: dict[str, dict[int, Suspension]] = {}
    for key, record, code, since in rows:
        found.setdefault(key, {})[record] = Suspension(codes(code), since)
    return found


def remembered(db: sqlite3.Connection, codes: Codes) -> dict[str, Suspension | None]:
    """Return the logins of which a credential was refused, with a suspension where there is one."""
    rows = db.execute(
        "SELECT login, suspended_code, suspended_since FROM credential ORDER BY suspended_code IS NOT NULL"
    )
    return {key: None if code is None else Suspension(codes(code), since) for key, code, since in rows}


def mend(db: sqlite3.Connection, key: str, latest: float) -> None:
    """Undo what a clock that was ahead has left: that a credential waits beyond ``latest``."""
    db.execute("UPDATE credential SET next_at = ? WHERE login = ? AND next_at > ?", (latest, key, latest))
