"""Prometheus durations (``30s``, ``5m``, ``1h30m``, ``1d``) to seconds and back.

The grammar and the way back are those of Prometheus' ``model.ParseDuration`` and ``Duration.String``
(github.com/prometheus/common, model/time.go): units from the largest to the smallest, each at most once;
a year has 365 days, a day 24 hours.
"""

import re

# JSON Schema reads it too.
PATTERN = r"^(?!$)([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"

_UNITS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
"""Milliseconds of each unit, the largest first."""

_WHOLE_ONLY = ("y", "w")
"""Units that are written only where nothing is left over: 90d reads better than 12w6d."""

_GRAMMAR = re.compile(PATTERN)
_LONGEST_TEXT = 64
_LONGEST_MS = 2**63 // 1_000_000  # Prometheus counts nanoseconds in an int64


def parse_duration(text: str) -> float:
    """Return the seconds of a Prometheus duration.

    Raises ValueError, with a text that doesn't repeat what was given, where it isn't one.
    """
    found = _GRAMMAR.match(text) if len(text) <= _LONGEST_TEXT and "\n" not in text else None
    if found is None:
        raise ValueError("not a duration")
    parts = zip(found.groups(), _UNITS.items(), strict=True)
    total = sum(int(part.removesuffix(unit)) * ms for part, (unit, ms) in parts if part)
    if total > _LONGEST_MS:
        raise ValueError("a duration out of range")
    return total / 1000


def format_duration(seconds: float) -> str:
    """Return a duration as Prometheus writes it: 900 as ``15m``, 5400 as ``1h30m``; to the millisecond."""
    rest = round(seconds * 1000)
    if rest < 0:
        raise ValueError("a duration can't be negative")
    if rest == 0:
        return "0s"
    text = ""
    for unit, ms in _UNITS.items():
        if unit in _WHOLE_ONLY and rest % ms:
            continue
        count, rest = divmod(rest, ms)
        text += f"{count}{unit}" if count else ""
    return text
