"""The fixture that tests of the configuration share."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that messages name files as a user at that place sees them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
