"""PURE: what people see of an account and may change of it, as JSON. docs/simulator.md is its manual."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from exporter.simulator.accounts import UNLOCKED, Account, Lockout
from exporter.simulator.answers import CODES, MESSAGES
from exporter.simulator.issuers import NOTHING_OF_ITS_OWN, Issuer
from exporter.simulator.life import Life

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
_NOTHING_OF_ITS_OWN: Final = _Rule(
    lambda value: isinstance(value, str) and value in NOTHING_OF_ITS_OWN,
    f"must be one of {', '.join(NOTHING_OF_ITS_OWN)}",
)


def _code_of(codes: Collection[int]) -> _Rule:
    return _Rule(
        lambda value: value is None or (type(value) is int and value in codes),
        f"must be null or one of {', '.join(map(str, codes))}",
    )


_RULES: Final[Mapping[str, _Rule]] = {
    "available": _STAMPS,
    "code": _code_of(CODES),
    "delay": _Rule(
        lambda value: type(value) in {int, float} and 0 <= value <= LONGEST_DELAY,
        f"must be a number of seconds from 0 to {LONGEST_DELAY}",
    ),
    "exhausted_figures": _BOOLEAN,
    "locked": _BOOLEAN,
    "no_contract": _NOTHING_OF_ITS_OWN,
    "password": _Rule(
        lambda value: isinstance(value, str) and 0 < len(value) <= LONGEST_PASSWORD,
        f"must be a string of 1 to {LONGEST_PASSWORD} characters",
    ),
    "top_up": _STAMPS,
    "unknown_issuer": _NOTHING_OF_ITS_OWN,
    "use": _STAMPS,
}
_ISSUER_RULES: Final[Mapping[str, _Rule]] = {
    "available": _STAMPS,
    "code": _code_of(MESSAGES),
    "contract": _BOOLEAN,
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


def describe_issuer(issuer: Issuer, now: float) -> dict[str, object]:
    """What people may see of an issuer as of the simulated Unix time `now`."""
    balance = issuer.life.balance(now) if issuer.life else None
    return {
        "rfc": issuer.rfc,
        "contract": balance is not None,
        "contracted": balance and balance.contracted,
        "used": balance and balance.used,
        "available": balance and balance.available,
        "code": issuer.code,
        "calls": issuer.calls,
    }


def read_changes(body: bytes) -> dict[str, Any]:
    """The changes of an account in a request's body, a JSON object.

    ControlError for an unknown key or a bad value.
    """
    return _read(body, _RULES)


def read_issuer_changes(body: bytes) -> dict[str, Any]:
    """Those of an issuer, likewise."""
    return _read(body, _ISSUER_RULES)


def _read(body: bytes, rules: Mapping[str, _Rule]) -> dict[str, Any]:
    try:
        changes = json.loads(body)
    except (ValueError, RecursionError):
        raise ControlError("the body must be JSON") from None
    if not isinstance(changes, dict):
        raise ControlError("the body must be a JSON object")
    for key, value in changes.items():
        if key not in rules:
            # Cut short, so that a key can't fill the answer.
            raise ControlError(f"{key[:50]}: unknown key; known are {', '.join(rules)}")
        if not rules[key].holds(value):
            raise ControlError(f"{key}: {rules[key].text}")
    return changes


def change(account: Account, changes: Mapping[str, Any], now: float) -> None:
    """Make all of the changes or, raising ControlError, none. `changes` are from `read_changes`."""
    account.life = _changed_life(account.life, changes, now)  # the only step that can fail comes first
    account.password = changes.get("password", account.password)
    account.code = changes.get("code", account.code)
    account.delay = changes.get("delay", account.delay)
    account.exhausted_figures = changes.get("exhausted_figures", account.exhausted_figures)
    account.no_contract = changes.get("no_contract", account.no_contract)
    account.unknown_issuer = changes.get("unknown_issuer", account.unknown_issuer)
    if "locked" in changes:
        account.lockout = Lockout(account.lockout.failures, locked=True) if changes["locked"] else UNLOCKED


def change_issuer(issuer: Issuer, changes: Mapping[str, Any], now: float) -> None:
    """Make all of the changes or, raising ControlError, none. `changes` are from `read_issuer_changes`.

    Stamps that are bought make a contract.
    """
    life = issuer.life if changes.get("contract", True) else None
    has_contract = life or changes.get("contract") or "top_up" in changes
    if has_contract:
        life = _changed_life(life or Life(now, contracted=0, used=0, per_day=0), changes, now)
    elif not changes.keys().isdisjoint({"available", "top_up", "use"}):
        raise ControlError("available, top_up, use: the issuer has no contract of its own")
    issuer.life = life
    issuer.code = changes.get("code", issuer.code)


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
