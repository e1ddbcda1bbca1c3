"""Work that goes on beside the rest of the daemon, and what becomes of its errors."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from structlog.typing import FilteringBoundLogger

from exporter.metrics import ExporterMetrics
from exporter.storage.engine import Storage, StorageError


class Background:
    """Runs work beside the rest. To be made in a running event loop.

    An error of the storage ends nothing: it is logged once, until the storage works again. Any other error is
    a bug and sets ``stop``, as the daemon must not go on serving what nothing updates any more.
    """

    def __init__(self, stop: asyncio.Event, *, metrics: ExporterMetrics, log: FilteringBoundLogger) -> None:
        self.storage: Storage | None = None
        self._stop = stop
        self._metrics = metrics
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._storage_fails = False
        self._broken: BaseException | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work once."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def start_regularly(self, every: float, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do work with pauses of ``every`` seconds, the first before it."""
        return self.start(self.regularly(every, work))

    async def regularly(self, every: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do work with pauses of ``every`` seconds, the first before it, until this is cancelled."""
        while True:
            await asyncio.sleep(every)
            await self.guarded(work)

    async def guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work that may use the storage; where the storage fails, take note of that and go on."""
        try:
            await work()
        except StorageError as error:
            self.storage_failed(error)
        else:
            # What was done may have written nothing: only a transaction shows that the storage works again.
            if self._storage_fails and self.storage and self.storage.works:
                self._storage_fails = False
                self._log.info("storage recovered")

    def storage_failed(self, error: StorageError) -> None:
        """Take note of an error of the storage."""
        self._metrics.storage_failed()
        if not self._storage_fails:
            self._storage_fails = True
            self._log.error(
                "storage fails",
                error=str(error),
                effect="credentials that the provider has not accepted since the start are not tried",
            )

    def raise_broken(self) -> None:
        """Raise what ended work first, if anything did."""
        if self._broken:
            raise self._broken

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken = self._broken or error
            self._stop.set()
