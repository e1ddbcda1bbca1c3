"""Asking for a balance through the gate, whatever a reload does meanwhile."""

from collections.abc import Callable, Mapping

from exporter.account.login import Held, Tried
from exporter.account.outcome import Failure
from exporter.clock import Clock
from exporter.guard.gate import Gate
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.provider.contract import Provider
from exporter.storage.engine import StorageError


class Asking:
    """Asks for balances. ``providers`` are by the name of the environment."""

    def __init__(
        self,
        accounts: Accounts,
        providers: Mapping[str, Provider],
        gate: Gate,
        *,
        clock: Clock,
        metrics: ExporterMetrics,
        storage_failed: Callable[[StorageError], object],
    ) -> None:
        self._accounts = accounts
        self._providers = providers
        self._gate = gate
        self._clock = clock
        self._metrics = metrics
        self._storage_failed = storage_failed

    async def ask(self, monitored: Monitored) -> Tried | Held | None:
        """Ask for a balance; ``None`` where there is nobody to ask for any more.

        A reload meanwhile doesn't make it fail: it goes on with the account and connections as they are then.
        """
        while present := self.present(monitored):
            name = present.account.environment.name
            provider = self._providers[name]
            failure = await provider.ready(present.account.timeout)
            if not self._is_used(provider, monitored):
                continue
            if failure:
                return Tried(failure, self._clock.time(), 0.0)
            try:
                tried = await provider.ask(present, self._gate)
            except StorageError as error:
                self._storage_failed(error)
                return Held(self._clock.time() + present.terms.interval)
            if isinstance(tried, Held):
                return tried
            unsent = isinstance(tried.outcome, Failure) and not tried.outcome.sent
            if unsent and not self._is_used(provider, monitored):
                continue
            self._metrics.poll_ended(name, tried.took)
            return tried
        return None

    def present(self, monitored: Monitored) -> Monitored | None:
        """Return the account or issuer as it is now; ``None`` where it was removed or has another credential.

        An account may have another name by now.
        """
        login = monitored.login
        present = self._accounts.find(monitored.id)
        if present and present.login is login:
            return present
        if monitored.issuer:
            return None
        return next((renamed for renamed in self._accounts if renamed.login is login), None)

    def _is_used(self, provider: Provider, monitored: Monitored) -> bool:
        """Tell whether a balance is still asked for over these connections."""
        present = self.present(monitored)
        return bool(present and self._providers.get(present.account.environment.name) is provider)
