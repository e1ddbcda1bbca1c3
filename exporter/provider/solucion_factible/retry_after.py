"""The header Retry-After (RFC 9110, section 10.2.3): for how long a server wants to be left alone."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST: Final = 86_400.0
"""Seconds that are heeded: a day. What asks for more has lost its clock, or wants to be forgotten."""

_SECONDS: Final = re.compile(r"[0-9]+")


def seconds(header: str | None, now: float) -> float | None:
    """Return the seconds from ``now`` (Unix time), 0 to a day; None where the header says nothing."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text[:20]), LONGEST)
    try:
        date = parsedate_to_datetime(text[:100])
        # HTTP's dates are in GMT, also where they don't say so.
        wanted = date.timestamp() if date.tzinfo else date.replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wanted - now, 0.0), LONGEST)
