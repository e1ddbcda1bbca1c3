"""The process in which a WSDL is read: what it is given, what it may use up, and that it ends."""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.account.outcome import Failure, Reason, unsent
from exporter.provider.solucion_factible import wsdl_process
from exporter.provider.solucion_factible.operation import Operations
from exporter.provider.solucion_factible.wsdl_process import read_in_process
from tests.support.places import DATA
from tests.support.readers import readers
from tests.support.wsdls import AXIS2, HOSTILE, MIB, twisted

pytestmark = pytest.mark.process

WSDLS = DATA / "wsdl"
URL = "https://pac.example/ws/main"
IMPORTS = "https://pac.example/ws/imports.wsdl"

Fetch = Callable[[str, bool], Awaitable[bytes | None]]


def serves(document: str | bytes) -> Fetch:
    async def fetch(_url: str, _needed: bool) -> bytes:
        return document.encode() if isinstance(document, str) else document

    return fetch


async def stored(url: str, _needed: bool) -> bytes:
    return (WSDLS / url.partition("/ws/")[2]).read_bytes()


def of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def test_it_reads_what_it_is_sent() -> None:
    asked: list[tuple[str, bool]] = []

    async def fetch(url: str, needed: bool) -> bytes:
        asked.append((url, needed))
        return await stored(url, needed)

    found = await read_in_process(IMPORTS, fetch)
    assert isinstance(found, Operations)
    assert (found.account.path, found.account.soap_action) == (
        "/ws/services/Utilerias.Https11/",
        "urn:getTimbresImplementacion",
    )
    assert b"<ns0:usuario>ws@acme.example</ns0:usuario>" in found.account.envelope("ws@acme.example", "x")
    assert asked == [
        (IMPORTS, True),
        ("https://pac.example/ws/parts/interface.wsdl", True),
        ("https://pac.example/ws/types/utilerias.xsd", False),
    ]
    assert readers() == []


async def test_it_says_why_a_wsdl_cannot_be_used() -> None:
    found = await read_in_process(URL, serves((WSDLS / "soap12-only.wsdl").read_bytes()))
    detail = "the WSDL has no SOAP 1.1 port with the operation getTimbresImplementacion"
    assert found == unsent(Reason.INVALID, detail)
    assert readers() == []


async def test_what_fetch_raises_is_passed_on_and_the_process_ends() -> None:
    async def never(_url: str, _needed: bool) -> bytes:
        raise LookupError

    async def not_all(url: str, needed: bool) -> bytes:
        if url.endswith(".xsd"):
            assert len(readers()) == 1
            raise LookupError
        return await stored(url, needed)

    for fetch in (never, not_all):
        with pytest.raises(LookupError):
            await read_in_process(IMPORTS, fetch)
        assert readers() == []


async def test_a_wsdl_that_cannot_be_had_costs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that is down is asked for it every half minute."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    async def fetch(_url: str, _needed: bool) -> bytes:
        raise LookupError

    with pytest.raises(LookupError):
        await read_in_process(URL, fetch)


async def test_it_ends_with_whoever_waits_for_it() -> None:
    fetching = asyncio.Event()

    async def fetch(url: str, needed: bool) -> bytes:
        if url.endswith(".xsd"):
            fetching.set()
            await asyncio.sleep(60)
        return await stored(url, needed)

    reading = asyncio.create_task(read_in_process(IMPORTS, fetch))
    await fetching.wait()
    assert len(readers()) == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert readers() == []


async def test_two_processes_read_however_many_wsdls_are_wanted() -> None:
    """A reload can make every environment load its own. What can't be read doesn't keep the others."""
    seen: set[int] = set()

    async def fetch(url: str, needed: bool) -> bytes:
        seen.update(readers())
        return await stored(url, needed)

    good = [read_in_process(IMPORTS, fetch) for _ in range(20)]
    bad = [read_in_process(URL, serves(b"<html/>")) for _ in range(10)]
    found = await asyncio.gather(*good, *bad)
    assert all(isinstance(one, Operations) for one in found[:20])
    assert all(isinstance(one, Failure) for one in found[20:])
    assert len(seen) == 2
    assert readers() == []


async def test_one_that_breaks_its_process_or_is_given_up_keeps_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wsdl_process, "SECONDS", 5.0)

    async def hangs(url: str, needed: bool) -> bytes:
        if url.endswith(".xsd"):
            await asyncio.sleep(60)
        return await stored(url, needed)

    hanging = [asyncio.create_task(read_in_process(IMPORTS, hangs)) for _ in range(2)]
    others = [asyncio.create_task(read_in_process(IMPORTS, stored)) for _ in range(3)]
    waiting = asyncio.create_task(read_in_process(IMPORTS, stored))
    await asyncio.sleep(0.05)
    waiting.cancel()
    ends = await asyncio.gather(*hanging, *others, waiting, return_exceptions=True)
    assert [type(one) for one in ends] == [TimeoutError] * 2 + [Operations] * 3 + [asyncio.CancelledError]
    assert readers() == []


async def test_it_gets_no_environment_and_its_command_line_names_no_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A variable can hold a password, and any user can read a command line."""
    monkeypatch.setenv("ACME_PASSWORD", "s3cret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere/lib")
    seen: list[bytes] = []

    async def fetch(url: str, needed: bool) -> bytes:
        if url.endswith(".xsd"):
            (pid,) = readers()
            seen.extend(of_process(pid, name) for name in ("environ", "cmdline"))
        return await stored(url, needed)

    await read_in_process("https://user:s3cret@pac.example/ws/imports.wsdl", fetch)
    environment, command = seen
    assert environment.strip(b"\0") in (b"LD_LIBRARY_PATH=/nowhere/lib", b"")
    assert b"s3cret" not in command
    assert b"pac.example" not in command


async def test_it_may_use_up_little() -> None:
    limits: dict[str, str] = {}

    async def fetch(url: str, needed: bool) -> bytes:
        if url.endswith(".xsd"):
            (pid,) = readers()
            for line in of_process(pid, "limits").decode().splitlines()[1:]:
                limits[line[:26].strip()] = line[26:].split()[0]
        return await stored(url, needed)

    await read_in_process(IMPORTS, fetch)
    assert limits["Max cpu time"] in ("11", "12")  # with what starting it has used
    assert limits["Max core file size"] == "0"
    assert int(limits["Max address space"]) < 200 * MIB


def most_memory() -> int:
    """The most that the program has needed so far, in KiB; 0 where it isn't there or is being started."""
    found = 0
    for process in map(Path, (f"/proc/{pid}" for pid in readers())):
        with suppress(OSError, IndexError):  # it may be ending
            if wsdl_process._MODULE in (process / "cmdline").read_text():
                found = int((process / "status").read_text().partition("VmHWM:")[2].split()[0])
    return found


@pytest.mark.parametrize("types", HOSTILE.values(), ids=HOSTILE)
async def test_a_mebibyte_at_its_worst_takes_nothing_of_the_loop_and_little_memory(types: str) -> None:
    """It ends, one way or the other; the loop goes on meanwhile, and nobody grows."""
    document = twisted(types)[:MIB]
    gaps: list[float] = []
    memory = [0]

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - began)
            memory.append(most_memory())

    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    looking = asyncio.create_task(look())
    cpu = time.process_time()
    found = await read_in_process(URL, serves(document))
    cpu = time.process_time() - cpu
    looking.cancel()
    assert isinstance(found, Operations | Failure)
    assert cpu < 1.0, "of this process"
    assert max(gaps) < 1.0, "a machine that does other things is late, too"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - own < 16 * 1024
    assert 10 * 1024 < max(memory) < 110 * 1024
    assert readers() == []


async def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in the reader's place that uses the processor without end, after it has taken its limits."""
    program = (
        "import sys, resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass #{module}"
    )
    monkeypatch.setattr(wsdl_process, "_PROGRAM", program)
    found = await read_in_process(URL, serves(AXIS2))
    assert found in (
        unsent(Reason.INVALID, "reading the WSDL takes too long"),
        unsent(Reason.INVALID, "reading the WSDL failed: its process ended"),
    )


@pytest.mark.parametrize(
    "program", ["import os; os.abort() #{module}", "#{module}", "print('x' * 10**6) #{module}"]
)
async def test_a_reader_that_breaks_down_is_a_failure(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsdl_process, "_PROGRAM", program)
    found = await read_in_process(URL, serves(AXIS2))
    assert isinstance(found, Failure)
    assert (found.reason, found.sent) == (Reason.INVALID, False)
    assert readers() == []


async def test_where_no_process_can_be_started_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = await read_in_process(URL, serves(AXIS2))
    detail = "no process can be started to read the WSDL: No such file or directory"
    assert found == unsent(Reason.INVALID, detail)


async def test_the_daemon_s_own_process_does_not_import_zeep() -> None:
    """It would cost 13 MB for ever."""
    program = (
        "import sys, exporter.provider.solucion_factible.provider, json; print(json.dumps(list(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert {"zeep", "lxml"}.isdisjoint(json.loads(output))
