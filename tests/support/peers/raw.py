"""A server of bytes: it notes each request and then does what the test says. And a proxy of that kind."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import trustme

from exporter.config import Environment, TlsConfig
from exporter.provider.http.transport import Transport
from exporter.secret import Secret

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """A server of bytes: it notes each request and then does what the test says."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def environment(self, host: str = "127.0.0.1", scheme: str = "http") -> Environment:
        wsdl = f"{scheme}://{host}:{self.port}/ws?wsdl"
        return Environment("test", wsdl, False, 4, None, TlsConfig())


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve connections on a port, and leave neither a task nor a socket behind."""
    open_connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        open_connections[task] = writer
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            del open_connections[task]

    listener = await asyncio.start_server(connection, "127.0.0.1", 0, ssl=tls)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        for task, writer in open_connections.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)


@asynccontextmanager
async def serving(respond: Respond, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Serve requests, several on a connection, until ``respond`` closes it."""
    server = RawServer(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        while not writer.is_closing():
            server.requests.append(await read_request(reader))
            await respond(writer)

    async with listening(serve, tls) as server.port:
        yield server


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


async def post(transport: Transport, path: str, envelope: bytes, soap_action: str) -> tuple[int, bytes]:
    """Return an answer's status and body; where the status is 200 it must be whole."""
    answer = await transport.post(path, lambda: envelope, soap_action)
    if answer.cut and answer.status == 200:
        raise answer.cut
    return answer.status, answer.body


def answering(*pieces: bytes, close: bool = True) -> Respond:
    async def respond(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            writer.close()

    return respond


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port on which connections are neither accepted nor refused: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as first:
        first.connect(listener.getsockname())
        yield listener.getsockname()[1]


def server_tls(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = datetime.now(UTC) - timedelta(days=2)
    certificate = (
        authority.issue_cert(*names, not_before=past - timedelta(days=2), not_after=past)
        if expired
        else authority.issue_cert(*names)
    )
    certificate.configure_cert(context)
    return context


@asynccontextmanager
async def proxying(refusal: bytes = b"", login: str = "") -> AsyncIterator[RawServer]:
    """A proxy for one request a connection: it tunnels CONNECT and passes on the rest, or refuses all."""
    server = RawServer(0)
    wanted = b"Proxy-Authorization: Basic " + base64.b64encode(login.encode()) if login else b""
    unknown = http("407 Proxy Authentication Required", b"", "Proxy-Authenticate: Basic")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        server.requests.append(request)
        if refusal or wanted not in request:
            writer.write(refusal or unknown)
            return
        method, target, _ = request.split(b" ", 2)
        port = int(target.rsplit(b":", 1)[1].split(b"/")[0])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(request)
        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            far_writer.transport.abort()

    async with listening(serve) as server.port:
        yield server


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


def through(environment: Environment, proxy: RawServer, login: str = "") -> Environment:
    return replace(environment, proxy_url=Secret(f"http://{login}127.0.0.1:{proxy.port}"))
