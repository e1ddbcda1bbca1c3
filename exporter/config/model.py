"""What a configuration is once it has passed every check: frozen, with all defaults filled in."""

import glob
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from exporter.config.characters import folded
from exporter.secret import Secret

LARGEST_COUNT: Final = 2**53
"""Stamps: beyond it a Prometheus sample, which is a double, is no longer exact."""

TIMEZONE: Final = "America/Mexico_City"
COUNTRY: Final = "MX"
"""What ``calendar`` means where it doesn't say."""


class ConfigError(Exception):
    """The configuration can't be used. ``errors`` lists every error, each with its place.

    ``files`` are those that were read or looked for: when one changes it may be different.
    """

    def __init__(self, errors: tuple[str, ...], files: tuple[Path, ...] = ()) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors
        self.files = files


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How the provider is verified, and how this exporter shows who it is."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_skip_verify: bool = False

    @property
    def files(self) -> dict[str, Path]:
        """Return the files that are set, by their key in the configuration."""
        files = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        return {key: path for key, path in files.items() if path}


@dataclass(frozen=True, slots=True)
class Environment:
    """One place where the provider answers. Not always hashable (``proxy_url``): key by ``name``."""

    name: str
    wsdl: str
    allow_plaintext: bool
    concurrency: int
    """Calls in flight to this environment, at most."""
    proxy_url: Secret | None
    tls: TlsConfig

    @property
    def host_port(self) -> str:
        """Return ``host:port`` of the WSDL, which names the provider: lower case, with the scheme's port."""
        url, host = urlsplit(self.wsdl), host_of(self.wsdl)
        return f"{f'[{host}]' if ':' in host else host}:{url.port or {'http': 80, 'https': 443}[url.scheme]}"


def host_of(url: str) -> str:
    """Return the host in an address: lower case, without the dot that may end it, IPv6 without brackets."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def login_key(host_port: str, username: str) -> str:
    """Return what names a login, however its username is written: what the provider counts tries by.

    ``host_port`` is that of ``Environment``. Of the username neither case nor the blanks around it nor
    invisible characters count, and letters that look alike (full width, ligatures) are one.
    """
    return f"{host_port} {folded(username)}"


def issuer_key(login: str, issuer: "Issuer") -> str:
    """Return what names an issuer's balance with a login (``login_key``), however it is called.

    Its RFC is hashed in it: no name changes the key, and nobody reads the RFC in what is kept. No account's
    name or key holds a line end.
    """
    digest = hashlib.blake2b(issuer.rfc.encode(), digest_size=16, person=b"cfdi-issuer")
    return f"{login}\n{digest.hexdigest()}"


def is_issuer_key(key: str) -> bool:
    """Return whether a key is one of ``issuer_key``, and not an account's."""
    return "\n" in key


class _Watched:
    """Something whose balance is compared with thresholds, in stamps."""

    __slots__ = ()
    warning: int | None
    critical: int | None

    def threshold_above(self, available: int) -> tuple[str, int] | None:
        """Return the worst threshold that a balance is below, as severity and stamps."""
        for severity, stamps in (("critical", self.critical), ("warning", self.warning)):
            if stamps is not None and available < stamps:
                return severity, stamps
        return None


@dataclass(frozen=True, slots=True)
class Issuer(_Watched):
    """A company or person under an account, whose own balance is asked for with the account's login.

    Times in seconds, thresholds in stamps. ``rfc`` is what the provider knows it by; a person's holds the
    date of birth, so no metric and no page shows it.
    """

    name: str
    rfc: str = field(repr=False)
    interval: float
    stale_after: float
    warning: int | None
    critical: int | None
    labels: tuple[tuple[str, str], ...]
    """Extra labels of cfdi_issuer_info, sorted by name."""

    def secrets(self) -> list[Secret]:
        """Return what may stand in nothing that is shown to others."""
        return [Secret(self.rfc)]


@dataclass(frozen=True, slots=True)
class Account(_Watched):
    """One login at the provider, with all defaults filled in. Times in seconds, thresholds in stamps."""

    name: str
    username: str
    password: Secret
    environment: Environment
    interval: float
    timeout: float
    stale_after: float
    auth_attempts: int
    warning: int | None
    critical: int | None
    labels: tuple[tuple[str, str], ...]
    """Extra labels of cfdi_account_info, sorted by name."""
    password_source: str = "password"  # noqa: S105  # the name of the key
    """Where the password came from: ``password``, ``password_file: PATH`` or ``password_env: NAME``."""
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """Those of ``Config.warnings`` that are about this account's username and password."""
    issuers: tuple[Issuer, ...] = field(default=(), repr=False)
    issuer_concurrency: int = 1
    """Calls for issuers in flight with this login, at most."""

    @property
    def guard_key(self) -> str:
        """Return the key of this login, see ``login_key``."""
        return login_key(self.environment.host_port, self.username)


@dataclass(frozen=True, slots=True)
class CalendarConfig:
    """What days and business days are: the names of a timezone and a country, and days that are closed."""

    timezone: str = TIMEZONE
    country: str = COUNTRY
    closed: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that has passed every check."""

    path: Path
    environments: Mapping[str, Environment]
    accounts: tuple[Account, ...]
    files: tuple[Path, ...]
    """Every file read (the configuration and all that it names): what an automatic reload watches."""
    warnings: tuple[str, ...] = ()
    """Remarks on what is allowed but seldom meant, for the log."""
    account_globs: tuple[str, ...] = ()
    """Patterns of account files, resolved: a file that newly matches one calls for a reload too."""
    calendar: CalendarConfig = CalendarConfig()
    issuer_globs: tuple[str, ...] = ()
    """Those of issuer files, likewise."""

    def watched(self) -> list[Path]:
        """Return the files that a reload would read, as far as they are known: it looks at the disk."""
        matching = (
            Path(name) for pattern in (*self.account_globs, *self.issuer_globs) for name in glob.glob(pattern)
        )
        return [*self.files, *matching]
