"""No answer is ever another question's, and no question is asked twice, whatever the server does.

A server of bytes misbehaves at random and counts the questions that it gets; each carries a number, and so
does each answer. Every run tries another course, in CI always the same; a failure names the seed.
"""

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.account.outcome import Reason
from exporter.provider.http.error import TransportError
from exporter.provider.http.transport import Transport
from tests.support.peers.ci import in_ci
from tests.support.peers.raw import RawServer, chunk, listening

if TYPE_CHECKING:
    from exporter.provider.http.response import HttpAnswer

QUESTIONS = 600
CALLERS = 24
FOREIGN = b"<foreign/>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Unruly:
    """A server that answers right, wrong, early, late, twice or not at all."""

    chance: random.Random
    asked: Counter[int] = field(default_factory=Counter)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection for as long as it pleases."""
        self.connections += 1
        while not writer.is_closing():
            head = await reader.readuntil(b"\r\n\r\n")
            early = self.chance.random() < 0.05
            question = int(head.partition(b"number-")[2].partition(b'"')[0])
            if early:
                self.asked[question] += 1
            else:
                length = re.search(rb"Content-Length: (\d+)", head)
                assert length
                body = await reader.readexactly(int(length[1]))
                assert int(body.strip(b".")) == question
                self.asked[question] += 1
            if not await self.answer(writer, question) or early:
                return

    async def answer(self, writer: asyncio.StreamWriter, question: int) -> bool:
        """Answer a question, or don't; tell whether the connection is to be kept."""
        closing = self.chance.random() < 0.2
        data = encoded(self.chance, b"<answer>%d</answer>" % question, closing=closing)
        what = self.chance.random()
        framed = encoded(self.chance, b"<answer>%d</answer>" % question, closing=False)
        if what < 0.06:  # cut short
            data = framed
            await self.say(writer, data[: self.chance.randrange(len(data))])
            return False
        if what < 0.12:  # reset
            await self.say(writer, data[: self.chance.randrange(len(data))])
            await asyncio.sleep(self.chance.choice((0, 0.002)))
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        if what < 0.16:  # never, or too late
            await asyncio.sleep(0.3)
            await self.say(writer, data)
            return self.chance.random() < 0.5
        if what < 0.3:  # more than was asked for, whole or in part, and perhaps the rest of that later
            more = encoded(self.chance, FOREIGN, closing=False)
            cut = self.chance.randrange(1, len(more) + 1)
            writer.write(framed + more[:cut])
            await asyncio.sleep(self.chance.choice((0, 0.003)))
            await self.say(writer, more[cut:])
            return self.chance.random() < 0.8
        if what < 0.34:  # nonsense
            await self.say(writer, self.chance.randbytes(self.chance.randrange(1, 60)))
            return False
        await self.say(writer, data)
        return not closing

    async def say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send bytes, in pieces of any size."""
        while data:
            size = self.chance.choice((1, 7, 60, len(data)))
            writer.write(data[:size])
            data = data[size:]
            if self.chance.random() < 0.2:
                await asyncio.sleep(self.chance.choice((0, 0.001)))


def encoded(chance: random.Random, body: bytes, *, closing: bool) -> bytes:
    """An answer with this body, as a server can put it."""
    informational = b"HTTP/1.1 100 Continue\r\n\r\n" * chance.choice((0, 0, 0, 1, 3))
    if closing and chance.random() < 0.5:
        return informational + b"HTTP/1.1 200 OK\r\n\r\n" + body
    head = b"HTTP/1.1 200 OK\r\n" + (b"Connection: close\r\n" if closing else b"")
    if chance.random() < 0.5:
        return informational + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    place = chance.randrange(len(body))
    trailer = chance.choice((b"", b"", b"X-Trailer: y\r\n"))
    chunks = b"".join(chunk(piece) for piece in (body[:place], body[place:]) if piece)
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    return informational + head + chunks + b"0\r\n" + trailer + b"\r\n"


async def test_no_answer_is_foreign_and_no_question_is_asked_twice() -> None:
    seed = 1 if in_ci() else random.randrange(2**32)  # noqa: S311 - it guards nothing
    chance = random.Random(seed)  # noqa: S311
    server = Unruly(chance)
    numbers = iter(range(QUESTIONS))
    ends: Counter[str] = Counter()

    async def caller(transport: Transport) -> None:
        for number in numbers:
            size = chance.choice((10, 10, 10, 200_000))
            body = str(number).encode().rjust(size, b".")
            call = asyncio.ensure_future(
                transport.post("/ws", lambda body=body: body, f"number-{number}", 0.15)  # type: ignore[misc]
            )
            if chance.random() < 0.05:
                asyncio.get_running_loop().call_later(chance.random() * 0.005, call.cancel)
            ends[await outcome(call, number)] += 1

    async def outcome(call: "asyncio.Future[HttpAnswer]", number: int) -> str:
        try:
            answer = await call
        except TransportError as error:
            if not error.sent:
                assert server.asked[number] == 0, f"seed {seed}: question {number} was sent"
            return error.reason
        except asyncio.CancelledError:
            return "cancelled"
        right = b"<answer>%d</answer>" % number
        if answer.whole:
            assert answer.body == right, f"seed {seed}: question {number} got {answer.body!r}"
            return "whole"
        assert right.startswith(answer.body), f"seed {seed}: question {number} got a part of {answer.body!r}"
        return "cut"

    async with listening(server.serve) as port, Transport(RawServer(port).environment()) as transport:
        await asyncio.gather(*(caller(transport) for _ in range(CALLERS)))
        twice = {number: times for number, times in server.asked.items() if times > 1}
        assert not twice, f"seed {seed}: asked more than once"
        assert not transport._dialing
        # What is left is idle, and goes.
        assert len(transport._pool._open) <= CALLERS
    assert ends["whole"] > QUESTIONS / 3, (seed, ends)
    assert ends["cut"], (seed, ends)
    assert server.connections < sum(server.asked.values()), "some were used again"


ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>",
    "chunks": CHUNKED + chunk(b"<a") + chunk(b"/>") + b"0\r\n\r\n",
}


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_a_connection_that_ends_at_any_byte_costs_its_own_answer_only(data: bytes, end: str) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(6)
        length, requests = requests, requests + 1
        writer.write(data[:length])
        if end == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async with listening(serve) as port, Transport(RawServer(port).environment()) as transport:
        for length in range(len(data) + 1):
            answer = None
            with suppress(TransportError):
                answer = await transport.post("/ws", lambda: b"<ask/>", "urn:x", 5.0)
            assert requests == length + 1, "each once, none again by itself"
            assert (answer is not None and answer.whole) == (length == len(data))
            if answer and answer.cut:
                assert answer.cut.reason is Reason.CONNECTION
