"""Marks: the tries of proven logins, written together, without waiting for the disk.

A proven login is tried thousands of times a day. Its tries are open in the storage while they are under way
all the same, so that a kill leaves an open try: what the kernel has survives the process. Those that begin in
one turn of the loop are written in one go.
"""

import asyncio
import itertools
import secrets
import sqlite3
from collections.abc import Iterator

from exporter.guard import tries
from exporter.guard.tries import Mark
from exporter.storage.engine import Storage, StorageError


def numbers() -> Iterator[int]:
    """Return numbers for tries, which no other process has: a try is found again by its number alone."""
    return itertools.count(secrets.randbits(38) << 24)


class Marks:
    """Opens and closes the tries of proven logins. To be made in a running event loop."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._loop = asyncio.get_running_loop()
        self._opened: list[tuple[Mark, asyncio.Future[set[int]]]] = []
        self._closed: list[tuple[str, int, float]] = []
        self._given_back: list[int] = []
        self._writing: set[asyncio.Task[None]] = set()
        self._due = False

    async def open(self, mark: Mark) -> set[int]:
        """Open a try; return the records of refused credentials that its login has.

        Raises StorageError.
        """
        written: asyncio.Future[set[int]] = self._loop.create_future()
        self._opened.append((mark, written))
        self._write_soon()
        return await written

    def close(self, key: str, number: int, now: float) -> None:
        """Close the try of a login that was accepted once more, soon: a kill before that leaves it open."""
        self._closed.append((key, number, now))
        self._write_soon()

    def give_back(self, number: int) -> None:
        """Close a try that says nothing, likewise."""
        self._given_back.append(number)
        self._write_soon()

    async def written(self) -> None:
        """Wait until all that was opened or closed is written, or has failed to be."""
        while self._writing or self._due:
            await asyncio.sleep(0)
            if self._writing:
                await asyncio.wait(self._writing)

    def _write_soon(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._due = False
        task = self._loop.create_task(self._write())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self) -> None:
        opened, self._opened = self._opened, []
        closed, self._closed = self._closed, []
        given_back, self._given_back = self._given_back, []

        def work(db: sqlite3.Connection) -> dict[str, set[int]]:
            if closed:
                tries.accept_again(db, closed)
            if given_back:
                tries.unmark(db, given_back)
            return tries.mark(db, [mark for mark, _ in opened]) if opened else {}

        try:
            found = await self._storage.transact(work, durable=False)
        except BaseException as error:
            for _, written in opened:
                if not written.done():
                    written.set_exception(error)
            if not isinstance(error, StorageError):
                raise
            return  # what could not be closed stays open, and lapses
        for (_, key, _, _), written in opened:
            if not written.done():
                written.set_result(found.get(key, _NONE))


_NONE: set[int] = set()
