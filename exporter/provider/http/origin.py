"""The one place that an environment's requests go to."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of the configured WSDL."""

    scheme: str
    host: str
    """As it is looked up."""
    port: int
    prefix: str
    """`scheme://host:port` as it is configured: addresses in documents must begin with it."""

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin of an address that has passed the configuration's checks."""
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        return cls(parts.scheme, parts.hostname or "", port, f"{parts.scheme}://{parts.netloc}")

    @property
    def name(self) -> str:
        """The host that its certificate must be for."""
        return self.host.removesuffix(".").partition("%")[0]

    @property
    def host_and_port(self) -> str:
        """Host and port, always both, as CONNECT has them."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """Host and port as the header Host has them: without the scheme's own port."""
        usual = self.port == {"http": 80, "https": 443}[self.scheme]
        return self._bracketed if usual else self.host_and_port

    @property
    def _bracketed(self) -> str:
        return f"[{self.name}]" if ":" in self.name else self.name
