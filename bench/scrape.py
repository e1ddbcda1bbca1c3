"""A scrape, timed from the request to the answer's last byte, over one kept connection as Prometheus does."""

import re
import select
import socket
import time
from typing import Final, Literal, Self

from bench.process import START_SECONDS, ProgramError

Coding = Literal["plain", "gzip"]
CODINGS: Final[tuple[Coding, ...]] = ("plain", "gzip")

PROMETHEUS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\nTransfer-Encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Scraper:
    """A client that reads as fast as it can and keeps nothing, so that the server is what is measured."""

    def __init__(self, port: int, coding: Coding, *, path: str = "/metrics") -> None:
        self._address = ("127.0.0.1", port)
        accepted = "Accept-Encoding: gzip\r\n" if coding == "gzip" else ""
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: {PROMETHEUS}\r\n{accepted}\r\n".encode()
        )
        self._buffer = memoryview(bytearray(1 << 20))
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def seconds(self) -> float:
        """Scrape once; return how long it took. A connection that the server has closed is made anew."""
        if self._socket and select.select([self._socket], [], [], 0)[0]:
            self.close()  # readable without a request: it was idle for too long
        start = time.perf_counter()
        connection = self._socket or socket.create_connection(self._address, START_SECONDS)
        self._socket = connection
        connection.sendall(self._request)
        if not self._read(connection):
            self.close()
        return time.perf_counter() - start

    def milliseconds(self) -> float:
        """Scrape once; return how long it took."""
        return self.seconds() * 1000

    def _read(self, connection: socket.socket) -> bool:
        """Read an answer to its end; tell whether the connection can be used again."""
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._part(connection)
        head, body = received[:end], received[end + 4 :]
        if head.split(b" ", 2)[1] != b"200":
            raise ProgramError(f"a scrape was answered with {head[:40]!r}")
        if length := _LENGTH.search(head):
            left = int(length[1]) - len(body)
            while left > 0:
                left -= self._received(connection)
        elif _CHUNKED.search(head):
            tail = body[-len(_LAST_CHUNK) :]
            while not tail.endswith(_LAST_CHUNK):
                count = self._received(connection)
                tail = (tail + bytes(self._buffer[max(0, count - len(_LAST_CHUNK)) : count]))[
                    -len(_LAST_CHUNK) :
                ]
        else:
            while connection.recv_into(self._buffer):
                pass
            return False
        return head.startswith(b"HTTP/1.1")

    def _part(self, connection: socket.socket) -> bytes:
        return bytes(self._buffer[: self._received(connection)])

    def _received(self, connection: socket.socket) -> int:
        count = connection.recv_into(self._buffer)
        if not count:
            raise ProgramError("the connection was closed before the answer was complete")
        return count
