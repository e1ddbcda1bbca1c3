"""A provider that does harm: raw sockets on loopback, one misbehaviour for each username or path.

What it can do is in `tests/support/peers/misbehaviour.py`. It writes down every byte that it is sent, and so
does the other host beside it, to which nothing may ever be sent.
"""

import asyncio
import contextlib
import re
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET

from tests.support.peers.loop import LoopThread

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"
PATH = "/ws/services/Utilerias"
NAMESPACE = "urn:hostile:utilerias"
LONGEST_SECONDS = 30.0  # of one misbehaviour: it ends by itself where nobody hangs up

Respond = Callable[["Call"], Awaitable[None]]


@dataclass
class Connection:
    """One accepted connection and all bytes that came on it. Times are Unix time."""

    listener: str
    opened: float
    received: bytearray = field(default_factory=bytearray)


@dataclass
class Call:
    """One request, and the means to do something about it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    other: str  # http:// and the address of the other host
    at: float
    path: str
    request: bytes
    username: str = ""
    password: str = ""

    async def send(self, data: bytes) -> None:
        """Send and wait until the peer reads. Raises OSError once it has hung up."""
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # a drain that needn't wait doesn't let others run

    def close(self) -> None:
        """Hang up after what was sent."""
        self.writer.close()

    def reset(self) -> None:
        """Hang up with a RST."""
        self.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class HostileProvider:
    """Listeners in a thread of their own.

    `calls` are the requests by username, those without one (of a WSDL) by path. A path that is not in
    `documents` is answered with a correct WSDL.
    """

    def __init__(
        self, accounts: Mapping[str, Respond], documents: Mapping[str, Respond] | None = None
    ) -> None:
        self.connections: list[Connection] = []
        self.calls: dict[str, list[Call]] = {}
        self._accounts = accounts
        self._documents = documents or {}
        self._ports: dict[str, int] = {}
        self._loop = LoopThread("hostile provider")
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self.listen("http")
        self.listen("other", host=OTHER_HOST)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop.run(self._stop())
        finally:
            self._loop.__exit__(kind, error, trace)

    def listen(
        self, name: str, tls: ssl.SSLContext | None = None, host: str = HOST, greet: Respond | None = None
    ) -> None:
        """Open one more listener; `greet` gets each connection at its first bytes, whatever they are."""
        self._loop.run(self._listen(name, tls, host, greet))

    def address(self, listener: str = "http") -> str:
        """`host:port` of a listener."""
        return f"{OTHER_HOST if listener == 'other' else HOST}:{self._ports[listener]}"

    def wsdl(self, listener: str = "http", path: str = PATH, scheme: str = "http") -> str:
        """The address of the WSDL, as it is configured."""
        return f"{scheme}://{self.address(listener)}{path}?wsdl"

    def received(self, *listeners: str) -> bytes:
        """All that came in at these listeners."""
        return b"\n".join(bytes(one.received) for one in self.connections if one.listener in listeners)

    async def _listen(self, name: str, tls: ssl.SSLContext | None, host: str, greet: Respond | None) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._connection(name, reader, writer, greet)

        server = await asyncio.start_server(serve, host, 0, ssl=tls)
        self._servers.append(server)
        self._ports[name] = server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for task, writer in self._tasks.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    async def _connection(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greet: Respond | None
    ) -> None:
        connection = Connection(name, time.time())
        self.connections.append(connection)
        task = asyncio.current_task()
        assert task
        self._tasks[task] = writer
        try:
            if greet:
                await self._greet(connection, reader, writer, greet)
            while not greet and not writer.is_closing():
                await self._answer(await self._read_call(connection, reader, writer))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the peer hung up, a misbehaviour took too long, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._tasks[task]

    async def _greet(
        self,
        connection: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        greet: Respond,
    ) -> None:
        connection.received += await reader.read(65_536)
        call = Call(reader, writer, self._other(), time.time(), "", bytes(connection.received))
        async with asyncio.timeout(LONGEST_SECONDS):
            await greet(call)

    async def _read_call(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Call:
        head = await reader.readuntil(b"\r\n\r\n")
        connection.received += head
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        connection.received += body
        path = head.split(b" ", 2)[1].decode()
        call = Call(reader, writer, self._other(), time.time(), path, head + body)
        if head.startswith(b"POST "):
            call.username, call.password = _credential(body)
        self.calls.setdefault(call.username or path.partition("?")[0], []).append(call)
        return call

    async def _answer(self, call: Call) -> None:
        if call.username:
            respond = self._accounts[call.username]
        else:
            respond = self._documents.get(call.path.partition("?")[0], describe)
        async with asyncio.timeout(LONGEST_SECONDS):
            await respond(call)

    def _other(self) -> str:
        return f"http://{self.address('other')}"


def _credential(body: bytes) -> tuple[str, str]:
    """The username and the password of an envelope, as a SOAP service reads them."""
    found = {
        element.tag.rpartition("}")[2]: element.text or ""
        for element in ET.fromstring(body).iter()  # noqa: S314 - it is the exporter's
    }
    return found["usuario"], found["password"]


async def describe(call: Call) -> None:
    """Answer with a correct WSDL, and keep the connection."""
    await call.send(http("200 OK", wsdl(call.other), keep=True))


def http(status: str, body: bytes, *headers: str, keep: bool = False) -> bytes:
    """A complete answer: `status` is the code and the phrase; `keep` is said of the connection."""
    connection = "keep-alive" if keep else "close"
    head = "\r\n".join(
        [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Connection: {connection}", *headers]
    )
    return head.encode() + b"\r\n\r\n" + body


def wsdl(location: str, extra: str = "", types: str = "", fields: str = "") -> bytes:
    """A correct WSDL whose address, which may be on any host, has the path `PATH`.

    `extra` stands before everything else, `types` beside the request's type, `fields` in it.
    """
    request = f"""\
<xs:complexType><xs:sequence><xs:element name="usuario" type="xs:string"/>
<xs:element name="password" type="xs:string"/>{fields}</xs:sequence></xs:complexType>"""
    text = f"""\
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{NAMESPACE}" targetNamespace="{NAMESPACE}">
{extra}
<w:types><xs:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">
{types}
<xs:element name="getTimbresImplementacion">{request}</xs:element>
<xs:element name="getTimbresImplementacionResponse"/>
</xs:schema></w:types>
<w:message name="in"><w:part name="parameters" element="t:getTimbresImplementacion"/></w:message>
<w:message name="out"><w:part name="parameters" element="t:getTimbresImplementacionResponse"/></w:message>
<w:portType name="type"><w:operation name="getTimbresImplementacion">
<w:input message="t:in"/><w:output message="t:out"/></w:operation></w:portType>
<w:binding name="binding" type="t:type">
<s:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>
<w:operation name="getTimbresImplementacion"><s:operation soapAction="urn:getTimbresImplementacion"/>
<w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>
</w:binding>
<w:service name="Utilerias"><w:port name="plain" binding="t:binding">
<s:address location="{location}{PATH}"/></w:port></w:service>
</w:definitions>"""
    return text.encode()
