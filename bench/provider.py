"""The provider's place in the benchmark: the simulator's WSDL and answers, with nothing of its work.

    python -m bench.provider --port 8099 --latency 0.3

It reads no XML and checks no login, and each answer goes out in one write: the caller is what is measured.
Its figures change: stamps are used and bought as answers go out.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.process import Program, ProgramError, fetched
from exporter.simulator.answers import Answer
from exporter.simulator.life import Balance
from exporter.simulator.soap import SOAP11, Call, write_answer
from exporter.simulator.wsdl import SERVICE_PATH, wsdl_text

CONTRACTED = 1_000_000
ANSWERS_A_STAMP = 1000
"""Answers until stamps are used and bought: when an account is asked again all its figures have changed."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Service:
    """What all connections share: the answers' count, and whether answers are held back."""

    def __init__(self, port: int, latency: float) -> None:
        self.latency = latency
        self.answered = 0
        self.held: list[Callable[[], None]] | None = None
        # The simulator's addresses name a host inside the provider's network, as Axis2 does behind a proxy.
        # The exporter takes only their path; a plain zeep client follows them.
        text = re.sub(r"https?://axis-node1\.internal:\d+", f"http://127.0.0.1:{port}", wsdl_text())
        self._wsdl = _http(text.encode())
        self._answer = b""

    def answer(self) -> bytes:
        """Return the next answer to a call."""
        if self.answered % ANSWERS_A_STAMP == 0:
            used = self.answered // ANSWERS_A_STAMP
            balance = Balance(CONTRACTED + 2 * used, used)
            self._answer = _http(write_answer(Answer(200, balance), Call("", "", None), SOAP11))
        self.answered += 1
        return self._answer

    def page(self, path: bytes) -> bytes:
        """Return what a GET is answered with: the WSDL, or what the benchmark asks for."""
        if path == b"/hold":
            self.held = []
        elif path == b"/release":
            held, self.held = self.held or [], None
            for send in held:
                send()
        elif path != b"/answered":
            return self._wsdl
        return _http(b"%d" % self.answered)


class Connection(asyncio.Protocol):
    """One caller's connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where the answers go."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server's always is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            self._serve(head)

    def _serve(self, head: bytes) -> None:
        close = _CLOSE.search(head) is not None
        if head.startswith(b"GET"):
            self._send(self._service.page(head.split(b" ", 2)[1]), close=close)
        elif self._service.held is not None:
            self._service.held.append(lambda: self._answer(close=close))
        elif self._service.latency:
            asyncio.get_running_loop().call_later(self._service.latency, lambda: self._answer(close=close))
        else:
            self._answer(close=close)

    def _answer(self, *, close: bool) -> None:
        if not self._transport.is_closing():
            self._send(self._service.answer(), close=close)

    def _send(self, answer: bytes, *, close: bool) -> None:
        self._transport.write(answer)
        if close:
            self._transport.close()


def _http(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    return head + body


class Provider(Program):
    """The provider as a process of its own."""

    ready_path = "/answered"

    def __init__(self, *, latency: float = 0.0) -> None:
        super().__init__()
        self._latency = latency
        self.wsdl = f"http://127.0.0.1:{self.port}{SERVICE_PATH}?wsdl"

    def command(self, directory: Path) -> Sequence[str]:
        """It needs no files."""
        del directory
        return [sys.executable, "-m", "bench.provider", f"--port={self.port}", f"--latency={self._latency}"]

    def answered(self) -> int:
        """How many calls it has answered."""
        return int(fetched(self.port, "/answered"))

    def await_answers(self, answers: int, seconds: float = 300.0) -> None:
        """Wait until it has answered so many calls since its start."""
        deadline = time.monotonic() + seconds
        while self.answered() < answers:
            if time.monotonic() > deadline:
                raise ProgramError(f"only {self.answered()} of {answers} calls came within {seconds:g} s")
            time.sleep(0.05)

    def hold(self) -> None:
        """Answer no calls from now on: callers wait, and use no CPU."""
        fetched(self.port, "/hold")

    def release(self) -> None:
        """Answer those that wait, and all others again."""
        fetched(self.port, "/release")


async def serve(port: int, latency: float) -> None:
    """Serve until the process is ended."""
    service = Service(port, latency)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(service), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.latency))
