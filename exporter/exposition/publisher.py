"""From state to storage to exposition: changed states are stored in batches, and shown once stored.

So a counter never goes back, even after a kill: it goes on from what is stored, which is at least what was
shown.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from exporter.account.state import State
from exporter.exposition.exposition import TURN, Exposition
from exporter.polling.accounts import Accounts, Monitored
from exporter.storage.engine import Storage, StorageError
from exporter.storage.states import save


class Publisher:
    """Stores and shows what has changed. While the storage fails only the stamp counters aren't updated."""

    def __init__(self, accounts: Accounts, storage: Storage, exposition: Exposition) -> None:
        self._accounts = accounts
        self._storage = storage
        self._exposition = exposition
        self._unsaved: set[str] = set()

    async def publish(self) -> None:
        """Store what has changed since the last time, then show it. Raises StorageError, having shown it."""
        changed = {monitored.id: monitored for monitored in self._accounts.take_changed()}
        for one in self._unsaved - set(changed):
            if monitored := self._accounts.find(one):
                changed[one] = monitored
        if not changed:
            return
        states = [(monitored.key, monitored.state) for monitored in changed.values()]
        try:
            await self._storage.transact(lambda db: save(db, states))
        except StorageError:
            self._unsaved = set(changed)
            await self._show_all(changed.values(), self._with_shown_counters)
            raise
        self._unsaved = set()
        for monitored in changed.values():
            self._accounts.forget_stored(monitored)
        await self._show_all(changed.values(), lambda monitored: monitored.state)

    async def _show_all(self, changed: Iterable[Monitored], state: Callable[[Monitored], State]) -> None:
        for number, monitored in enumerate(changed, 1):
            self._show(monitored, state(monitored))
            if number % TURN == 0:
                await asyncio.sleep(0)

    def _show(self, monitored: Monitored, state: State) -> None:
        # A reload may have removed the account while its state was being stored.
        present = self._accounts.find(monitored.id)
        if present and present.account is monitored.account and present.issuer is monitored.issuer:
            self._exposition.show(monitored.account, state, monitored.issuer, monitored.issuer_key)

    def _with_shown_counters(self, monitored: Monitored) -> State:
        # One that was never shown has the counters that the storage had at the start.
        shown = self._exposition.shown(monitored.id) or monitored.state
        return replace(monitored.state, consumed=shown.consumed, purchased=shown.purchased)
