"""The way out, against real servers on loopback: good ones, broken ones, hostile ones and proxies."""

import asyncio
import gzip
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from exporter import __version__
from exporter.account.outcome import Reason
from exporter.config import TlsConfig
from exporter.provider.http.error import TransportError
from exporter.provider.http.pool import KEPT
from exporter.provider.http.response import MAX_BODY
from exporter.provider.http.tls import tls_context
from exporter.provider.http.transport import Transport
from tests.support.peers.raw import (
    RawServer,
    answering,
    chunk,
    closed_port,
    http,
    listening,
    post,
    proxying,
    server_tls,
    serving,
    through,
)

SECRET = b"<password>s3cret</password>"
CUT = "the connection was lost before the answer was complete"
TOO_LARGE = "the answer is larger than 1 MiB"
COMPRESSED = "the answer is compressed, which was not asked for"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERED: list[tuple[str, bytes, int, bytes]] = [
    ("content length", http("200 OK", b"<a/>"), 200, b"<a/>"),
    ("chunked", CHUNKED + chunk(b"<a") + chunk(b"/>") + b"0\r\n\r\n", 200, b"<a/>"),
    ("until the connection is closed", b"HTTP/1.1 200 OK\r\n\r\n<a/>", 200, b"<a/>"),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\n<a/>", 200, b"<a/>"),
    ("encoded as identity", http("200 OK", b"<a/>", "Content-Encoding: identity"), 200, b"<a/>"),
    ("of the greatest size", http("200 OK", b"x" * MAX_BODY), 200, b"x" * MAX_BODY),
    ("empty", http("200 OK"), 200, b""),
    ("500 with a fault", http("500 Internal Server Error", b"<f/>"), 500, b"<f/>"),
    ("100 before", b"HTTP/1.1 100 Continue\r\n\r\n" + http("200 OK", b"<a/>"), 200, b"<a/>"),
]


@pytest.mark.parametrize(
    ("answer", "status", "body"), [case[1:] for case in ANSWERED], ids=[case[0] for case in ANSWERED]
)
async def test_a_complete_answer_comes_whole_and_so_does_a_fault(
    answer: bytes, status: int, body: bytes
) -> None:
    async with serving(answering(answer)) as server, Transport(server.environment()) as transport:
        assert await post(transport, "/ws", SECRET, "urn:x") == (status, body)
    assert len(server.requests) == 1


NOT_HTTP = r"the answer is not valid HTTP \(\w+\)"
BROKEN: list[tuple[str, list[bytes], Reason, str]] = [
    ("closed without an answer", [], Reason.CONNECTION, CUT),
    ("cut in the headers", [b"HTTP/1.1 200 OK\r\nContent-"], Reason.CONNECTION, CUT),
    (
        "shorter than its length",
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<a/>"],
        Reason.CONNECTION,
        CUT,
    ),
    ("cut in a chunk", [CHUNKED, b"99\r\n<a"], Reason.CONNECTION, CUT),
    ("cut between chunks", [CHUNKED, chunk(b"<a/>")], Reason.CONNECTION, CUT),
    ("junk", [b"\x16\x03\x01 I am not HTTP\r\n\r\n"], Reason.INVALID, NOT_HTTP),
    ("a mail server", [b"220 mail.example ESMTP\r\n"], Reason.INVALID, NOT_HTTP),
    ("a length that is none", [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"], Reason.INVALID, NOT_HTTP),
    (
        "two lengths",
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
        Reason.INVALID,
        NOT_HTTP,
    ),
    (
        "a header without end",
        [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"],
        Reason.INVALID,
        NOT_HTTP,
    ),
    (
        "too large by its length",
        [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % (MAX_BODY + 1)],
        Reason.INVALID,
        TOO_LARGE,
    ),
    ("too large in chunks", [CHUNKED, *[chunk(b"x" * 65_536)] * 17], Reason.INVALID, TOO_LARGE),
    (
        "too large without a length",
        [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 17],
        Reason.INVALID,
        TOO_LARGE,
    ),
    (
        "compressed",
        [http("200 OK", gzip.compress(b"<a/>"), "Content-Encoding: gzip")],
        Reason.INVALID,
        COMPRESSED,
    ),
    ("deflated", [http("200 OK", b"x", "Content-Encoding: deflate")], Reason.INVALID, COMPRESSED),
    (
        "compressed twice",
        [http("200 OK", b"x", "Content-Encoding: identity, gzip")],
        Reason.INVALID,
        COMPRESSED,
    ),
]


@pytest.mark.parametrize(
    ("pieces", "reason", "detail"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
async def test_an_answer_that_breaks_off_or_is_no_answer_has_a_reason(
    pieces: list[bytes], reason: Reason, detail: str
) -> None:
    """The credential was sent by then, and it is sent only once."""
    async with serving(answering(*pieces)) as server, Transport(server.environment()) as transport:
        with pytest.raises(TransportError, match=rf"^{detail}$") as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert (caught.value.reason, caught.value.detail) == (reason, str(caught.value))
    assert caught.value.sent
    assert len(server.requests) == 1


ERROR_PAGES = [
    ("empty", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("asking for a login", http("401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="x"')),
    ("text", http("404 Not Found", b"no")),
    ("HTML", http("502 Bad Gateway", b"<html/>")),
    ("compressed", http("502 Bad Gateway", gzip.compress(b"<html/>"), "Content-Encoding: gzip")),
    ("large", http("503 Service Unavailable", b"x" * (MAX_BODY + 1))),
]


@pytest.mark.parametrize("page", [case[1] for case in ERROR_PAGES], ids=[case[0] for case in ERROR_PAGES])
async def test_a_status_other_than_200_counts_as_that_however_its_page_comes(page: bytes) -> None:
    """The contract: reason ``http`` is a status other than 200, and of such a page nothing is needed."""
    async with serving(answering(page)) as server, Transport(server.environment()) as transport:
        status, _ = await post(transport, "/ws", SECRET, "urn:x")
    assert status == int(page.split()[1])


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_refused_port_is_no_connection_and_nothing_was_sent(scheme: str) -> None:
    environment = RawServer(closed_port()).environment(scheme=scheme)
    async with Transport(environment) as transport:
        with pytest.raises(TransportError) as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert caught.value.reason is Reason.CONNECTION
    assert caught.value.detail.startswith("no connection: ")
    assert not caught.value.sent


async def test_a_host_that_does_not_exist_is_no_connection() -> None:
    async with Transport(RawServer(80).environment("nowhere.invalid")) as transport:
        with pytest.raises(TransportError, match=r"^no connection: ") as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert (caught.value.reason, caught.value.sent) == (Reason.CONNECTION, False)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_no_redirect_is_followed(status: str) -> None:
    """307 and 308 would post the password again, wherever they point to."""
    async with serving(answering(http("200 OK", b"<a/>"))) as other:
        location = f"Location: http://127.0.0.1:{other.port}/ws"
        async with (
            serving(answering(http(status, b"", location))) as server,
            Transport(server.environment()) as transport,
        ):
            assert (await post(transport, "/ws", SECRET, "urn:x"))[0] == int(status[:3])
            with pytest.raises(TransportError, match=rf"^HTTP status {status[:3]}$") as caught:
                await transport.get(server.environment().wsdl)
    assert caught.value.reason is Reason.HTTP
    assert (other.connections, len(server.requests)) == (0, 2)


async def test_a_drip_ends_with_the_caller_s_time_limit_and_its_connection_with_it() -> None:
    """The transport sets no limit of its own; a caller's TimeoutError passes through unchanged."""
    gone = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        try:
            while not writer.is_closing():
                writer.write(chunk(b"x"))
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    async with serving(drip) as server, Transport(server.environment()) as transport:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await post(transport, "/ws", SECRET, "urn:x")
        async with asyncio.timeout(5):
            await gone.wait()


async def test_the_request_byte_for_byte() -> None:
    async with (
        serving(answering(http("200 OK", b"<a/>"))) as server,
        Transport(server.environment("localhost")) as transport,
    ):
        await post(transport, "/ws/Utilerias.Http11/", "<contraseña/>".encode(), "urn:getTimbres")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /ws/Utilerias.Http11/ HTTP/1.1"
    assert sorted(headers, key=str.casefold) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Content-Length: 14",
        "Content-Type: text/xml; charset=utf-8",
        f"Host: localhost:{server.port}",
        'SOAPAction: "urn:getTimbres"',
        f"User-Agent: cfdi-stamps-exporter/{__version__}",
    ]
    assert body == "<contraseña/>".encode()


async def test_a_connection_is_kept_and_no_cookie() -> None:
    answer = answering(http("200 OK", b"<a/>", "Set-Cookie: session=1"), close=False)
    async with serving(answer) as server, Transport(server.environment()) as transport:
        for _ in range(5):
            await post(transport, "/ws", SECRET, "urn:x")
    assert (len(server.requests), server.connections) == (5, 1)
    assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize(
    "unasked",
    [
        http("200 OK", b"<another/>"),
        http("200 OK", b"<another/>") * 50,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n<another>",
        b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"junk",
        b"",
    ],
    ids=["an answer", "many", "part of one", "a time-out", "junk", "its end"],
)
@pytest.mark.parametrize("seen", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_what_comes_unasked_is_not_the_next_answer(
    unasked: bytes, seen: bool, secure: bool, authority: trustme.CA, ca_file: Path
) -> None:
    """It may be for another account. Also where the loop had no time to read it yet."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        number = len(server.requests)
        await answering(http("200 OK", b"<a>%d</a>" % number), close=False)(writer)
        if number == 1:
            waiting.set_result(writer)

    waiting: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    tls = server_tls(authority, "localhost") if secure else None
    async with serving(respond, tls) as server:
        environment = server.environment("localhost", "https" if secure else "http")
        async with Transport(replace(environment, tls=TlsConfig(ca_file))) as transport:
            assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a>1</a>")
            writer = await waiting
            writer.write(unasked)
            if not unasked:
                writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
            if seen:
                await asyncio.sleep(0.1)
            assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a>2</a>")
            assert (len(server.requests), server.connections) == (2, 2)


async def test_what_comes_unasked_without_end_closes_the_connection() -> None:
    """Nothing of it is kept."""

    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(http("200 OK", b"<a/>"))
        await asyncio.sleep(0.1)  # so that the answer is taken and the connection kept
        with suppress(OSError):
            while True:
                writer.write(http("200 OK", b"<another/>") * 1000)
                await writer.drain()
                flooded.append(0)
        ended.set()

    flooded: list[int] = []
    ended = asyncio.Event()
    async with serving(flood) as server, Transport(server.environment()) as transport:
        await post(transport, "/ws", SECRET, "urn:x")
        async with asyncio.timeout(KEPT / 2):
            await ended.wait()
    assert len(flooded) < 200, "of 47 kB each: no more than the system's buffers hold"


async def test_an_idle_connection_is_given_up_before_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT < 5, "Apache's KeepAliveTimeout"
    monkeypatch.setattr("exporter.provider.http.pool.KEPT", 0.2)
    async with (
        serving(answering(http("200 OK", b"<a/>"), close=False)) as server,
        Transport(server.environment()) as transport,
    ):
        for _ in range(2):
            await post(transport, "/ws", SECRET, "urn:x")
            await asyncio.sleep(0.5)
    assert (len(server.requests), server.connections) == (2, 2)


async def test_a_post_on_a_connection_that_the_server_gave_up_is_not_sent_again() -> None:
    """Sending again by itself could try a wrong password twice."""
    answers = [answering(http("200 OK", b"<a/>"), close=False), answering()]

    async def respond(writer: asyncio.StreamWriter) -> None:
        await answers[min(len(server.requests), len(answers)) - 1](writer)

    async with serving(respond) as server, Transport(server.environment()) as transport:
        await post(transport, "/ws", SECRET, "urn:x")
        with pytest.raises(TransportError, match=rf"^{CUT}$") as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert caught.value.sent
    assert (len(server.requests), server.connections) == (2, 1)


async def test_a_document_is_fetched_from_the_configured_host_alone() -> None:
    async with (
        serving(answering(http("200 OK", b"<wsdl/>"))) as server,
        serving(answering(http("200 OK", b"<evil/>"))) as other,
        Transport(server.environment()) as transport,
    ):
        assert await transport.get(f"http://127.0.0.1:{server.port}/ws?xsd=1") == b"<wsdl/>"
        for url in (
            f"http://127.0.0.1:{other.port}/ws",
            f"http://localhost:{server.port}/ws",
            f"https://127.0.0.1:{server.port}/ws",
            f"http://127.0.0.1:{server.port}@localhost:{other.port}/ws",
            f"http://127.0.0.1:{server.port}\\@localhost:{other.port}/ws",
            f"//127.0.0.1:{other.port}/ws",
            Path(__file__).as_uri(),
            "/etc/hostname",
            "",
        ):
            with pytest.raises(TransportError) as caught:
                await transport.get(url)
            assert caught.value.reason is Reason.INVALID, url
            assert caught.value.detail == "the WSDL imports a document from another host"
            assert not caught.value.sent
    assert server.requests[0].startswith(b"GET /ws?xsd=1 HTTP/1.1\r\n")
    assert (len(server.requests), other.connections) == (1, 0)


async def test_a_path_cannot_lead_to_another_host() -> None:
    answer = answering(http("200 OK"), close=False)
    async with (
        serving(answer) as server,
        serving(answer) as other,
        Transport(server.environment()) as transport,
    ):
        await post(transport, f"//127.0.0.1:{other.port}/x", SECRET, "urn:x")
        await post(transport, f"/@127.0.0.1:{other.port}/x", SECRET, "urn:x")
    assert (len(server.requests), other.connections) == (2, 0)


async def test_a_soap_action_cannot_add_a_header() -> None:
    async with serving(answering(http("200 OK"))) as server, Transport(server.environment()) as transport:
        with pytest.raises(TransportError) as caught:
            await post(transport, "/ws", SECRET, "urn:x\r\nX-Added: 1")
    assert caught.value.reason is Reason.INVALID
    assert server.requests == []


async def test_close_ends_what_is_under_way() -> None:
    arrived = asyncio.Event()

    async def hang(_writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.sleep(60)

    async with serving(hang) as server:
        transport = Transport(server.environment())
        call = asyncio.create_task(post(transport, "/ws", SECRET, "urn:x"))
        await arrived.wait()
        await transport.close()
        with pytest.raises(TransportError) as caught:
            async with asyncio.timeout(5):
                await call
    assert caught.value.reason is Reason.CONNECTION


# TLS


@dataclass(frozen=True)
class TlsCase:
    names: tuple[str, ...] = ("127.0.0.1",)
    expired: bool = False
    trusted: bool = True
    skip_verify: bool = False
    refused: str | None = None


TLS_CASES = {
    "trusted": TlsCase(),
    "another name": TlsCase(names=("other.example",), refused="IP address mismatch"),
    "unknown authority": TlsCase(trusted=False, refused="unable to get local issuer certificate"),
    "expired": TlsCase(expired=True, refused="certificate has expired"),
    "not verified": TlsCase(names=("other.example",), expired=True, trusted=False, skip_verify=True),
}


@pytest.mark.parametrize("case", TLS_CASES.values(), ids=TLS_CASES)
async def test_certificates_are_checked_before_anything_is_sent(
    case: TlsCase, authority: trustme.CA, ca_file: Path
) -> None:
    tls = TlsConfig(ca_file if case.trusted else None, insecure_skip_verify=case.skip_verify)
    context = server_tls(authority, *case.names, expired=case.expired)
    async with serving(answering(http("200 OK", b"<a/>")), context) as server:
        environment = replace(server.environment(scheme="https"), tls=tls)
        async with Transport(environment) as transport:
            if case.refused is None:
                assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a/>")
                return
            with pytest.raises(TransportError) as caught:
                await post(transport, "/ws", SECRET, "urn:x")
    assert caught.value.reason is Reason.TLS
    assert caught.value.detail.startswith("no secure connection: ")
    assert case.refused in caught.value.detail
    assert not caught.value.sent
    assert server.requests == []


async def test_a_server_that_speaks_no_tls_is_no_secure_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(http("400 Bad Request"))
        writer.close()

    async with listening(serve) as port, Transport(RawServer(port).environment(scheme="https")) as transport:
        with pytest.raises(TransportError, match=r"^no secure connection: ") as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert (caught.value.reason, caught.value.sent) == (Reason.TLS, False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", [True, False])
async def test_a_client_certificate_is_shown_where_one_is_configured(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, shown: bool, version: ssl.TLSVersion
) -> None:
    mine = authority.issue_cert("client.example")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "c.pem")
    mine.private_key_pem.write_to_path(tmp_path / "k.pem")
    context = server_tls(authority, "127.0.0.1")
    context.minimum_version = context.maximum_version = version
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    tls = TlsConfig(ca_file, tmp_path / "c.pem", tmp_path / "k.pem") if shown else TlsConfig(ca_file)
    async with (
        serving(answering(http("200 OK", b"<a/>")), context) as server,
        Transport(replace(server.environment(scheme="https"), tls=tls)) as transport,
    ):
        if shown:
            assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a/>")
            return
        with pytest.raises(TransportError) as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    # In TLS 1.3 a server may refuse after the client has sent, and may just close.
    assert caught.value.reason in (Reason.TLS, Reason.CONNECTION)
    assert server.requests == []


def test_old_tls_is_not_spoken() -> None:
    context = tls_context(TlsConfig())
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_tls_files_that_cannot_be_used_raise(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(FileNotFoundError):
        tls_context(TlsConfig(tmp_path / "missing.pem"))
    with pytest.raises(ssl.SSLError):
        tls_context(TlsConfig(junk))
    with pytest.raises(ssl.SSLError):
        tls_context(TlsConfig(cert_file=junk, key_file=junk))


# Proxies


async def test_a_plain_call_goes_through_the_configured_proxy() -> None:
    async with (
        serving(answering(http("200 OK", b"<a/>"))) as server,
        proxying(login="me:pa:ss") as proxy,
        Transport(through(server.environment(), proxy, "me:pa%3Ass@")) as transport,
    ):
        assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a/>")
    assert proxy.requests[0].startswith(b"POST http://127.0.0.1:%d/ws HTTP/1.1\r\n" % server.port)
    assert len(server.requests) == 1


async def test_a_secure_call_tunnels_through_the_proxy_which_sees_no_credential(
    authority: trustme.CA, ca_file: Path
) -> None:
    context = server_tls(authority, "127.0.0.1")
    async with (
        serving(answering(http("200 OK", b"<a/>")), context) as server,
        proxying(login="me:x") as proxy,
    ):
        environment = replace(server.environment(scheme="https"), tls=TlsConfig(ca_file))
        async with Transport(through(environment, proxy, "me:x@")) as transport:
            assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a/>")
    assert [request.split(b"\r\n")[0] for request in proxy.requests] == [
        b"CONNECT 127.0.0.1:%d HTTP/1.1" % server.port
    ]
    assert b"s3cret" not in b"".join(proxy.requests)
    assert b"Proxy-Authorization" not in server.requests[0]


async def test_a_tunnel_does_not_weaken_the_check_of_the_certificate(authority: trustme.CA) -> None:
    async with (
        serving(answering(http("200 OK")), server_tls(authority, "127.0.0.1")) as server,
        proxying() as proxy,
        Transport(through(server.environment(scheme="https"), proxy)) as transport,
    ):
        with pytest.raises(TransportError, match=r"^no secure connection: ") as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert (caught.value.reason, caught.value.sent) == (Reason.TLS, False)
    assert server.requests == []


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"])
async def test_a_proxy_that_refuses_the_tunnel_is_an_http_status_and_nothing_was_sent(status: str) -> None:
    async with proxying(http(status)) as proxy:
        environment = RawServer(443).environment("pac.example", "https")
        async with Transport(through(environment, proxy)) as transport:
            with pytest.raises(TransportError) as caught:
                await post(transport, "/ws", SECRET, "urn:x")
    assert caught.value.detail == f"the proxy answered with HTTP status {status[:3]}"
    assert (caught.value.reason, caught.value.sent) == (Reason.HTTP, False)


async def test_a_proxy_that_refuses_a_plain_call_is_an_http_status() -> None:
    async with (
        proxying(http("407 Proxy Authentication Required")) as proxy,
        Transport(through(RawServer(80).environment("pac.example"), proxy)) as transport,
    ):
        assert (await post(transport, "/ws", SECRET, "urn:x"))[0] == 407


async def test_a_proxy_that_is_down_is_no_connection() -> None:
    proxy = RawServer(closed_port())
    async with Transport(through(RawServer(80).environment("pac.example"), proxy, "me:s3cret@")) as transport:
        with pytest.raises(TransportError, match=r"^no connection: ") as caught:
            await post(transport, "/ws", SECRET, "urn:x")
    assert (caught.value.reason, caught.value.sent) == (Reason.CONNECTION, False)
    assert "s3cret" not in caught.value.detail


async def test_the_environment_s_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that some other program needs must not send passwords anywhere."""
    async with proxying() as proxy, serving(answering(http("200 OK", b"<a/>"))) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with Transport(server.environment()) as transport:
            assert await post(transport, "/ws", SECRET, "urn:x") == (200, b"<a/>")
    assert proxy.requests == []
