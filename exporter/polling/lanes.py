"""How many issuers of a login may be asked at once: none until its account's own poll was accepted."""

from collections.abc import Callable, Iterable

from exporter.account.login import Login
from exporter.config import Account


def lane(account: Account, login: Login) -> str:
    """Return the scheduler's group of an account's issuers. No environment's name holds a line end."""
    return f"{account.environment.name}\n{login.key}"


class _Lane:
    """``width`` is how many may be asked at once when it isn't ``held``; it grows up to ``most``."""

    __slots__ = ("environment", "group", "held", "most", "width")

    def __init__(self, account: Account, login: Login, *, held: bool, width: int) -> None:
        self.group = lane(account, login)
        self.environment = account.environment.name
        self.most = account.issuer_concurrency
        self.width = min(width, self.most)
        self.held = held


class Lanes:
    """Holds and releases the issuers of logins; ``limit`` is that of the scheduler.

    Nothing is known of what issuers are answered at first: they are asked one at a time, and each good answer
    lets one more be in flight, so that not all that may be are wasted on what goes wrong for all.
    """

    def __init__(self, limit: Callable[[str, int, str], None]) -> None:
        self._limit = limit
        self._lanes: dict[Login, _Lane] = {}

    def use(self, accounts: Iterable[tuple[Account, Login]]) -> None:
        """Have a lane for each of these accounts, which have issuers; those of other logins are held."""
        before, self._lanes = self._lanes, {}
        for account, login in accounts:
            old = before.pop(login, None)
            held = old.held if old else not (login.proven and login.unknown == 0)
            self._lanes[login] = _Lane(account, login, held=held, width=old.width if old else 1)
            if old and old.group != self._lanes[login].group:
                before[login] = old
        for old in before.values():
            self._limit(old.group, 0, old.environment)
        for one in self._lanes.values():
            self._set(one)

    def hold(self, login: Login, *, anew: bool = False) -> None:
        """Ask for no issuer of a login until it is released; ``anew`` with one at a time from then on."""
        if one := self._lanes.get(login):
            one.held = True
            if anew:
                one.width = 1
            self._set(one)

    def release(self, login: Login) -> None:
        """Ask for the issuers of a login: its account's own poll was accepted."""
        if one := self._lanes.get(login):
            one.held = False
            self._set(one)

    def widen(self, login: Login) -> None:
        """Take note of a good answer about an issuer."""
        one = self._lanes.get(login)
        if one and one.width < one.most:
            one.width += 1
            self._set(one)

    def _set(self, one: _Lane) -> None:
        self._limit(one.group, 0 if one.held else one.width, one.environment)
