"""The HTTP server: the paths of the contract. A scrape reads; nothing here ever calls the provider."""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from exporter import lifecycle
from exporter.auth import BasicAuth, Verdict
from exporter.exposition import CONTENT_TYPES, Exposition, Form

_SMALL: Final = 64 * 1024  # bytes: smaller bodies are sent as they are, and compressed without a thread
_CHUNK: Final = 256 * 1024  # bytes of a write: a client that doesn't read makes us hold one, with TLS three
_UNCOPIED: Final = 1024 * 1024  # the same for a part of a single piece, which no copy is made of without TLS
_TURN: Final = 1024 * 1024  # bytes that are written before others have their turn on the loop
_OPEN: Final = ("/-/healthy", "/-/ready")  # without a login, for probes
_HEADERS: Final = {
    "Server": "cfdi-stamps-exporter",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_PAGE_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language, Accept-Encoding",
}
_START: Final = 8.0  # seconds that a request waits for the accounts; Prometheus waits 10 by default
_DELIVERY: Final = 30.0  # seconds that a client has to read an answer: more than any scrape may take


@dataclass(frozen=True, slots=True)
class Pages:
    """What the server shows and does.

    ``shown`` is set once the accounts are. ``config`` returns the running configuration, redacted, ``None``
    where it isn't loaded yet. ``overview`` returns the page for people, for the
    parameters of its address and a browser's languages with their qualities. ``reload`` tells what is wrong
    with a new configuration, ``resume`` whether an account was suspended; both are ``None`` where they aren't
    allowed.
    """

    exposition: Exposition
    ready: Callable[[], bool]
    shown: asyncio.Event
    config: Callable[[], str | None]
    overview: Callable[[Mapping[str, str], Sequence[tuple[str, float]]], Awaitable[str]]
    telemetry_path: str
    reload: lifecycle.Reload | None = None
    resume: lifecycle.Resume | None = None


@dataclass(slots=True)
class Protection:
    """Who may pass, and which headers the configuration adds; both can be replaced while serving."""

    auth: BasicAuth
    headers: Mapping[str, str]


def application(pages: Pages, protection: Protection) -> web.Application:
    """Return the routes of the exporter."""

    async def metrics(request: web.Request) -> web.StreamResponse:
        form: Form = "openmetrics" if prefers_openmetrics(request.headers.get("Accept", "")) else "text"
        await _shown(pages)
        headers = {"Content-Type": CONTENT_TYPES[form], "Vary": "Accept, Accept-Encoding"}
        await pages.exposition.settle()
        if _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            return await _delivered(request, await pages.exposition.gzipped(form), headers)
        return await _delivered(request, pages.exposition.pieces(form), headers)

    async def home(request: web.Request) -> web.StreamResponse:
        from exporter.page import POLICY  # here, as most starts aren't followed by a look at the page

        await _shown(pages)
        languages = _qualities(request.headers.get("Accept-Language", ""))
        page = await pages.overview(request.query, languages)
        headers, body = {**_PAGE_HEADERS, "Content-Security-Policy": POLICY}, page.encode()
        if _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            body = await asyncio.to_thread(_gzip, body)
        return await _delivered(request, [body], headers)

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(text="Healthy.\n")

    async def ready(_request: web.Request) -> web.Response:
        if pages.ready():
            return web.Response(text="Ready.\n")
        return web.Response(text="Not ready.\n", status=503)

    async def config(_request: web.Request) -> web.Response:
        if (text := await asyncio.to_thread(pages.config)) is None:
            raise web.HTTPServiceUnavailable
        return web.Response(text=text, content_type="text/plain")

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _OPEN:
            verdict = await protection.auth.judge(request.headers.get("Authorization"))
            if verdict is Verdict.REFUSED:
                raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="metrics"'})
            if verdict is Verdict.BUSY:
                raise web.HTTPTooManyRequests(headers={"Retry-After": "1"})
        return await handler(request)

    async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in {**_HEADERS, **protection.headers}.items():
            # What a page has set itself, such as its own policy, is only replaced by the configuration.
            if name in protection.headers or name == "Server" or name not in response.headers:
                response.headers[name] = value

    app = web.Application(middlewares=[_plain_errors, guarded])
    app.router.add_post("/-/reload", lifecycle.reload(pages.reload))
    app.router.add_post("/-/resume", lifecycle.resume(pages.resume))
    app.router.add_get(pages.telemetry_path, metrics)
    if pages.telemetry_path != "/":
        app.router.add_get("/", home)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    app.router.add_get("/config", config)
    app.on_response_prepare.append(add_headers)
    return app


async def _shown(pages: Pages) -> None:
    """Let a request wait that comes during the start: it would be told that there are no accounts."""
    if not pages.shown.is_set():
        try:
            async with asyncio.timeout(_START):
                await pages.shown.wait()
        except TimeoutError:
            raise web.HTTPServiceUnavailable from None


def prefers_openmetrics(accept: str) -> bool:
    """Tell whether an Accept header asks for OpenMetrics rather than the text format.

    The highest quality wins, of equal ones the first; anything else gets the text format, as with other
    exporters.
    """
    best, quality = "", 0.0
    for kind, q in _qualities(accept):
        if kind in ("application/openmetrics-text", "text/plain", "*/*", "text/*") and q > quality:
            best, quality = kind, q
    return best == "application/openmetrics-text"


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip; ``gzip;q=0`` doesn't."""
    qualities = dict(reversed(_qualities(accept_encoding)))
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _qualities(header: str) -> list[tuple[str, float]]:
    """Return the values of an Accept-like header with their qualities; one that is no number counts as 0."""
    found = []
    for part in header.split(","):
        value, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, text = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(text)
                except ValueError:
                    quality = 0.0
        found.append((value, quality))
    return found


def _takes_gzip(request: web.Request) -> bool:
    return accepts_gzip(request.headers.get("Accept-Encoding", ""))


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1)


async def _delivered(
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


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 404 and 405 in plain text with one line."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        error.text = f"{error.status} {error.reason}\n"
        raise
    except ConnectionError:
        raise
    except Exception:
        # A bug, of which aiohttp would show the text in asyncio's debug mode.
        logging.getLogger("aiohttp.server").exception("a page failed")
        raise web.HTTPInternalServerError(text="500 Internal Server Error\n") from None
