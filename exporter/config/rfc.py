"""The RFC, by which Mexico's tax authority (SAT) knows a company or a person: its form and its check digit.

The form is that of the SAT's schema of CFDI (``t_RFC`` in tdCFDI.xsd), the check digit that of its procedure
for giving out RFCs ("Procedimiento para obtener la clave del RFC").
"""

import re
import unicodedata
from typing import Final

PATTERN: Final = "^[A-ZÑ&]{3,4}[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[A-Z0-9]{2}[0-9A]$"
"""As JSON Schema reads it, too: 3 letters of a company or 4 of a person, a date, 3 letters or digits."""

GENERIC: Final = frozenset({"XAXX010101000", "XEXX010101000"})
"""What stands on an invoice to the general public, or to somebody abroad. Nobody issues one with these."""

_FORM: Final = re.compile(PATTERN)
_LOOSE: Final = re.compile("([A-ZÑ&]{3,4})([0-9]{2})([0-9]{2})([0-9]{2})[A-Z0-9]{3}")
_SEPARATORS: Final = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff./_‐‑‒–—-]+")
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of each month in a leap year
_VALUES: Final = {sign: value for value, sign in enumerate("0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ")}


def is_formed(text: str) -> bool:
    """Tell whether a text has the form of an RFC, with a date that there is in this century or the last."""
    return "\n" not in text and bool(_FORM.match(text)) and _has_date(text)


def fault(text: str) -> str:
    """Return what is wrong with a text that isn't formed as an RFC, as the rest of a sentence about it."""
    found = _LOOSE.fullmatch(text)
    if found is None:
        return "must be an RFC: 3 letters (4 of a person), a date as YYMMDD, then 3 letters or digits"
    if not _has_date(text):
        return "must be an RFC with a date as YYMMDD behind its letters"
    return "must be an RFC, whose last sign is a digit or an A"


def meant(text: str) -> str | None:
    """Return the RFC that a text is when it is written as RFCs are; None where it is none even then.

    That is in capitals, without hyphens and blanks, and with a Ñ that is one character.
    """
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text).upper())
    return plain if plain != text and is_formed(plain) else None


def check_digit(rfc: str) -> str:
    """Return what the last sign of an RFC has to be by the others: a digit, or A."""
    # A company's RFC counts as one with a blank before it. Weights go from 13 down to 2.
    total = sum(
        _VALUES[sign] * weight for sign, weight in zip(reversed(rfc[:-1]), range(2, 14), strict=False)
    )
    if len(rfc) == 12:
        total += _VALUES[" "] * 13
    rest = total % 11
    return {0: "0", 1: "A"}.get(rest) or str(11 - rest)


def _has_date(text: str) -> bool:
    year, month, day = int(text[-9:-7]), int(text[-7:-5]), int(text[-5:-3])
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return False
    # Of 00, too, as it may be 2000: nobody can tell it from 1900, which was no leap year.
    return (month, day) != (2, 29) or year % 4 == 0
