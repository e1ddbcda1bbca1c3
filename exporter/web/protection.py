"""What protects the server: the content of ``--web.config.file``, and what of it is in force.

``config`` reads the file: it is a module of its own, as it takes long to import and few servers need it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.web.auth import BasicAuth


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How the server protects itself. ``users`` are bcrypt hashes by name, ``files`` all that was read."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def lacks(self, other: "WebConfig") -> list[str]:
        """Return what protects less here than in another configuration."""
        lost = []
        if other.users and not self.users:
            lost.append("basic auth")
        if other.tls and not self.tls:
            lost.append("TLS")
        elif other.tls and self.tls:
            if self.tls.verify_mode < other.tls.verify_mode:
                lost.append("client certificates")
            if self.tls.minimum_version < other.tls.minimum_version:
                lost.append("the higher min_version")
        return lost


@dataclass(slots=True)
class Protection:
    """Who may pass, which headers the configuration adds, and TLS; all can be replaced while serving."""

    auth: BasicAuth
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None = None
