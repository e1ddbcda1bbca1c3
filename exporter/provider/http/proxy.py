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
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._parts = Secret(self.host), Secret(user), Secret(password)
        if parts.username is not None:
            self._login = Secret(f"{user}:{password}")

    def secrets(self) -> list[Secret]:
        """Return what of it nobody may be shown: host, user, password, and the last two as they are sent."""
        return [*self._parts, self._login]

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
