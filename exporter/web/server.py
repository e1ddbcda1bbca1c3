"""The listening: sockets, TLS and basic auth, taken up anew when their files change."""

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http import HttpProcessingError
from structlog.typing import FilteringBoundLogger

from exporter.config import ConfigError
from exporter.log import origin
from exporter.watch import Signature, Watch, signature
from exporter.web.addresses import bind, reachable, shown_address
from exporter.web.application import Pages, application
from exporter.web.auth import BasicAuth
from exporter.web.protection import Protection, WebConfig

if TYPE_CHECKING:
    import socket
    import ssl

SETTLE: Final = 2.0
"""Seconds that a certificate, its key or the users' file must have stood still before they are taken up."""

_IDLE: Final = 75.0  # seconds until an idle connection, or one that sends its request slowly, is closed
_LINE: Final = 8190  # bytes of a request's line, and of each header
_HEADERS: Final = 64
_AIOHTTP: Final = logging.getLogger("aiohttp.server")


class Server:
    """Serves the pages on all addresses.

    ``web_config`` is the file of ``--web.config.file``, if any. Raises ConfigError where that is wrong.
    """

    def __init__(
        self, pages: Pages, addresses: tuple[str, ...], web_config: Path | None, log: FilteringBoundLogger
    ) -> None:
        self._addresses = addresses
        self._path = web_config
        self._log = log
        self._config = _load(web_config) if web_config else WebConfig()
        self._files = self._config.files
        self._watch = Watch(SETTLE, self._files)
        self._auth = BasicAuth(self._config.users)
        self._protection = Protection(self._auth, self._config.headers)
        self._runner = web.AppRunner(
            application(pages, self._protection),
            access_log=None,
            shutdown_timeout=0.5,
            keepalive_timeout=_IDLE,
            lingering_time=1.0,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS,
        )
        self._client_errors = _ClientErrors(log)
        self._listeners: list[socket.socket] = []
        self._sites: list[web.SockSite] = []

    async def start(self) -> None:
        """Listen on all addresses. Raises OSError where one can't be had."""
        _AIOHTTP.addFilter(self._client_errors)
        await self._runner.setup()
        for address in self._addresses:
            self._listeners.append(bind(address))
        await self._listen(self._config.tls)
        for listener in self._listeners:
            shown = shown_address(listener)
            scheme = "https" if self._config.tls else "http"
            self._log.info("listening", address=shown, url=f"{scheme}://{reachable(shown)}/")

    async def stop(self) -> None:
        """Close all connections; those that are being answered have a moment to end."""
        await self._runner.cleanup()
        for listener in self._listeners:
            listener.close()
        _AIOHTTP.removeFilter(self._client_errors)

    async def refresh(self) -> None:
        """Take up certificates, users and headers anew where files have changed; keep all if one is bad."""
        if self._path is None:
            return
        path, files = self._path, self._files
        if not await asyncio.to_thread(self._watch.look, files, time.monotonic()):
            return
        before = await asyncio.to_thread(signature, files)
        try:
            config = await asyncio.to_thread(_load, path)
        except ConfigError as error:
            for line in error.errors:
                self._log.error("web configuration not reloaded", error=line)
            # What it names beyond the one in use may be what is to be put right.
            self._look_at(tuple(dict.fromkeys((*self._config.files, *error.files))), before)
            return
        if config.tls or self._config.tls:
            await self._listen(config.tls)
        self._auth.users = config.users
        self._protection.headers = config.headers
        self._look_at(config.files, before)
        had, self._config = self._config, config
        self._log.info("web configuration reloaded")
        kinds = (("TLS", had.tls, config.tls), ("basic auth", had.users, config.users))
        if lost := [name for name, then, now in kinds if then and not now]:
            self._log.warning("requests are less protected than before", without=", ".join(lost))

    def _look_at(self, files: tuple[Path, ...], before: Signature) -> None:
        if files != self._files:
            self._files, self._watch = files, Watch(SETTLE, files, before)

    async def _listen(self, tls: "ssl.SSLContext | None") -> None:
        """Accept connections with these TLS settings from now on; those that are open go on as they are."""
        before, self._sites = self._sites, []
        for listener in self._listeners:
            # A second descriptor of the same socket: nobody who connects meanwhile is turned away.
            site = web.SockSite(self._runner, listener.dup(), ssl_context=tls, backlog=1024)
            await site.start()
            self._sites.append(site)
        for site in before:
            await site.stop()


def _load(path: Path) -> WebConfig:
    # Imported here, as what checks it takes longer than all the rest of a start.
    from exporter.web.config import load_web_config

    return load_web_config(path)


class _ClientErrors(logging.Filter):
    """Takes what clients did wrong out of aiohttp's errors: anyone could fill the log with it."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            self._log.debug("bad request", **origin(error))
            return False
        return True
