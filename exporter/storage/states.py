"""What is kept about accounts: the latest figures, the counters with their baselines, the due time.

The key of a record is the account at the provider (``Account.guard_key``), not the name in the
configuration: an account that is renamed keeps its figures, and a name that is given to another account
doesn't inherit them. Of an account's issuers as much is kept, by ``issuer_key``.
"""

import sqlite3
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

from exporter.account.outcome import Code
from exporter.account.state import Fall, Figure, Rise, State, as_of
from exporter.account.use import Use
from exporter.config import is_issuer_key
from exporter.storage import days

TABLE_1: Final = """
CREATE TABLE account (
    key TEXT PRIMARY KEY,
    contracted INTEGER, contracted_at REAL, used INTEGER, used_at REAL, available INTEGER, available_at REAL,
    consumed INTEGER NOT NULL, consumed_baseline INTEGER,
    purchased INTEGER NOT NULL, purchased_baseline INTEGER,
    up INTEGER, last_code INTEGER, last_poll REAL, last_success REAL, next_poll REAL,
    retries INTEGER NOT NULL, slow_downs INTEGER NOT NULL
) WITHOUT ROWID;
"""
"""The table as version 1 made it; what comes later changes it in a step of its own."""

_COLUMNS: Final = (
    "key, contracted, contracted_at, used, used_at, available, available_at, "
    "consumed, consumed_baseline, consumed_fall, consumed_fall_answers, consumed_fall_counted, "
    "purchased, purchased_baseline, purchased_fall, purchased_fall_answers, purchased_fall_counted, "
    "up, last_code, last_poll, last_success, next_poll, retries, slow_downs, doubted, asked_again, "
    "use_day, use_stamps, use_whole, use_hours, depletion, usual_day, history_days, topped_up, topped_up_at"
)
_COUNT: Final = _COLUMNS.count(",") + 1
_SELECT: Final = f"SELECT {_COLUMNS} FROM account"  # noqa: S608 - constant text
_PLACES: Final = ", ".join("?" * _COUNT)
_REPLACE: Final = f"REPLACE INTO account ({_COLUMNS}) VALUES ({_PLACES})"  # noqa: S608 - constant text
# Python gives up its lock for each statement and, while the loop is busy, waits 5 ms to have it again. SQLite
# before 3.32 takes 999 values.
_TOGETHER: Final = 999 // _COUNT
_REPLACE_MANY: Final = f"{_REPLACE}{f', ({_PLACES})' * (_TOGETHER - 1)}"

_RISE: Final = 5  # columns of a counter

_Row = tuple[Any, ...]


def unconfirmed(connection: sqlite3.Connection, now: float) -> None:  # noqa: ARG001 - a Step
    """Make room for what a second answer has yet to confirm: falls of figures, and a balance of 0."""
    for counter in ("consumed", "purchased"):
        for column in ("fall", "fall_answers", "fall_counted"):
            connection.execute(f"ALTER TABLE account ADD COLUMN {counter}_{column} INTEGER")
    connection.execute("ALTER TABLE account ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE account ADD COLUMN asked_again REAL")


def top_ups(connection: sqlite3.Connection, now: float) -> None:  # noqa: ARG001 - a Step
    """Make room for the last top-up: its stamps and when it was seen."""
    connection.execute("ALTER TABLE account ADD COLUMN topped_up INTEGER")
    connection.execute("ALTER TABLE account ADD COLUMN topped_up_at REAL")


def save(connection: sqlite3.Connection, states: Iterable[tuple[str, State]]) -> None:
    """Write the states of accounts by key: a counter and its baseline in the same transaction.

    Days that have ended since the last time are added to those that are kept.
    """
    rows = []
    for key, state in states:
        rows.append(_row(key, state))
        if state.use.ended:
            days.append(connection, key, state.use.ended)
    whole = len(rows) - len(rows) % _TOGETHER
    for start in range(0, whole, _TOGETHER):
        connection.execute(_REPLACE_MANY, list(chain.from_iterable(rows[start : start + _TOGETHER])))
    connection.executemany(_REPLACE, rows[whole:])


def load(
    connection: sqlite3.Connection,
    now: float,
    codes: Callable[[int], Code],
    issuer_codes: Callable[[int], Code] | None = None,
) -> dict[str, State]:
    """Return what is known of all accounts and issuers, by key.

    ``codes`` gives the meaning of a stored number, ``issuer_codes`` that of an issuer's where it is another.
    Times that are ahead of ``now`` (Unix time) are taken for now: the clock has been set back since.
    """
    of_issuers = issuer_codes or codes
    return {
        row[0]: as_of(_state(row, of_issuers if is_issuer_key(row[0]) else codes), now)
        for row in connection.execute(_SELECT)
    }


def use_of(connection: sqlite3.Connection, key: str) -> Use:
    """Return what is kept of an account's use of the present day."""
    row = connection.execute(
        "SELECT use_day, use_stamps, use_whole, use_hours FROM account WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return Use()
    day, stamps, whole, hours = row
    return Use(day, stamps, bool(whole), hours or b"")


def _row(key: str, state: State) -> _Row:
    figures: list[int | float | None] = []
    for one in (state.contracted, state.used, state.available):
        figures += [one.stamps, one.at] if one else [None, None]
    return (
        key,
        *figures,
        *_of_rise(state.consumed),
        *_of_rise(state.purchased),
        state.up,
        state.last_code.number if state.last_code else None,
        state.last_poll,
        state.last_success,
        state.next_poll,
        state.retries,
        state.slow_downs,
        state.doubted,
        state.asked_again,
        state.use.day,
        state.use.stamps,
        state.use.whole,
        state.use.hours or None,
        state.depletion,
        state.usual_day,
        state.history_days,
        *((one.stamps, one.at) if (one := state.topped_up) else (None, None)),
    )


def _state(row: _Row, codes: Callable[[int], Code]) -> State:
    _, contracted, contracted_at, used, used_at, available, available_at, *rest = row
    consumed, purchased, rest = rest[:_RISE], rest[_RISE : 2 * _RISE], rest[2 * _RISE :]
    up, last_code, last_poll, last_success, next_poll, retries, slow_downs, doubted, asked_again, *rest = rest
    day, stamps, whole, hours, depletion, usual_day, history_days, topped_up, topped_up_at = rest
    return State(
        contracted=_figure(contracted, contracted_at),
        used=_figure(used, used_at),
        available=_figure(available, available_at),
        consumed=_rise(*consumed),
        purchased=_rise(*purchased),
        up=None if up is None else bool(up),
        last_code=None if last_code is None else codes(last_code),
        last_poll=last_poll,
        last_success=last_success,
        next_poll=next_poll,
        retries=retries,
        slow_downs=slow_downs,
        doubted=bool(doubted),
        asked_again=asked_again,
        use=Use(day, stamps, bool(whole), hours or b""),
        depletion=depletion,
        usual_day=usual_day,
        history_days=history_days,
        topped_up=_figure(topped_up, topped_up_at),
    )


def _figure(stamps: int | None, at: float | None) -> Figure | None:
    return None if stamps is None or at is None else Figure(stamps, at)


def _of_rise(rise: Rise) -> tuple[int | None, ...]:
    fall = rise.fall
    of_fall = (fall.stamps, fall.answers, fall.counted) if fall else (None, None, None)
    return rise.total, rise.baseline, *of_fall


def _rise(
    total: int, baseline: int | None, stamps: int | None, answers: int | None, counted: int | None
) -> Rise:
    fall = None if stamps is None else Fall(stamps, answers or 1, counted or 0)
    return Rise(total, baseline, fall)
