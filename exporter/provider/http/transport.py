"""The only way out: HTTP towards one provider, bounded in time, bytes and destination.

It speaks to the configured host alone (no redirects, no address that a document names, no proxy of an
environment variable) and asks for uncompressed answers. A request is sent once: whatever becomes of it, it is
never sent again by itself.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from exporter.account.outcome import Reason
from exporter.config import Environment
from exporter.provider.http.connection import Connection, Limit
from exporter.provider.http.dialer import Dialer
from exporter.provider.http.error import TransportError
from exporter.provider.http.origin import Origin
from exporter.provider.http.pool import ConnectionPool
from exporter.provider.http.proxy import Proxy
from exporter.provider.http.request import request_head
from exporter.provider.http.response import HttpAnswer
from exporter.provider.http.tls import tls_context

_HEADS: Final = 16  # of requests that are kept: a provider has an operation or two


class Transport:
    """Connections to one environment's provider. To be made in a running event loop.

    `watch` is shown each connection once an answer has come over it.

    Raises OSError where what the environment trusts can't be read.
    """

    def __init__(self, environment: Environment, watch: Callable[[Connection], None] | None = None) -> None:
        self._environment = environment
        self._watch = watch
        self._origin = Origin.of(environment.wsdl)
        self._proxy = Proxy(environment.proxy_url) if environment.proxy_url else None
        self._pool = ConnectionPool()
        self._dialer = self._new_dialer()
        self._dialing: set[asyncio.Task[Connection]] = set()
        self._heads: dict[tuple[str, str], bytes] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections, also those in use."""
        self._closed = True
        self._dialer.close()
        for task in self._dialing:
            task.cancel()
        await asyncio.gather(*self._dialing, return_exceptions=True)
        await self._pool.close()

    def renew(self) -> None:
        """Read anew what is trusted, and begin no request on a connection from before.

        Raises OSError, having changed nothing, where it can't be read.
        """
        before, self._dialer = self._dialer, self._new_dialer()
        before.close()
        self._pool.retire()

    async def get(self, url: str) -> bytes:
        """Return the document at `url`, which must be on the configured host. The time limit is the caller's.

        Raises TransportError, `http` for every status but 200.
        """
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self._origin.prefix:
            raise TransportError(Reason.INVALID, "the WSDL imports a document from another host", sent=False)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = self._head("GET", target, {}) + b"\r\n"
        answer = await self._exchange(lambda: request, None)
        if answer.status != 200:
            raise TransportError(Reason.HTTP, f"HTTP status {answer.status}")
        if answer.cut:
            raise answer.cut
        return answer.body

    async def post(
        self,
        path: str,
        envelope: Callable[[], bytes],
        soap_action: str,
        timeout: float | None = None,  # noqa: ASYNC109 - it reads what has arrived before it gives up
    ) -> HttpAnswer:
        """Send a SOAP 1.1 envelope, once, and return the answer, whatever its status is, or what came of it.

        `envelope` is called when a connection is ready, immediately before the first byte is written, with
        nothing in between. What it raises passes through, and nothing was sent. `timeout` is in seconds, from
        the connection to the last byte.

        Raises TransportError where not even the head of an answer came, `timeout` too.
        """
        head = self._heads.get((path, soap_action))
        if head is None:
            head = self._post_head(path, soap_action)
        limit = None if timeout is None else Limit(timeout, asyncio.get_running_loop().time() + timeout)

        def request() -> bytes:
            body = envelope()
            return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)

        return await self._exchange(request, limit)

    def _post_head(self, path: str, soap_action: str) -> bytes:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action}"'}
        try:
            head = self._head("POST", path, headers)
        except ValueError as error:
            raise TransportError(Reason.INVALID, f"the WSDL leads to {error}", sent=False) from None
        if len(self._heads) == _HEADS:
            self._heads.clear()
        self._heads[path, soap_action] = head
        return head

    def _head(self, method: str, target: str, headers: dict[str, str]) -> bytes:
        common = {"Host": self._origin.authority, "Accept": "*/*", "Accept-Encoding": "identity"}
        if self._proxy and self._origin.scheme == "http":
            target = self._origin.prefix + target
            common |= self._proxy.headers()
        return request_head(method, target, common | headers)

    async def _exchange(self, request: Callable[[], bytes], limit: Limit | None) -> HttpAnswer:
        connection = self._pool.take() or await self._connect(limit)
        try:
            answer = await connection.exchange(request, limit)
            if self._watch:
                self._watch(connection)
            return answer
        finally:
            self._pool.give(connection)

    async def _connect(self, limit: Limit | None) -> Connection:
        """Return a new connection, on which nothing was said yet."""
        if self._closed:
            raise _closed()
        try:
            async with asyncio.timeout_at(limit and limit.at):
                while True:
                    dialer = self._dialer
                    connection = await self._dial(dialer)
                    if dialer is self._dialer:
                        break
                    connection.close()  # made with what was trusted before
        except TimeoutError:
            detail = f"no connection within {limit.seconds:g} s" if limit else "no connection"
            raise TransportError(Reason.TIMEOUT, detail, sent=False) from None
        if not connection.is_silent():
            connection.abort()
            raise TransportError(
                Reason.CONNECTION, "the server spoke before it was asked, or hung up", sent=False
            )
        return connection

    async def _dial(self, dialer: Dialer) -> Connection:
        task = asyncio.create_task(dialer.dial())
        self._dialing.add(task)
        task.add_done_callback(self._dialed)
        try:
            return await task
        except asyncio.CancelledError:
            task.add_done_callback(self._not_needed)
            if self._closed:
                raise _closed() from None
            raise

    def _dialed(self, task: "asyncio.Task[Connection]") -> None:
        self._dialing.discard(task)
        if not task.cancelled() and not task.exception():
            self._pool.add(task.result())

    def _not_needed(self, task: "asyncio.Task[Connection]") -> None:
        """Keep a connection that was ready just when the caller gave up."""
        if not task.cancelled() and not task.exception():
            self._pool.give(task.result())

    def _new_dialer(self) -> Dialer:
        tls = tls_context(self._environment.tls) if self._origin.scheme == "https" else None
        return Dialer(self._origin, self._proxy, tls)


def _closed() -> TransportError:
    return TransportError(Reason.CONNECTION, "the connections were closed", sent=False)
