"""The proxy that an environment's requests go through."""

from base64 import b64encode
from urllib.parse import unquote, urlsplit

from exporter.secret import Secret


class Proxy:
    """A proxy that speaks plain HTTP: it passes plain requests on, and tunnels those over TLS."""

    def __init__(self, url: Secret) -> None:
        parts = urlsplit(url.reveal())
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self._login = Secret("")
        if parts.username is not None:
            self._login = Secret(f"{unquote(parts.username)}:{unquote(parts.password or '')}")

    def headers(self) -> dict[str, str]:
        """Return the headers that it is to get, of which the host behind it gets none."""
        login = self._login.reveal()
        if not login:
            return {}
        try:
            octets = login.encode("latin-1")  # as most clients do
        except UnicodeEncodeError:
            octets = login.encode()
        return {"Proxy-Authorization": f"Basic {b64encode(octets).decode()}"}
