"""The use of each day that has ended, and the hours of a usual one: a row for each account.

The key is that of ``states``. Days are written when they have ended, in the transaction that writes the
counters; what was used of the present day is in ``states``.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from exporter.account.past import HISTORY
from exporter.account.use import Ended, Table, sum_of_hours, usual_hours

KEYS: Final = 500
"""Rows read with one statement: SQLite before 3.32 takes 999 values."""

_SELECT: Final = "SELECT key, last, days, hours FROM use_of_days WHERE key"
_SAVE: Final = (
    "INSERT INTO use_of_days (key, last, days, hours, changed) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET last = excluded.last, days = excluded.days, hours = excluded.hours, "
    "changed = coalesce(excluded.changed, changed)"
)


class History(NamedTuple):
    """The use of days (``None``: not known), of which the ``last`` has this ordinal; a usual day's hours."""

    last: int = 0
    days: tuple[int | None, ...] = ()
    hours: Table = b""

    def until(self, today: int) -> list[int | None]:
        """Return the use of the days before one, at most ``HISTORY`` of them, the last one last."""
        days = self.days[: max(0, len(self.days) - max(0, self.last - today + 1))]
        missing = max(0, today - 1 - self.last) if days else 0
        return [*days, *[None] * min(missing, HISTORY)][-HISTORY:]

    def with_ended(self, ended: Iterable[Ended]) -> "History":
        """Return the history with more days.

        One that is there already has ended anew, as the clock was set back: it and all later ones are
        replaced.
        """
        last, days, hours = self.last, list(self.days), self.hours
        for day, stamps, of_day in ended:
            if not days:
                days = [stamps]
            elif day > last:
                days += [None] * (day - last - 1)
                days.append(stamps)
            else:
                del days[max(0, len(days) - (last - day + 1)) :]
                days.append(stamps)
            if stamps is not None and day > last:
                hours = usual_hours(hours, of_day)
            last = day
        return History(last, tuple(days), hours)

    def known(self) -> dict[int, int]:
        """Return the use of the days that are known, by their ordinals."""
        days = enumerate(self.days, self.last - len(self.days) + 1)
        return {day: stamps for day, stamps in days if stamps is not None}

    def with_known(self, ended: Iterable[Ended]) -> "History":
        """Return the history with days that weren't known, and with the hours of these."""
        own = self.known()
        new = {one.day: one for one in ended if one.stamps is not None and one.day not in own}
        if not new:
            return self
        hours: Table = b""
        for day in sorted(new):
            hours = usual_hours(hours, new[day].hours)
        together = {**own, **{day: one.stamps for day, one in new.items()}}
        first, last = min(together), max(together)
        return History(
            last,
            tuple(together.get(day) for day in range(first, last + 1)),
            sum_of_hours(self.hours, hours),
        )


def use_of_days(connection: sqlite3.Connection, now: float) -> None:  # noqa: ARG001 - a Step
    """Make room for the use of each day: of the present one beside the counters, of others by themselves."""
    for column in (
        "use_day INTEGER NOT NULL DEFAULT 0",
        "use_stamps INTEGER NOT NULL DEFAULT 0",
        "use_whole INTEGER NOT NULL DEFAULT 0",
        "use_hours BLOB",
        "depletion REAL",
        "usual_day REAL",
        "history_days INTEGER",
    ):
        connection.execute(f"ALTER TABLE account ADD COLUMN {column}")
    # With a rowid: else SQLite would keep most of a row in a page of its own.
    connection.execute(
        "CREATE TABLE use_of_days (key TEXT PRIMARY KEY, last INTEGER NOT NULL, days BLOB NOT NULL, "
        "hours BLOB NOT NULL, changed REAL)"
    )
    connection.execute("CREATE INDEX days_changed ON use_of_days (changed) WHERE changed IS NOT NULL")


def load(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, History]:
    """Return what is kept of these accounts, by key; nothing for one of which there is nothing."""
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), KEYS):
        some = wanted[start : start + KEYS]
        rows = connection.execute(f"{_SELECT} IN ({', '.join('?' * len(some))})", some)
        found.update({key: History(last, _decoded(days), hours) for key, last, days, hours in rows})
    return found


def append(connection: sqlite3.Connection, key: str, ended: Iterable[Ended]) -> None:
    """Add days that have ended to what is kept of an account."""
    history = load(connection, (key,)).get(key, History()).with_ended(ended)
    _save(connection, key, history, None)


def add(connection: sqlite3.Connection, key: str, ended: Iterable[Ended], now: float) -> int:
    """Add the use of days that isn't known yet; return of how many days that was.

    ``now`` is when (Unix time).
    """
    before = load(connection, (key,)).get(key, History())
    after = before.with_known(ended)
    if after is before:
        return 0
    _save(connection, key, after, now)
    return len(after.known()) - len(before.known())


def added(connection: sqlite3.Connection) -> dict[str, float]:
    """Return the keys of accounts to which days were added by hand, and when (Unix time)."""
    rows = connection.execute("SELECT key, changed FROM use_of_days WHERE changed IS NOT NULL")
    return dict(rows.fetchall())


def _save(connection: sqlite3.Connection, key: str, history: History, now: float | None) -> None:
    connection.execute(_SAVE, (key, history.last, _encoded(history.days), history.hours, now))


def _encoded(days: Iterable[int | None]) -> bytes:
    """Return days as bytes: the number after each one's use, or 0 and how many aren't known.

    Numbers have seven bits in a byte, the lowest first, and the eighth where more follow. At most
    ``HISTORY`` that are known are kept, however long ago: a clock that is years ahead for a moment must not
    make them forgotten.
    """
    runs: list[list[int]] = []
    unknown = known = 0
    for stamps in reversed(list(days)):
        if stamps is None:
            unknown += 1
            continue
        if known == HISTORY:
            break
        if unknown:
            runs.append([0, unknown])
        runs.append([stamps + 1])
        unknown, known = 0, known + 1
    encoded = bytearray()
    for run in reversed(runs):
        for number in run:
            while number > 0x7F:
                encoded.append(number & 0x7F | 0x80)
                number >>= 7  # noqa: PLW2901 - what is left of it
            encoded.append(number)
    return bytes(encoded)


def _decoded(encoded: bytes) -> tuple[int | None, ...]:
    days: list[int | None] = []
    number = shift = 0
    run = False
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte > 0x7F:
            continue
        if run:
            days += [None] * number
            run = False
        elif number:
            days.append(number - 1)
        else:
            run = True
        number = shift = 0
    return tuple(days)
