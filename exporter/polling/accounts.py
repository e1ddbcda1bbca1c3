"""The configured accounts and what is known of each: the one place where an account's state changes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.account.login import Login
from exporter.account.state import State
from exporter.config import Account, Issuer


@dataclass(frozen=True, slots=True)
class Monitored:
    """A configured account, the login that it is asked for with, and its present state."""

    account: Account
    login: Login
    state: State

    @property
    def issuer(self) -> Issuer | None:
        """The issuer whose balance this is; none, as it is the account's own."""
        return None


class Accounts:
    """The monitored accounts by name, in the order of the configuration."""

    def __init__(self) -> None:
        self._by_name: dict[str, Monitored] = {}
        self._changed: dict[str, None] = {}  # a set that keeps the order

    def __iter__(self) -> Iterator[Monitored]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Monitored | None:
        """Return an account by its name."""
        return self._by_name.get(name)

    def put(self, monitored: Monitored) -> None:
        """Add an account, or replace what is known of one."""
        self._by_name[monitored.account.name] = monitored
        self._changed[monitored.account.name] = None

    def forget_stored(self, stored: Monitored) -> None:
        """Leave out what needn't be kept of an account any more, once its state is stored: its ended days."""
        ended, present = stored.state.use.ended, self._by_name.get(stored.account.name)
        if ended and present and present.login.key == stored.login.key:
            state = replace(present.state, use=present.state.use.stored(ended))
            self._by_name[present.account.name] = replace(present, state=state)

    def replace(self, everything: list[Monitored]) -> list[str]:
        """Put these in the place of all accounts; return the names of those that are gone."""
        before, self._by_name = self._by_name, {}
        for monitored in everything:
            if before.pop(monitored.account.name, None) is monitored:
                self._by_name[monitored.account.name] = monitored
            else:
                self.put(monitored)
        return list(before)

    def take_changed(self) -> list[Monitored]:
        """Return the accounts that have changed since this was last asked."""
        changed = [self._by_name[name] for name in self._changed if name in self._by_name]
        self._changed.clear()
        return changed
