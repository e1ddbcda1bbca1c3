"""What happened: each login that arrived at the provider, and what became of the processes.

Times are seconds of one monotonic clock. Where a moment isn't known to the instant, it is written down so
that the exporter is given the benefit: a kill as of before the signal, a freeze from before its signal to
after the next.
"""

import unicodedata
from dataclasses import dataclass, field
from math import inf

from tests.support.schedules.answers import Says

SETTLED = 3.0
"""Seconds in which a process that runs keeps what it has heard, be the machine ever so busy."""


JUST = 0.5
"""Seconds after which what has ended no longer has an effect."""


@dataclass
class Run:
    """One process, from its start to its end."""

    tag: str
    kind: str  # daemon, check, or second: a daemon on a storage that another one uses
    started: float
    loaded: float = inf
    ended: float = inf
    """When it was seen to have ended in good order."""
    told: float = inf
    """When it was told to end: what it had not kept by then may have stayed an open try."""
    killed: float = inf
    frozen: list[tuple[float, float]] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)
    reloads: list[float] = field(default_factory=list)

    def gone(self) -> float:
        """When it had ended, either way."""
        return min(self.ended, self.killed)

    def was_frozen(self, since: float, until: float) -> bool:
        """Whether it stood still at some moment of these."""
        return any(a <= until and b >= since for a, b in self.frozen)

    def had_a_full_disk(self, at: float) -> bool:
        """Whether its disk was full, or had just been."""
        return any(a <= at <= b + JUST for a, b in self.full)

    def reloaded(self, since: float, until: float) -> bool:
        """Whether it was told to read its configuration again."""
        return any(since <= at <= until for at in self.reloads)

    def awake_for(self, since: float, seconds: float) -> float:
        """When it has run, with a disk to write on, for so many seconds since then."""
        at, left = since, seconds
        for a, b in sorted([*self.frozen, *self.full]):
            if b <= at:
                continue
            if a > at:
                if a - at >= left:
                    break
                left -= a - at
            at = b
        return at + left


@dataclass
class Login:
    """One login that arrived at the provider."""

    number: int
    at: float
    run: Run
    username: str
    password: str
    answer: str
    says: Says
    right: bool
    answered: float = inf
    """From when on its answer may have been heard; never, where the caller had gone before."""

    @property
    def key(self) -> str:
        """The login as the contract has it."""
        return login_key(self.username)

    def heard(self, at: float) -> bool:
        """Whether its answer had been sent to a caller who was there."""
        return self.answered <= at


@dataclass
class History:
    """All of one schedule."""

    logins: list[Login] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    resumes: list[tuple[float, str, str]] = field(default_factory=list)
    """When somebody asked for a resumption, of which login key, and with which password configured."""
    attempts: dict[str, int] = field(default_factory=dict)
    """`auth_attempts` by login key."""
    interval: float = 1.0

    def of(self, key: str) -> list[Login]:
        """The logins of one login key, as they arrived."""
        return [login for login in self.logins if login.key == key]


def login_key(username: str) -> str:
    """Make one of all spellings that the provider takes for one login.

    NFKC, folded, without blanks around it and without signs that can't be seen.
    """
    text = unicodedata.normalize("NFKC", username)
    seen = "".join(sign for sign in text if unicodedata.category(sign) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFKC", seen.casefold()).strip()
