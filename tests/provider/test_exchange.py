"""One request and its answer over real sockets: sent at most once, what is known of that, and its time."""

import asyncio
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
import trustme

from exporter.account.outcome import Reason
from exporter.config import TlsConfig
from exporter.provider.http.error import TransportError
from exporter.provider.http.transport import Transport
from exporter.secret import Secret
from tests.support.peers import eventually
from tests.support.peers.raw import (
    RawServer,
    answering,
    chunk,
    closed_port,
    deaf_port,
    http,
    listening,
    proxying,
    pump,
    read_request,
    server_tls,
    serving,
    through,
)

ENVELOPE = b"<password>s3cret</password>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"


def envelope() -> bytes:
    return ENVELOPE


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Serve a connection by saying nothing on it."""
    await reader.read()


class StaleError(Exception):
    """What a caller raises that must not send any more."""


class Envelope:
    """Counts how often it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        if self.error:
            raise self.error
        return ENVELOPE


# The envelope, last of all. -----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_without_a_connection_the_envelope_is_not_asked_for(scheme: str) -> None:
    asked = Envelope()
    refused = RawServer(closed_port()).environment(scheme=scheme)
    async with (
        listening(silent) as silent_port,
        proxying(http("403 Forbidden")) as proxy,
    ):
        mute = RawServer(silent_port).environment(scheme="https")
        behind = through(RawServer(443).environment("pac.example", "https"), proxy)
        for environment in (refused, mute, behind):
            async with Transport(environment) as transport:
                with pytest.raises(TransportError) as caught:
                    await transport.post("/ws", asked, "urn:x", 0.3)
            assert not caught.value.sent
    assert asked.calls == 0


async def test_whoever_must_not_send_any_more_sends_nothing_and_the_connection_is_kept() -> None:
    asked = Envelope(StaleError())
    async with (
        serving(answering(http("200 OK", b"<a/>"), close=False)) as server,
        Transport(server.environment()) as transport,
    ):
        for _ in range(3):
            with pytest.raises(StaleError):
                await transport.post("/ws", asked, "urn:x", 5.0)
        await asyncio.sleep(0.05)
        assert server.requests == []
        assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole
    assert (len(server.requests), server.connections, asked.calls) == (1, 1, 3)


def test_nothing_happens_between_the_envelope_and_the_first_byte() -> None:
    """No turn of the loop: what is due next there comes after the sending."""
    arrived: list[float] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            arrived.append(time.monotonic())
            connection.sendall(http("200 OK", b"<a/>"))

    async def ask(port: int) -> float:
        async with Transport(RawServer(port).environment()) as transport:
            asked: list[float] = []

            def blocking() -> bytes:
                asyncio.get_running_loop().call_soon(time.sleep, 0.5)
                asked.append(time.monotonic())
                return ENVELOPE

            await transport.post("/ws", blocking, "urn:x", 5.0)
            return asked[0]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        asked_at = asyncio.run(ask(listener.getsockname()[1]))
        server.join()
    assert arrived[0] - asked_at < 0.4


# What is known of the sending. --------------------------------------------------------------------------


async def test_time_that_is_up_before_there_is_a_connection_has_sent_nothing() -> None:
    with deaf_port() as port:
        async with Transport(RawServer(port).environment()) as transport:
            with pytest.raises(TransportError, match=r"^no connection within 0.2 s$") as caught:
                await transport.post("/ws", envelope, "urn:x", 0.2)
    assert (caught.value.reason, caught.value.sent) == (Reason.TIMEOUT, False)


async def test_time_that_is_up_before_an_answer_may_have_sent_all() -> None:
    async with serving(lambda _: asyncio.sleep(60)) as server, Transport(server.environment()) as transport:
        with pytest.raises(TransportError, match=r"^no complete answer within 0.2 s$") as caught:
            await transport.post("/ws", envelope, "urn:x", 0.2)
        assert (caught.value.reason, caught.value.sent) == (Reason.TIMEOUT, True)
        with pytest.raises(TransportError):
            await transport.post("/ws", envelope, "urn:x", 0.2)
        assert (len(server.requests), server.connections) == (2, 2)


CUT: dict[str, tuple[bytes, bytes]] = {
    "in its length": (LENGTH + b"<status>601</status>", b"<status>601</status>"),
    "between chunks": (CHUNKED + chunk(b"<status>601</status>"), b"<status>601</status>"),
    "in a chunk": (CHUNKED + b"99\r\n<status>601</status>", b"<status>601</status>"),
    "behind its head": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\n", b""),
}


@pytest.mark.parametrize(("data", "body"), CUT.values(), ids=CUT)
@pytest.mark.parametrize("end", ["closed", "reset", "late"])
async def test_of_an_answer_that_was_cut_short_what_came_is_there(data: bytes, body: bytes, end: str) -> None:
    """It may hold a refusal, which must count."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if end == "late":
            await asyncio.sleep(60)
        await asyncio.sleep(0.05)
        reset(writer) if end == "reset" else writer.close()

    async with serving(respond) as server, Transport(server.environment()) as transport:
        answer = await transport.post("/ws", envelope, "urn:x", 0.3 if end == "late" else 5.0)
    assert (answer.status, answer.body, answer.whole) == (int(data[9:12]), body, False)
    assert answer.cut
    assert (answer.cut.reason, answer.cut.sent) == (
        Reason.TIMEOUT if end == "late" else Reason.CONNECTION,
        True,
    )


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_an_answer_without_a_length_is_whole_only_where_its_end_was_said(end: str) -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(UNTIL_CLOSED + b"<a/>")
        await asyncio.sleep(0.05)
        reset(writer) if end == "reset" else writer.close()

    async with serving(respond) as server, Transport(server.environment()) as transport:
        answer = await transport.post("/ws", envelope, "urn:x", 5.0)
    assert (answer.body, answer.whole) == (b"<a/>", end == "closed")


@pytest.mark.parametrize("said", [True, False], ids=["said", "cut off"])
async def test_over_tls_only_tls_can_say_that_an_answer_has_ended(
    said: bool, authority: trustme.CA, ca_file: Path
) -> None:
    """Whoever is in between can end a TCP connection, and so shorten a number."""
    context = server_tls(authority, "localhost")

    def serve(listener: socket.socket) -> None:
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True) as connection:
            connection.recv(65_536)
            connection.sendall(UNTIL_CLOSED + b"<a>12")
            if said:
                connection.settimeout(5)
                connection.unwrap()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        environment = RawServer(listener.getsockname()[1]).environment("localhost", "https")
        async with Transport(replace(environment, tls=TlsConfig(ca_file))) as transport:
            answer = await transport.post("/ws", envelope, "urn:x", 5.0)
        await asyncio.to_thread(server.join)
    assert (answer.body, answer.whole) == (b"<a>12", said)


# When this process stood still. -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 200_000])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_an_answer_that_arrived_before_the_loop_could_look_counts(
    size: int, secure: bool, authority: trustme.CA, ca_file: Path
) -> None:
    context = server_tls(authority, "localhost") if secure else None
    answered = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            connection.recv(65_536)
            time.sleep(0.1)
            connection.sendall(http("200 OK", b"x" * size))
            answered.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        server_there = RawServer(listener.getsockname()[1])
        environment = server_there.environment("localhost", "https" if secure else "http")
        async with Transport(replace(environment, tls=TlsConfig(ca_file))) as transport:
            asyncio.get_running_loop().call_later(0.1, time.sleep, 0.8)
            answer = await transport.post("/ws", envelope, "urn:x", 0.4)
        answered.set()
        await asyncio.to_thread(server.join)
    assert (answer.whole, len(answer.body)) == (True, size)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_standing_still_between_a_look_at_the_sockets_and_one_at_the_clock_loses_no_answer(
    secure: bool, authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop looks at the sockets first. A process that is frozen right behind that finds its time up."""
    context = server_tls(authority, "localhost") if secure else None
    asked, go, over = threading.Event(), threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            connection.recv(65_536)
            asked.set()
            go.wait(10)
            connection.sendall(http("200 OK", b"<a/>"))
            over.wait(10)

    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    look = selector.select

    def frozen(_timeout: float | None) -> object:
        events = look(0.05)
        if not events and asked.is_set() and not go.is_set():
            go.set()
            time.sleep(1.0)
        return events

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        there = RawServer(listener.getsockname()[1])
        environment = there.environment("localhost", "https" if secure else "http")
        async with Transport(replace(environment, tls=TlsConfig(ca_file))) as transport:
            monkeypatch.setattr(selector, "select", frozen)
            answer = await transport.post("/ws", envelope, "urn:x", 0.8)
            monkeypatch.undo()
        over.set()
        await asyncio.to_thread(server.join)
    assert (answer.whole, answer.body) == (True, b"<a/>")


FROZEN = """\
import asyncio, sys
from exporter.config import Environment, TlsConfig
from exporter.provider.http.transport import Transport

async def main():
    url = f"http://127.0.0.1:{sys.argv[1]}/ws?wsdl"
    async with Transport(Environment("test", url, False, 4, None, TlsConfig())) as transport:
        answer = await transport.post("/ws", lambda: b"<a/>", "urn:x", 1.0)
        print(answer.whole, answer.body.decode())

asyncio.run(main())
"""


@pytest.mark.process
def test_a_process_that_was_frozen_takes_the_answer_that_came_meanwhile() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        command = [sys.executable, "-c", FROZEN, str(listener.getsockname()[1])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                process.send_signal(SIGSTOP)
                eventually(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T")
                connection.sendall(http("200 OK", b"<b/>"))
                time.sleep(1.5)
                process.send_signal(SIGCONT)
                output, _ = process.communicate(timeout=30)
    assert output == "True <b/>\n"


# Connections that may be used again, and those that may not. --------------------------------------------


NOT_AGAIN = {
    "closed by its headers": http("200 OK", b"<a/>", "Connection: close"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n<a/>",
    "trailers": CHUNKED + chunk(b"<a/>") + b"0\r\nX: y\r\n\r\n",
    "an empty line behind": http("200 OK", b"<a/>") + b"\r\n",
    "an answer behind": http("200 OK", b"<a/>") * 2,
    "an odd head": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n<a/>",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "compressed": http("200 OK", b"<a/>", "Content-Encoding: br"),
}


@pytest.mark.parametrize("answer", NOT_AGAIN.values(), ids=NOT_AGAIN)
async def test_after_any_doubt_a_connection_is_not_used_again(answer: bytes) -> None:
    ends: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        ends.append(await reader.read())

    async with listening(serve) as port, Transport(RawServer(port).environment()) as transport:
        for _ in range(2):
            await transport.post("/ws", envelope, "urn:x", 5.0)
            await asyncio.sleep(0)
        async with asyncio.timeout(2):
            while len(ends) < 2:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
    assert ends == [b"", b""], "closed, with nothing more sent"


LARGE = b"x" * 16 * 1024 * 1024  # more than all buffers between here and there


@pytest.mark.parametrize("end", ["kept", "closed", "reset"])
async def test_an_answer_that_comes_before_the_request_was_read_ends_the_connection(
    end: str,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http("413 Content Too Large", b"<a/>"))
        await asyncio.sleep(0.1)
        if end == "kept":
            await asyncio.sleep(60)
        reset(writer) if end == "reset" else writer.close()

    connections: list[asyncio.StreamWriter] = []
    async with listening(serve) as port, Transport(RawServer(port).environment()) as transport:
        for _ in range(2):
            answer = await transport.post("/ws", lambda: LARGE, "urn:x", 5.0)
            assert (answer.status, answer.body, answer.whole) == (413, b"<a/>", True)
    assert len(connections) == 2


async def test_a_server_that_hangs_up_while_the_request_is_written_has_perhaps_got_it() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    async with listening(serve) as port, Transport(RawServer(port).environment()) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.post("/ws", lambda: LARGE, "urn:x", 5.0)
    assert (caught.value.reason, caught.value.sent) == (Reason.CONNECTION, True)


async def slow_turns() -> None:
    """Give whoever is at the other end time in each turn of the loop."""
    while True:
        time.sleep(0.1)  # noqa: ASYNC251 - it blocks on purpose
        await asyncio.sleep(0)


@pytest.mark.parametrize("greeting", [b"220 mail.example ESMTP\r\n", http("200 OK", b"<other/>"), b""])
async def test_a_server_that_speaks_first_is_not_asked(greeting: bytes) -> None:
    """Nor one that hangs up at once. What it says is no answer to anything."""
    asked = Envelope()

    def greet(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_WR)
        greeted.wait(10)
        connection.close()

    greeted = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=greet, args=(listener,))
        server.start()
        async with Transport(RawServer(listener.getsockname()[1]).environment()) as transport:
            slow = asyncio.create_task(slow_turns())
            with pytest.raises(TransportError) as caught:
                await transport.post("/ws", asked, "urn:x", 5.0)
            slow.cancel()
        greeted.set()
        await asyncio.to_thread(server.join)
    assert (caught.value.sent, asked.calls) == (False, 0)


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[RawServer, list[float]]]:
    """A server that answers well and notes how long each connection lasted."""
    lasted: list[float] = []
    server = RawServer(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        began = time.monotonic()
        try:
            while True:
                server.requests.append(await read_request(reader))
                writer.write(http("200 OK", b"<a/>"))
        except asyncio.IncompleteReadError:
            lasted.append(time.monotonic() - began)

    async with listening(serve) as server.port:
        yield server, lasted


async def test_an_idle_connection_closes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.provider.http.pool.KEPT", 0.2)
    async with watched() as (server, lasted), Transport(server.environment()) as transport:
        await asyncio.gather(*(transport.post("/ws", envelope, "urn:x", 5.0) for _ in range(3)))
        await asyncio.sleep(0.1)
        assert lasted == []
        async with asyncio.timeout(2):
            while len(lasted) < 3:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)


async def test_a_connection_that_is_always_in_use_has_a_greatest_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's name may have another address by then, while the old one goes on answering."""
    monkeypatch.setattr("exporter.provider.http.connection.MAX_AGE", 0.3)
    async with watched() as (server, lasted), Transport(server.environment()) as transport:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            await transport.post("/ws", envelope, "urn:x", 5.0)
        await asyncio.sleep(0.4)
    assert server.connections >= 3
    assert len(lasted) == server.connections, "the last one too, by itself"


# Names, addresses, proxies. -----------------------------------------------------------------------------


async def test_an_address_that_does_not_answer_costs_a_moment_and_gets_no_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with deaf_port() as deaf:
        async with serving(answering(http("200 OK", b"<a/>"), close=False)) as server:
            lookups: list[str] = []

            def look_up(host: str, _port: int, **_: object) -> list[tuple[object, ...]]:
                lookups.append(host)
                return [
                    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
                    for port in (deaf, server.port)
                ]

            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            async with Transport(server.environment("pac.example")) as transport:
                began = time.monotonic()
                answers = await asyncio.gather(
                    *(transport.post("/ws", envelope, "urn:x", 5.0) for _ in range(5))
                )
                assert time.monotonic() - began < 3
            assert all(answer.whole for answer in answers)
    assert lookups == ["pac.example"], "once for all who wait"
    assert (len(server.requests), server.connections) == (5, 5)


async def test_a_lookup_that_hangs_holds_up_neither_the_time_limit_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(20) and [])
    async with asyncio.timeout(2):
        async with Transport(RawServer(80).environment("pac.example")) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.post("/ws", envelope, "urn:x", 0.1)
            assert (caught.value.reason, caught.value.sent) == (Reason.TIMEOUT, False)
            call = asyncio.create_task(transport.post("/ws", envelope, "urn:x", 20.0))
            await asyncio.sleep(0.05)
        with pytest.raises(TransportError) as caught:
            await call
        assert (caught.value.reason, caught.value.sent) == (Reason.CONNECTION, False)
    ended.set()


TUNNELS = {
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n", None),
    "said to close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n", None),
    "something behind": (b"HTTP/1.1 200 OK\r\n\r\n\x16", Reason.CONNECTION),
    "no HTTP": (b"\x05\x00", Reason.INVALID),
    "cut": (b"HTTP/1.1 2", Reason.CONNECTION),
    "a login wanted": (http("407 X", b"<html/>"), Reason.HTTP),
}


@pytest.mark.parametrize(("said", "reason"), TUNNELS.values(), ids=TUNNELS)
async def test_a_tunnel_is_there_once_the_proxy_has_said_so_and_nothing_else(
    said: bytes, reason: Reason | None, authority: trustme.CA, ca_file: Path
) -> None:
    async with serving(answering(http("200 OK", b"<a/>")), server_tls(authority, "127.0.0.1")) as server:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(said)
            if reason:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
            try:
                await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
            finally:
                far_writer.transport.abort()

        async with listening(serve) as port:
            environment = replace(server.environment(scheme="https"), tls=TlsConfig(ca_file))
            async with Transport(through(environment, RawServer(port))) as transport:
                if reason is None:
                    assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole
                    return
                with pytest.raises(TransportError) as caught:
                    await transport.post("/ws", envelope, "urn:x", 5.0)
    assert (caught.value.reason, caught.value.sent) == (reason, False)
    assert server.requests == []


# Trust. -------------------------------------------------------------------------------------------------


async def test_an_intermediate_authority_may_be_trusted_alone(tmp_path: Path) -> None:
    root = trustme.CA()
    intermediate = root.create_child_ca()
    intermediate.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with serving(answering(http("200 OK", b"<a/>")), server_tls(intermediate, "localhost")) as server:
        environment = server.environment("localhost", "https")
        async with Transport(replace(environment, tls=TlsConfig(tmp_path / "ca.pem"))) as transport:
            assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole


async def test_renewed_trust_holds_for_every_request_from_then_on(
    authority: trustme.CA, ca_file: Path
) -> None:
    answer = answering(http("200 OK", b"<a/>"), close=False)
    async with serving(answer, server_tls(authority, "localhost")) as server:
        environment = replace(server.environment("localhost", "https"), tls=TlsConfig(ca_file))
        async with Transport(environment) as transport:
            await transport.post("/ws", envelope, "urn:x", 5.0)
            trustme.CA().cert_pem.write_to_path(ca_file)
            assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole
            transport.renew()
            with pytest.raises(TransportError) as caught:
                await transport.post("/ws", envelope, "urn:x", 5.0)
            assert (caught.value.reason, caught.value.sent) == (Reason.TLS, False)
            authority.cert_pem.write_to_path(ca_file)
            transport.renew()
            assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole
            await asyncio.to_thread(ca_file.unlink)
            with pytest.raises(OSError, match="No such file"):
                transport.renew()
            assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole
    assert (len(server.requests), server.connections) == (4, 2)


async def test_a_call_under_way_when_trust_is_renewed_ends_and_so_does_its_connection(
    authority: trustme.CA, ca_file: Path
) -> None:
    go = asyncio.Event()

    async def respond(writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(http("200 OK", b"<a/>"))

    async with serving(respond, server_tls(authority, "localhost")) as server:
        environment = replace(server.environment("localhost", "https"), tls=TlsConfig(ca_file))
        async with Transport(environment) as transport:
            call = asyncio.create_task(transport.post("/ws", envelope, "urn:x", 5.0))
            while not server.requests:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
            transport.renew()
            go.set()
            assert (await call).whole
            assert (await transport.post("/ws", envelope, "urn:x", 5.0)).whole
    assert (len(server.requests), server.connections) == (2, 2)


def test_a_proxy_s_login_shows_nowhere() -> None:
    from exporter.provider.http.proxy import Proxy

    proxy = Proxy(Secret("http://me:s3cret@proxy.example:3128"))
    assert "s3cret" not in repr((proxy, vars(proxy)))
    assert proxy.headers() == {"Proxy-Authorization": "Basic bWU6czNjcmV0"}
