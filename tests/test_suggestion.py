"""Did you mean: the one known name that is most like what was written."""

import pytest

from exporter.suggestion import closest, suggestion


@pytest.mark.parametrize(
    ("name", "meant"),
    [("intervall", "interval"), ("timout", "timeout"), ("interval", "interval"), ("zzz", None), ("", None)],
)
def test_the_closest(name: str, meant: str | None) -> None:
    """Where nothing is like it, nothing is suggested."""
    known = ("timeout", "interval", "internal")
    assert closest(name, known) == meant
    assert suggestion(name, known) == (f", did you mean {meant}?" if meant else "")
