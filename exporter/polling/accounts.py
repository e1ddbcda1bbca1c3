"""The configured accounts, their issuers, and what is known of each: the one place where a state changes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from exporter.account.login import Login
from exporter.account.state import State
from exporter.config import Account, Issuer


@dataclass(frozen=True, slots=True)
class Monitored:
    """A balance of which something is known: a configured account's own, or that of an ``issuer`` under it.

    ``login`` is what it is asked for with. ``issuer_key`` (see config) is that of the issuer.
    """

    account: Account
    login: Login
    state: State
    issuer: Issuer | None = None
    issuer_key: str = ""

    @property
    def id(self) -> str:
        """What it goes by in this process: an account by its name, an issuer by what no new name changes."""
        return self.issuer_key or self.account.name

    @property
    def key(self) -> str:
        """What it is stored by, whatever it is called."""
        return self.issuer_key or self.login.key

    @property
    def terms(self) -> Account | Issuer:
        """What the configuration says of it: interval, thresholds, labels."""
        return self.issuer or self.account


class Accounts:
    """The monitored accounts by name, in the order of the configuration, and their issuers by ``id``."""

    def __init__(self) -> None:
        self._by_name: dict[str, Monitored] = {}
        self._issuers: dict[str, Monitored] = {}
        self._changed: dict[str, None] = {}  # a set that keeps the order

    def __iter__(self) -> Iterator[Monitored]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def issuers(self) -> Iterator[Monitored]:
        """Iterate over the issuers of all accounts, account by account."""
        return iter(self._issuers.values())

    def balances(self) -> Iterator[Monitored]:
        """Iterate over the accounts and then over their issuers."""
        return chain(self._by_name.values(), self._issuers.values())

    def get(self, name: str) -> Monitored | None:
        """Return an account by its name."""
        return self._by_name.get(name)

    def find(self, one: str) -> Monitored | None:
        """Return an account or issuer by its ``id``."""
        return self._by_name.get(one) or self._issuers.get(one)

    def put(self, monitored: Monitored) -> None:
        """Add an account or issuer, or replace what is known of one."""
        (self._issuers if monitored.issuer else self._by_name)[monitored.id] = monitored
        self._changed[monitored.id] = None

    def forget_stored(self, stored: Monitored) -> None:
        """Leave out what needn't be kept in memory any more, once a state is stored: its ended days."""
        ended, present = stored.state.use.ended, self.find(stored.id)
        if ended and present and present.key == stored.key:
            state = replace(present.state, use=present.state.use.stored(ended))
            put = self._issuers if present.issuer else self._by_name
            put[present.id] = replace(present, state=state)

    def replace(self, everything: list[Monitored]) -> list[Monitored]:
        """Put these in the place of all accounts and issuers; return those that are gone."""
        before = self._by_name | self._issuers
        self._by_name, self._issuers = {}, {}
        for monitored in everything:
            if before.pop(monitored.id, None) is monitored:
                (self._issuers if monitored.issuer else self._by_name)[monitored.id] = monitored
            else:
                self.put(monitored)
        return list(before.values())

    def take_changed(self) -> list[Monitored]:
        """Return the accounts and issuers that have changed since this was last asked."""
        changed = [present for one in self._changed if (present := self.find(one))]
        self._changed.clear()
        return changed
