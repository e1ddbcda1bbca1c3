"""How the server protects itself: what ``--web.config.file`` comes to, and what is in force.

Small, as it is needed at every start; what reads the file is not.
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


@dataclass(slots=True)
class Protection:
    """Who may pass, and which headers the configuration adds; both can be replaced while serving."""

    auth: BasicAuth
    headers: Mapping[str, str]
