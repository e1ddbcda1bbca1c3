"""One connection: a request at a time, sent once, and the answer to it."""

import asyncio
import select
import ssl
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, cast

from exporter.account.outcome import Reason
from exporter.provider.http.error import TransportError
from exporter.provider.http.response import HttpAnswer, Response, lost
from exporter.provider.http.tls import tls_detail

MAX_AGE: Final = 60.0
"""Seconds after which a connection takes no more requests: by then the host may have another address."""

_LOOKS: Final = 16
"""Turns of the loop after a deadline in which what has arrived is still read: 256 KiB in every other one."""


class Limit(NamedTuple):
    """How long something may take."""

    seconds: float
    at: float
    """When that is over, on the loop's clock."""


class Connection(asyncio.Protocol):
    """A connection to a provider or a proxy.

    What comes while nothing is asked may be meant for somebody else: it closes the connection.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.secure: ssl.SSLObject | None = None
        """Its TLS, if it has any."""
        self.headers: Mapping[bytes, bytes] = {}
        """Those of the latest answer."""
        self._unread = select.poll()
        self.fresh = True
        """Whether nothing has been asked on it yet, and it was not idle."""
        self.over = False
        """Whether it is closed or about to be: it takes no request any more."""
        self._response: Response | None = None
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self.expires = self._loop.time() + MAX_AGE
        """When it takes no more requests, on the loop's clock."""
        self.idle_until = 0.0
        """Where it is idle: when it is given up."""
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done once the socket is given back."""

    @property
    def transport(self) -> asyncio.Transport:
        """What it sends on."""
        assert self._transport  # noqa: S101 - for the type checker: it is there once the connection is
        return self._transport

    def is_silent(self) -> bool:
        """Return whether nothing has come unasked: no bytes, read or unread, and not its end."""
        if self.over or self.transport.is_closing():
            return False
        if self.secure and self.fresh:
            return True  # what is unread is the handshake's
        return not self._unread.poll(0)

    async def exchange(
        self, request: Callable[[], bytes], limit: Limit | None, *, connect: bool = False
    ) -> HttpAnswer:
        """Send what `request` returns, and return the answer; `connect` where that asks a proxy for a tunnel.

        `request` is called at once and its bytes are written at once: what it raises passes through, and
        nothing was sent. The connection is over then unless the answer leaves it fit for another request.

        Raises TransportError, `timeout` too where not even a head came in time.
        """
        data = request()
        self.fresh = False
        self._response = Response(connect=connect)
        answer: asyncio.Future[HttpAnswer] = self._loop.create_future()
        self._answer = answer
        self.transport.write(data)
        timer = self._loop.call_at(limit.at, self._time_is_up, answer, limit, _LOOKS) if limit else None
        try:
            return await answer
        finally:
            if timer:
                timer.cancel()
            if self._answer is answer:  # the caller was cancelled
                self._response = self._answer = None
                self.abort()

    def close(self) -> None:
        """Close in good order."""
        self.over = True
        self.transport.close()

    def abort(self) -> None:
        """Close at once; what was not sent yet never is."""
        self.over = True
        if self._transport:
            self._transport.abort()

    # asyncio's callbacks. ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the handshake, if there is one, is done."""
        self._transport = cast("asyncio.Transport", transport)
        self.secure = transport.get_extra_info("ssl_object")
        self._unread.register(transport.get_extra_info("socket"), select.POLLIN)
        if self.over:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer, if there is one to come."""
        if self._response is None:
            if not self.over:
                self.abort()
            return
        try:
            answer = self._response.feed(data)
        except TransportError as error:
            self._finish(error)
        else:
            if answer:
                self._finish(answer)

    def eof_received(self) -> None:
        """Take the other side's end, which over TLS counts only where TLS says it."""
        self.over = True  # asyncio closes it
        if self._response is None:
            return
        if self._is_said_end():
            self._finish(self._response.closed() or lost())
        else:
            self._finish(self._response.cut(lost()) or lost())

    def connection_lost(self, error: Exception | None) -> None:
        """Take the connection's end."""
        self.over = True
        if self._response:
            reason = lost()
            if isinstance(error, ssl.SSLError):
                reason = TransportError(Reason.TLS, tls_detail(error))
            self._finish(self._response.cut(reason) or reason)
        if not self.lost.done():
            self.lost.set_result(None)

    def _is_said_end(self) -> bool:
        if self.secure is None:
            return True
        try:
            return not self.secure.read(1)
        except ssl.SSLError:
            return False  # cut off, perhaps by somebody in between

    def _finish(self, outcome: HttpAnswer | TransportError) -> None:
        """Hand over the outcome, and close what may not be used again."""
        response, answer = self._response, self._answer
        self._response = self._answer = None
        if response is None or answer is None or answer.done():
            return
        self.headers = response.headers
        if isinstance(outcome, TransportError):
            answer.set_exception(outcome)
            self.abort()
            return
        answer.set_result(outcome)
        if not outcome.whole or self.transport.get_write_buffer_size():
            self.abort()
        elif not response.reusable:
            self.close()

    def _time_is_up(self, answer: "asyncio.Future[HttpAnswer]", limit: Limit, looks: int) -> None:
        """End an exchange, but first read what has arrived: this process may have been stopped for long."""
        if self._answer is not answer or self._response is None:
            return
        if looks and self._unread.poll(0):
            self._loop.call_soon(self._time_is_up, answer, limit, looks - 1)
            return
        late = TransportError(Reason.TIMEOUT, f"no complete answer within {limit.seconds:g} s")
        self._finish(self._response.cut(late) or late)
