"""A gate that lets every try through: for tests of what a provider is asked, and what its answers say."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.account.login import Held, Login, Tried
from exporter.account.outcome import Outcome
from exporter.config import Account, Issuer
from exporter.provider.contract import Permit, Provider
from exporter.secret import Secret


@dataclass(frozen=True)
class OpenPermit:
    """Leave to send a try, for ever."""

    login: Login

    def password(self) -> Secret:
        return self.login.password


class OpenGate:
    """Holds nothing, keeps nothing."""

    async def attempt(
        self,
        login: Login,
        send: Callable[[Permit], Awaitable[Outcome]],
        *,
        only_proven: bool = False,  # noqa: ARG002
    ) -> Tried | Held:
        return Tried(await send(OpenPermit(login)), 0.0, 0.0)


@dataclass(frozen=True)
class Asked:
    """A balance of an account, or of an issuer under it, with its login."""

    account: Account
    login: Login
    issuer: Issuer | None = None

    @classmethod
    def of(cls, account: Account, issuer: Issuer | None = None) -> "Asked":
        return cls(account, Login(account.guard_key, account.password, account), issuer)


async def ask(provider: Provider, account: Account, issuer: Issuer | None = None) -> Outcome:
    """Ask for a balance through a gate that lets it through."""
    tried = await provider.ask(Asked.of(account, issuer), OpenGate())
    assert isinstance(tried, Tried)
    return tried.outcome
