"""The guard's ledger: open tries, refusals and suspensions, as transactions on the storage.

Each function here runs in the storage's thread, within a transaction; together they are what a kill at any
moment must not get around. Times are Unix time. Whether a password is one that was refused can't be told in a
transaction, as it takes long: where a credential's record isn't known to be, or not to be, that of the
login's password, ``Unsure`` is returned and nothing is done.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.account.login import Held, Login
from exporter.account.outcome import Code
from exporter.account.state import Suspension
from exporter.guard.credential import Fingerprint
from exporter.guard.tables import MOST_TRIES, Kind

HOUR: Final = 3600.0

LAPSE: Final = HOUR
"""Seconds after which an open try whose answer got lost on the way lapses."""

LAPSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0)
"""Hours after which open tries lapse that the service answered, each counted from the one before."""

RESUME_EVERY: Final = HOUR
"""Seconds between two resumptions of a login."""

RELIEVE_EVERY: Final = HOUR
"""Seconds between two tries of a login that lapse early, as the provider answers again."""

REMEMBERED: Final = 8
"""Credentials of a login that are remembered: those that were refused last."""


class Unsure:
    """A record of the login may be this password's: that is to be found out first."""


Codes = Callable[[int], Code]
"""Gives the meaning of a number that was stored."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one credential of a login."""

    id: int
    fingerprint: Fingerprint
    refusals: int
    next_at: float
    suspension: Suspension | None


@dataclass(frozen=True, slots=True)
class _Try:
    id: int
    at: float
    over_at: float
    next_at: float
    kind: Kind

    def lapses_at(self, now: float) -> float:
        """Return when it stops counting by itself, unless the service has answered it."""
        return self.over_at if self.is_under_way(now) else self.at + LAPSE

    def is_under_way(self, now: float) -> bool:
        return self.kind is Kind.UNDER_WAY and now < self.over_at


def records(db: sqlite3.Connection, key: str, codes: Codes) -> list[Record]:
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
    known = _own(db, login, codes)
    if isinstance(known, Unsure):
        return known
    terms, refusals = login.terms, known.refusals if known else 0
    if known and known.suspension:
        return Held(now, known.suspension)
    if known and refusals >= terms.auth_attempts:
        suspension = Suspension(refused, now)
        suspend(db, known.id, suspension)
        return Held(now, suspension)
    latest = now + terms.interval
    mend(db, login.key, latest, now)
    lapse(db, login.key, now)
    tries = open_tries(db, login.key)
    if (surplus := refusals + len(tries) - terms.auth_attempts) >= 0:
        return _held(db, login.key, tries, surplus, now)
    next_at = max(min(known.next_at, latest) if known else 0.0, _distance(db, login.key, strange))
    if next_at > now:
        return Held(next_at)
    _insert(db, [(number, login.key, now, now + terms.timeout, latest, Kind.UNDER_WAY)])
    return refusals


Mark = tuple[int, str, float, float]
"""A try of a proven login: its number, the login's key, when it began and when it must be over."""


def mark(db: sqlite3.Connection, marks: Sequence[Mark]) -> dict[str, set[int]]:
    """Open tries of proven logins; return the records of refused credentials that these logins have."""
    _insert(db, [(number, key, at, over_at, 0.0, Kind.UNDER_WAY) for number, key, at, over_at in marks])
    found: dict[str, set[int]] = {}
    if db.execute("SELECT 1 FROM credential LIMIT 1").fetchone():
        for _, key, _, _ in marks:
            rows = db.execute("SELECT id FROM credential WHERE login = ?", (key,)).fetchall()
            if rows:
                found[key] = {record for (record,) in rows}
    return found


def unmark(db: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Close tries of which nothing is to be kept."""
    db.executemany("DELETE FROM try WHERE id = ?", [(number,) for number in numbers])


def accept_again(db: sqlite3.Connection, closed: Iterable[tuple[str, int, float]]) -> None:
    """Close what is open of proven logins that were accepted again: by key, number of the try and time."""
    db.executemany("DELETE FROM try WHERE login = ? AND (id = ? OR kind <> 0 OR over_at <= ?)", closed)


def give_back(db: sqlite3.Connection, number: int) -> None:
    """Let a try count no more that was sent: the next one keeps its distance all the same."""
    db.execute("UPDATE try SET kind = ? WHERE id = ?", (Kind.GIVEN_BACK, number))


def leave_open(
    db: sqlite3.Connection, login: Login, number: int, at: float, kind: Kind, *, proven: bool
) -> None:
    """Keep a try whose outcome isn't known."""
    next_at = 0.0 if proven else at + login.terms.interval
    # It may be gone: it has lapsed meanwhile, or the storage failed when it was to be written.
    _insert(db, [(number, login.key, at, at, next_at, kind)])
    if proven:
        # A proven credential is tried on; more than stop every login need not be kept.
        db.execute(
            "DELETE FROM try WHERE login = ? AND kind = ? AND id NOT IN "
            "(SELECT id FROM try WHERE login = ? AND kind = ? ORDER BY at DESC LIMIT ?)",
            (login.key, kind, login.key, kind, MOST_TRIES),
        )


def accept(db: sqlite3.Connection, login: Login, number: int | None, now: float) -> None:
    """Hold nothing against a login any more, nor against this credential: the provider has let it in.

    A try that is under way elsewhere has still to tell its outcome.
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
    known = _own(db, login, codes)
    if isinstance(known, Unsure):
        return known
    if known is None:
        if fingerprint is None:
            return None
        known = _remember(db, login.key, fingerprint, at)
    refusals = known.refusals + 1
    next_at = max(known.next_at, at + login.terms.interval)
    db.execute(
        "UPDATE credential SET refusals = ?, refused_at = ?, next_at = ? WHERE id = ?",
        (refusals, at, next_at, known.id),
    )
    suspension = known.suspension
    if stop or refusals >= login.terms.auth_attempts:
        suspension = Suspension(stop or refused, at)
        suspend(db, known.id, suspension)
    db.execute("DELETE FROM try WHERE id = ?", (number,))
    return Record(known.id, known.fingerprint, refusals, next_at, suspension)


def resume(
    db: sqlite3.Connection, login: Login, fingerprint: Fingerprint | None, now: float, codes: Codes
) -> bool | float | Unsure | None:
    """Give a login one new try: lift its suspension, close its open tries.

    Return whether anything was held against it, or the time at which it can be resumed again; ``None`` where
    a ``fingerprint`` is needed.
    """
    known = _own(db, login, codes)
    if isinstance(known, Unsure):
        return known
    lapse(db, login.key, now)
    tries = [one for one in open_tries(db, login.key) if not one.is_under_way(now)]
    used_up = (known.refusals if known else 0) + len(tries) >= login.terms.auth_attempts
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
        known = _remember(db, login.key, fingerprint, now)
    db.execute("REPLACE INTO resumption VALUES (?, ?)", (login.key, now))
    if known:
        db.execute(
            "UPDATE credential SET refusals = ?, next_at = 0, suspended_code = NULL, suspended_since = NULL "
            "WHERE id = ?",
            (left, known.id),
        )
    unmark(db, [one.id for one in tries])
    db.execute("UPDATE try SET next_at = 0 WHERE login = ? AND kind = ?", (login.key, Kind.GIVEN_BACK))
    return True


def assume_open(db: sqlite3.Connection, keys: Iterable[str], now: float) -> None:
    """Take it that logins have used up their tries: what was held against them is lost.

    They lapse one after the other, as those do that nobody could read.
    """
    found = {
        key for (key,) in db.execute("SELECT DISTINCT login FROM try WHERE kind <> ?", (Kind.GIVEN_BACK,))
    }
    db.executemany(
        "INSERT INTO try (login, at, over_at, next_at, kind) VALUES (?, ?, ?, 0, ?)",
        [(key, now, now, Kind.FROM_SERVICE) for key in keys if key not in found for _ in range(MOST_TRIES)],
    )


def relieve(db: sqlite3.Connection, provider: str, now: float) -> None:
    """Let one open try of each login at a provider lapse whose answer got lost on the way.

    For when that answers again after an outage; for each login once an hour at the most.
    """
    lost = db.execute(
        "SELECT login, min(id) FROM try LEFT JOIN login ON key = try.login "
        "WHERE substr(try.login, 1, ?) = ? AND coalesce(relieved_at, 0) <= ? "
        "AND (kind = ? OR (kind = ? AND over_at <= ?)) GROUP BY try.login",
        (len(provider) + 1, f"{provider} ", now - RELIEVE_EVERY, Kind.ON_THE_WAY, Kind.UNDER_WAY, now),
    ).fetchall()
    for key, number in lost:
        db.execute("DELETE FROM try WHERE id = ?", (number,))
        db.execute(
            "INSERT INTO login (key, relieved_at) VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET relieved_at = excluded.relieved_at",
            (key, now),
        )


def free_at(
    db: sqlite3.Connection, login: Login, now: float, *, strange: Collection[int], codes: Codes
) -> float | None:
    """Return from when on a login may be tried, by its open tries; ``None`` where that isn't known.

    ``strange`` is as in ``charge``, which would let it through then.
    """
    known = _own(db, login, codes)
    if isinstance(known, Unsure) or (known and known.suspension):
        return None
    latest = now + login.terms.interval
    mend(db, login.key, latest, now)
    lapse(db, login.key, now)
    tries, refusals = open_tries(db, login.key), known.refusals if known else 0
    surplus = refusals + len(tries) - login.terms.auth_attempts
    if refusals >= login.terms.auth_attempts:
        return None
    lapsed = _held(db, login.key, tries, surplus, now).until if surplus >= 0 else now
    next_at = max(known.next_at if known else 0.0, _distance(db, login.key, strange))
    return max(lapsed, min(next_at, latest))


def open_tries(db: sqlite3.Connection, key: str) -> list[_Try]:
    """Return the open tries of a login, the oldest first."""
    rows = db.execute(
        "SELECT id, at, over_at, next_at, kind FROM try WHERE login = ? AND kind <> ? ORDER BY at, id",
        (key, Kind.GIVEN_BACK),
    )
    return [_Try(number, at, over_at, next_at, Kind(kind)) for number, at, over_at, next_at, kind in rows]


def lapse(db: sqlite3.Connection, key: str, now: float) -> None:
    """Let those open tries of a login lapse whose time has come.

    Those that the service answered do one at a time, each after a longer while: what nobody can read may well
    be a refusal, and would be tried again and again.
    """
    tries = open_tries(db, key)
    for one in tries:
        if one.kind is not Kind.FROM_SERVICE and not one.is_under_way(now) and one.at + LAPSE <= now:
            db.execute("DELETE FROM try WHERE id = ?", (one.id,))
    answered = [one for one in tries if one.kind is Kind.FROM_SERVICE]
    lapses, lapsed_at = _lapses(db, key)
    for place, at in enumerate(_lapse_times(answered, lapses, lapsed_at)):
        if at > now:
            break
        db.execute("DELETE FROM try WHERE id = ?", (answered[place].id,))
        db.execute(
            "INSERT INTO login (key, lapses, lapsed_at) VALUES (?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET lapses = excluded.lapses, lapsed_at = excluded.lapsed_at",
            (key, lapses + place + 1, at),
        )
    db.execute("DELETE FROM try WHERE login = ? AND kind = ? AND next_at <= ?", (key, Kind.GIVEN_BACK, now))


def mend(db: sqlite3.Connection, key: str, latest: float, now: float) -> None:
    """Undo what a clock that was ahead has left of a login: that it waits beyond ``latest``, or longer."""
    db.execute(
        "UPDATE try SET over_at = over_at - (at - ?), at = ? WHERE login = ? AND at > ?", (now, now, key, now)
    )
    for table in ("try", "credential"):
        wait = f"UPDATE {table} SET next_at = ? WHERE login = ? AND next_at > ?"  # noqa: S608 - constant text
        db.execute(wait, (latest, key, latest))
    db.execute("UPDATE login SET lapsed_at = ? WHERE key = ? AND lapsed_at > ?", (now, key, now))


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


def _own(db: sqlite3.Connection, login: Login, codes: Codes) -> Record | Unsure | None:
    """Return the record of a login's present password, ``None`` where it has none."""
    own: Record | None = None
    for record in records(db, login.key, codes):
        if record.id == login.record:
            own = record
        elif record.id not in login.others:
            return Unsure()
    return own


def _held(db: sqlite3.Connection, key: str, tries: Sequence[_Try], surplus: int, now: float) -> Held:
    """Return until when a login waits whose open tries are so many too many, and one."""
    lapses, lapsed_at = _lapses(db, key)
    answered = [one for one in tries if one.kind is Kind.FROM_SERVICE]
    others = [one for one in tries if one.kind is not Kind.FROM_SERVICE]
    times = [(one.lapses_at(now), one.is_under_way(now)) for one in others]
    times += [(at, False) for at in _lapse_times(answered, lapses, lapsed_at)]
    until, under_way = sorted(times)[surplus]
    return Held(until, blocked=not under_way)


def _lapses(db: sqlite3.Connection, key: str) -> tuple[int, float]:
    found = db.execute("SELECT lapses, lapsed_at FROM login WHERE key = ?", (key,)).fetchone()
    return found or (0, 0.0)


def _lapse_times(answered: Sequence[_Try], lapses: int, lapsed_at: float) -> list[float]:
    """Return when open tries that the service answered lapse, if no more come: one after the other."""
    times = []
    at = max(lapsed_at, max((one.at for one in answered), default=0.0))
    for place in range(lapses, lapses + len(answered)):
        at += LAPSES[min(place, len(LAPSES) - 1)] * HOUR
        times.append(at)
    return times


def _distance(db: sqlite3.Connection, key: str, strange: Collection[int]) -> float:
    """Return the time before which no try is sent, by the last ones of the login."""
    rows = db.execute("SELECT id, next_at FROM try WHERE login = ?", (key,)).fetchall()
    return max((float(next_at) for number, next_at in rows if number not in strange), default=0.0)


def _insert(db: sqlite3.Connection, rows: Sequence[tuple[int, str, float, float, float, int]]) -> None:
    db.executemany("REPLACE INTO try VALUES (?, ?, ?, ?, ?, ?)", rows)


def suspend(db: sqlite3.Connection, record: int, suspension: Suspension) -> None:
    """Let no try be sent with a credential until it is resumed."""
    db.execute(
        "UPDATE credential SET suspended_code = ?, suspended_since = ? WHERE id = ?",
        (suspension.code.number, suspension.since, record),
    )


def _remember(db: sqlite3.Connection, key: str, fingerprint: Fingerprint, at: float) -> Record:
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
