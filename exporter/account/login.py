"""A login at a provider: what the guard protects, and what this process knows of it."""

from dataclasses import dataclass, field
from typing import Protocol

from exporter.account.outcome import Outcome
from exporter.account.state import Suspension
from exporter.secret import Secret


class LoginTerms(Protocol):
    """What the configuration says about tries with a login. Times in seconds."""

    @property
    def interval(self) -> float: ...  # between two tries with a credential that isn't proven
    @property
    def timeout(self) -> float: ...  # of one try, from the connection to the last byte
    @property
    def auth_attempts(self) -> int: ...  # tries with a wrong credential, then it is suspended


@dataclass(slots=True, eq=False)
class Login:
    """A username with a password at a provider.

    ``key`` is what the provider counts failed logins by: its host and port, and the username. ``proven`` says
    that the provider has accepted it in this process, ``wanted`` that the configuration still has it.

    The guard alone changes the rest: ``suspension``; ``refusals`` since it was last accepted; ``unknown``
    outcomes from the service since then, in a row; whether any try of it may be ``open``; which ``record`` of
    the storage is its own, and which ``others`` are known to be other passwords'.
    """

    key: str
    password: Secret
    terms: LoginTerms
    proven: bool = False
    wanted: bool = True
    suspension: Suspension | None = None
    refusals: int = 0
    unknown: int = 0
    open: bool = True
    record: int | None = None
    others: set[int] = field(default_factory=set)

    @property
    def provider(self) -> str:
        """The provider's host and port."""
        return self.key.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Tried:
    """A try that was let through: what it ended in, when it began (Unix time), how many seconds it took."""

    outcome: Outcome
    started: float
    took: float


@dataclass(frozen=True, slots=True)
class Held:
    """Why a try isn't sent: it is too early until ``until`` (Unix time), or there is a ``suspension``.

    ``blocked`` says that all tries are used up until an open one lapses, and not only that it is too early.
    """

    until: float
    suspension: Suspension | None = None
    blocked: bool = False


class TooLateError(Exception):
    """A try may not be sent any more: it may have lapsed, or the configuration has dropped its login."""
