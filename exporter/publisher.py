"""From state to storage to exposition: changed states are stored in batches, and shown once stored.

So a counter that was shown never goes back: after a kill it goes on from what is stored, which is at least
that.
"""

from dataclasses import replace

from exporter.accounts import Accounts, Monitored
from exporter.exposition import Exposition
from exporter.policy import State
from exporter.records import save
from exporter.storage import Storage, StorageError


class Publisher:
    """Stores and shows what has changed. Where the storage fails only the stamp counters stand still."""

    def __init__(self, accounts: Accounts, storage: Storage, exposition: Exposition) -> None:
        self._accounts = accounts
        self._storage = storage
        self._exposition = exposition
        self._unsaved: set[str] = set()

    async def publish(self) -> None:
        """Store what has changed since the last time, then show it. Raises StorageError, having shown it."""
        changed = {monitored.account.name: monitored for monitored in self._accounts.take_changed()}
        for name in self._unsaved - set(changed):
            if monitored := self._accounts.get(name):
                changed[name] = monitored
        if not changed:
            return
        states = [(monitored.account.guard_key, monitored.state) for monitored in changed.values()]
        try:
            await self._storage.write(lambda db: save(db, states))
        except StorageError:
            self._unsaved = set(changed)
            for monitored in changed.values():
                self._show(monitored, self._with_shown_counters(monitored))
            raise
        self._unsaved = set()
        for monitored in changed.values():
            self._show(monitored, monitored.state)

    def _show(self, monitored: Monitored, state: State) -> None:
        # A reload may have removed the account while its state was being stored.
        present = self._accounts.get(monitored.account.name)
        if present and present.account is monitored.account:
            self._exposition.show(monitored.account, state)

    def _with_shown_counters(self, monitored: Monitored) -> State:
        # One that was never shown has the counters that the storage had at the start.
        shown = self._exposition.shown(monitored.account.name) or monitored.state
        return replace(monitored.state, consumed=shown.consumed, purchased=shown.purchased)
