"""When which balance is polled: due times, and a limit of polls under way for each group.

A group can be within another: its polls take places of both, but never the outer one's last, and none while
polls of the outer one's own wait.

It knows nothing of SOAP or accounts: it runs one coroutine for a key when the key is due, never twice at once
for the same key, and takes from it when the key is due next.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

CRASH_DELAY: Final = 60.0
"""Seconds until a key whose poll raised (a bug) is due again where nobody can say."""

STOOD_STILL: Final = 5.0
"""A timer that is so many seconds late means that the process, or its machine, was stopped meanwhile."""

_REMOVED: Final = 64  # removed keys that may stay in the heap however few others there are


class _Entry:
    """A key's place in the schedule; one that was removed may still be in the heap or under way."""

    __slots__ = ("due", "group", "key", "removed")

    def __init__(self, key: str, group: "_Group") -> None:
        self.key = key
        self.group = group
        self.due = 0.0
        self.removed = False


class _Group:
    """Keys that share a limit: those that are due wait in the order in which they became so.

    ``guests`` are polls under way of groups within this one, which are ``offering`` more, by turns.
    """

    __slots__ = ("guests", "limit", "offering", "outer", "under_way", "waiting")

    def __init__(self, limit: int, outer: "_Group | None" = None) -> None:
        self.limit = limit
        self.outer = outer
        self.under_way = 0
        self.guests = 0
        self.waiting: deque[_Entry] = deque()
        self.offering: dict[_Group, None] = {}

    @property
    def has_room(self) -> bool:
        return self.under_way + self.guests < self.limit

    @property
    def has_room_for_guests(self) -> bool:
        return self.has_room and not self.waiting and self.guests < max(1, self.limit - 1)


class Scheduler:
    """Runs ``poll(key)`` for each key when it is due.

    ``poll`` returns the time of the next poll, on the event loop's clock, or ``None`` where there is to be
    none. ``late`` gets how many seconds after its due time each poll starts, but for those of groups within
    another, which may have to wait; ``crashed`` gets the key and the
    exception of a poll that raised, and returns in how many seconds the key is due again. ``overdue`` gets
    the keys that became due while the process was stopped, the first due first, and returns when each is due
    instead. To be used in the event loop's thread.
    """

    def __init__(
        self,
        poll: Callable[[str], Awaitable[float | None]],
        *,
        late: Callable[[float], object],
        crashed: Callable[[str, Exception], float],
        overdue: Callable[[Sequence[str]], Sequence[float]],
    ) -> None:
        self._poll = poll
        self._late = late
        self._crashed = crashed
        self._overdue = overdue
        self._loop = asyncio.get_running_loop()
        self._entries: dict[str, _Entry] = {}
        self._groups: dict[str, _Group] = {}
        self._heap: list[tuple[float, int, _Entry]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[str] = set()
        self._deferred: dict[str, _Entry] = {}  # added anew and due, while their key's last poll goes on
        self._stopping = False

    def limit(self, group: str, polls: int, within: str | None = None) -> None:
        """Set how many polls of a group may be under way at once; ``within`` is one whose limit is set."""
        if group not in self._groups:
            self._groups[group] = _Group(polls, self._groups[within] if within else None)
        self._groups[group].limit = polls
        self._fill(self._groups[group])

    def add(self, key: str, group: str, due: float) -> None:
        """Schedule a key, instead of where it was before, in a group whose limit is set."""
        self.remove(key)
        entry = self._entries[key] = _Entry(key, self._groups[group])
        self._push(entry, due)

    def remove(self, key: str) -> None:
        """Forget a key. A poll of it that is under way goes on, but has no next one."""
        entry = self._entries.pop(key, None)
        if entry:
            entry.removed = True
            if len(self._heap) > 2 * len(self._entries) + _REMOVED:
                # Else they would stay until they had been due, which may be a day, reload by reload.
                self._heap = [place for place in self._heap if not place[2].removed]
                heapq.heapify(self._heap)

    async def stop(self, grace: float) -> None:
        """Start no more polls, wait at most ``grace`` seconds for those under way, then cancel them."""
        self._stopping = True
        if self._timer:
            self._timer.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _push(self, entry: _Entry, due: float) -> None:
        entry.due = due
        heapq.heappush(self._heap, (due, next(self._order), entry))
        if self._heap[0][2] is entry:
            self._arm()

    def _arm(self) -> None:
        """Set the timer for the earliest due time."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._heap and not self._stopping:
            # Not in the past, so that it tells how late it comes.
            due = max(self._heap[0][0], self._loop.time())
            self._timer = self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        now = self._loop.time()
        late = self._timer is not None and now - self._timer.when() > STOOD_STILL
        entries = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)[2]
            if not entry.removed:
                entries.append(entry)
        if late and len(entries) > 1:
            entries = self._spread(entries, now)
        for entry in entries:
            entry.group.waiting.append(entry)
        for group in dict.fromkeys(entry.group for entry in entries):
            self._fill(group)
        self._arm()

    def _spread(self, entries: list[_Entry], now: float) -> list[_Entry]:
        """Schedule entries that are overdue together anew; return those that are due now all the same."""
        for entry, due in zip(entries, self._overdue([entry.key for entry in entries]), strict=True):
            entry.due = due
            if due > now:
                heapq.heappush(self._heap, (due, next(self._order), entry))
        return [entry for entry in entries if entry.due <= now]

    def _fill(self, group: _Group) -> None:
        """Start polls that wait, up to the limits: a group's own first, then those of groups within it."""
        if group.outer:
            if group.waiting and group.has_room:
                group.outer.offering[group] = None
            group = group.outer
        while group.waiting and group.has_room and not self._stopping:
            self._start(group.waiting.popleft())
        while group.offering and group.has_room_for_guests and not self._stopping:
            guest = next(iter(group.offering))
            del group.offering[guest]
            if guest.waiting and guest.has_room:
                self._start(guest.waiting.popleft())
            if guest.waiting and guest.has_room:
                group.offering[guest] = None  # behind the others

    def _start(self, entry: _Entry) -> None:
        if entry.key in self._under_way:
            self._deferred[entry.key] = entry
        elif not entry.removed:
            self._under_way.add(entry.key)
            entry.group.under_way += 1
            if entry.group.outer:
                entry.group.outer.guests += 1
            task = self._loop.create_task(self._run(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, entry: _Entry) -> None:
        if not entry.group.outer:
            self._late(max(0.0, self._loop.time() - entry.due))
        due: float | None = None
        ended = False
        try:
            due = await self._poll(entry.key)
            ended = True
        except Exception as error:  # noqa: BLE001 - whatever it is, the other keys must be polled on
            due = self._loop.time() + self._crashed(entry.key, error)
            ended = True
        finally:
            if not ended:
                due = self._loop.time() + CRASH_DELAY
            entry.group.under_way -= 1
            if entry.group.outer:
                entry.group.outer.guests -= 1
            self._under_way.discard(entry.key)
            deferred = self._deferred.pop(entry.key, None)
            if deferred:
                self._push(deferred, deferred.due)
            if due is not None and not entry.removed and not self._stopping:
                self._push(entry, due)
            self._fill(entry.group)
