"""How many requests are answered at a time (others get a 503), and how bodies are sent to slow clients."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from exporter.web.addresses import DELIVERY

_SMALL: Final = 16 * 1024  # bytes: smaller bodies are sent as they are
_CHUNK: Final = 256 * 1024  # bytes of a write: a client that doesn't read makes us hold one
_SECURE: Final = 64 * 1024  # the same with TLS, which holds up to three
_UNCOPIED: Final = 1024 * 1024  # the same for a part of a single piece, which no copy is made of without TLS
_TURN: Final = 1024 * 1024  # bytes that are written before others have their turn on the loop

MAX_REQUESTS: Final = 40
"""Scrapes and pages at a time, unless configured."""

STALLED: Final = 5.0
"""Seconds in which a client took nothing, after which its answer ends where all places are taken."""

UNREAD: Final = 64 * 1024 * 1024
"""Bytes of different bodies that may be under way; beyond that the answers that wait longest end."""


class _Delivery:
    """An answer under way: to whom, what it holds, and since when nothing of it was taken."""

    __slots__ = ("pieces", "since", "transport")

    def __init__(self, transport: asyncio.Transport, pieces: Sequence[bytes]) -> None:
        self.transport = transport
        self.pieces = pieces
        self.since = time.monotonic()


class Deliveries:
    """Answers under way, ``most`` at a time, and the bytes that wait in memory for clients that don't read.

    ``rejected`` is called for a request that found no place, ``dropped`` for an answer cut off to make room.
    """

    def __init__(
        self,
        most: int = MAX_REQUESTS,
        rejected: Callable[[], None] = lambda: None,
        dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._most = most
        self._rejected = rejected
        self._dropped = dropped
        self.served: set[web.RequestHandler] = set()
        """The connections of those that have a place."""
        self._under_way: dict[_Delivery, None] = {}
        self._held: dict[int, int] = {}  # by piece in how many deliveries it is
        self._size = 0  # bytes of all these pieces

    @contextmanager
    def place(self, request: web.Request) -> Iterator[None]:
        """Give a request a place. Raises HTTPServiceUnavailable where there is none."""
        if len(self.served) >= self._most and not self._drop_longest(STALLED):
            self._rejected()
            rejection = web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
            rejection.force_close()  # else more of them would come in one go
            raise rejection
        self.served.add(request.protocol)
        try:
            yield
        finally:
            self.served.discard(request.protocol)

    async def send(
        self, request: web.Request, pieces: Sequence[bytes], headers: dict[str, str], status: int = 200
    ) -> web.StreamResponse:
        """Send a body in pieces. A client that doesn't read holds these, and copies of few chunks."""
        length = sum(map(len, pieces))
        if length < _SMALL:
            return web.Response(body=b"".join(pieces), headers=headers, status=status)
        response = web.StreamResponse(headers=headers, status=status)
        response.content_length = length
        await response.prepare(request)
        transport = request.transport
        if request.method == "HEAD" or transport is None:
            return response
        delivery = self._begin(transport, pieces)
        try:
            async with asyncio.timeout(DELIVERY):
                await _write(response, delivery, secure=request.secure)
        except TimeoutError:
            transport.abort()
        except ConnectionError as error:
            # aiohttp leaves a circle of this error and its frames, which hold the body: it would stay until
            # the garbage collector finds it, hung-up scrape by hung-up scrape.
            error.__traceback__ = None
            raise
        finally:
            self._end(delivery)
        return response

    def _begin(self, transport: asyncio.Transport, pieces: Sequence[bytes]) -> _Delivery:
        delivery = _Delivery(transport, pieces)
        for piece in pieces:
            key = id(piece)
            count = self._held.get(key, 0)
            self._held[key] = count + 1
            self._size += 0 if count else len(piece)
        while self._size > UNREAD and self._drop_longest(0.0):
            pass
        self._under_way[delivery] = None
        return delivery

    def _drop_longest(self, stalled: float) -> bool:
        """End the answer of which nothing has been taken for longest, if it is so many seconds at least."""
        longest = min(self._under_way, key=lambda delivery: delivery.since, default=None)
        if longest is None or time.monotonic() - longest.since < stalled:
            return False
        self._dropped()
        self._end(longest)
        longest.transport.abort()
        return True

    def _end(self, delivery: _Delivery) -> None:
        if delivery not in self._under_way:
            return
        del self._under_way[delivery]
        for piece in delivery.pieces:
            key = id(piece)
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
                self._size -= len(piece)


async def _write(response: web.StreamResponse, delivery: _Delivery, *, secure: bool) -> None:
    largest, joined = (_SECURE, _SECURE) if secure else (_UNCOPIED, _CHUNK)
    written = 0
    for chunk in _chunks(delivery.pieces, largest, joined):
        await response.write(chunk)
        delivery.since = time.monotonic()
        written += len(chunk)
        if written >= _TURN:
            # A client that reads quickly never makes the writing wait: others must have their turn.
            written = 0
            await asyncio.sleep(0)


def _chunks(pieces: Iterable[bytes], largest: int, joined: int) -> Iterator[bytes | memoryview]:
    """Join small pieces to ``joined`` bytes, as each chunk costs as a write; cut those over ``largest``."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if small and size + len(piece) > joined:
            yield b"".join(small)
            small, size = [], 0
        if len(piece) < joined:
            small.append(piece)
            size += len(piece)
        else:
            whole = memoryview(piece)  # cut without a copy
            yield from (whole[start : start + largest] for start in range(0, len(whole), largest))
    if small:
        yield b"".join(small)
