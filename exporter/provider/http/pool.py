"""The open connections to one place, and which of them may take the next request.

How old one may get is in ``connection`` (``MAX_AGE``), how long it may be idle here.
"""

import asyncio
from typing import Final

from exporter.provider.http.connection import Connection

KEPT: Final = 4.0
"""Seconds that an idle connection is kept: of the usual servers Apache closes first, after 5."""


class ConnectionPool:
    """Keeps connections while they are idle, for a while, and knows those that are in use."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, connection: Connection) -> None:
        """Take charge of a connection that is now in use."""
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))

    def take(self) -> Connection | None:
        """Return an idle connection on which nothing has come since it was last used."""
        now = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            if now < connection.idle_until and connection.is_silent():
                return connection
            connection.abort()
        return None

    def give(self, connection: Connection) -> None:
        """Keep a connection that isn't in use any more, if it may be used again."""
        if connection.over:
            return
        connection.fresh = False
        now = self._loop.time()
        connection.idle_until = min(now + KEPT, connection.expires)
        if self._closed or connection.idle_until <= now:
            connection.close()
            return
        self._idle.append(connection)
        if self._sweep is None or connection.idle_until < self._sweep.when():
            self._sweep_at(connection.idle_until)

    def retire(self) -> None:
        """Close all that are idle, and those in use once they aren't."""
        for connection in self._open:
            connection.expires = 0.0
        while self._idle:
            self._idle.pop().close()

    async def close(self) -> None:
        """Close all, also those in use."""
        self._closed = True
        if self._sweep:
            self._sweep.cancel()
        connections = list(self._open)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.lost

    def _sweep_at(self, when: float) -> None:
        if self._sweep:
            self._sweep.cancel()
        self._sweep = self._loop.call_at(when, self._close_idle)

    def _close_idle(self) -> None:
        self._sweep = None
        now = self._loop.time()
        for connection in self._idle:
            if connection.idle_until <= now:
                connection.close()
        self._idle = [connection for connection in self._idle if now < connection.idle_until]
        if self._idle:
            self._sweep_at(min(connection.idle_until for connection in self._idle))
