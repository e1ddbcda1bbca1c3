"""The providers of the environments in use, with connections; a reload replaces those that it changes."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from exporter.config import ConfigError, Environment
from exporter.provider.contract import Provider

Result = TypeVar("Result")


class Providers(Mapping[str, Provider]):
    """The providers in use by the names of their environments; ``make`` makes one, or raises OSError."""

    def __init__(self, make: Callable[[Environment], Provider]) -> None:
        self._make = make
        self._by_name: dict[str, Provider] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __getitem__(self, name: str) -> Provider:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def use(self, environments: Mapping[str, Environment]) -> None:
        """Have providers for these environments, by their names; the others are closed once they are idle.

        Raises ConfigError, having changed nothing, where connections can't be made as configured.
        """
        kept = {
            name: provider
            for name, provider in self._by_name.items()
            if environments.get(name) == provider.environment
        }
        # All new ones first: where one can't be made nothing has changed yet.
        made = {name: self._made(environments[name]) for name in environments.keys() - kept.keys()}
        for provider in kept.values():
            # Also under the same name a file, or what the system trusts, may be another one than before.
            _connectable(provider.environment, provider.renew)
        for name in self._by_name.keys() - kept.keys():
            task = asyncio.create_task(self._by_name.pop(name).close_when_idle())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._by_name |= made

    async def close(self) -> None:
        """End all that is under way and close all connections."""
        await asyncio.gather(*(provider.close() for provider in self._by_name.values()))
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _made(self, environment: Environment) -> Provider:
        return _connectable(environment, lambda: self._make(environment))


def _connectable(environment: Environment, make: Callable[[], Result]) -> Result:
    try:
        return make()
    except OSError as error:
        # The file was there when the configuration was checked.
        reason = error.strerror or type(error).__name__
        raise ConfigError((f"environments.{environment.name}.tls_config: {reason}",)) from error
