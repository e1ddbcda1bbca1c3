"""Waiting for what another process does, with a deadline."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02
"""Between two looks, at least: as long as a look takes, so that looking leaves half of a processor."""


def eventually(predicate: Callable[[], T | None], timeout: float = 60.0) -> T:
    """Call `predicate` until its value is truthy and return that value.

    Exceptions of the predicate pass through at once: only a falsy value means "not yet".

    Raises:
        AssertionError: after `timeout` seconds, with the last value.
    """
    deadline = time.monotonic() + timeout
    looked = time.monotonic()
    while not (value := predicate()):
        now = time.monotonic()
        if now >= deadline:
            raise AssertionError(f"not within {timeout:g} s; last value: {value!r}")
        time.sleep(max(POLL_SECONDS, now - looked))
        looked = time.monotonic()
    return value


def happened() -> asyncio.Event:
    """An event that nobody has to wait for."""
    event = asyncio.Event()
    event.set()
    return event
