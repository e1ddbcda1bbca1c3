"""What is expected of each account and issuer, made once a day: its profile, and the days behind it."""

import asyncio
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from exporter.account.calendar import Calendar, LocalDay
from exporter.account.expectation import with_profile
from exporter.account.forecast import Profile, profile
from exporter.account.policy import fraction
from exporter.account.resemblance import Timetable
from exporter.clock import Clock
from exporter.config import CalendarConfig
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.almanac import Almanac
from exporter.storage import days
from exporter.storage.days import History
from exporter.storage.engine import Storage

SPREAD: Final = 3 * 3600.0
"""Seconds after midnight over which the profiles of a day are made: a few ms of CPU for each account."""

PATIENCE: Final = 3 * 3600.0
"""Seconds that a profile waits for the answer that tells how yesterday ended."""

BATCH: Final = 64
"""Accounts whose days are read at once."""

LOOKED_AT: Final = 500
"""Accounts that are looked at before others have their turn on the loop: a fraction of a millisecond."""

_Mark = tuple[int, int]


class Profiles:
    """Makes the profiles of all balances, one after the other, and again when their local day has turned."""

    def __init__(
        self,
        accounts: Accounts,
        storage: Storage,
        config: CalendarConfig,
        *,
        clock: Clock,
        metrics: ExporterMetrics,
    ) -> None:
        self._accounts = accounts
        self._storage = storage
        self._clock = clock
        self._metrics = metrics
        self._almanac = Almanac(config)
        # By the accounts' keys: on which day a profile was made, and which day was the latest in it.
        self._made: dict[str, _Mark] = {}
        self._marks: dict[_Mark, _Mark] = {}
        self._added: dict[str, float] = {}

    def use(self, config: CalendarConfig) -> None:
        """Go by a calendar from now on."""
        if config != self._almanac.config:
            self._almanac = Almanac(config)
            self._made.clear()

    def today(self, now: float) -> LocalDay:
        """Return the local day of a moment (Unix time)."""
        return self._almanac.today(now)

    async def refresh(self) -> None:
        """Make the profiles that are due. Raises StorageError."""
        almanac, now = self._almanac, self._clock.time()
        self._tell(await almanac.calendar(now), now)
        due = await self._due(almanac.today(now), now)
        self._marks = {mark: mark for mark in self._made.values()} if due else self._marks
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            histories = await self._histories([monitored.key for monitored in batch])
            for monitored in batch:
                now = self._clock.time()
                timetable = await almanac.timetable(now)
                if almanac is not self._almanac:
                    return
                await self._make(monitored, histories, timetable, almanac.today(now))

    async def look_around(self) -> None:
        """Take notice of days that another process (``history import``) has added. Raises StorageError."""
        added = await self._storage.transact(days.added, durable=False)
        for key in added.keys() - {key for key, at in self._added.items() if added.get(key) == at}:
            self._made.pop(key, None)
        self._added = added

    async def _histories(self, keys: Sequence[str]) -> Mapping[str, History]:
        return await self._storage.transact(lambda db: days.load(db, keys), durable=False)

    def _tell(self, calendar: Calendar, now: float) -> None:
        end, today = calendar.next_business_day_end(now), calendar.day(now)
        self._metrics.day_turned(end, business_day=calendar.is_business_day(today))

    async def _due(self, today: LocalDay, now: float) -> list[Monitored]:
        due = []
        for number, monitored in enumerate(list(self._accounts.balances()), 1):
            if number % LOOKED_AT == 0:
                await asyncio.sleep(0)
            if self._is_due(monitored, today, now):
                due.append(monitored)
        return due

    def _is_due(self, monitored: Monitored, today: LocalDay, now: float) -> bool:
        key, latest = monitored.key, monitored.state.use.day
        made = self._made.get(key)
        if made is None:
            return True
        if made[0] == today.ordinal:
            return made[1] != latest
        wait = 0.0 if latest >= today.ordinal else PATIENCE
        return now >= today.start + fraction(key) * SPREAD + wait

    async def _make(
        self, monitored: Monitored, histories: Mapping[str, History], timetable: Timetable, today: LocalDay
    ) -> None:
        key, use = monitored.key, monitored.state.use
        history = histories.get(key, History()).with_ended(use.ended)
        known = history.until(timetable.today)
        made = None
        if any(stamps is not None for stamps in known):
            made, took = await asyncio.to_thread(_profile, known, timetable, history.hours)
            # Others have as much time as it took: with thousands of accounts it goes on for a while.
            await asyncio.sleep(took)
        mark = timetable.today, use.day
        self._made[key] = self._marks.setdefault(mark, mark)  # most have the same
        present = self._accounts.find(monitored.id)
        if present is None or present.key != key:
            return
        if made or present.state.profile or present.state.history_days != 0:
            state = with_profile(present.state, made, today)
            self._accounts.put(replace(present, state=state))


def _profile(known: Sequence[int | None], timetable: Timetable, hours: bytes) -> tuple[Profile, float]:
    """Return a profile, and how many seconds of this thread's CPU it took."""
    began = time.thread_time()
    return profile(known, timetable, array("f", hours)), time.thread_time() - began
