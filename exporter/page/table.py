"""PURE: accounts as CSV (RFC 4180), for a spreadsheet."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from exporter.page.moments import local
from exporter.page.standing import Condition, Standing

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet takes for a formula (OWASP, CSV injection)."""

_COLUMNS: Final = (
    "account",
    "environment",
    "state",
    "available",
    "contracted",
    "used",
    "runs_out",
    "usual_day",
    "last_topup",
    "last_topup_at",
    "warning",
    "critical",
    "last_code",
    "last_poll",
    "last_success",
    "next_poll",
)


def table(standings: Sequence[Standing], now: datetime) -> str:
    """Return accounts as CSV, a column for each label that any has; times are in the zone of ``now``."""
    labels = sorted({key for one in standings for key, _ in one.account.labels})
    rows = [_line((*_COLUMNS, *(f"label_{label}" for label in labels)))]
    rows += [_line(_row(one, labels, now)) for one in standings]
    return "".join(rows)


def _row(one: Standing, labels: Iterable[str], now: datetime) -> Iterable[object]:
    account, state = one.account, one.state
    of_account = dict(account.labels)
    return (
        account.name,
        account.environment.name,
        one.condition.name.lower(),
        one.available,
        one.contracted,
        state.used.stamps if state.used and one.available is not None else None,
        _runs_out(one, now),
        None if state.usual_day is None else round(state.usual_day),
        state.topped_up.stamps if state.topped_up else None,
        _moment(state.topped_up.at if state.topped_up else None, now),
        account.warning,
        account.critical,
        state.last_code.number if state.last_code else None,
        _moment(state.last_poll, now),
        _moment(state.last_success, now),
        _moment(state.next_poll, now),
        *(of_account.get(label) for label in labels),
    )


def _runs_out(one: Standing, now: datetime) -> str | None:
    """Return the day on which the stamps run out, or on which it was first seen that none are left."""
    at = one.state.depletion if one.condition is Condition.EXHAUSTED else one.runs_out
    return None if at is None else local(at, now).date().isoformat()


def _moment(at: float | None, now: datetime) -> str | None:
    return None if at is None else local(at, now).isoformat()


def _line(fields: Iterable[object]) -> str:
    return ",".join(map(_field, fields)) + "\r\n"


def _field(value: object) -> str:
    """Return a field; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    # A lone surrogate has no UTF-8, and a NUL ends what some programs read.
    text = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if text.lstrip(" ").startswith(_FORMULA):
        text = f"'{text}"
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
