"""Open tries of logins, in the storage: those under way, and those of unknown outcome until they lapse.

Each function runs in the storage's thread, within a transaction. Times are Unix time.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.account.login import Held, Login
from exporter.guard.tables import MOST_TRIES, Kind

HOUR: Final = 3600.0

LAPSE: Final = HOUR
"""Seconds after which an open try whose answer got lost on the way lapses."""

LAPSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0)
"""Hours after which open tries lapse that the service answered, each counted from the one before."""

RELIEVE_EVERY: Final = HOUR
"""Seconds between two tries of a login that lapse early because the provider answers again (``relieve``)."""

Mark = tuple[int, str, float, float]
"""A try of a proven login: its number, the login's key, when it began and when it must be over."""


@dataclass(frozen=True, slots=True)
class Try:
    """A row of the table ``try``."""

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


def open_tries(db: sqlite3.Connection, key: str) -> list[Try]:
    """Return the open tries of a login, the oldest first."""
    rows = db.execute(
        "SELECT id, at, over_at, next_at, kind FROM try WHERE login = ? AND kind <> ? ORDER BY at, id",
        (key, Kind.GIVEN_BACK),
    )
    return [Try(number, at, over_at, next_at, Kind(kind)) for number, at, over_at, next_at, kind in rows]


def insert(db: sqlite3.Connection, rows: Sequence[tuple[int, str, float, float, float, int]]) -> None:
    db.executemany("REPLACE INTO try VALUES (?, ?, ?, ?, ?, ?)", rows)


def mark(db: sqlite3.Connection, marks: Sequence[Mark]) -> dict[str, set[int]]:
    """Open tries of proven logins; return the records of refused credentials that these logins have."""
    insert(db, [(number, key, at, over_at, 0.0, Kind.UNDER_WAY) for number, key, at, over_at in marks])
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
    """Close a try that was sent and doesn't count; the next one still keeps its distance from it."""
    db.execute("UPDATE try SET kind = ? WHERE id = ?", (Kind.GIVEN_BACK, number))


def leave_open(
    db: sqlite3.Connection, login: Login, number: int, at: float, kind: Kind, *, proven: bool
) -> None:
    """Keep a try whose outcome isn't known."""
    next_at = 0.0 if proven else at + login.terms.interval
    # It may be gone: it has lapsed meanwhile, or the storage failed when it was to be written.
    insert(db, [(number, login.key, at, at, next_at, kind)])
    if proven:
        # A proven credential is tried on; more than stop every login need not be kept.
        db.execute(
            "DELETE FROM try WHERE login = ? AND kind = ? AND id NOT IN "
            "(SELECT id FROM try WHERE login = ? AND kind = ? ORDER BY at DESC LIMIT ?)",
            (login.key, kind, login.key, kind, MOST_TRIES),
        )


def assume_open(db: sqlite3.Connection, keys: Iterable[str], now: float) -> None:
    """Assume that logins have used up their tries: what was kept of them is lost.

    These open tries lapse one after the other, as those do whose answers couldn't be understood.
    """
    found = {
        key for (key,) in db.execute("SELECT DISTINCT login FROM try WHERE kind <> ?", (Kind.GIVEN_BACK,))
    }
    db.executemany(
        "INSERT INTO try (login, at, over_at, next_at, kind) VALUES (?, ?, ?, 0, ?)",
        [(key, now, now, Kind.FROM_SERVICE) for key in keys if key not in found for _ in range(MOST_TRIES)],
    )


def lapse(db: sqlite3.Connection, key: str, now: float) -> None:
    """Let those open tries of a login lapse whose time has come.

    Those that the service answered lapse one at a time, each after a longer while: an answer that can't be
    understood may well be a refusal, and the login would be tried again and again.
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


def relieve(db: sqlite3.Connection, provider: str, now: float) -> None:
    """Let one open try of each login at a provider lapse early, of those whose answers got lost on the way.

    To be called when the provider answers again after an outage; for each login once an hour at most.
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


def held(db: sqlite3.Connection, key: str, tries: Sequence[Try], surplus: int, now: float) -> Held:
    """Return until when a login is held: until ``surplus`` + 1 of its open tries have lapsed."""
    lapses, lapsed_at = _lapses(db, key)
    answered = [one for one in tries if one.kind is Kind.FROM_SERVICE]
    others = [one for one in tries if one.kind is not Kind.FROM_SERVICE]
    times = [(one.lapses_at(now), one.is_under_way(now)) for one in others]
    times += [(at, False) for at in _lapse_times(answered, lapses, lapsed_at)]
    until, under_way = sorted(times)[surplus]
    return Held(until, blocked=not under_way)


def distance(db: sqlite3.Connection, key: str, strange: Collection[int]) -> float:
    """Return the time before which no try is sent, to keep a distance from the login's last ones."""
    rows = db.execute("SELECT id, next_at FROM try WHERE login = ?", (key,)).fetchall()
    return max((float(next_at) for number, next_at in rows if number not in strange), default=0.0)


def mend(db: sqlite3.Connection, key: str, latest: float, now: float) -> None:
    """Undo what a clock that was ahead has left: tries that wait beyond ``latest``, or lapse too late."""
    db.execute(
        "UPDATE try SET over_at = over_at - (at - ?), at = ? WHERE login = ? AND at > ?", (now, now, key, now)
    )
    db.execute("UPDATE try SET next_at = ? WHERE login = ? AND next_at > ?", (latest, key, latest))
    db.execute("UPDATE login SET lapsed_at = ? WHERE key = ? AND lapsed_at > ?", (now, key, now))


def _lapses(db: sqlite3.Connection, key: str) -> tuple[int, float]:
    found = db.execute("SELECT lapses, lapsed_at FROM login WHERE key = ?", (key,)).fetchone()
    return found or (0, 0.0)


def _lapse_times(answered: Sequence[Try], lapses: int, lapsed_at: float) -> list[float]:
    """Return when open tries that the service answered lapse, if no more come: one after the other."""
    times = []
    at = max(lapsed_at, max((one.at for one in answered), default=0.0))
    for place in range(lapses, lapses + len(answered)):
        at += LAPSES[min(place, len(LAPSES) - 1)] * HOUR
        times.append(at)
    return times
