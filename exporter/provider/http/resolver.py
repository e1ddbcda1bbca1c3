"""Names to addresses, as the system looks them up: without name servers that takes it up to half a minute.

Neither the end of the process nor what else is done in threads may wait for that.
"""

import asyncio
import ipaddress
import socket
from typing import Any, Final

from exporter.thread import in_thread

REMEMBERED: Final = 5.0
"""Seconds for which addresses are used again."""

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` has it."""


class Resolver:
    """The addresses of one host, looked up in a thread of its own, once for all who wait for them."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._lookup: asyncio.Future[list[AddressInfo]] | None = None
        self._until = 0.0

    async def addresses(self) -> list[AddressInfo]:
        """Return the host's addresses, the preferred one first. Raises OSError."""
        numeric = _numeric(self._host, self._port)
        if numeric:
            return [numeric]
        loop = asyncio.get_running_loop()
        if self._lookup is None or (self._lookup.done() and not self._is_fresh(self._lookup, loop.time())):
            self._lookup = in_thread("lookup", self._look_up)
            self._lookup.add_done_callback(self._ended)
        return await asyncio.shield(self._lookup)

    def close(self) -> None:
        """Give up what is looked up; the thread ends when the system does."""
        if self._lookup:
            self._lookup.cancel()

    def _look_up(self) -> list[AddressInfo]:
        return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))

    def _ended(self, lookup: "asyncio.Future[list[AddressInfo]]") -> None:
        self._until = lookup.get_loop().time() + REMEMBERED
        if not lookup.cancelled():
            lookup.exception()  # seen, also where nobody waits any more

    def _is_fresh(self, lookup: "asyncio.Future[list[AddressInfo]]", now: float) -> bool:
        return not lookup.cancelled() and lookup.exception() is None and now < self._until


def _numeric(host: str, port: int) -> AddressInfo | None:
    """Return the address of a host that is one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
    if address.scope_id:
        return None  # the system knows its number
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
