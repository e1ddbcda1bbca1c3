"""The process in which a WSDL is read: zeep's time and memory are not the daemon's, and they are limited.

The program is ``wsdl.main``. It is sent an address and asks for documents, one line of JSON each, of which it
is sent the size and the bytes; then it says what the operations are, or why there are none. It gets no
credential, no configuration and no environment.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from exporter.account.outcome import Failure, Reason, unsent
from exporter.provider.solucion_factible.operation import Operation, Operations

Fetch = Callable[[str, bool], Awaitable[bytes | None]]

AT_A_TIME: Final = 2
"""Processes, each of up to 100 MB: a reload can make every environment load its WSDL."""

SECONDS: Final = 20.0
"""To read one WSDL, with all that it imports."""

_LONGEST_LINE: Final = 256 * 1024  # bytes that the program may say at a time
# Python starts isolated (-I): no variable and no file of the user's changes what is imported.
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[1:]; from {module} import main; main()"
_MODULE: Final = "exporter.provider.solucion_factible.wsdl"
# Without it a Python that isn't where it was built to be can't find its own library.
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH",)


class _Reader:
    """One process. It reads one WSDL after the other, as starting it takes longer than reading one."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._said = cast("asyncio.StreamReader", process.stdout)
        self._heard = cast("asyncio.StreamWriter", process.stdin)
        self.usable = True  # for another WSDL

    @classmethod
    async def start(cls) -> "_Reader":
        """Raises OSError."""
        return cls(
            await asyncio.create_subprocess_exec(
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
        )

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def read(self, url: str, first: bytes, fetch: Fetch) -> Operations | Failure:
        """Read the WSDL at ``url``, which is ``first``."""
        self.usable = False
        try:
            return await self._converse(url, first, fetch)
        except ConnectionError:
            pass  # it died while it was sent something
        except ValueError:
            return unsent(Reason.INVALID, "the WSDL's names are too long")
        if await self._process.wait() == -signal.SIGXCPU:
            return unsent(Reason.INVALID, "reading the WSDL takes too long")
        return unsent(Reason.INVALID, "reading the WSDL failed: its process ended")

    async def _converse(self, url: str, first: bytes, fetch: Fetch) -> Operations | Failure:
        """Raises ConnectionError where the process ends meanwhile, ValueError where it says too much."""
        self._heard.write(json.dumps(url).encode() + b"\n")
        known: bytes | None = first  # the first document that it asks for
        while line := await self._said.readline():
            match json.loads(line):
                case {"fetch": str(wanted), "needed": bool(needed)}:
                    document, known = known or await fetch(wanted, needed), None
                    self._heard.write(b"-1\n" if document is None else b"%d\n%b" % (len(document), document))
                    await self._heard.drain()
                case {"unusable": str(detail), "spent": bool(spent)}:
                    self.usable = not spent
                    return unsent(Reason.INVALID, detail)
                case {"account": dict(account), "issuer": dict() | str() as issuer, "spent": bool(spent)}:
                    self.usable = not spent
                    return Operations(_operation(account), _operation_or_why_not(issuer))
        raise ConnectionError


def _operation(spelled: dict[str, Any]) -> Operation:
    template, order = tuple(part.encode() for part in spelled["template"]), tuple(spelled["order"])
    return Operation(spelled["path"], spelled["soap_action"], template, order)


def _operation_or_why_not(spelled: dict[str, Any] | str) -> Operation | Failure:
    return unsent(Reason.INVALID, spelled) if isinstance(spelled, str) else _operation(spelled)


class WsdlReaders:
    """The processes of all environments; there are none while nobody reads."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._wanted = 0
        self._spare: list[_Reader] = []

    async def read(self, url: str, fetch: Fetch) -> Operations | Failure:
        """Read the WSDL at ``url`` as ``wsdl.read_wsdl`` does.

        What ``fetch`` raises is passed on. Raises TimeoutError after ``SECONDS`` with a process.
        """
        # It is fetched beforehand: one that can't be had costs no process.
        document = await fetch(url, True)
        if document is None:
            return unsent(Reason.INVALID, "there is no WSDL")
        self._wanted += 1
        try:
            async with self._turns, asyncio.timeout(SECONDS):
                return await self._read(url, document, fetch)
        finally:
            self._wanted -= 1
            while self._spare and not self._wanted:
                await self._spare.pop().end()

    async def _read(self, url: str, document: bytes, fetch: Fetch) -> Operations | Failure:
        try:
            reader = self._spare.pop() if self._spare else await _Reader.start()
        except OSError as error:
            return unsent(Reason.INVALID, f"no process can be started to read the WSDL: {error.strerror}")
        try:
            return await reader.read(url, document, fetch)
        finally:
            if reader.usable:
                self._spare.append(reader)
            else:
                await reader.end()


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, WsdlReaders] = WeakKeyDictionary()


async def read_in_process(url: str, fetch: Fetch) -> Operations | Failure:
    """Read the WSDL at ``url`` with the readers of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _readers:
        _readers[loop] = WsdlReaders()
    return await _readers[loop].read(url, fetch)
