"""What puts a daemon under pressure: clients that don't read or never pause, a provider at its worst."""

import asyncio
import gzip
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.envelopes import envelope, fields
from tests.support.peers import Daemon, eventually
from tests.support.peers.http import request
from tests.support.peers.loop import LoopThread
from tests.support.places import DATA
from tests.support.wsdls import HOSTILE, MIB, twisted

MEMORY = "process_resident_memory_bytes"


# Clients. -------------------------------------------------------------------------------------------------


@contextmanager
def connected(address: str, number: int, sent: bytes = b"", tls: SSLContext | None = None) -> Iterator[None]:
    """So many clients that send something and then neither read nor write."""
    host, port = address.split(":")
    with ExitStack() as clients:
        for _ in range(number):
            client = socket.socket()
            clients.callback(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with suppress(OSError):  # it may be dropped already
                client.connect((host, int(port)))
                if tls:
                    client = clients.enter_context(tls.wrap_socket(client, server_hostname=host))
                client.sendall(sent)
        yield


@contextmanager
def asking(address: str, path: str, number: int, tls: SSLContext | None) -> Iterator[list[int]]:
    """So many clients that ask for a page again and again, each without pause; yields all statuses."""
    stop, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(request(address, path, tls=tls).status)

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# A provider. ----------------------------------------------------------------------------------------------


class WorstProvider:
    """Refuses every account at `/refuses`, answers with 1 MiB bit by bit at `/floods`, has the worst WSDLs.

    `calls` counts the logins of each. It runs in a thread.
    """

    def __init__(self) -> None:
        self.calls = {"refuses": 0, "floods": 0}
        self.wsdls = 0  # of the worst ones that were fetched
        app = web.Application()
        app.router.add_get("/{kind}", self._wsdl)
        app.router.add_post("/{kind}/", self._answer)
        self._server = TestServer(app)

    @contextmanager
    def running(self) -> Iterator[None]:
        with LoopThread("worst provider") as loop:
            loop.run(self._server.start_server())
            try:
                yield
            finally:
                loop.run(self._server.close())

    def wsdl(self, kind: str) -> str:
        return str(self._server.make_url(f"/{kind}?wsdl"))

    @property
    def worst(self) -> list[str]:
        """Addresses of WSDLs of up to 1 MiB, each bad in another way."""
        return [self.wsdl(f"worst-{number}") for number in range(len(HOSTILE))]

    async def _wsdl(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        if kind.startswith("worst-"):
            self.wsdls += 1
            types = list(HOSTILE.values())[int(kind.partition("-")[2])]
            return web.Response(text=twisted(types)[:MIB], content_type="text/xml")
        text = (DATA / "wsdl" / "http-only.wsdl").read_text()
        return web.Response(
            text=text.replace("/ws/services/Utilerias.Http11/", f"/{kind}/"), content_type="text/xml"
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        kind = request.match_info["kind"]
        self.calls[kind] += 1
        if kind == "refuses":
            return web.Response(body=envelope(fields(status=602)), content_type="text/xml")
        good = envelope(fields(status=200, disponibles=5))
        answer = web.StreamResponse(headers={"Content-Type": "text/xml", "Content-Length": str(MIB)})
        await answer.prepare(request)
        with suppress(ConnectionError):
            for place in range(16):
                piece = b" " * (MIB // 16 - (len(good) if place == 15 else 0))
                await answer.write(piece + (good if place == 15 else b""))
                await asyncio.sleep(0.3)
        return answer


# Who bears it. --------------------------------------------------------------------------------------------


@dataclass
class Busy:
    """A daemon that polls many accounts all the time."""

    exporter: Daemon
    tls: SSLContext | None

    def ask(self) -> tuple[float, float]:
        """Polls so far, and bytes of memory now."""
        headers = {"Accept-Encoding": "gzip"}

        def answered() -> bytes | None:
            # While others have all the places, as those who don't read do for some seconds, it is 503.
            answer = request(self.exporter.address, "/metrics", headers, tls=self.tls)
            return gzip.decompress(answer.body) if answer.status == 200 else None

        text = eventually(answered, 30)
        polls, memory = (
            sum(float(value) for value in re.findall(rb"(?m)^%s(?:{[^}]*})? (\S+)$" % name, text))
            for name in (rb"cfdi_poll_duration_seconds_count", MEMORY.encode())
        )
        return polls, memory

    def pace(self, seconds: float) -> float:
        """Polls a second."""
        before, begun = self.ask()[0], time.monotonic()
        time.sleep(seconds)
        return (self.ask()[0] - before) / (time.monotonic() - begun)

    @property
    def peak(self) -> float:
        """The most bytes of memory that it has had."""
        status = Path(f"/proc/{self.exporter.pid}/status").read_text()
        return float(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
