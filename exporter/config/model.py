"""What a configuration is once it has passed every check: frozen, with all defaults filled in."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from exporter.secret import Secret


class ConfigError(Exception):
    """The configuration can't be used. `errors` says all that is wrong, each with its place.

    `files` are those that were read or looked for: when one changes it may be different.
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
        """The files that are set, by their key in the configuration."""
        files = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        return {key: path for key, path in files.items() if path}


@dataclass(frozen=True, slots=True)
class Environment:
    """One place where the provider answers. Not always hashable (`proxy_url`): key by `name`."""

    name: str
    wsdl: str
    allow_plaintext: bool
    concurrency: int
    """Calls in flight to this environment, at most."""
    proxy_url: Secret | None
    tls: TlsConfig

    @property
    def host_port(self) -> str:
        """`host:port` of the WSDL, lower case, with the scheme's port filled in: it names the provider."""
        url, host = urlsplit(self.wsdl), host_of(self.wsdl)
        return f"{f'[{host}]' if ':' in host else host}:{url.port or {'http': 80, 'https': 443}[url.scheme]}"


def host_of(url: str) -> str:
    """The host in an address: lower case, without the dot that may end it, IPv6 without brackets."""
    return (urlsplit(url).hostname or "").removesuffix(".")


@dataclass(frozen=True, slots=True)
class Account:
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
    """Where the password came from: `password`, `password_file: PATH` or `password_env: NAME`."""

    @property
    def guard_key(self) -> str:
        """What the provider counts failed logins by: its host and port, and the username."""
        return f"{self.environment.host_port} {self.username.casefold()}"


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

    def watched(self) -> list[Path]:
        """Return the files that a reload would read, as far as they are known: it looks at the disk."""
        matching = (Path(name) for pattern in self.account_globs for name in glob.glob(pattern))
        return [*self.files, *matching]
