"""The connections of clients: how many there may be, and which is closed to make room for a new one.

Requests beyond ``--web.max-requests`` get their 503 in ``delivery``.
"""

import asyncio
import resource
import socket
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Container
from typing import Final, cast

from aiohttp import web, web_protocol

from exporter.web.addresses import DELIVERY
from exporter.web.answers import plain, shorten
from exporter.web.protection import Protection

CLIENTS: Final = 512
"""The most connections at a time, where the process may open twice as many files."""

_HANDSHAKE: Final = 10.0  # seconds for TLS to be agreed on
_GOODBYE: Final = 2.0  # seconds for it to be ended on both sides
_IDLE: Final = 75.0  # seconds until an idle connection, or one that sends its request slowly, is closed
_LINE: Final = 8190  # bytes of a request's line, and of each header
_HEADERS: Final = 64
_AHEAD: Final = 4  # requests of a connection that are read before the first is answered
_READ: Final = 32 * 1024  # bytes that are read at once from a connection with TLS, this process' own too
_BUFFER: Final = 64 * 1024  # bytes that wait to be sent before the writing waits; with TLS twice that
_TURN: Final = 64  # connections that are accepted before others have their turn on the loop
_PAUSE: Final = 1.0  # seconds until it accepts again where the system has no room

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def most_clients() -> int:
    """Return how many connections there may be: half of the files are kept back for polls and storage."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CLIENTS if files == resource.RLIM_INFINITY else max(1, min(CLIENTS, files // 2))


class Connections:
    """Accepts connections and serves them. To be made in a running event loop.

    ``server`` is aiohttp's. What ``protection`` has counts for connections from now on; those that are open
    keep their TLS. Where there are ``most`` a new one ends the one on which nothing has happened for longest,
    unless a request on it has its place (``served``). ``dropped`` is called for each that ended so.
    """

    def __init__(
        self,
        server: web.Server,
        protection: Protection,
        *,
        served: Container[web.RequestHandler],
        most: int,
        dropped: Callable[[], None],
    ) -> None:
        # Of these aiohttp and asyncio have 32 and 256 KiB, for each connection, and no other way to say so.
        web_protocol.MAX_MSG_QUEUE_SIZE = _AHEAD
        sslproto.SSLProtocol.max_size = _READ
        self.protection = protection
        self._server = server
        self._served = served
        self._most = most
        self._dropped = dropped
        self._loop = asyncio.get_running_loop()
        self._listeners: list[socket.socket] = []
        self._open: dict[_Connection, None] = {}  # the longest idle first
        self._opening: dict[_Connection, asyncio.Task[None]] = {}
        server.request_handler = self._tracked(server.request_handler)

    def listen(self, listener: socket.socket) -> None:
        """Accept what comes on a listening socket."""
        listener.setblocking(False)
        self._listeners.append(listener)
        self._loop.add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Accept nothing any more, and end what is still being agreed on."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
        for task in list(self._opening.values()):
            task.cancel()

    def forget(self, connection: "_Connection") -> None:
        """Take note that a connection has ended."""
        self._open.pop(connection, None)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_TURN):
            try:
                client, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file or no memory is left
                self._make_room()
                self._loop.remove_reader(listener)
                self._loop.call_later(_PAUSE, self._resume, listener)
                return
            if len(self._open) >= self._most and not self._make_room():
                self._dropped()
                client.close()
                continue
            connection = _Connection(self, self._server, self._loop)
            self._open[connection] = None
            self._opening[connection] = self._loop.create_task(self._begin(connection, client))

    async def _begin(self, connection: "_Connection", client: socket.socket) -> None:
        tls = self.protection.tls
        try:
            client.setblocking(False)
            await self._loop.connect_accepted_socket(
                lambda: connection,
                client,
                ssl=tls,
                ssl_handshake_timeout=_HANDSHAKE if tls else None,
                ssl_shutdown_timeout=_GOODBYE if tls else None,
            )
        except OSError:  # not TLS, not in time, or gone already
            self.forget(connection)
        except asyncio.CancelledError:
            self.forget(connection)
            client.close()  # where it hasn't even begun
            raise
        finally:
            del self._opening[connection]

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)

    def _make_room(self) -> bool:
        connection = next((one for one in self._open if one not in self._served), None)
        if connection is None:
            return False
        self._dropped()
        self.forget(connection)
        if connection in self._opening:
            self._opening[connection].cancel()
        elif connection.transport:
            connection.transport.abort()
        return True

    def _tracked(self, answer: Answer) -> Answer:
        async def tracked(request: web.BaseRequest) -> web.StreamResponse:
            await _has_taken(request)
            try:
                return await answer(request)
            finally:
                connection = cast("_Connection", request.protocol)
                if connection in self._open:
                    del self._open[connection]
                    self._open[connection] = None

        return tracked


async def _has_taken(request: web.BaseRequest) -> None:
    """Wait until the client has read the answers before this one: else we would have to hold them all."""
    try:
        async with asyncio.timeout(DELIVERY):
            await request.writer.drain()
    except TimeoutError:
        if request.transport:
            request.transport.abort()
        raise ConnectionResetError from None


class _Connection(web.RequestHandler):
    """aiohttp's protocol, with small buffers, and answers of our own to what is no request."""

    __slots__ = ("_connections",)

    def __init__(self, connections: Connections, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=_IDLE,
            lingering_time=1.0,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS,
            access_log=None,  # type: ignore[arg-type] # as AppRunner takes it too
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection."""
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=_BUFFER)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give it up."""
        self._connections.forget(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what is no request, or to one that broke us; it ends the connection."""
        if isinstance(exc, ConnectionError):  # the client has gone, or had to
            raise ConnectionResetError from None
        super().handle_error(request, status, exc, message)  # which logs it
        response = plain(status)
        response.headers.update(self._connections.protection.headers)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, in one line where it is an error that aiohttp found by itself."""
        if isinstance(resp, web.HTTPException):
            shorten(resp)
        return await super().finish_response(request, resp, start_time)
