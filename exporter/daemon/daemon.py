"""The composition root: builds the parts, starts them, stops them in reverse."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.account.use import RecentUse
from exporter.clock import SteadyClock
from exporter.config import Account, CalendarConfig, Config
from exporter.daemon.background import Background
from exporter.daemon.pace import PACE, Pace
from exporter.daemon.reload import Reloading
from exporter.daemon.signals import raise_file_limit, stop_signals
from exporter.daemon.state_file import open_storage, tell_of
from exporter.exposition.exposition import Exposition
from exporter.exposition.publisher import Publisher
from exporter.guard.gate import Gate
from exporter.guard.records import remembered
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts
from exporter.polling.lanes import Lanes
from exporter.polling.poller import Poller
from exporter.polling.profiles import Profiles
from exporter.polling.recent import Known, Recent
from exporter.polling.roster import Roster
from exporter.polling.scheduler import Scheduler
from exporter.provider.pool import Providers
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.provider import SolucionFactible
from exporter.resume import command
from exporter.storage.engine import CLOSE_SECONDS, Storage, Work
from exporter.storage.states import load
from exporter.thread import in_thread
from exporter.web.application import Endpoints, Languages
from exporter.web.delivery import MAX_REQUESTS
from exporter.web.server import Server

if TYPE_CHECKING:
    from exporter.page import Overview

T = TypeVar("T")

KEEP_GRACE: Final = 2.0
"""Seconds to keep refusals that came last: those that aren't by then leave their tries open."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the configuration."""

    listen_addresses: tuple[str, ...]
    telemetry_path: str
    storage_path: Path | None  # None for one in memory, which keeps nothing
    lifecycle: bool
    initial: Work[object] | None = None
    """What is written into the storage once it is open, before anything is read from it."""
    auto_reload: bool = False
    web_config: Path | None = None
    resume: Callable[[str, str], str] = lambda name, _url: command(name)
    """Returns the command that gives an account one new try, from its name and this daemon's URL."""
    pace: Pace = PACE
    max_requests: int = MAX_REQUESTS
    """Scrapes and pages at a time, 0 for no limit but that of connections."""
    log_lines_dropped: Callable[[], int] = lambda: 0
    """Returns how many lines of the log nobody could have read."""


class Daemon:
    """The running exporter, until ``stop`` is set. To be made in a running event loop."""

    def __init__(
        self,
        load_config: Callable[[], Config],
        options: Options,
        log: FilteringBoundLogger,
        stop: asyncio.Event,
    ) -> None:
        self._options = options
        self._stop = stop
        self._log = log
        self._clock = SteadyClock()
        self._metrics = ExporterMetrics(
            os.environ.get("CFDI_EXPORTER_REVISION", "unknown"), log_lines_dropped=options.log_lines_dropped
        )
        self._exposition = Exposition(self._metrics, self._clock)
        self._shown = asyncio.Event()  # set once the accounts are
        self._reloading = Reloading(
            load_config,
            automatic=options.auto_reload,
            quiet=options.pace.quiet,
            clock=self._clock,
            metrics=self._metrics,
            log=log,
        )
        self._background = Background(stop, metrics=self._metrics, log=log)
        self._accounts = Accounts()
        self._page: Overview | None = None
        self._recent: Recent | None = None
        self._roster: Roster | None = None
        self._lines_dropped = 0
        self._url = ""
        self._ready = False

    async def run(self) -> None:
        """Serve and poll.

        Raises OSError where an address can't be had, ConfigError where the configuration is wrong, and
        StorageError where the storage can't be had.
        """
        async with AsyncExitStack() as running:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload_by_signal)
            self._log.info("starting", version=__version__)
            # Before the accounts are loaded: with thousands of them that takes a while.
            await running.enter_async_context(self._serving())
            await self._unless_stopped(asyncio.ensure_future(self._reloading.load()))
            storage = await running.enter_async_context(self._storing())
            if storage:
                await running.enter_async_context(self._polling(storage))
                self._ready = True
            await self._stop.wait()
            self._ready = False
            self._log.info("stopping")
        self._background.raise_broken()
        self._log.info("stopped")

    @asynccontextmanager
    async def _storing(self) -> AsyncIterator[Storage | None]:
        """Open the storage: in a thread, as it may lie on a disk that stands still. None after a stop."""
        path = self._options.storage_path
        if self._stop.is_set():
            yield None
            return
        if path is None:
            self._log.warning(
                "nothing is kept over a restart, the guard's memory included", storage=":memory:"
            )
        now = self._clock.time()
        opening = in_thread("opening", lambda: open_storage(path, exclusive=True, now=now))
        storage = await self._unless_stopped(opening)
        if storage is None:
            yield None
            return
        self._background.storage = storage
        tell_of(storage, self._log)
        verifying = self._background.start_regularly(self._options.pace.watch, storage.verify)
        try:
            if initial := self._options.initial:
                await storage.transact(initial)
            yield storage
        finally:
            verifying.cancel()
            await self._background.guarded(storage.close)

    async def _unless_stopped(self, coming: "asyncio.Future[T]") -> T | None:
        """Wait for something that may never come, but not once the daemon is to stop."""
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if coming.done():
            return coming.result()
        coming.cancel()
        return None

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        endpoints = Endpoints(
            exposition=self._exposition,
            ready=lambda: self._ready,
            shown=self._shown,
            config=self._reloading.redacted,
            overview=self._overview,
            telemetry_path=self._options.telemetry_path,
            account=self._account_page,
            table=self._table,
            reload=self._reloading.reload if self._options.lifecycle else None,
            resume=self._resume if self._options.lifecycle else None,
        )
        options = self._options
        server = Server(
            endpoints,
            options.listen_addresses,
            options.web_config,
            self._log,
            metrics=self._metrics,
            max_requests=options.max_requests,
        )
        try:
            await server.start()
            self._url = server.url
            watching = self._background.start_regularly(self._options.pace.watch, server.refresh)
            yield
            watching.cancel()
        finally:
            await server.stop()

    @asynccontextmanager
    async def _polling(self, storage: Storage) -> AsyncIterator[None]:
        pace = self._options.pace
        gate = Gate(
            storage,
            self._clock,
            codes=codes.code,
            refused=codes.REFUSED,
            storage_failed=self._background.storage_failed,
        )
        config = self._reloading.config
        profiles = Profiles(
            self._accounts,
            storage,
            config.calendar if config else CalendarConfig(),
            clock=self._clock,
            metrics=self._metrics,
        )
        self._recent = Recent(storage, profiles.today, self._clock)
        providers = Providers(lambda environment: SolucionFactible(environment, self._clock, self._log.info))
        # Each needs the other: the scheduler is made below, with the poller that has the lanes.
        lanes = Lanes(lambda group, polls, within: scheduler.limit(group, polls, within))  # noqa: PLW0108
        poller = Poller(
            self._accounts,
            providers,
            gate,
            clock=self._clock,
            metrics=self._metrics,
            log=self._log,
            storage_failed=self._background.storage_failed,
            overtaken=self._postpone,
            resume_command=self._resume_command,
            lanes=lanes,
            today=profiles.today,
        )
        scheduler = Scheduler(
            poller.poll,
            late=self._metrics.poll_started,
            crashed=poller.crashed,
            overdue=lambda names: roster.spread(names),  # noqa: PLW0108 - it is made below
        )
        roster = Roster(
            self._accounts,
            providers,
            scheduler,
            gate,
            arrange=self._exposition.arrange,
            lanes=lanes,
            clock=self._clock,
            metrics=self._metrics,
            log=self._log,
            states=storage.read(lambda db: load(db, self._clock.time(), codes.code, codes.issuer_code)),
            resume_command=self._resume_command,
            remembered=storage.read(lambda db: remembered(db, codes.code)),
            first_polls=pace.first_polls,
        )
        self._roster = roster
        publisher = Publisher(self._accounts, storage, self._exposition)
        if config:
            await gate.assume_open([account.guard_key for account in config.accounts], all_of_them=True)
        background = self._background
        tasks = [
            background.start(self._start(roster, profiles)),
            background.start(self._publish(roster, publisher)),
            background.start(self._expect(profiles)),
            background.start_regularly(pace.look_around, roster.look_around),
            background.start_regularly(pace.look_around, profiles.look_around),
            background.start_regularly(pace.summary, self._tell_failing),
            background.start_regularly(pace.look_around, self._tell_dropped),
        ]
        if self._options.auto_reload:
            tasks.append(background.start_regularly(pace.watch, self._reloading.reload_if_changed))
        try:
            yield
        finally:
            await scheduler.stop(pace.stop)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await providers.close()
            await gate.close(KEEP_GRACE)
            with suppress(TimeoutError):  # a disk that stands still
                async with asyncio.timeout(CLOSE_SECONDS):
                    await background.guarded(publisher.publish)

    async def _start(self, roster: Roster, profiles: Profiles) -> None:
        async def apply(config: Config) -> None:
            await roster.apply(config)
            profiles.use(config.calendar)

        await self._reloading.start(apply)
        self._log.info("polling", accounts=len(self._accounts))

    async def _publish(self, roster: Roster, publisher: Publisher) -> None:
        await roster.applied.wait()
        await self._background.guarded(publisher.publish)
        self._shown.set()
        gc.freeze()  # what is there by now stays: no need to look for garbage among it

        async def publish() -> None:
            if jump := self._clock.catch_up():
                roster.clock_jumped(jump)
            await publisher.publish()

        await self._background.regularly(self._options.pace.publish, publish)

    async def _expect(self, profiles: Profiles) -> None:
        await self._shown.wait()  # a start has better things to do
        await self._background.guarded(profiles.refresh)
        await self._background.regularly(self._options.pace.profiles, profiles.refresh)

    def _reload_by_signal(self) -> None:
        async def reload() -> None:
            await self._reloading.reload()

        self._background.start(reload())

    def _postpone(self, account: Account, due: float) -> None:
        if self._roster:
            self._roster.postpone(account, due)

    async def _overview(self, parameters: Mapping[str, str], languages: Languages) -> str:
        return await self._pages()(parameters, languages)

    async def _account_page(
        self, name: str, parameters: Mapping[str, str], languages: Languages
    ) -> tuple[bool, str]:
        return await self._pages().account(name, parameters, languages)

    async def _table(self, parameters: Mapping[str, str]) -> str:
        return await self._pages().table(parameters)

    def _pages(self) -> "Overview":
        if self._page is None:
            # Imported here, as most starts aren't followed by a look at the page.
            from exporter.page import Overview, Site

            site = Site(__version__, self._options.telemetry_path, self._resume_command)
            self._page = Overview(
                self._accounts,
                self._clock,
                site,
                zone=self._zone,
                business_day_end=lambda: self._metrics.business_day_end,
                use=self._recent_use,
            )
        return self._page

    def _zone(self) -> tzinfo:
        config = self._reloading.config
        return ZoneInfo(config.calendar.timezone) if config else UTC

    async def _recent_use(self, accounts: Sequence[Known]) -> Mapping[str, RecentUse]:
        return await self._recent.of(accounts) if self._recent else {}

    def _resume_command(self, name: str) -> str:
        return self._options.resume(name, self._url)

    async def _resume(self, name: str) -> bool | None:
        if self._roster is None or self._accounts.get(name) is None:
            return None
        return await self._roster.resume(name)

    async def _tell_failing(self) -> None:
        suspended = sum(1 for one in self._accounts if one.state.held_back)
        failing = sum(1 for one in self._accounts if one.state.up is False and not one.state.held_back)
        if failing or suspended:
            self._log.warning(
                "accounts still fail", failing=failing, suspended=suspended, accounts=len(self._accounts)
            )
        issuers = list(self._accounts.issuers())
        given_up = sum(1 for one in issuers if one.state.given_up)
        failing = sum(1 for one in issuers if one.state.up is False) - given_up
        if failing or given_up:
            self._log.warning("issuers still fail", failing=failing, given_up=given_up, issuers=len(issuers))

    async def _tell_dropped(self) -> None:
        dropped = self._options.log_lines_dropped()
        if dropped > self._lines_dropped:
            self._log.warning("log lines dropped", lines=dropped - self._lines_dropped)
            self._lines_dropped = dropped


async def run(load_config: Callable[[], Config], options: Options, log: FilteringBoundLogger) -> None:
    """Run the daemon until SIGTERM or SIGINT; a reload loads the configuration anew.

    Raises ConfigError where that is wrong, OSError or StorageError where an address or the storage can't be
    had.
    """
    raise_file_limit()
    async with stop_signals() as stop:
        await Daemon(load_config, options, log, stop).run()
