"""The configuration: from YAML files to a frozen ``Config``.

Importing this package costs little: pydantic and PyYAML are loaded by the first call that needs them.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from exporter.config.model import (
    Account,
    CalendarConfig,
    Config,
    ConfigError,
    Environment,
    Issuer,
    TlsConfig,
    is_issuer_key,
    issuer_key,
)

__all__ = [
    "Account",
    "CalendarConfig",
    "Config",
    "ConfigError",
    "Environment",
    "Issuer",
    "TlsConfig",
    "is_issuer_key",
    "issuer_key",
    "load",
    "redacted",
    "redacted_in_pieces",
]

# Any installed package may be a plugin of pydantic, which it would show all that it validates: passwords.
# Looking for them also takes time at each start.
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and check the configuration and every file that it names; opens no socket.

    ``environ`` holds the variables that ``password_env`` can name. Raises ConfigError with every error, as
    ``FILE:LINE: PLACE: TEXT``; none holds a secret.
    """
    from exporter.config import loading

    return loading.load(path, environ)


def redacted(config: Config) -> str:
    """Return the running configuration as YAML, with all defaults, and ``<secret>`` for passwords."""
    return "".join(redacted_in_pieces(config))


def redacted_in_pieces(config: Config) -> Iterator[str]:
    """Yield what ``redacted`` returns: with thousands of accounts it takes a while."""
    from exporter.config import redaction

    return redaction.pieces(config)
