"""What ``--web.config.file`` comes to: small, as it is needed at every start, and what reads it is not."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How the server protects itself. ``users`` are bcrypt hashes by name, ``files`` all that was read."""

    tls: ssl.SSLContext | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
