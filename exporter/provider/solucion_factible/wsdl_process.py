"""The process in which a WSDL is read: zeep's time and memory are not the daemon's, and they are limited.

The program is ``wsdl.main``. It asks for documents, one line of JSON each, and is sent their size and bytes;
its last line is the operation, or why there is none. It gets no credential, no configuration and no
environment.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from typing import Final, cast
from weakref import WeakKeyDictionary

from exporter.account.outcome import Failure, Reason, unsent
from exporter.provider.solucion_factible.operation import Operation

Fetch = Callable[[str, bool], Awaitable[bytes | None]]

AT_A_TIME: Final = 2
"""Processes, each of up to 100 MB: a reload can make every environment load its WSDL."""

SECONDS: Final = 20.0
"""For one process, with all that the WSDL imports."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_LONGEST_LINE: Final = 256 * 1024  # bytes that the program may say at a time
# Python starts isolated (-I): no variable and no file of the user's changes what is imported.
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[1:]; from {module} import main; main()"
_MODULE: Final = "exporter.provider.solucion_factible.wsdl"
# Without it a Python that isn't where it was built to be can't find its own library.
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH",)


async def read_in_process(url: str, fetch: Fetch) -> Operation | Failure:
    """Read the WSDL at ``url`` as ``wsdl.read_wsdl`` does; the process ends with this call, however it ends.

    What ``fetch`` raises is passed on. Raises TimeoutError after ``SECONDS`` in the process.
    """
    # It is fetched beforehand: one that can't be had costs no process.
    document = await fetch(url, True)
    if document is None:
        return unsent(Reason.INVALID, "there is no WSDL")
    loop = asyncio.get_running_loop()
    async with _turns.setdefault(loop, asyncio.Semaphore(AT_A_TIME)), asyncio.timeout(SECONDS):
        return await _read(url, document, fetch)


async def _read(url: str, document: bytes, fetch: Fetch) -> Operation | Failure:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _PROGRAM.format(module=_MODULE),
            *(path or os.getcwd() for path in sys.path),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LONGEST_LINE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
    except OSError as error:
        return unsent(Reason.INVALID, f"no process can be started to read the WSDL: {error.strerror}")
    try:
        return await _converse(process, url, document, fetch)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _converse(process: Process, url: str, first: bytes, fetch: Fetch) -> Operation | Failure:
    said, heard = cast("asyncio.StreamReader", process.stdout), cast("asyncio.StreamWriter", process.stdin)
    try:
        heard.write(json.dumps(url).encode() + b"\n")
        known: bytes | None = first  # the first document that it asks for
        while line := await said.readline():
            match json.loads(line):
                case {"fetch": str(wanted), "needed": bool(needed)}:
                    document, known = known or await fetch(wanted, needed), None
                    heard.write(b"-1\n" if document is None else b"%d\n%b" % (len(document), document))
                    await heard.drain()
                case {"unusable": str(detail)}:
                    return unsent(Reason.INVALID, detail)
                case found:
                    before, between, after = (part.encode() for part in found.pop("template"))
                    return Operation(template=(before, between, after), **found)
    except ConnectionError:
        pass  # it died while it was sent something
    except ValueError:
        return unsent(Reason.INVALID, "the WSDL's names are too long")
    if await process.wait() == -signal.SIGXCPU:
        return unsent(Reason.INVALID, "reading the WSDL takes too long")
    return unsent(Reason.INVALID, "reading the WSDL failed: its process ended")
