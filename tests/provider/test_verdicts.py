"""What a call says of the credential, whatever came of it over real sockets.

What was never sent counts for nothing, and what can't be understood isn't harmless.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trustme

from exporter.account.login import Held, Login, TooLateError, Tried
from exporter.account.outcome import Effect, Failure, Outcome, Reading, Reason, Verdict, unsent
from exporter.config import Environment, TlsConfig
from exporter.provider.contract import Permit
from exporter.provider.http.response import MAX_BODY
from exporter.provider.solucion_factible.operation import Operation, Operations
from exporter.provider.solucion_factible.provider import SolucionFactible
from exporter.secret import Secret
from tests.support.envelopes import envelope, fields
from tests.support.gates import Asked, ask
from tests.support.peers import FakeClock
from tests.support.peers.raw import (
    RawServer,
    Respond,
    answering,
    chunk,
    closed_port,
    deaf_port,
    http,
    listening,
    proxying,
    server_tls,
    serving,
    through,
)
from tests.support.places import DATA
from tests.support.rig import RIGHT, account

ACCEPTED, NEUTRAL, REFUSED = Verdict.ACCEPTED, Verdict.NEUTRAL, Verdict.REFUSED
FROM_SERVICE, ON_THE_WAY = Verdict.UNKNOWN_FROM_SERVICE, Verdict.UNKNOWN_ON_THE_WAY
OPERATION = Operation("/ws", "urn:getTimbresImplementacion", (b"<u>", b"</u><p>", b"</p>"))
OPERATIONS = Operations(OPERATION, unsent(Reason.INVALID, "not read"))
SOON = 0.3  # seconds: the account's timeout where it is to be over
LATE = "no complete answer within 0.3 s"
LOST = "the connection was lost before the answer was complete"

GOOD = envelope(fields(status=200, contratados=9, usados=2, disponibles=7))
NO = envelope(fields(mensaje="contraseña", status=601))
FAULT = (DATA / "answers" / "fault-soap11.xml").read_bytes()
PAGE = b"<!doctype html><html><body>Mantenimiento</body></html>"
MTOM = b"\r\n".join(
    (
        b"--b",
        b'Content-Type: application/xop+xml; charset=UTF-8; type="text/xml"',
        b"Content-ID: <0.root@apache.org>",
        b"",
        NO,
        b"--b--",
        b"",
    )
)
OF_MTOM = (
    'Content-Type: multipart/related; boundary=b; type="application/xop+xml"; start="<0.root@apache.org>"'
)
REFUSAL = NO[: NO.index(b"601</") + 5]
"""As much of a refusal as makes it one."""


@asynccontextmanager
async def provider_of(environment: Environment, *, loaded: bool = True) -> AsyncIterator[SolucionFactible]:
    """A provider that has its WSDL: no process is started to read one."""
    provider = SolucionFactible(environment, FakeClock(), lambda *_, **__: None)
    provider._operations = OPERATIONS if loaded else None
    provider._reloads.next = float("inf")  # it has the right one, whatever the answers say
    try:
        yield provider
    finally:
        await provider.close()


async def outcome_of(environment: Environment, limit: float = 10.0) -> Outcome:
    async with provider_of(environment) as provider:
        return await ask(provider, replace(account(), timeout=limit))


async def answered(respond: Respond, limit: float = 10.0) -> Outcome:
    """What comes of a call that is responded to in this way; it was sent once."""
    async with serving(respond) as server:
        outcome = await outcome_of(server.environment(), limit)
        assert len(server.requests) == 1
        assert RIGHT.encode() in server.requests[0]
    return outcome


def said(outcome: Outcome) -> tuple[object, Verdict]:
    """The code or the reason, and the verdict."""
    kind = outcome.code.number if isinstance(outcome, Reading) else outcome.reason
    return kind, outcome.verdict


# Nothing was sent. --------------------------------------------------------------------------------------


async def test_without_a_connection_nothing_counts() -> None:
    outcome = await outcome_of(RawServer(closed_port()).environment())
    assert isinstance(outcome, Failure)
    assert outcome == unsent(Reason.CONNECTION, outcome.detail)


async def test_nor_where_there_was_none_in_time() -> None:
    with deaf_port() as port:
        outcome = await outcome_of(RawServer(port).environment(), SOON)
    assert outcome == unsent(Reason.TIMEOUT, "no connection within 0.3 s")


async def test_nor_where_the_handshake_was_too_slow() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        outcome = await outcome_of(RawServer(port).environment(scheme="https"), SOON)
    assert outcome == unsent(Reason.TIMEOUT, "no connection within 0.3 s")


async def test_nor_where_the_connection_is_not_secure(authority: trustme.CA) -> None:
    async with serving(answering(http("200 OK", NO)), server_tls(authority, "localhost")) as stranger:
        outcome = await outcome_of(stranger.environment("localhost", "https"))
        assert stranger.requests == []
    assert isinstance(outcome, Failure)
    assert outcome == unsent(Reason.TLS, outcome.detail)


async def test_nor_where_the_proxy_opens_no_tunnel() -> None:
    async with proxying(http("403 Forbidden", NO)) as proxy:
        environment = RawServer(closed_port()).environment("pac.example", "https")
        outcome = await outcome_of(through(environment, proxy))
        assert RIGHT.encode() not in proxy.requests[0]
    assert isinstance(outcome, Failure)
    assert outcome == unsent(outcome.reason, outcome.detail)


async def test_nor_where_the_configuration_was_reloaded_meanwhile() -> None:
    async with (
        serving(answering(http("200 OK", GOOD))) as server,
        provider_of(server.environment()) as provider,
    ):
        await provider.close_when_idle()
        assert await ask(provider, account()) == unsent(
            Reason.CONNECTION, "the configuration was reloaded meanwhile"
        )
        assert server.requests == []


async def test_nor_without_a_wsdl() -> None:
    environment = Environment("test", "http://127.0.0.1:1/ws?wsdl", False, 4, None, TlsConfig())
    async with provider_of(environment, loaded=False) as provider:
        assert await ask(provider, account()) == unsent(Reason.CONNECTION, "the WSDL was not loaded yet")


class StalePermit:
    """Leave that has ended meanwhile."""

    def password(self) -> Secret:
        raise TooLateError


class HoldingGate:
    """Takes back its leave, or gives none at all."""

    def __init__(self, held: Held | None = None) -> None:
        self.held = held

    async def attempt(
        self,
        _login: Login,
        send: Callable[[Permit], Awaitable[Outcome]],
        *,
        only_proven: bool = False,  # noqa: ARG002
    ) -> Tried | Held:
        return self.held or Tried(await send(StalePermit()), 0.0, 0.0)


async def test_what_the_gate_does_not_let_through_is_not_sent() -> None:
    async with (
        serving(answering(http("200 OK", GOOD))) as server,
        provider_of(server.environment()) as provider,
    ):
        held = Held(7.0)
        assert await provider.ask(Asked.of(account()), HoldingGate(held)) is held
        assert server.connections == 0
        with pytest.raises(TooLateError):
            await provider.ask(Asked.of(account()), HoldingGate())
        assert (server.connections, server.requests) == (1, [])
        await asyncio.wait_for(provider.close_when_idle(), 5)


# No answer to what was sent. ----------------------------------------------------------------------------


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def say_nothing(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


def stalling(beginning: bytes) -> Respond:
    """Answer so much, and never the rest."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await asyncio.sleep(60)

    return respond


HEAD = b"HTTP/1.1 200 OK\r\nContent-"
UNANSWERED: list[tuple[str, Respond, Reason, str, Verdict]] = [
    ("hung up", hang_up, Reason.CONNECTION, LOST, ON_THE_WAY),
    ("reset", reset, Reason.CONNECTION, LOST, ON_THE_WAY),
    ("a head that was cut", answering(HEAD), Reason.CONNECTION, LOST, ON_THE_WAY),
    ("silence", say_nothing, Reason.TIMEOUT, LATE, ON_THE_WAY),
    ("a head that stalls", stalling(HEAD), Reason.TIMEOUT, LATE, ON_THE_WAY),
    (
        "no HTTP",
        answering(b"220 mail.example ESMTP\r\n"),
        Reason.INVALID,
        "the answer is not valid HTTP (status)",
        FROM_SERVICE,
    ),
]


@pytest.mark.parametrize(
    ("respond", "reason", "detail", "verdict"),
    [case[1:] for case in UNANSWERED],
    ids=[case[0] for case in UNANSWERED],
)
async def test_a_try_that_was_sent_and_not_answered_may_have_counted(
    respond: Respond, reason: Reason, detail: str, verdict: Verdict
) -> None:
    assert await answered(respond, SOON) == Failure(reason, detail, verdict=verdict)


# A whole answer. ----------------------------------------------------------------------------------------

STATUSES = {
    "301 Moved Permanently": FROM_SERVICE,
    "400 Bad Request": FROM_SERVICE,
    "401 Unauthorized": FROM_SERVICE,
    "403 Forbidden": FROM_SERVICE,
    "404 Not Found": FROM_SERVICE,
    "429 Too Many Requests": NEUTRAL,
    "500 Internal Server Error": ON_THE_WAY,
    "502 Bad Gateway": NEUTRAL,
    "503 Service Unavailable": NEUTRAL,
    "504 Gateway Time-out": NEUTRAL,
    "520 Unknown": ON_THE_WAY,
}


@pytest.mark.parametrize(("status", "verdict"), STATUSES.items(), ids=[name[:3] for name in STATUSES])
@pytest.mark.parametrize("body", [b"", b"junk", PAGE, GOOD], ids=["nothing", "junk", "page", "200"])
async def test_a_status_that_is_no_success_says_what_it_says(
    status: str, body: bytes, verdict: Verdict
) -> None:
    """A balance under it is none, and a redirect is not followed."""
    outcome = await answered(answering(http(status, body, "Location: /login")))
    effect = Effect.SLOW_DOWN if status.startswith("429") else Effect.RETRY
    assert outcome == Failure(Reason.HTTP, f"HTTP status {status[:3]}", verdict=verdict, effect=effect)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_retry_after_arrives(status: str) -> None:
    outcome = await answered(answering(http(status, PAGE, "Retry-After: 3600")))
    assert isinstance(outcome, Failure)
    assert (outcome.effect, outcome.retry_after, outcome.verdict) == (Effect.SLOW_DOWN, 3600.0, NEUTRAL)


OK: list[tuple[str, bytes, object, Verdict]] = [
    ("a balance", http("200 OK", GOOD), 200, ACCEPTED),
    ("a refusal", http("200 OK", NO), 601, REFUSED),
    ("a page", http("200 OK", PAGE, "Content-Type: text/html"), Reason.INVALID, ON_THE_WAY),
    ("a page that doesn't say so", http("200 OK", PAGE), Reason.INVALID, ON_THE_WAY),
    ("junk", http("200 OK", b"junk"), Reason.INVALID, FROM_SERVICE),
    ("nothing", http("200 OK"), Reason.INVALID, FROM_SERVICE),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", Reason.HTTP, FROM_SERVICE),
    ("figures that can't be used", http("200 OK", GOOD.replace(b">7<", b">x<")), Reason.INVALID, ACCEPTED),
    ("a code never heard of", http("200 OK", NO.replace(b"601", b"699")), 699, FROM_SERVICE),
    ("a code below 600", http("200 OK", NO.replace(b"601", b"599")), 599, NEUTRAL),
    ("locked", http("200 OK", NO.replace(b"601", b"602")), 602, Verdict.STOP),
]


@pytest.mark.parametrize(
    ("answer", "kind", "verdict"), [case[1:] for case in OK], ids=[case[0] for case in OK]
)
async def test_a_whole_answer_says_what_stands_in_it(answer: bytes, kind: object, verdict: Verdict) -> None:
    assert said(await answered(answering(answer))) == (kind, verdict)


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "500 Internal Server Error", "503 Busy"])
async def test_a_fault_is_an_answer_of_the_service_that_nobody_understands(status: str) -> None:
    assert said(await answered(answering(http(status, FAULT)))) == (Reason.FAULT, FROM_SERVICE)


REFUSALS: list[tuple[str, bytes, str]] = [
    ("as it should be", NO, "Content-Type: text/xml; charset=utf-8"),
    ("in a charset that HTTP names", NO.decode().encode("latin-1"), "Content-Type: text/xml; charset=latin1"),
    (
        "in a charset that XML names",
        b'<?xml version="1.0" encoding="windows-1252"?>' + NO.decode().encode("cp1252"),
        "Content-Type: text/xml",
    ),
    ("in MTOM", MTOM, OF_MTOM),
    ("called a page", NO, "Content-Type: text/html"),
]  # fmt: skip


@pytest.mark.parametrize("status", ["200 OK", *STATUSES])
@pytest.mark.parametrize(
    ("body", "content_type"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
async def test_a_refusal_counts_wherever_it_can_be_read(status: str, body: bytes, content_type: str) -> None:
    assert said(await answered(answering(http(status, body, content_type)))) == (601, REFUSED)


# An answer that was cut short. --------------------------------------------------------------------------


def cut(status: str, body: bytes, *headers: str) -> bytes:
    """An answer that says of itself that it is longer."""
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Length: 9999", *headers, "", "")).encode() + body


ALL_OF_IT = {"all but the rest": NO, "its figure": REFUSAL}


@pytest.mark.parametrize("status", ["200 OK", *STATUSES])
@pytest.mark.parametrize("body", ALL_OF_IT.values(), ids=ALL_OF_IT)
async def test_a_refusal_counts_though_what_follows_was_lost(status: str, body: bytes) -> None:
    assert said(await answered(answering(cut(status, body)))) == (601, REFUSED)


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized"])
async def test_a_refusal_counts_though_what_follows_never_comes(status: str) -> None:
    assert said(await answered(stalling(cut(status, NO)), SOON)) == (601, REFUSED)


async def test_a_refusal_counts_in_what_is_too_large_or_broken_behind_it() -> None:
    large = http("200 OK", NO.ljust(MAX_BODY + 1))
    streamed = b"HTTP/1.1 200 OK\r\n\r\n" + NO.ljust(MAX_BODY + 1)
    broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(REFUSAL) + b"junk\r\n"
    assert said(await answered(answering(streamed))) == (601, REFUSED)
    assert said(await answered(answering(broken))) == (601, REFUSED)
    # Whose length is known to be too large is not read at all: the try stays open instead.
    assert said(await answered(answering(large))) == (Reason.INVALID, FROM_SERVICE)


PARTS = {
    "nothing": b"",
    "a refusal but for its end": REFUSAL[:-2],
    "a balance": GOOD,  # whole as it looks: what is cut is never an acceptance
    "a page": PAGE,
    "a fault": FAULT,
    "MTOM": MTOM[:90],
}


@pytest.mark.parametrize("body", PARTS.values(), ids=PARTS)
async def test_whatever_else_was_cut_got_lost_on_the_way(body: bytes) -> None:
    assert await answered(answering(cut("200 OK", body))) == Failure(
        Reason.CONNECTION, LOST, verdict=ON_THE_WAY
    )


@pytest.mark.parametrize("body", PARTS.values(), ids=PARTS)
async def test_and_so_did_what_never_came(body: bytes) -> None:
    assert await answered(stalling(cut("200 OK", body)), SOON) == Failure(
        Reason.TIMEOUT, LATE, verdict=ON_THE_WAY
    )


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = http("200 OK", gzip.compress(NO), "Content-Encoding: gzip")
UNREAD: list[tuple[str, bytes, str]] = [
    ("too large", http("200 OK", b"x" * (MAX_BODY + 1)), "the answer is larger than 1 MiB"),
    ("too large, streamed", CHUNKED + chunk(b"x" * (MAX_BODY + 1)), "the answer is larger than 1 MiB"),
    ("compressed", PACKED, "the answer is compressed, which was not asked for"),
    ("broken", CHUNKED + chunk(GOOD) + b"junk\r\n", "the answer is not valid HTTP (chunks)"),
]


@pytest.mark.parametrize(
    ("answer", "detail"), [case[1:] for case in UNREAD], ids=[case[0] for case in UNREAD]
)
async def test_an_answer_that_is_not_read_to_its_end_is_one(answer: bytes, detail: str) -> None:
    assert await answered(answering(answer)) == Failure(Reason.INVALID, detail, verdict=FROM_SERVICE)


@pytest.mark.parametrize(("status", "verdict"), STATUSES.items(), ids=[name[:3] for name in STATUSES])
async def test_a_status_counts_though_its_body_was_cut_or_is_compressed(
    status: str, verdict: Verdict
) -> None:
    expected = (Reason.HTTP, verdict)
    assert said(await answered(answering(cut(status, b"<html>")))) == expected
    packed = http(status, gzip.compress(PAGE), "Content-Encoding: gzip")
    assert said(await answered(answering(packed))) == expected


@pytest.mark.parametrize(("status", "verdict"), STATUSES.items(), ids=[name[:3] for name in STATUSES])
async def test_a_status_counts_though_its_body_never_comes_but_is_no_excuse_any_more(
    status: str, verdict: Verdict
) -> None:
    """Whoever takes so long over it may have looked at the credential."""
    expected = ON_THE_WAY if verdict is NEUTRAL else verdict
    outcome = await answered(stalling(cut(status, b"<html>", "Retry-After: 60")), SOON)
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.detail, outcome.verdict) == (Reason.TIMEOUT, LATE, expected)
    slowed = status.startswith(("429", "503"))
    assert (outcome.effect, outcome.retry_after) == (
        (Effect.SLOW_DOWN, 60.0) if slowed else (Effect.RETRY, None)
    )
