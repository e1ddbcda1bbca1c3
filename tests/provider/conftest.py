"""Certificates for the servers that the transport's tests speak to."""

from pathlib import Path

import pytest
import trustme


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority whose certificates servers may show."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """Its certificate, as `ca_file` names one."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path
