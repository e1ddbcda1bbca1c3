"""The guard's contract as a judge of histories. It knows what arrived, never what the exporter thought.

Of each login with a credential that its process can't hold for proven it asks: how many refusals of this
credential and open tries of this login must every guard have known of, whatever the processes saw? There
have to be fewer than `auth_attempts`. In doubt the login was allowed: what may have been given back was,
what may have closed a try did.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from tests.support.schedules.answers import Says
from tests.support.schedules.history import SETTLED, History, Login

UNDER_WAY = 1.0
"""Seconds that a poll may have been on its way to the provider before it arrived."""

REFUSALS = (Says.REFUSED, Says.STOP)


@dataclass(frozen=True)
class Break:
    """A login that the contract doesn't allow."""

    login: Login
    why: str

    def __str__(self) -> str:
        return f"login {self.login.number} ({self.login.username!r} with {self.login.password!r}): {self.why}"


def told(breaks: list[Break]) -> list[str]:
    """Tell of the first break with each credential, and how many more followed."""
    credentials: dict[tuple[str, str], list[Break]] = {}
    for one in breaks:
        credentials.setdefault((one.login.key, one.login.password), []).append(one)
    return [
        str(first) + (f"; and {len(more)} more after that" if more else "")
        for first, *more in credentials.values()
    ]


def judge(history: History) -> list[Break]:
    """All logins beyond the contract, in the order of their arrival."""
    keys = dict.fromkeys(login.key for login in history.logins)
    found = [broken for key in keys for broken in _Judge(history, key).breaks()]
    return sorted(found, key=lambda broken: broken.login.number)


class _Judge:
    """Judges one login key."""

    def __init__(self, history: History, key: str) -> None:
        self.history, self.logins = history, history.of(key)
        self.attempts = history.attempts[key]
        self.resumes = [(at, password) for at, resumed, password in history.resumes if resumed == key]
        self.resumed_at = inf  # it can be once an hour, which is longer than any schedule
        self.forgiven: set[int] = set()  # numbers of the logins that the resumption took away
        self.debt: Counter[str] = Counter()  # by password: what it left, as it gives one try

    def breaks(self) -> Iterator[Break]:
        for login in self.logins:
            if why := self._why_not(login) or self._too_soon(login) or self._not_one(login):
                yield Break(login, why)

    # The rules. ---------------------------------------------------------------------------------------

    def _why_not(self, login: Login) -> str:
        if any(until > self.resumed_at for _, until in self._acceptances(login.at)):
            self.debt.clear()  # it may consist of open tries
        if self._may_be_proven(login):
            return self._why_not_proven(login)
        full = login.run.full
        if any(a + UNDER_WAY / 2 < login.at < b for a, b in full):
            return "unproven, and the disk was full: it can't have been charged"
        standing = self._standing(login)
        count = sum(standing.values()) + self.debt[login.password]
        if count < self.attempts:
            return ""
        if self.resumed_at == inf and any(at <= login.at for at, _ in self.resumes):
            self._resume(login, standing)
            return ""
        numbers = ", ".join(str(number) for number, weight in standing.items() if weight)
        return f"unproven, though {count} of {self.attempts} tries stand (logins {numbers})"

    def _why_not_proven(self, login: Login) -> str:
        """Proven or not: who is suspended isn't asked for."""
        since = login.at - UNDER_WAY
        if login.run.was_frozen(since - SETTLED, login.at):
            return ""
        kept = [
            one
            for one in self._before(login)
            if one.password == login.password
            and one.says in REFUSALS
            and self._kept(one) <= since
            and not self._forgotten(one, login.at)
            and one.number not in self.forgiven
        ]
        stopped = any(one.says is Says.STOP for one in kept)
        if (stopped or len(kept) >= self.attempts) and not self.resumes:
            numbers = ", ".join(str(one.number) for one in kept)
            return (
                f"perhaps proven, but suspended by {'a stop' if stopped else 'refusals'} (logins {numbers})"
            )
        return ""

    def _too_soon(self, login: Login) -> str:
        """Tries of one daemon with an unproven credential are an interval apart."""
        before = [
            one for one in self._before(login) if one.run is login.run and one.password == login.password
        ]
        if not before or login.run.kind != "daemon":
            return ""
        last = before[-1]
        gap = login.at - last.at
        disturbed = (
            login.run.reloaded(last.at - UNDER_WAY, login.at)
            or login.run.was_frozen(last.at - UNDER_WAY, login.at)
            or any(at <= login.at for at, _ in self.resumes)
            or self._may_be_proven(last)
            or self._may_be_proven(login)
        )
        if gap < self.history.interval / 2 and not disturbed:
            return f"unproven, and only {gap:.2f} s after login {last.number}"
        return ""

    def _not_one(self, login: Login) -> str:
        """A check asks once; a daemon on a storage that is in use never does."""
        if login.run.kind == "second":
            return "sent by a second daemon on the same storage"
        if login.run.kind == "check" and any(one.run is login.run for one in self._before(login)):
            return "a check has asked twice"
        return ""

    # What stands. -------------------------------------------------------------------------------------

    def _before(self, login: Login) -> list[Login]:
        return [one for one in self.logins if one.number < login.number]

    def _standing(self, login: Login) -> dict[int, int]:
        """What each earlier login certainly counts against this one."""
        return {
            one.number: self._weight(one, login)
            for one in self._before(login)
            if one.number not in self.forgiven
        }

    def _weight(self, one: Login, login: Login) -> int:
        if one.run.had_a_full_disk(one.at) and self._may_be_proven(one) and self._kept(one) > login.at:
            return 0  # its mark may not have been written
        own = one.password == login.password
        if not one.heard(login.at) or one.says in (Says.SERVICE, Says.UNKNOWN):
            return 0 if self._closed(one, login.at) else 1
        if one.says is Says.REFUSED_OR_UNKNOWN:
            return 0 if self._closed(one, login.at) or not own else 1
        if one.says in REFUSALS and own and not self._forgotten(one, login.at):
            kept = self._kept(one) <= login.at
            if one.says is Says.STOP and kept:
                return self.attempts
            return 1 if kept or not self._closed(one, login.at) else 0
        return 0

    def _closed(self, one: Login, at: float) -> bool:
        """Whether an acceptance, of whichever password, may have closed its open try."""
        return any(until > one.at for accepted, until in self._acceptances(at) if accepted is not one)

    def _forgotten(self, one: Login, at: float) -> bool:
        """Whether an acceptance of its password may have forgotten its refusal."""
        return any(
            until > one.answered
            for accepted, until in self._acceptances(at)
            if accepted.password == one.password
        )

    def _acceptances(self, at: float) -> Iterator[tuple[Login, float]]:
        """Those that may have been heard by then, and until when they may have had their effect."""
        for one in self.logins:
            if one.says is Says.ACCEPTED and one.heard(at):
                kept = self._kept(one)
                yield one, kept if kept < inf else one.run.gone()

    def _kept(self, one: Login) -> float:
        """From when on its outcome is certainly kept: never, where its process may have died before."""
        if one.answered == inf:
            return inf
        at = one.run.awake_for(one.answered, SETTLED)
        if one.run.kind == "check" and one.run.ended >= one.answered:
            at = min(at, one.run.ended)
        for later in self.logins:
            if (
                later.run is one.run
                and later.password == one.password
                and later.at > one.answered
                and not one.run.reloaded(one.at - UNDER_WAY, later.at)
                and not one.run.had_a_full_disk(later.at)
            ):
                at = min(at, later.at)
                break
        return at if at <= one.run.killed and (at <= one.run.told or one.run.kind == "check") else inf

    def _may_be_proven(self, login: Login) -> bool:
        """Whether its process may hold its credential for proven."""
        if login.run.kind != "daemon":
            return False
        proven, in_a_row = False, 0
        for one in self._before(login):
            if one.run is not login.run or one.password != login.password or not one.heard(login.at):
                continue
            if one.says is Says.ACCEPTED:
                proven, in_a_row = True, 0
            elif self._kept(one) > login.at:
                continue
            elif one.says in REFUSALS:
                proven = False
            else:
                in_a_row = in_a_row + 1 if one.says is Says.SERVICE else 0
                proven = proven and in_a_row < self.attempts
        return proven

    def _resume(self, login: Login, standing: dict[int, int]) -> None:
        """One new try: open tries are closed; one less than the limit is left to the password concerned.

        Which of several requests was the one is not known, nor whether open tries are what was left.
        """
        asked = [(at, password) for at, password in self.resumes if at <= login.at]
        passwords = {password for _, password in asked}
        unknown = (Says.SERVICE, Says.UNKNOWN, Says.REFUSED_OR_UNKNOWN)
        open_then = [
            one.number for one in self._before(login) if one.says in unknown or self._kept(one) > asked[0][0]
        ]
        self.resumed_at = login.at
        self.forgiven.update(
            one.number
            for one in self._before(login)
            if standing.get(one.number) or one.number in open_then or one.password in passwords
        )
        if passwords == {login.password}:
            self.debt[login.password] = max(self.attempts - 1 - len(open_then), 0)
