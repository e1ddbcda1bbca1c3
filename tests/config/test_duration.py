"""Durations are Prometheus' own: what it accepts, and how it writes them."""

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.duration import PATTERN, format_duration, parse_duration

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", DAY),
        ("1w", 7 * DAY),
        ("1y", 365 * DAY),
        ("250ms", 0.25),
        ("1y2w3d4h5m6s7ms", 365 * DAY + 14 * DAY + 3 * DAY + 4 * 3600 + 5 * 60 + 6 + 0.007),
        ("0s", 0),
        ("90m", 5400),
        ("007s", 7),
    ],
)
def test_seconds(text: str, seconds: float) -> None:
    """Each unit has Prometheus' length."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "0",
        "1.5h",
        "-1m",
        "+1m",
        "1 h",
        " 1h",
        "1h ",
        "1h\n",
        "1m1h",
        "1m1m",
        "1H",
        "h",
        "1h30",
        "٣s",
        "1s1",
        "9" * 70 + "s",
    ],
)
def test_not_a_duration(text: str) -> None:
    """The error never repeats the text: it may hold a secret that went astray."""
    with pytest.raises(ValueError, match=r"\Anot a duration\Z"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["293y", "9223372036855s", "9" * 63 + "s"])
def test_out_of_range(text: str) -> None:
    """Prometheus counts nanoseconds in 64 bits; beyond that it rejects them too."""
    with pytest.raises(ValueError, match=r"\Aa duration out of range\Z"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (900, "15m"),
        (5400, "1h30m"),
        (60, "1m"),
        (0, "0s"),
        (0.1, "100ms"),
        (0.0004, "0s"),
        (1.5, "1s500ms"),
        (DAY, "1d"),
        (7 * DAY, "1w"),
        (8 * DAY, "8d"),
        (90 * DAY, "90d"),
        (365 * DAY, "1y"),
        (365 * DAY + 7 * DAY, "372d"),
    ],
)
def test_written(seconds: float, text: str) -> None:
    """As Prometheus' Duration.String: weeks and years only where nothing is left over."""
    assert format_duration(seconds) == text


def test_negative_is_not_written() -> None:
    """There is no way to write it that Prometheus reads."""
    with pytest.raises(ValueError, match="negative"):
        format_duration(-1)


@given(st.integers(min_value=0, max_value=2**63 // 1_000_000))
def test_round_trip(milliseconds: int) -> None:
    """What is written reads as the same time, to the millisecond."""
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.text(alphabet="0123456789ywdhms. -", max_size=12))
def test_pattern_agrees_with_the_parser(text: str) -> None:
    """An editor that knows the JSON Schema accepts what the exporter accepts."""
    try:
        parse_duration(text)
        accepted = True
    except ValueError as error:
        accepted = "range" in str(error)
    assert jsonschema.Draft202012Validator({"pattern": PATTERN}).is_valid(text) == accepted
