"""The header Retry-After: seconds or a date, at most a day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.provider.solucion_factible.retry_after import LONGEST, seconds

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110

HEADERS: list[tuple[str | None, float | None]] = [
    ("3600", 3600.0),
    (" 120 ", 120.0),
    ("0", 0.0),
    ("86401", LONGEST),
    ("9" * 5000, LONGEST),
    ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
    ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
    ("Sun Nov  6 08:50:37 1994", 60.0),
    ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    ("Sun, 06 Nov 1993 08:49:37 GMT", 0.0),
    ("Sun, 06 Nov 2094 08:49:37 GMT", LONGEST),
    (None, None),
    ("", None),
    ("-5", None),
    ("1.5", None),
    ("1e3", None),
    ("１２", None),
    ("soon", None),
    ("60, 120", None),
    ("Sun, 06 Nov 99999 08:49:37 GMT", None),
    ("Sun, 32 Nov 1994 08:49:37 GMT", None),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS, ids=[repr(one)[:40] for one, _ in HEADERS])
def test_seconds_or_a_date(header: str | None, expected: float | None) -> None:
    assert seconds(header, NOW) == expected


@given(
    st.text(max_size=60) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} Nov -?\d{1,9} \d+:\d+:\d+ [A-Z+\-0-9]{1,9}")
)
def test_no_header_makes_it_raise(header: str) -> None:
    found = seconds(header, NOW)
    assert found is None or 0 <= found <= LONGEST
