"""A plain HTTP client from the standard library: it shares nothing with the server under test."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPSConnection
from ssl import SSLContext

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Response:
    """An answer as it came: nothing decoded, no redirect followed."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


def basic_auth(user: str, password: str) -> dict[str, str]:
    """The header of a request with these credentials."""
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def request(
    address: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    tls: SSLContext | None = None,
) -> Response:
    """Ask `address` (`host:port`) for `path`, over TLS where `tls` says whom to trust.

    Raises:
        OSError: nobody answers there, or the connection broke.
    """
    connection = (
        HTTPSConnection(address, timeout=TIMEOUT_SECONDS, context=tls)
        if tls
        else HTTPConnection(address, timeout=TIMEOUT_SECONDS)
    )
    try:
        connection.request(method, path, headers=dict(headers or {}))
        with connection.getresponse() as response:
            return Response(response.status, response.headers, response.read())
    finally:
        connection.close()
