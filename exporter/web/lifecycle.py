"""The two requests that change something: ``POST /-/reload`` and ``POST /-/resume``."""

import math
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from aiohttp import web

from exporter.guard.gate import ResumeTooSoonError
from exporter.storage.engine import StorageError
from exporter.web.answers import plain

Reload = Callable[[], Awaitable[tuple[str, ...]]]
"""Takes up the configuration anew and returns what is wrong with it."""

Resume = Callable[[str], Awaitable[bool | None]]
"""Lifts an account's suspension and returns whether it had one, ``None`` where no account has this name."""

Handler = Callable[[web.Request], Awaitable[web.Response]]


def reload(do: Reload | None) -> Handler:
    """Return the handler of ``POST /-/reload``; ``None`` where it isn't allowed."""

    async def handle(request: web.Request) -> web.Response:
        if do is None:
            return _not_enabled()
        if is_cross_site(request):
            return plain(403, "refused: the request comes from another site")
        errors = await do()
        return plain(400, *errors) if errors else plain(200, "reloaded")

    return handle


def resume(do: Resume | None) -> Handler:
    """Return the handler of ``POST /-/resume?account=NAME``; ``None`` where it isn't allowed."""

    async def handle(request: web.Request) -> web.Response:
        if do is None:
            return _not_enabled()
        if is_cross_site(request):
            return plain(403, "refused: the request comes from another site")
        names = request.query.getall("account", [])
        if len(names) != 1:
            return plain(400, "say which account: POST /-/resume?account=NAME")
        try:
            resumed = await do(names[0])
            if resumed is None and (literal := _literal(request)) != names[0]:
                resumed = await do(literal)
        except ResumeTooSoonError as error:
            answer = plain(429, f"{error}: try again later")
            answer.headers["Retry-After"] = str(max(1, math.ceil(error.at - time.time())))
            return answer
        except StorageError as error:
            return plain(503, f"not resumed: {error}")
        return plain(200, "resumed: one new try") if resumed else plain(404, "no such account is suspended")

    return handle


def is_cross_site(request: web.Request) -> bool:
    """Return whether a browser sent this from a page of another site.

    Source: the headers Origin (RFC 6454) and Sec-Fetch-Site (W3C Fetch Metadata); programs send neither.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return True
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("Host")


def _literal(request: web.Request) -> str:
    """Return the account's name with each + as itself: in an address it is a blank, which few know."""
    query = request.raw_path.partition("?")[2].replace("+", "%2B")
    return "".join(parse_qs(query, keep_blank_values=True).get("account", ()))


def _not_enabled() -> web.Response:
    return plain(403, "the lifecycle API is not enabled: start with --web.enable-lifecycle")
