"""The guard's ledger: credentials, their charges and suspensions, as transactions on the storage.

Each function here runs in the storage's thread, within a transaction; together with the rules of ``policy``
they are what a kill at any moment must not get around. Times are Unix time.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from exporter.account.state import Suspension

CHARGE_LAPSES: Final = 3600.0
"""Seconds after which a charge no longer stands whose outcome was lost, as the process was killed."""

RESUME_EVERY: Final = 3600.0
"""Seconds between two resumptions of an account."""

REMEMBERED: Final = 8
"""Credentials of an account that are remembered."""

REFUSED: Final = 601
"""The code that a credential is suspended for which has used up its tries."""

Fingerprint = tuple[int, bytes | None, bytes | None]
"""A credential's record, with the salt and digest of its password once they are made."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is held against a credential; no try may be sent before ``not_before``."""

    refusals: int = 0
    not_before: float = 0.0
    suspension: Suspension | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """A try that may be sent."""

    id: int


@dataclass(frozen=True, slots=True)
class Held:
    """A try that must not be sent before ``until``, or not at all (``suspension``).

    ``blocked`` says that all tries are used up until a charge lapses, and not only that it is too early.
    """

    until: float
    suspension: Suspension | None = None
    blocked: bool = False


def record_of(db: sqlite3.Connection, key: str, known: int | None) -> int:
    """Return a credential's record, making one where it has none or another process has deleted it."""
    if known is not None and _exists(db, known):
        return known
    record = db.execute("INSERT INTO credential (key) VALUES (?)", (key,)).lastrowid
    assert record is not None  # noqa: S101 - for the type checker: an INSERT has a row
    db.execute(
        "DELETE FROM credential WHERE key = ? AND id NOT IN "
        "(SELECT id FROM credential WHERE key = ? ORDER BY id DESC LIMIT ?)",
        (key, key, REMEMBERED),
    )
    return record


def is_unsure(db: sqlite3.Connection, key: str, known: int | None, strangers: frozenset[int]) -> bool:
    """Tell whether a credential without a record may be one that another process has made a record for."""
    if known is not None and _exists(db, known):
        return False
    return any(record not in strangers for record, _, _ in fingerprints(db, key))


def _exists(db: sqlite3.Connection, record: int) -> bool:
    return bool(db.execute("SELECT 1 FROM credential WHERE id = ?", (record,)).fetchone())


def charge(db: sqlite3.Connection, record: int, limit: int, interval: float, now: float) -> Charge | Held:
    """Charge a try to a credential, unless it must wait or has used up its tries (and is suspended then).

    The next one is at least ``interval`` seconds away, whatever becomes of this one and of the process.
    """
    mend(db, record, interval, now)
    held = standing(db, record)
    if held.suspension:
        return Held(now, held.suspension)
    lapsed = now - CHARGE_LAPSES
    db.execute("DELETE FROM charge WHERE credential = ? AND NOT refused AND at <= ?", (record, lapsed))
    charges, oldest = db.execute(
        "SELECT count(*), min(at) FILTER (WHERE NOT refused) FROM charge WHERE credential = ?", (record,)
    ).fetchone()
    if charges >= limit and oldest is not None:
        return Held(max(oldest + CHARGE_LAPSES, held.not_before), blocked=True)
    if charges >= limit:
        suspension = Suspension(REFUSED, now)
        suspend(db, record, suspension)
        return Held(now, suspension)
    if held.not_before > now:
        return Held(held.not_before)
    db.execute("UPDATE credential SET not_before = ? WHERE id = ?", (now + interval, record))
    charged = db.execute("INSERT INTO charge (credential, at) VALUES (?, ?)", (record, now)).lastrowid
    assert charged is not None  # noqa: S101 - for the type checker: an INSERT has a row
    return Charge(charged)


def give_back(db: sqlite3.Connection, record: int, charged: Charge, *, sent: bool) -> None:
    """Take back a charge; where the try was not sent, the next one needs no distance to it."""
    db.execute("DELETE FROM charge WHERE id = ?", (charged.id,))
    if not sent:
        db.execute("UPDATE credential SET not_before = 0 WHERE id = ?", (record,))


def refuse(db: sqlite3.Connection, record: int, charged: Charge | None, interval: float, now: float) -> None:
    """Let the charge of a refused try stand for good; where the credential was proven, make one."""
    if charged:
        db.execute("DELETE FROM charge WHERE id = ?", (charged.id,))
    db.execute("INSERT INTO charge (credential, at, refused) VALUES (?, ?, 1)", (record, now))
    db.execute("UPDATE credential SET not_before = max(not_before, ?) WHERE id = ?", (now + interval, record))


def refusals(db: sqlite3.Connection, record: int) -> int:
    """Return how often a credential was refused since it was last accepted."""
    count = "SELECT count(*) FROM charge WHERE credential = ? AND refused"
    return int(db.execute(count, (record,)).fetchone()[0])


def suspend(db: sqlite3.Connection, record: int, suspension: Suspension) -> None:
    """Let no try be charged to a credential until it is resumed."""
    db.execute(
        "UPDATE credential SET suspended_code = ?, suspended_since = ? WHERE id = ?",
        (suspension.code, suspension.since, record),
    )


def standing(db: sqlite3.Connection, record: int) -> Standing:
    """Return what is held against a credential."""
    not_before, code, since = db.execute(
        "SELECT not_before, suspended_code, suspended_since FROM credential WHERE id = ?", (record,)
    ).fetchone()
    return Standing(refusals(db, record), not_before, None if code is None else Suspension(code, since))


def forget(db: sqlite3.Connection, record: int | None, charged: Charge | None) -> None:
    """Hold nothing against a credential any more: the provider has accepted it."""
    if charged:
        # Another process may have moved the charge to a record of its own.
        db.execute(
            "DELETE FROM credential WHERE id = (SELECT credential FROM charge WHERE id = ?)", (charged.id,)
        )
    db.execute("DELETE FROM credential WHERE id = ?", (record,))


def resume(db: sqlite3.Connection, key: str, record: int | None, limit: int, now: float) -> bool | float:
    """Lift a credential's suspension; return whether it had one, or the time at which it can be lifted."""
    found = "SELECT 1 FROM credential WHERE id = ? AND suspended_code IS NOT NULL"
    if not db.execute(found, (record,)).fetchone():
        return False
    last = db.execute("SELECT at FROM resumption WHERE key = ?", (key,)).fetchone()
    if last and (again := min(last[0], now) + RESUME_EVERY) > now:
        return float(again)
    db.execute("REPLACE INTO resumption VALUES (?, ?)", (key, now))
    db.execute(
        "UPDATE credential SET suspended_code = NULL, suspended_since = NULL, not_before = 0 WHERE id = ?",
        (record,),
    )
    # All tries but one count as used up.
    db.execute("DELETE FROM charge WHERE credential = ?", (record,))
    used_up = [(record, now)] * (limit - 1)
    db.executemany("INSERT INTO charge (credential, at, refused) VALUES (?, ?, 1)", used_up)
    return True


def merge(
    db: sqlite3.Connection, record: int, others: Iterable[int], limit: int, interval: float, now: float
) -> Standing:
    """Hold against a credential what other records hold that may be its own; return what that is."""
    if not _exists(db, record):
        return Standing()  # another process has deleted it: the provider has accepted the credential there
    for other in others:
        if not _exists(db, other):
            continue
        if suspension := standing(db, other).suspension:
            suspend(db, record, suspension)
        db.execute(
            "UPDATE credential SET not_before = max(not_before, "
            "(SELECT not_before FROM credential WHERE id = ?)) WHERE id = ?",
            (other, record),
        )
        db.execute("UPDATE charge SET credential = ? WHERE credential = ?", (record, other))
        db.execute("DELETE FROM credential WHERE id = ?", (other,))
    if refusals(db, record) >= limit and not standing(db, record).suspension:
        suspend(db, record, Suspension(REFUSED, now))
    mend(db, record, interval, now)
    return standing(db, record)


def mend(db: sqlite3.Connection, record: int, interval: float, now: float) -> None:
    """Undo what a clock that was ahead has left: that a try waits, or a charge stands, for too long."""
    latest = now + interval
    wait = "UPDATE credential SET not_before = ? WHERE id = ? AND not_before > ?"
    db.execute(wait, (latest, record, latest))
    db.execute("UPDATE charge SET at = ? WHERE credential = ? AND at > ?", (now, record, now))


def fingerprints(db: sqlite3.Connection, key: str) -> list[Fingerprint]:
    """Return an account's records, newest first."""
    return db.execute(
        "SELECT id, salt, digest FROM credential WHERE key = ? ORDER BY id DESC", (key,)
    ).fetchall()


def is_unknown(db: sqlite3.Connection, record: int) -> bool:
    """Tell whether a credential still lacks a fingerprint."""
    found = "SELECT 1 FROM credential WHERE id = ? AND digest IS NULL"
    return db.execute(found, (record,)).fetchone() is not None


def remember(db: sqlite3.Connection, record: int, salt: bytes, digest: bytes) -> None:
    """Keep the fingerprint of a credential that has none yet."""
    statement = "UPDATE credential SET salt = ?, digest = ? WHERE id = ? AND digest IS NULL"
    db.execute(statement, (salt, digest, record))


def suspensions(db: sqlite3.Connection) -> dict[str, dict[int, Suspension]]:
    """Return all suspensions by account and by their credentials' records."""
    rows = db.execute(
        "SELECT key, id, suspended_code, suspended_since FROM credential WHERE suspended_code IS NOT NULL"
    )
    found: dict[str, dict[int, Suspension]] = {}
    for key, record, code, since in rows:
        found.setdefault(key, {})[record] = Suspension(code, since)
    return found


def held(db: sqlite3.Connection) -> dict[str, Suspension | None]:
    """Return the accounts that anything is held against, with a suspension where there is one."""
    rows = db.execute(
        "SELECT key, suspended_code, suspended_since FROM credential ORDER BY suspended_code IS NOT NULL"
    )
    return {key: None if code is None else Suspension(code, since) for key, code, since in rows}
