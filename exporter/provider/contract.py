"""What the exporter asks of a provider, and what a provider asks of the guard."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from exporter.account.login import Held, Login, Tried
from exporter.account.outcome import Failure, Outcome
from exporter.config import Account, Environment, Issuer
from exporter.secret import Secret


class Permit(Protocol):
    """The guard's permission to send one try."""

    def password(self) -> Secret:
        """Return the password to send: to be called when a connection is there, and not a moment sooner.

        Raises TooLateError where the try must not be sent any more.
        """
        ...


class Gate(Protocol):
    """The only way to put a credential on the wire."""

    async def attempt(
        self, login: Login, send: Callable[[Permit], Awaitable[Outcome]], *, only_proven: bool = False
    ) -> Tried | Held:
        """Have a try with a login sent, if the guard allows it, and keep what its outcome says.

        With ``only_proven`` it isn't sent unless the provider has accepted the login in this process.

        Raises StorageError where what isn't proven can't be charged: nothing is sent then.
        """
        ...


class Balance(Protocol):
    """A login, and whose balance is asked for with it: its account's own, or that of an issuer under it."""

    @property
    def account(self) -> Account: ...
    @property
    def issuer(self) -> Issuer | None: ...
    @property
    def login(self) -> Login: ...


class Provider(Protocol):
    """Asks one environment's provider for balances."""

    @property
    def environment(self) -> Environment: ...
    @property
    def labels(self) -> Sequence[str]: ...  # of all codes that it may answer with
    @property
    def success(self) -> str: ...  # the label of the code that a healthy account is answered

    async def ready(self, limit: float) -> Failure | None:
        """Get what is needed to ask, waiting at most ``limit`` seconds; return why it can't be had."""
        ...

    async def ask(self, balance: Balance, gate: Gate) -> Tried | Held:
        """Ask for a balance: one login, through the gate. To be called when it is ready."""
        ...

    def renew(self) -> None:
        """Read anew which certificates are trusted. Raises OSError, having changed nothing."""
        ...

    async def close(self) -> None:
        """End all that is under way and close the connections."""
        ...

    async def close_when_idle(self) -> None:
        """Close as ``close`` does, once no call is under way."""
        ...
