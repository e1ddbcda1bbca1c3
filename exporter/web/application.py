"""The paths of the HTTP server. A scrape only reads; nothing here ever calls the provider."""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from exporter.exposition.exposition import CONTENT_TYPES, Exposition, Form
from exporter.web import lifecycle
from exporter.web.answers import HEADERS, shorten
from exporter.web.auth import Admission
from exporter.web.delivery import Deliveries
from exporter.web.negotiation import accepts_gzip, prefers_openmetrics, qualities
from exporter.web.protection import Protection

_OPEN: Final = ("/-/healthy", "/-/ready")  # for probes: without a login, however much is asked
_PAGE_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language, Accept-Encoding",
}
_TABLE_HEADERS: Final = {
    "Content-Type": "text/csv; charset=utf-8; header=present",
    "Content-Disposition": 'attachment; filename="accounts.csv"',
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_START: Final = 8.0  # seconds that a request waits for the accounts; Prometheus waits 10 by default


Languages = Sequence[tuple[str, float]]
"""What a browser prefers, with qualities."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the server shows and does.

    ``shown`` is set once the accounts are. ``config`` returns the running configuration, redacted, in UTF-8,
    ``None`` where it isn't loaded yet. ``overview`` returns the page for people, for the
    parameters of its address and a browser's languages with their qualities; ``account`` that of one account,
    and whether there is one of this name; ``table`` the accounts as CSV. ``reload`` tells what is wrong
    with a new configuration, ``resume`` whether an account was suspended; both are ``None`` where they aren't
    allowed.
    """

    exposition: Exposition
    ready: Callable[[], bool]
    shown: asyncio.Event
    config: Callable[[], Awaitable[bytes | None]]
    overview: Callable[[Mapping[str, str], Languages], Awaitable[str]]
    telemetry_path: str
    account: Callable[[str, Mapping[str, str], Languages], Awaitable[tuple[bool, str]]] | None = None
    table: Callable[[Mapping[str, str]], Awaitable[str]] | None = None
    reload: lifecycle.Reload | None = None
    resume: lifecycle.Resume | None = None


def application(
    endpoints: Endpoints,
    protection: Protection,
    deliveries: Deliveries,
    login_rejected: Callable[[], None] = lambda: None,
) -> web.Application:
    """Return the routes of the exporter; ``login_rejected`` is called where a login isn't checked in time."""

    async def metrics(request: web.Request) -> web.StreamResponse:
        form: Form = "openmetrics" if prefers_openmetrics(request.headers.get("Accept", "")) else "text"
        await _shown(endpoints)
        headers = {"Content-Type": CONTENT_TYPES[form], "Vary": "Accept, Accept-Encoding"}
        await endpoints.exposition.settle()
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            return await deliveries.send(request, await endpoints.exposition.gzipped(form), headers)
        return await deliveries.send(request, endpoints.exposition.pieces(form), headers)

    async def home(request: web.Request) -> web.StreamResponse:
        from exporter.page import POLICY  # here, as most starts aren't followed by a look at the page

        await _shown(endpoints)
        page = await endpoints.overview(request.query, _languages(request))
        return await send(request, page, {**_PAGE_HEADERS, "Content-Security-Policy": POLICY})

    async def account(request: web.Request) -> web.StreamResponse:
        from exporter.page import POLICY

        if endpoints.account is None:
            raise web.HTTPNotFound
        await _shown(endpoints)
        # "." and ".." are no names in a path.
        name = request.match_info["name"] or request.query.get("name", "")
        found, page = await endpoints.account(name, request.query, _languages(request))
        headers = {**_PAGE_HEADERS, "Content-Security-Policy": POLICY}
        return await send(request, page, headers, status=200 if found else 404)

    async def accounts(request: web.Request) -> web.StreamResponse:
        if endpoints.table is None:
            raise web.HTTPNotFound
        await _shown(endpoints)
        return await send(request, await endpoints.table(request.query), _TABLE_HEADERS)

    async def send(
        request: web.Request, text: str, given: Mapping[str, str], status: int = 200
    ) -> web.StreamResponse:
        headers, body = dict(given), text.encode()
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            body = await asyncio.to_thread(gzip.compress, body, compresslevel=1)
        return await deliveries.send(request, [body], headers, status)

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(text="Healthy.\n")

    async def ready(_request: web.Request) -> web.Response:
        if endpoints.ready():
            return web.Response(text="Ready.\n")
        return web.Response(text="Not ready.\n", status=503)

    async def config(request: web.Request) -> web.StreamResponse:
        if (text := await endpoints.config()) is None:
            raise web.HTTPServiceUnavailable
        return await deliveries.send(request, [text], {"Content-Type": "text/plain; charset=utf-8"})

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPEN:
            return await handler(request)
        admission = await protection.auth.judge(request.headers.get("Authorization"))
        if admission is Admission.REFUSED:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="metrics"'})
        if admission is Admission.BUSY:
            login_rejected()
            raise web.HTTPTooManyRequests(headers={"Retry-After": "1"})
        with deliveries.place(request):
            return await handler(request)

    async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in {**HEADERS, **protection.headers}.items():
            # What a page has set itself, such as its own policy, is only replaced by the configuration.
            if name in protection.headers or name == "Server" or name not in response.headers:
                response.headers[name] = value

    app = web.Application(middlewares=[_plain_errors, guarded])
    app.router.add_post("/-/reload", lifecycle.reload(endpoints.reload))
    app.router.add_post("/-/resume", lifecycle.resume(endpoints.resume))
    app.router.add_get(endpoints.telemetry_path, metrics)
    if endpoints.telemetry_path != "/":
        app.router.add_get("/", home)
    if endpoints.telemetry_path != "/accounts.csv":
        app.router.add_get("/accounts.csv", accounts)
    app.router.add_get("/account/{name:[^/]*}", account)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    app.router.add_get("/config", config)
    app.on_response_prepare.append(add_headers)
    return app


def _languages(request: web.Request) -> Languages:
    return qualities(request.headers.get("Accept-Language", ""))


async def _shown(endpoints: Endpoints) -> None:
    """Let a request wait that comes during the start: it would find no accounts."""
    if not endpoints.shown.is_set():
        try:
            async with asyncio.timeout(_START):
                await endpoints.shown.wait()
        except TimeoutError:
            raise web.HTTPServiceUnavailable from None


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors in plain text with one line."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        shorten(error)
        raise
    except ConnectionError:
        raise
    except Exception:
        # A bug, of which aiohttp would show the text in asyncio's debug mode.
        logging.getLogger("aiohttp.server").exception("a page failed")
        raise web.HTTPInternalServerError(text="500 Internal Server Error\n") from None
