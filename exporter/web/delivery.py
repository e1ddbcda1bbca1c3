"""How a body is sent, to clients that read quickly, slowly or not at all."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from aiohttp import web

_SMALL: Final = 64 * 1024  # bytes: smaller bodies are sent as they are
_CHUNK: Final = 256 * 1024  # bytes of a write: a client that doesn't read makes us hold one, with TLS three
_UNCOPIED: Final = 1024 * 1024  # the same for a part of a single piece, which no copy is made of without TLS
_TURN: Final = 1024 * 1024  # bytes that are written before others have their turn on the loop
_DELIVERY: Final = 30.0  # seconds that a client has to read an answer: more than any scrape may take


async def delivered(
    request: web.Request, pieces: Sequence[bytes], headers: dict[str, str]
) -> web.StreamResponse:
    """Send a body in pieces. A client that doesn't read holds what it was given, and copies of few chunks."""
    length = sum(map(len, pieces))
    if length < _SMALL:
        return web.Response(body=b"".join(pieces), headers=headers)
    response = web.StreamResponse(headers=headers)
    response.content_length = length
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        async with asyncio.timeout(_DELIVERY):
            written = 0
            for chunk in _chunks(pieces, _CHUNK if request.secure else _UNCOPIED):
                await response.write(chunk)
                written += len(chunk)
                if written >= _TURN:
                    # A client that reads quickly never makes the writing wait: others must have their turn.
                    written = 0
                    await asyncio.sleep(0)
    except TimeoutError:
        if request.transport:
            request.transport.abort()
    except ConnectionError as error:
        # aiohttp leaves a circle of this error and its frames, which hold the body: it would stay until the
        # garbage collector finds it, hung-up scrape by hung-up scrape.
        error.__traceback__ = None
        raise
    return response


def _chunks(pieces: Iterable[bytes], largest: int) -> Iterator[bytes | memoryview]:
    """Join small pieces, as each chunk costs as a write; cut those larger than ``largest`` bytes."""
    joined: list[bytes] = []
    size = 0
    for piece in pieces:
        if joined and size + len(piece) > _CHUNK:
            yield b"".join(joined)
            joined, size = [], 0
        if len(piece) < _CHUNK:
            joined.append(piece)
            size += len(piece)
        else:
            whole = memoryview(piece)  # cut without a copy
            yield from (whole[start : start + largest] for start in range(0, len(whole), largest))
    if joined:
        yield b"".join(joined)
