"""Names to addresses, as the system looks them up: without name servers that takes it up to half a minute.

Neither the end of the process nor what else is done in threads may wait for that.
"""

import asyncio
import socket
from functools import partial
from typing import Any, cast

from aiohttp import ThreadedResolver

from exporter.provider.http.thread import in_thread


class Resolver(ThreadedResolver):
    """aiohttp's resolver, with a thread of its own for each lookup."""

    def __init__(self) -> None:
        super().__init__(cast("asyncio.AbstractEventLoop", _Lookups()))


class _Lookups:
    """What aiohttp's resolver takes for its event loop, as far as it uses that."""

    async def getaddrinfo(self, host: str, port: int, **hints: int) -> Any:
        return await _looked_up(partial(socket.getaddrinfo, host, port, **hints))

    async def getnameinfo(self, address: Any, flags: int = 0) -> Any:
        return await _looked_up(partial(socket.getnameinfo, address, flags))


async def _looked_up(lookup: "partial[Any]") -> Any:
    return await asyncio.wrap_future(in_thread("lookup", lookup))
