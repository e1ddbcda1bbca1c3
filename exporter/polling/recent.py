"""The use of the last days of a few accounts, for people who look at them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from exporter.account.calendar import LocalDay
from exporter.account.state import State
from exporter.account.use import RecentUse
from exporter.clock import Clock
from exporter.storage import days
from exporter.storage.days import History
from exporter.storage.engine import Storage, StorageError

DAYS: Final = 35
"""Days that are shown, today included: five weeks, in which weekdays and pay days can be seen."""

PATIENCE: Final = 1.0
"""Seconds that a page waits for a disk that is slow."""


class _Account(Protocol):
    @property
    def guard_key(self) -> str: ...


class Known(Protocol):
    """A configured account and what is known of it."""

    @property
    def account(self) -> _Account: ...
    @property
    def state(self) -> State: ...


class Recent:
    """Reads the recent use of accounts; ``today`` returns the local day of a moment."""

    def __init__(self, storage: Storage, today: Callable[[float], LocalDay], clock: Clock) -> None:
        self._storage = storage
        self._today = today
        self._clock = clock

    async def of(self, accounts: Sequence[Known]) -> Mapping[str, RecentUse]:
        """Return the use of the last days by ``Account.guard_key``.

        Nothing where the storage can't be read soon: a page can do without.
        """
        keys = [one.account.guard_key for one in accounts]
        try:
            async with asyncio.timeout(PATIENCE):
                kept = await self._storage.transact(lambda db: days.load(db, keys), durable=False)
        except (StorageError, TimeoutError):
            return {}
        today = self._today(self._clock.time()).ordinal
        return {
            key: _recent(kept.get(key, History()), one.state, today)
            for key, one in zip(keys, accounts, strict=True)
        }


def _recent(kept: History, state: State, today: int) -> RecentUse:
    use = state.use
    known = kept.with_ended(use.ended).until(today)[-(DAYS - 1) :]
    so_far = use.stamps if use.day == today else None
    return RecentUse(today, (*(None,) * (DAYS - 1 - len(known)), *known, so_far))
