"""The provider's response codes: what each means, and what it says about the next poll.

Source: the provider's documentation of ``Utilerias`` (17 codes). An unlisted code may appear one day and
is treated as the provider's trouble.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Effect(Enum):
    """What an answer's code means for the account that was asked for."""

    BALANCE = auto()
    """It tells the balance: carry on."""
    SLOW_DOWN = auto()
    """We ask too much: leave longer and longer gaps."""
    RETRY = auto()
    """The provider's trouble, or ours, but not the account's: try again soon, then less and less often."""
    REFUSED = auto()
    """The credential is wrong. Every further try counts against the account at the provider."""
    STOP = auto()
    """Asking again can only do harm until a person has acted."""


@dataclass(frozen=True, slots=True)
class Code:
    """One documented response code, with words for people."""

    number: int
    effect: Effect
    meaning: str
    advice: str


_ALL = (
    Code(200, Effect.BALANCE, "completed successfully", "Nothing to do."),
    Code(500, Effect.RETRY, "errors at the provider prevented an answer", "Wait; the exporter tries again."),
    Code(501, Effect.RETRY, "the provider can't connect to its database", "Wait; the exporter tries again."),
    Code(502, Effect.RETRY, "the provider can't use its database", "Wait; the exporter tries again."),
    Code(
        503,
        Effect.SLOW_DOWN,
        "the provider's limit of concurrent users is reached",
        "Lower the environment's concurrency or lengthen the interval where this lasts.",
    ),
    Code(
        601,
        Effect.REFUSED,
        "the user name or the password is wrong",
        "Correct the credential in the configuration, then reload.",
    ),
    Code(
        602,
        Effect.STOP,
        "the account is locked",
        "Have the provider unlock it, check the credential, then resume the account.",
    ),
    Code(
        603,
        Effect.STOP,
        "the account's password has expired",
        "Set a new password at the provider and in the configuration, then reload.",
    ),
    Code(
        604,
        Effect.STOP,
        "too many logins failed",
        "Find what else uses this credential, have the provider unlock the account, then resume it.",
    ),
    Code(
        605,
        Effect.STOP,
        "the user is inactive",
        "Have the provider activate the user, then resume the account.",
    ),
    Code(
        611,
        Effect.RETRY,
        "the provider finds our request incomplete",
        "The service may have changed: look for a newer version of the exporter.",
    ),
    Code(
        612,
        Effect.RETRY,
        "the provider finds our request malformed",
        "The service may have changed: look for a newer version of the exporter.",
    ),
    Code(
        624,
        Effect.RETRY,
        "a uniqueness restriction was violated",
        "Not expected for a query: ask the provider where this lasts.",
    ),
    Code(630, Effect.BALANCE, "the account's stamps have run out", "Buy stamps: invoicing has stopped."),
    Code(631, Effect.BALANCE, "the issuer's stamps have run out", "Buy stamps: invoicing has stopped."),
    Code(632, Effect.SLOW_DOWN, "the limit of fair use is reached", "Lengthen the interval."),
    Code(
        633,
        Effect.STOP,
        "a production account used in testing, or the reverse",
        "Correct the account's environment in the configuration, then reload.",
    ),
)

CODES = {code.number: code for code in _ALL}
"""The documented codes by number, in ascending order."""

OTHER = "other"
"""The value of the label ``code`` for every code that isn't documented, so that the label stays bounded."""

EXHAUSTED = frozenset({630, 631})
"""Codes that say that no stamp is left, with or without figures."""

RESPONSE_LABELS = (*(str(number) for number in CODES), OTHER)
"""All values of the label ``code``, in the order in which the response counters are kept."""

_SLOTS = {number: slot for slot, number in enumerate(CODES)}


def effect(number: int) -> Effect:
    """Return what a code means for the next poll; an undocumented one is the provider's trouble."""
    code = CODES.get(number)
    return code.effect if code else Effect.RETRY


def meaning(number: int) -> str:
    """Return a code's meaning in English, as a part of a sentence."""
    code = CODES.get(number)
    return code.meaning if code else "a code that the provider doesn't document"


def advice(number: int) -> str:
    """Return what a person can do about a code, as sentences in English."""
    code = CODES.get(number)
    return code.advice if code else "Ask the provider what it means; the exporter tries again."


def slot(number: int) -> int:
    """Return the place of a code in the response counters (see ``RESPONSE_LABELS``)."""
    return _SLOTS.get(number, len(_SLOTS))
