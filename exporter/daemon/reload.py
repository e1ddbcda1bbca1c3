"""The configuration in force: loaded at the start and taken up anew, all of it or nothing."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from exporter.clock import Clock
from exporter.config import Config, ConfigError, redacted_in_pieces
from exporter.metrics import ExporterMetrics
from exporter.thread import in_thread
from exporter.watch import Signature, Watch, signature


class Reloading:
    """Loads the configuration with ``load``, off the loop, as with thousands of accounts it takes a while.

    ``config`` is the one in force, ``None`` until it is loaded. With ``automatic`` changes of its files are
    watched for, and taken up once they are unchanged for ``quiet`` seconds.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        *,
        automatic: bool,
        quiet: float,
        clock: Clock,
        metrics: ExporterMetrics,
        log: FilteringBoundLogger,
    ) -> None:
        self.config: Config | None = None
        self._load = load
        self._automatic = automatic
        self._quiet = quiet
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._apply: Callable[[Config], Awaitable[None]] | None = None
        self._watch: Watch | None = None
        self._rejected: tuple[Path, ...] = ()  # files of the latest configuration, if it was rejected
        self._changing = asyncio.Lock()
        self._rendering = asyncio.Lock()
        self._rendered: tuple[Config, bytes] | None = None
        # The one that is being loaded counts as loaded: where it is rejected there is nobody to ask.
        metrics.config_loaded(clock.time())

    async def load(self) -> None:
        """Load the configuration for the first time. Raises ConfigError."""
        async with self._changing:
            config, watch = await in_thread("reading", lambda: self._read(None))
            self._put_in_force(config, watch)
        self._log.info("configuration loaded", config=str(config.path), accounts=len(config.accounts))

    async def start(self, apply: Callable[[Config], Awaitable[None]]) -> None:
        """Give the configuration to ``apply``, now and whenever it was loaded anew.

        A ConfigError that ``apply`` raises rejects the new configuration.
        """
        async with self._changing:
            self._apply = apply
            if self.config:
                await self._use(self.config)

    async def redacted(self) -> bytes | None:
        """Return the configuration in force as YAML without secrets, in UTF-8; ``None`` until it is loaded.

        It is rendered once, however many ask for it.
        """
        async with self._rendering:
            config = self.config
            if config is None:
                return None
            if self._rendered is None or self._rendered[0] is not config:
                self._rendered = config, await _rendered(config)
            return self._rendered[1]

    async def reload(self) -> tuple[str, ...]:
        """Take up the configuration anew, all of it or nothing; return what is wrong with it."""
        errors = await self._reload()
        # A rejected configuration is as large as an accepted one, and its error keeps it alive in a cycle: it
        # must not wait for the garbage collector's next run. With 10,000 accounts this takes 0.1 s.
        gc.collect()
        return errors

    async def reload_if_changed(self) -> None:
        """Reload where files have changed and then been unchanged for the quiet period."""
        watch, now = self._watch, self._clock.monotonic()
        if watch is None:
            return
        paths = await in_thread("looking", self._watched)
        if await in_thread("looking", lambda: watch.look(paths, now)):
            await self.reload()

    async def _reload(self) -> tuple[str, ...]:
        async with self._changing:
            before = await in_thread("looking", self._signature)
            try:
                config, watch = await in_thread("reading", lambda: self._read(before))
                await self._use(config)
                self._put_in_force(config, watch)
            except ConfigError as error:
                self._rejected = error.files
                self._watch = self._watch and Watch(self._quiet, self._watched(), before)
                self._metrics.config_refused()
                for line in error.errors:
                    self._log.error("configuration not reloaded", error=line)
                return error.errors
        self._log.info("configuration reloaded", accounts=len(config.accounts))
        return ()

    async def _use(self, config: Config) -> None:
        for remark in config.warnings:
            self._log.warning("configuration", remark=remark)
        if self._apply:
            await self._apply(config)
        self._metrics.config_loaded(self._clock.time())

    def _put_in_force(self, config: Config, watch: Watch | None) -> None:
        self.config, self._watch, self._rejected = config, watch, ()
        self._rendered = None

    def _read(self, before: Signature | None) -> tuple[Config, Watch | None]:
        """Load the configuration, with a watch that misses no change since ``before``."""
        config = self._load()
        return config, Watch(self._quiet, config.watched(), before) if self._automatic else None

    def _signature(self) -> Signature | None:
        return signature(self._watched()) if self._watch else None

    def _watched(self) -> list[Path]:
        # A file that only the rejected configuration names may be the one that has to be corrected.
        return [*(self.config.watched() if self.config else ()), *self._rejected]


async def _rendered(config: Config) -> bytes:
    """Render a configuration in pieces, after each of which others have as much time as it took."""
    rendered = bytearray()
    started = time.monotonic()
    for piece in redacted_in_pieces(config):
        rendered += piece.encode()
        await asyncio.sleep(time.monotonic() - started)
        started = time.monotonic()
    return bytes(rendered)
