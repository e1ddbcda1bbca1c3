"""The guard's ledger: what is decided about a login's tries, as transactions on the storage.

Each function here runs in the storage's thread, within a transaction: what they decide holds though the
process is killed at any moment. Times are Unix time. Where it isn't known whether a credential's record is
that of the login's password, ``Unsure`` is returned and nothing is done.
"""

import sqlite3
from collections.abc import Collection
from typing import Final

from exporter.account.login import Held, Login
from exporter.account.outcome import Code
from exporter.account.state import Suspension
from exporter.guard import records, tries
from exporter.guard.credential import Fingerprint
from exporter.guard.records import Codes, Record, Unsure
from exporter.guard.tables import Kind

RESUME_EVERY: Final = 3600.0
"""Seconds between two resumptions of a login."""


def charge(
    db: sqlite3.Connection,
    login: Login,
    number: int,
    now: float,
    *,
    strange: Collection[int],
    refused: Code,
    codes: Codes,
) -> int | Held | Unsure:
    """Open the try of this ``number`` and return its credential's refusals, or why it must not be sent (yet).

    It is sent only while refusals of this credential and open tries of the login are fewer than
    ``auth_attempts``. ``strange`` are tries that are known to have carried another password: no distance is
    kept from them. ``refused`` is the code of a suspension that comes of having used up the tries.
    """
    known = records.own(db, login, codes)
    if isinstance(known, Unsure):
        return known
    terms, refusals = login.terms, known.refusals if known else 0
    if known and known.suspension:
        return Held(now, known.suspension)
    if known and refusals >= terms.auth_attempts:
        suspension = Suspension(refused, now)
        records.suspend(db, known.id, suspension)
        return Held(now, suspension)
    latest = now + terms.interval
    _mend(db, login.key, latest, now)
    tries.lapse(db, login.key, now)
    found = tries.open_tries(db, login.key)
    if (surplus := refusals + len(found) - terms.auth_attempts) >= 0:
        return tries.held(db, login.key, found, surplus, now)
    next_at = max(min(known.next_at, latest) if known else 0.0, tries.distance(db, login.key, strange))
    if next_at > now:
        return Held(next_at)
    tries.insert(db, [(number, login.key, now, now + terms.timeout, latest, Kind.UNDER_WAY)])
    return refusals


def accept(db: sqlite3.Connection, login: Login, number: int | None, now: float) -> None:
    """Hold nothing against a login any more, nor against this credential: the provider has let it in.

    A try that is under way in another process stays: its outcome is still to come.
    """
    db.execute(
        "DELETE FROM try WHERE login = ? AND (id IS ? OR kind <> ? OR over_at <= ?)",
        (login.key, number, Kind.UNDER_WAY, now),
    )
    db.execute("DELETE FROM credential WHERE id = ?", (login.record,))
    db.execute("DELETE FROM login WHERE key = ?", (login.key,))


def refuse(
    db: sqlite3.Connection,
    login: Login,
    number: int | None,
    fingerprint: Fingerprint | None,
    at: float,
    stop: Code | None,
    refused: Code,
    codes: Codes,
) -> Record | Unsure | None:
    """Close a try with a refusal of its credential, which is suspended where its tries are used up.

    ``stop`` is the code that suspends at once. ``None`` is returned where the credential has no record yet,
    or no longer, and no ``fingerprint`` is given to make one with.
    """
    known = records.own(db, login, codes)
    if isinstance(known, Unsure):
        return known
    if known is None:
        if fingerprint is None:
            return None
        known = records.remember(db, login.key, fingerprint, at)
    refusals = known.refusals + 1
    next_at = max(known.next_at, at + login.terms.interval)
    db.execute(
        "UPDATE credential SET refusals = ?, refused_at = ?, next_at = ? WHERE id = ?",
        (refusals, at, next_at, known.id),
    )
    suspension = known.suspension
    if stop or refusals >= login.terms.auth_attempts:
        suspension = Suspension(stop or refused, at)
        records.suspend(db, known.id, suspension)
    db.execute("DELETE FROM try WHERE id = ?", (number,))
    return Record(known.id, known.fingerprint, refusals, next_at, suspension)


def resume(
    db: sqlite3.Connection, login: Login, fingerprint: Fingerprint | None, now: float, codes: Codes
) -> bool | float | Unsure | None:
    """Give a login one new try: lift its suspension, close its open tries.

    Return whether anything was held against it, or the time at which it can be resumed again; ``None`` where
    a ``fingerprint`` is needed.
    """
    known = records.own(db, login, codes)
    if isinstance(known, Unsure):
        return known
    tries.lapse(db, login.key, now)
    found = [one for one in tries.open_tries(db, login.key) if not one.is_under_way(now)]
    used_up = (known.refusals if known else 0) + len(found) >= login.terms.auth_attempts
    if not used_up and not (known and known.suspension):
        return False
    last = db.execute("SELECT at FROM resumption WHERE key = ?", (login.key,)).fetchone()
    if last and (again := min(last[0], now) + RESUME_EVERY) > now:
        return float(again)
    # One try is left, whatever it ends in: the others count as refusals of this credential.
    left = login.terms.auth_attempts - 1
    if known is None and left and fingerprint is None:
        return None
    if known is None and fingerprint:
        known = records.remember(db, login.key, fingerprint, now)
    db.execute("REPLACE INTO resumption VALUES (?, ?)", (login.key, now))
    if known:
        db.execute(
            "UPDATE credential SET refusals = ?, next_at = 0, suspended_code = NULL, suspended_since = NULL "
            "WHERE id = ?",
            (left, known.id),
        )
    tries.unmark(db, [one.id for one in found])
    db.execute("UPDATE try SET next_at = 0 WHERE login = ? AND kind = ?", (login.key, Kind.GIVEN_BACK))
    return True


def free_at(
    db: sqlite3.Connection, login: Login, now: float, *, strange: Collection[int], codes: Codes
) -> float | None:
    """Return from when on a login may be tried, by its open tries; ``None`` where that isn't known.

    ``strange`` is as in ``charge``, which would let it through then.
    """
    known = records.own(db, login, codes)
    if isinstance(known, Unsure) or (known and known.suspension):
        return None
    latest = now + login.terms.interval
    _mend(db, login.key, latest, now)
    tries.lapse(db, login.key, now)
    found, refusals = tries.open_tries(db, login.key), known.refusals if known else 0
    surplus = refusals + len(found) - login.terms.auth_attempts
    if refusals >= login.terms.auth_attempts:
        return None
    lapsed = tries.held(db, login.key, found, surplus, now).until if surplus >= 0 else now
    next_at = max(known.next_at if known else 0.0, tries.distance(db, login.key, strange))
    return max(lapsed, min(next_at, latest))


def _mend(db: sqlite3.Connection, key: str, latest: float, now: float) -> None:
    """Undo what a clock that was ahead has left of a login: that it waits beyond ``latest``, or longer."""
    tries.mend(db, key, latest, now)
    records.mend(db, key, latest)
