"""The provider's codes: what each means for the next poll and for the credential.

Source: the provider's documentation of ``Utilerias`` (17 codes). An unlisted code may appear one day: below
600 it is taken for the provider's trouble, from 600 on, where the codes about logins are, nobody knows
whether the credential was refused.
"""

from typing import Final

from exporter.account.outcome import Code, Effect, Verdict

OTHER: Final = "other"
"""The value of the label ``code`` for every code that isn't documented, so that the label stays bounded."""

_BALANCE: Final = (Effect.BALANCE, Verdict.ACCEPTED)
_TROUBLE: Final = (Effect.RETRY, Verdict.NEUTRAL)
_BUSY: Final = (Effect.SLOW_DOWN, Verdict.NEUTRAL)
_REFUSED: Final = (Effect.RETRY, Verdict.REFUSED)
_STOP: Final = (Effect.RETRY, Verdict.STOP)


def _code(
    number: int, kind: tuple[Effect, Verdict], meaning: str, advice: str, *, exhausted: bool = False
) -> Code:
    return Code(number, str(number), *kind, meaning, advice, exhausted=exhausted)


_ALL = (
    _code(200, _BALANCE, "completed successfully", "Nothing to do."),
    _code(500, _TROUBLE, "errors at the provider prevented an answer", "Wait; the exporter tries again."),
    _code(501, _TROUBLE, "the provider can't connect to its database", "Wait; the exporter tries again."),
    _code(502, _TROUBLE, "the provider can't use its database", "Wait; the exporter tries again."),
    _code(
        503,
        _BUSY,
        "the provider's limit of concurrent users is reached",
        "Lower the environment's concurrency or lengthen the interval where this lasts.",
    ),
    _code(
        601,
        _REFUSED,
        "the user name or the password is wrong",
        "Correct the credential in the configuration, then reload.",
    ),
    _code(
        602,
        _STOP,
        "the account is locked",
        "Have the provider unlock it, check the credential, then resume the account.",
    ),
    _code(
        603,
        _STOP,
        "the account's password has expired",
        "Set a new password at the provider and in the configuration, then reload.",
    ),
    _code(
        604,
        _STOP,
        "too many logins failed",
        "Find what else uses this credential, have the provider unlock the account, then resume it.",
    ),
    _code(
        605,
        _STOP,
        "the user is inactive",
        "Have the provider activate the user, then resume the account.",
    ),
    _code(
        611,
        _TROUBLE,
        "the provider finds our request incomplete",
        "The service may have changed: look for a newer version of the exporter.",
    ),
    _code(
        612,
        _TROUBLE,
        "the provider finds our request malformed",
        "The service may have changed: look for a newer version of the exporter.",
    ),
    _code(
        624,
        _TROUBLE,
        "a uniqueness restriction was violated",
        "Not expected for a query: ask the provider where this lasts.",
    ),
    _code(
        630,
        _BALANCE,
        "the account's stamps have run out",
        "Buy stamps: invoicing has stopped.",
        exhausted=True,
    ),
    _code(
        631,
        _BALANCE,
        "the issuer's stamps have run out",
        "Buy stamps: invoicing has stopped.",
        exhausted=True,
    ),
    _code(632, _BUSY, "the limit of fair use is reached", "Lengthen the interval."),
    _code(
        633,
        _STOP,
        "a production account used in testing, or the reverse",
        "Correct the account's environment in the configuration, then reload.",
    ),
)

CODES: Final = {code.number: code for code in _ALL}
"""The documented codes by number, in ascending order."""

LABELS: Final = (*(code.label for code in _ALL), OTHER)
"""All values of the label ``code``."""

SUCCESS: Final = CODES[200]
REQUEST_DOUBTED: Final = frozenset({611, 612})
"""Codes that find our request "incomplete" or "malformed": perhaps the WSDL has changed."""

_FIRST_ABOUT_LOGINS: Final = 600


def code(number: int) -> Code:
    """Return what a number means."""
    known = CODES.get(number)
    if known:
        return known
    verdict = Verdict.NEUTRAL if number < _FIRST_ABOUT_LOGINS else Verdict.UNKNOWN_FROM_SERVICE
    return Code(
        number,
        OTHER,
        Effect.RETRY,
        verdict,
        "a code that the provider doesn't document",
        "Ask the provider what it means; the exporter tries again.",
        documented=False,
    )
