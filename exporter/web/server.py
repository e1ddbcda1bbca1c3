"""The HTTP server: it listens, and takes up TLS and basic auth anew when their files change."""

import logging
import time
from functools import partial
from pathlib import Path
from typing import Final, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError
from structlog.typing import FilteringBoundLogger

from exporter.config import ConfigError
from exporter.log import origin
from exporter.metrics import ExporterMetrics
from exporter.thread import in_thread
from exporter.watch import Signature, Watch, signature
from exporter.web.addresses import bind, reachable, shown_address
from exporter.web.application import Endpoints, application
from exporter.web.auth import BasicAuth
from exporter.web.connections import Connections, most_clients
from exporter.web.delivery import MAX_REQUESTS, Deliveries
from exporter.web.protection import Protection, WebConfig

SETTLE: Final = 2.0
"""Seconds that certificate, key and users must have been unchanged before they are taken up."""

RETRY: Final = 30.0
"""Seconds until files that couldn't be taken up are tried again, though nothing is seen to have changed."""

_AIOHTTP: Final = logging.getLogger("aiohttp.server")


class Server:
    """Serves the endpoints on all addresses, ``max_requests`` requests at a time; 0: seven for each eight
    connections that there may be, which is the most in any case.

    ``web_config`` is the file of ``--web.config.file``, if any. Raises ConfigError where that is wrong.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        addresses: tuple[str, ...],
        web_config: Path | None,
        log: FilteringBoundLogger,
        *,
        metrics: ExporterMetrics,
        max_requests: int = MAX_REQUESTS,
    ) -> None:
        self.url = ""
        """Where it can be reached from this machine, once it listens."""
        self._addresses = addresses
        self._path = web_config
        self._log = log
        self._metrics = metrics
        self._config = _load(web_config) if web_config else WebConfig()
        self._files = self._config.files
        self._watch = Watch(SETTLE, self._files)
        self._errors: tuple[str, ...] = ()  # what is wrong with the files as they are now
        self._tried = 0.0
        self._auth = BasicAuth(self._config.users)
        self._protection = Protection(self._auth, self._config.headers, self._config.tls)
        self._most = most_clients()
        # Else no connection would be left for health checks.
        places = max(1, self._most - -(-self._most // 8))
        self._deliveries = deliveries = Deliveries(
            min(max_requests or places, places),
            rejected=lambda: metrics.request_rejected("max_requests"),
            dropped=lambda: metrics.connection_dropped("stalled"),
        )
        self._runner = web.AppRunner(
            application(endpoints, self._protection, deliveries, lambda: metrics.request_rejected("login")),
            access_log=None,
            shutdown_timeout=0.5,
        )
        self._client_errors = _ClientErrors(log)
        self._connections: Connections | None = None

    async def start(self) -> None:
        """Listen on all addresses. Raises OSError where one can't be had."""
        _AIOHTTP.addFilter(self._client_errors)
        await self._runner.setup()
        self._connections = connections = Connections(
            cast("web.Server", self._runner.server),
            self._protection,
            served=self._deliveries.served,
            most=self._most,
            dropped=lambda: self._metrics.connection_dropped("limit"),
        )
        shown = []
        for address in self._addresses:
            for listener in await in_thread("lookup", partial(bind, address)):  # which may wait for a lookup
                connections.listen(listener)
                shown.append(shown_address(listener))
        scheme = "https" if self._config.tls else "http"
        for address in shown:
            url = f"{scheme}://{reachable(address)}/"
            self.url = self.url or url
            self._log.info("listening", address=address, url=url)

    async def stop(self) -> None:
        """Close all connections; those that are being answered have a moment to end."""
        if self._connections:
            self._connections.stop()
        await self._runner.cleanup()
        _AIOHTTP.removeFilter(self._client_errors)

    async def refresh(self) -> None:
        """Take up certificates, users and headers anew where files have changed.

        All stays as it is where one is bad, or where requests would be less protected than now.
        """
        if self._path is None:
            return
        path, files, now = self._path, self._files, time.monotonic()
        changed = await in_thread("looking", lambda: self._watch.look(files, now))
        if not changed and not (self._errors and now - self._tried >= RETRY):
            return
        self._tried = now
        before = await in_thread("looking", lambda: signature(files))
        try:
            config = await in_thread("reading", lambda: _load(path))
        except ConfigError as error:
            self._reject(error.errors, error.files, before)
            return
        if lost := config.lacks(self._config):
            # The file may be half written, or a disk have been full.
            errors = tuple(f"{path}: it takes {what} away, which needs a restart" for what in lost)
            self._reject(errors, config.files, before)
            return
        self._protection.tls = config.tls
        self._auth.users = config.users
        self._protection.headers = config.headers
        self._look_at(config.files, before)
        self._config, self._errors = config, ()
        self._metrics.web_config_loaded()
        self._log.info("web configuration reloaded")

    def _reject(self, errors: tuple[str, ...], files: tuple[Path, ...], before: Signature) -> None:
        if errors != self._errors:  # else it has only been tried again
            for line in errors:
                self._log.error("web configuration not reloaded", error=line)
        self._errors = errors
        self._metrics.web_config_rejected()
        # A file that only the rejected one names may be the one that has to be corrected.
        self._look_at(tuple(dict.fromkeys((*self._config.files, *files))), before)

    def _look_at(self, files: tuple[Path, ...], before: Signature) -> None:
        if files != self._files:
            self._files, self._watch = files, Watch(SETTLE, files, before)


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
