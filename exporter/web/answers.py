"""Answers of one line, and the headers that each answer has."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

HEADERS: Final = {
    "Server": "cfdi-stamps-exporter",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def plain(status: int, *lines: str) -> web.Response:
    """Return an answer in plain text, without lines the status itself."""
    lines = lines or (f"{status} {HTTPStatus(status).phrase}",)
    return web.Response(status=status, text="".join(f"{line}\n" for line in lines), headers=HEADERS)


def shorten(error: web.HTTPException) -> None:
    """Have an error of aiohttp's say its status in one line."""
    error.text = f"{error.status} {error.reason}\n"
