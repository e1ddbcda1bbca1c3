"""Signals, and the limit of open files: what the system knows for the whole process."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

_STOP: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_signals_held() -> Iterator[None]:
    """Have SIGTERM and SIGINT wait until ``stop_signals`` takes them.

    As exceptions raised at any point they could leave half an event loop behind, which complains, or be lost
    in a callback that can't raise.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)


@asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """Give an event that SIGTERM or SIGINT sets, also one that has waited until now.

    SIGHUP does nothing yet, above all not its default.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    for number in _STOP:
        loop.add_signal_handler(number, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
    try:
        yield stop
    finally:
        for number in (*_STOP, signal.SIGHUP):
            loop.remove_signal_handler(number)


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us, as Go programs do: a connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS takes less than it names
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
