"""Clocks: the system's, as the module ``time`` has them, and a steady one. Tests inject their own."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

JUMP: Final = 1.0
"""Seconds by which the wall clock must have moved against the other for that to be a jump."""

_PAUSE: Final = 0.1  # seconds between two readings that mean that the process was paused in between


class Moment(NamedTuple):
    """A moment on both clocks, in seconds."""

    time: float
    monotonic: float


class Clock(Protocol):
    """Times in seconds."""

    def time(self) -> float:
        """Return Unix time: for what people and Prometheus see. It can jump."""
        ...

    def monotonic(self) -> float:
        """Return a time that only goes forward: for delays."""
        ...


def since_boot() -> float:
    """Return a time that goes on while the machine sleeps too, where the system has one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SteadyClock:
    """A clock whose Unix time doesn't jump with the system's until ``catch_up`` is called.

    So whoever keeps times can shift all of them by the jump at once, and none from after it is among them.
    ``elapsed`` measures the time that passes, and must go on while the machine sleeps.
    """

    def __init__(self, clock: Clock = time, elapsed: Callable[[], float] = since_boot) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._apart = clock.time() - elapsed()

    def time(self) -> float:
        """Return Unix time, as if the system's clock had not jumped since ``catch_up``."""
        return self._elapsed() + self._apart

    def monotonic(self) -> float:
        """Return a time that only goes forward: for delays."""
        return self._clock.monotonic()

    def catch_up(self) -> float:
        """Take up a jump of the system's clock; return its seconds, 0 where there was none."""
        before = self._elapsed()
        apart = self._clock.time() - before
        jump = apart - self._apart
        if abs(jump) <= JUMP or self._elapsed() - before > _PAUSE:
            return 0.0
        self._apart = apart
        return jump
