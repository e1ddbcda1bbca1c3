"""PURE: what people see of an account and may change of it, as JSON. docs/simulator.md is its manual."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from exporter.simulator.accounts import MESSAGES, UNLOCKED, Account, Life, Lockout

MOST_STAMPS: Final = 2_000_000_000  # what an account may hold: the service's figures are xs:int
LONGEST_PASSWORD: Final = 1_000
LONGEST_DELAY: Final = 3_600  # seconds


class ControlError(ValueError):
    """A change that can't be made. Its text gives the key and the rule, never the value: it may be secret."""


@dataclass(frozen=True, slots=True)
class _Rule:
    holds: Callable[[Any], bool]
    text: str


# The rules ask for the exact type, because true and false pass for 1 and 0 with isinstance.
_STAMPS: Final = _Rule(
    lambda value: type(value) is int and 0 <= value <= MOST_STAMPS,
    f"must be a whole number of stamps from 0 to {MOST_STAMPS}",
)
_BOOLEAN: Final = _Rule(lambda value: isinstance(value, bool), "must be true or false")
_RULES: Final[Mapping[str, _Rule]] = {
    "available": _STAMPS,
    "code": _Rule(
        lambda value: value is None or (type(value) is int and value in MESSAGES),
        f"must be null or one of {', '.join(map(str, MESSAGES))}",
    ),
    "delay": _Rule(
        lambda value: type(value) in {int, float} and 0 <= value <= LONGEST_DELAY,
        f"must be a number of seconds from 0 to {LONGEST_DELAY}",
    ),
    "exhausted_figures": _BOOLEAN,
    "locked": _BOOLEAN,
    "password": _Rule(
        lambda value: isinstance(value, str) and 0 < len(value) <= LONGEST_PASSWORD,
        f"must be a string of 1 to {LONGEST_PASSWORD} characters",
    ),
    "top_up": _STAMPS,
    "use": _STAMPS,
}


def describe(account: Account, now: float) -> dict[str, object]:
    """What people may see of an account as of the simulated Unix time `now`: everything but its password."""
    balance = account.life.balance(now)
    return {
        "username": account.username,
        "contracted": balance.contracted,
        "used": balance.used,
        "available": balance.available,
        "code": account.next_code(now),
        "calls": account.calls,
        "failed_logins": account.lockout.failures,
        "locked": account.lockout.locked,
    }


def read_changes(body: bytes) -> dict[str, Any]:
    """The changes in a request's body, a JSON object. ControlError for an unknown key or a bad value."""
    try:
        changes = json.loads(body)
    except (ValueError, RecursionError):
        raise ControlError("the body must be JSON") from None
    if not isinstance(changes, dict):
        raise ControlError("the body must be a JSON object")
    for key, value in changes.items():
        if key not in _RULES:
            # Cut short, so that a key can't fill the answer.
            raise ControlError(f"{key[:50]}: unknown key; known are {', '.join(_RULES)}")
        if not _RULES[key].holds(value):
            raise ControlError(f"{key}: {_RULES[key].text}")
    return changes


def change(account: Account, changes: Mapping[str, Any], now: float) -> None:
    """Make all of the changes or, raising ControlError, none. `changes` are from `read_changes`."""
    account.life = _changed_life(account.life, changes, now)  # the only step that can fail comes first
    account.password = changes.get("password", account.password)
    account.code = changes.get("code", account.code)
    account.delay = changes.get("delay", account.delay)
    account.exhausted_figures = changes.get("exhausted_figures", account.exhausted_figures)
    if "locked" in changes:
        account.lockout = Lockout(account.lockout.failures, locked=True) if changes["locked"] else UNLOCKED


def _changed_life(life: Life, changes: Mapping[str, Any], now: float) -> Life:
    """A life that goes on from changed figures: stamps are bought, then the balance set, then some used."""
    if changes.keys().isdisjoint({"available", "top_up", "use"}):
        return life
    balance = life.balance(now)
    contracted, used = balance.contracted + changes.get("top_up", 0), balance.used
    if contracted > MOST_STAMPS:
        raise ControlError(f"top_up: must not bring the stamps contracted above {MOST_STAMPS}")
    if "available" in changes:
        used = contracted - changes["available"]
        if used < 0:
            raise ControlError(
                f"available: must be at most the {contracted} stamps contracted; top_up buys more"
            )
    used += changes.get("use", 0)
    if used > contracted:
        raise ControlError("use: must be at most the stamps available")
    # Whoever sets a low balance wants to see it: the account's habit of buying must not undo that.
    refill = life.refill if changes.keys().isdisjoint({"available", "use"}) else None
    return replace(life, since=now, contracted=contracted, used=used, refill=refill)
