"""The two requests that change something: ``POST /-/reload`` and ``POST /-/resume``."""

import math
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from exporter.guard.gate import ResumeTooSoonError
from exporter.storage.engine import StorageError

Reload = Callable[[], Awaitable[tuple[str, ...]]]
"""Takes up the configuration anew and returns what is wrong with it."""

Resume = Callable[[str], Awaitable[bool]]
"""Lifts an account's suspension and returns whether it had one."""

Handler = Callable[[web.Request], Awaitable[web.Response]]


def reload(do: Reload | None) -> Handler:
    """Return the handler of ``POST /-/reload``; ``None`` where it isn't allowed."""

    async def handle(request: web.Request) -> web.Response:
        if do is None:
            return _not_enabled()
        if is_cross_site(request):
            return _answer(403, "refused: the request comes from another site")
        errors = await do()
        return _answer(400, *errors) if errors else _answer(200, "reloaded")

    return handle


def resume(do: Resume | None) -> Handler:
    """Return the handler of ``POST /-/resume?account=NAME``; ``None`` where it isn't allowed."""

    async def handle(request: web.Request) -> web.Response:
        if do is None:
            return _not_enabled()
        if is_cross_site(request):
            return _answer(403, "refused: the request comes from another site")
        names = request.query.getall("account", [])
        if len(names) != 1:
            return _answer(400, "say which account: POST /-/resume?account=NAME")
        try:
            resumed = await do(names[0])
        except ResumeTooSoonError as error:
            answer = _answer(429, f"{error}: try again later")
            answer.headers["Retry-After"] = str(max(1, math.ceil(error.at - time.time())))
            return answer
        except StorageError as error:
            return _answer(503, f"not resumed: {error}")
        return (
            _answer(200, "resumed: one new try") if resumed else _answer(404, "no such account is suspended")
        )

    return handle


def is_cross_site(request: web.Request) -> bool:
    """Tell whether a browser sent this from a page of another site.

    Source: the headers Origin (RFC 6454) and Sec-Fetch-Site (W3C Fetch Metadata); programs send neither.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return True
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("Host")


def _not_enabled() -> web.Response:
    return _answer(403, "the lifecycle API is not enabled: start with --web.enable-lifecycle")


def _answer(status: int, *lines: str) -> web.Response:
    return web.Response(status=status, text="".join(f"{line}\n" for line in lines))
