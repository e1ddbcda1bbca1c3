"""The making of connections: names, addresses, a proxy's tunnel and the TLS handshake."""

import asyncio
import ssl
from typing import Final

from aiohappyeyeballs import start_connection

from exporter.account.outcome import Reason
from exporter.provider.http.connection import Connection
from exporter.provider.http.error import TransportError
from exporter.provider.http.origin import Origin
from exporter.provider.http.proxy import Proxy
from exporter.provider.http.request import request_head
from exporter.provider.http.resolver import Resolver
from exporter.provider.http.tls import tls_detail

NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds until a host's next address is tried beside one that doesn't answer (RFC 8305)."""

_HANDSHAKE: Final = 86_400.0  # seconds: callers have limits of their own, which asyncio's must not undercut
_CLOSE_NOTIFY: Final = 1.0  # seconds for the other side to agree to the end


class Dialer:
    """Makes connections to one origin, through its proxy if there is one. `tls` is what is trusted."""

    def __init__(self, origin: Origin, proxy: Proxy | None, tls: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._resolver = Resolver(*((proxy.host, proxy.port) if proxy else (origin.host, origin.port)))

    async def dial(self) -> Connection:
        """Return a new connection. Raises TransportError; nothing was sent then."""
        try:
            return await self._dial()
        except ssl.SSLError as error:
            raise TransportError(Reason.TLS, tls_detail(error), sent=False) from error
        except (OSError, ValueError) as error:  # ValueError: a name that can't be one
            system = getattr(error, "strerror", None) or type(error).__name__
            raise TransportError(Reason.CONNECTION, f"no connection: {system}", sent=False) from error

    def close(self) -> None:
        """Give up what is looked up."""
        self._resolver.close()

    async def _dial(self) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await self._resolver.addresses()
        # At most one of the connections that this tries is kept, and only on that one anything is sent.
        sock = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER)
        if self._tls is None or self._proxy:
            _, plain = await loop.create_connection(Connection, sock=sock)
            if self._tls and self._proxy:
                return await self._tunnel(self._proxy, plain, self._tls)
            return plain
        _, secure = await loop.create_connection(
            Connection,
            sock=sock,
            ssl=self._tls,
            server_hostname=self._origin.name,
            ssl_handshake_timeout=_HANDSHAKE,
            ssl_shutdown_timeout=_CLOSE_NOTIFY,
        )
        return secure

    async def _tunnel(self, proxy: Proxy, plain: Connection, tls: ssl.SSLContext) -> Connection:
        """Return a secure connection through the proxy, which sees nothing of what goes over it."""
        try:
            await self._ask_for_tunnel(proxy, plain)
            secure = Connection()
            transport = await asyncio.get_running_loop().start_tls(
                plain.transport,
                secure,
                tls,
                server_hostname=self._origin.name,
                ssl_handshake_timeout=_HANDSHAKE,
                ssl_shutdown_timeout=_CLOSE_NOTIFY,
            )
        except BaseException:
            plain.abort()
            raise
        if transport is None:
            raise ConnectionResetError
        secure.connection_made(transport)
        return secure

    async def _ask_for_tunnel(self, proxy: Proxy, plain: Connection) -> None:
        target = self._origin.host_and_port
        request = request_head("CONNECT", target, {"Host": target} | proxy.headers()) + b"\r\n"
        try:
            answer = await plain.exchange(lambda: request, None, connect=True)
        except TransportError as error:
            detail = f"no tunnel through the proxy: {error.detail}"
            raise TransportError(error.reason, detail, sent=False) from error
        if not 200 <= answer.status < 300:
            detail = f"the proxy answered with HTTP status {answer.status}"
            raise TransportError(Reason.HTTP, detail, sent=False)
        if not plain.is_silent():
            raise TransportError(Reason.CONNECTION, "the proxy spoke in the tunnel or closed it", sent=False)
