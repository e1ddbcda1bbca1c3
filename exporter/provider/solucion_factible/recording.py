"""What came over the wire for one call, kept to be described: see ``shape``. It may hold secrets."""

from dataclasses import dataclass, field

from exporter.account.outcome import Failure, Outcome
from exporter.provider.http.connection import Connection
from exporter.provider.http.response import HttpAnswer


@dataclass(slots=True)
class Recording:
    """The WSDL's documents, the answer and how it came; nothing where it didn't come so far."""

    documents: list[bytes] = field(default_factory=list, repr=False)
    not_loaded: Failure | None = None
    """Why the WSDL can't be used."""
    answer: HttpAnswer | None = field(default=None, repr=False)
    outcome: Outcome | None = None
    """What the call was taken for."""
    seconds: float = 0.0
    """How long the call took."""
    headers: tuple[str, ...] = field(default=(), repr=False)
    """The names of the answer's headers, in lower case."""
    tls: str | None = None
    """The version of TLS."""
    issued_by: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The name of whoever issued the service's certificate, as attributes with their values."""

    def connection(self, connection: Connection) -> None:
        """Take note of the connection that an answer came over."""
        self.headers = tuple(name.decode("latin-1") for name in connection.headers)
        secure = connection.secure
        if secure:
            self.tls = secure.version()
            issuer = (secure.getpeercert() or {}).get("issuer", ())
            self.issued_by = tuple(
                (str(pair[0]), str(pair[1])) for part in issuer for pair in part if len(pair) == 2
            )
