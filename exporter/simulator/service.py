"""The life of the simulated provider: its HTTP server, from start to stop."""

import ssl
import time
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from exporter.simulator.accounts import Account
from exporter.simulator.endpoints import application
from exporter.simulator.provider import Provider, SimulatedTime
from exporter.simulator.wsdl import SERVICE_PATH

# aiohttp takes it twice: for answers that end by themselves, then for those that it cancels.
_STOP_SECONDS: Final = 0.2
_ALL_IPV4: Final = "0.0.0.0"  # noqa: S104 - only where the caller asks for it
_CALLABLE: Final = {_ALL_IPV4: "127.0.0.1", "::": "::1"}
"""Where a server that listens on all addresses can be called from the same machine."""


class Simulator:
    """The provider's `Utilerias` service, simulated: real SOAP over HTTP, accounts that live.

    Simulated time begins with the clock's when this is made, and goes on by `speed` simulated seconds a real
    one: above 0, at most 86,400, ValueError otherwise. `clock` returns Unix seconds. `extra_accounts` adds
    that many healthy accounts, `load-00001@demo.example` and so on; `extra_issuers` adds that many issuers to
    `integrator@demo.example`.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.time,
        extra_accounts: int = 0,
        extra_issuers: int = 0,
    ) -> None:
        self._provider = Provider(SimulatedTime(clock, speed), extra_accounts, extra_issuers)
        self._runner: web.AppRunner | None = None
        self._wsdl_url: str | None = None

    @property
    def accounts(self) -> Mapping[str, Account]:
        """All accounts by username, live: for tests that look at them or set them up."""
        return self._provider.accounts

    def now(self) -> float:
        """Simulated Unix time."""
        return self._provider.now()

    @property
    def wsdl_url(self) -> str:
        """Where clients find the WSDL. RuntimeError unless started."""
        if self._wsdl_url is None:
            raise RuntimeError("the simulator has not been started")
        return self._wsdl_url

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """Serve. Port 0 picks a free one. OSError if the port can't be had, RuntimeError if it is started."""
        if self._runner is not None:
            raise RuntimeError("the simulator has been started already")
        host = host or _ALL_IPV4  # asyncio would listen on both families, with port 0 on a port for each
        runner = web.AppRunner(application(self._provider), access_log=None, shutdown_timeout=_STOP_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._wsdl_url = _wsdl_url(host, runner.addresses[0][1], ssl_context is not None)

    async def stop(self) -> None:
        """End within a second, cutting off calls that are not answered yet. Does nothing unless started."""
        runner, self._runner, self._wsdl_url = self._runner, None, None
        if runner is not None:
            await runner.cleanup()


def _wsdl_url(host: str, port: int, tls: bool) -> str:
    name = _CALLABLE.get(host, host)
    if ":" in name:
        name = f"[{name}]"
    return f"{'https' if tls else 'http'}://{name}:{port}{SERVICE_PATH}?wsdl"
