"""Work that may hang, in a thread of its own: Python waits for an executor's threads when the process ends.

A name server, a disk or a network filesystem may not answer for minutes; a stop must not wait for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def in_thread(name: str, work: Callable[[], Result]) -> "asyncio.Future[Result]":
    """Run ``work`` in a thread of this name that Python doesn't wait for; return its result to come."""
    future: Future[Result] = Future()
    future.set_running_or_notify_cancel()  # so that the thread can always put its result somewhere

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return asyncio.wrap_future(future)
