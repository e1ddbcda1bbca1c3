"""The edge of the parser, without a network: what is an answer, where it ends, and what is refused."""

import gzip
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.outcome import Reason
from exporter.provider.http.error import TransportError
from exporter.provider.http.head import MAX_HEAD, MAX_HEADERS
from exporter.provider.http.response import MAX_BODY, MAX_INFORMATIONAL, HttpAnswer, Response
from tests.support.peers.raw import chunk, http

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = chunk(b"<a") + chunk(b"/>")


def parsed(*pieces: bytes, closed: bool = True) -> tuple[HttpAnswer | None, Response]:
    """Feed the pieces, as far as the answer wants them, then close where it isn't complete by then."""
    response = Response()
    answer = None
    for piece in pieces:
        answer = response.feed(piece)
        if answer:
            break
    if answer is None and closed:
        answer = response.closed()
    return answer, response


WHOLE: dict[str, tuple[bytes, int, bytes, bool]] = {
    "length": (http("200 OK", b"<a/>"), 200, b"<a/>", True),
    "length 0": (http("200 OK"), 200, b"", True),
    "chunks": (CHUNKED + CHUNKS + b"0\r\n\r\n", 200, b"<a/>", True),
    "no chunk": (CHUNKED + b"0\r\n\r\n", 200, b"", True),
    "chunks with blanks and extensions": (
        CHUNKED + b"2 \r\n<a\r\n2;x=y\r\n/>\r\n0\r\n\r\n",
        200,
        b"<a/>",
        True,
    ),
    "trailers": (CHUNKED + CHUNKS + b"0\r\nX: y\r\nZ: \r\n\r\n", 200, b"<a/>", False),
    "until closed": (OK + b"\r\n<a/>", 200, b"<a/>", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n<a/>", 200, b"<a/>", False),
    "HTTP/1.0, kept": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 4\r\n\r\n<a/>",
        200,
        b"<a/>",
        True,
    ),
    "to be closed": (http("200 OK", b"<a/>", "Connection: x, CLOSE"), 200, b"<a/>", False),
    "204": (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", 204, b"", False),
    "304": (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, b"", False),
    "101": (b"HTTP/1.1 101 Upgrade\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101, b"", False),
    "without a reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\n<a/>", 200, b"<a/>", True),
    "one length twice": (
        OK + b"Content-Length: 4\r\ncontent-length:4 \r\nX: y\r\n\r\n<a/>",
        200,
        b"<a/>",
        False,
    ),
    "one length twice in a line": (OK + b"Content-Length: 4, 4\r\n\r\n<a/>", 200, b"<a/>", False),
    "folded": (OK + b"X: a\r\n\tb\r\nContent-Length:\r\n 4\r\n\r\n<a/>", 200, b"<a/>", False),
    "lines without CR": (b"HTTP/1.1 200 OK\nContent-Length: 4\n\n<a/>", 200, b"<a/>", False),
    "empty lines before": (b"\r\n\r\n" + http("200 OK", b"<a/>"), 200, b"<a/>", True),
    "10 informational": (
        b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n" * MAX_INFORMATIONAL + http("200 OK", b"<a/>"),
        200,
        b"<a/>",
        True,
    ),
    "100 headers": (OK + b"X: y\r\n" * (MAX_HEADERS - 1) + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    "99 999": (http("999 X", b"<a/>"), 999, b"<a/>", True),
}


@pytest.mark.parametrize(("data", "status", "body", "reusable"), WHOLE.values(), ids=WHOLE)
def test_an_answer_is_the_same_however_it_is_cut_into_pieces(
    data: bytes, status: int, body: bytes, reusable: bool
) -> None:
    for pieces in ([data], *([data[:cut], data[cut:]] for cut in range(1, len(data))), _bytewise(data)):
        answer, response = parsed(*pieces)
        assert answer is not None
        assert (answer.status, answer.body, answer.whole) == (status, body, True)
        assert response.reusable == reusable, pieces


def _bytewise(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


@pytest.mark.parametrize(
    "behind",
    [b"\r\n", b"\0", b"H", http("200 OK", b"<other/>"), CHUNKED + b"0\r\n\r\n"],
    ids=["an empty line", "a byte", "a letter", "an answer", "an answer in chunks"],
)
@pytest.mark.parametrize("kind", ["length", "chunks", "to be closed", "length 0"])
def test_nothing_behind_an_answer_is_taken_for_part_of_it_or_for_another(kind: str, behind: bytes) -> None:
    """The connection isn't used again: whose the next bytes would be nobody knows."""
    data, status, body, _ = WHOLE[kind]
    for cut in range(1, len(data)):
        answer, response = parsed(data[:cut], data[cut:] + behind)
        assert answer is not None
        assert (answer.status, answer.body, answer.whole) == (status, body, True)
        assert not response.reusable


NO_ANSWER: dict[str, bytes] = {
    "two lengths": OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n<a/>",
    "two lengths in a line": OK + b"Content-Length: 4, 5\r\n\r\n<a/>",
    "two lengths, one folded": OK + b"Content-Length: 4\r\nContent-Length:\r\n 5\r\n\r\n<a/>",
    "a length and chunks": OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "an empty length": OK + b"Content-Length:\r\n\r\n<a/>",
    "a signed length": OK + b"Content-Length: +4\r\n\r\n<a/>",
    "a negative length": OK + b"Content-Length: -4\r\n\r\n<a/>",
    "a length in hex": OK + b"Content-Length: 0x4\r\n\r\n<a/>",
    "a length with a fraction": OK + b"Content-Length: 4.0\r\n\r\n<a/>",
    "a length beyond all bounds": OK + b"Content-Length: 99999999999999999999999\r\n\r\n<a/>",
    "101 headers": OK + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
    "large headers": OK + b"X: " + b"y" * MAX_HEAD + b"\r\n\r\n",
    "11 informational": b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MAX_INFORMATIONAL + 1) + http("200 OK"),
    "HTTP/0.9": b"<a/>",
    "another protocol": b"RTSP/1.0 200 OK\r\n\r\n",
    "a status that is none": b"HTTP/1.1 2OO OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of 0": b"HTTP/1.1 000 OK\r\n\r\n",
    "a header without a name": OK + b": x\r\n\r\n",
    "a header without a colon": OK + b"junk\r\n\r\n",
}


@pytest.mark.parametrize("data", NO_ANSWER.values(), ids=NO_ANSWER)
def test_what_is_no_head_of_an_answer_is_invalid_however_it_comes(data: bytes) -> None:
    for pieces in ([data], [data[:1], data[1:]], [data[:-9], data[-9:]], _bytewise(data)):
        with pytest.raises(TransportError, match=r"^the answer is not valid HTTP \(\w+\)$") as caught:
            parsed(*pieces)
        assert caught.value.reason is Reason.INVALID


BROKEN_BODIES: dict[str, tuple[bytes, str, bytes]] = {
    "gzip": (http("200 OK", gzip.compress(b"<a/>"), "Content-Encoding: gzip"), "compressed", b""),
    "large by its length": (OK + b"Content-Length: %d\r\n\r\nx" % (MAX_BODY + 1), "larger", b""),
    "large in chunks": (CHUNKED + chunk(b"x" * (MAX_BODY + 1)), "larger", b"x" * MAX_BODY),
    "large until closed": (OK + b"\r\n" + b"x" * (MAX_BODY + 1), "larger", b"x" * MAX_BODY),
    "a chunk size that is none": (CHUNKED + chunk(b"<a/>") + b"z\r\n", "chunks", b"<a/>"),
    "a chunk size beyond all bounds": (CHUNKED + b"f" * 17 + b"\r\n", "chunks", b""),
    "a chunk longer than its size": (CHUNKED + b"2\r\n<a/>\r\n0\r\n\r\n", "chunks", b"<a"),
    "101 trailers": (CHUNKED + chunk(b"<a/>") + b"0\r\n" + b"X: y\r\n" * 102, "trailers", b"<a/>"),
    "a transfer encoding": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "encoding", b""),
}


@pytest.mark.parametrize(("data", "detail", "body"), BROKEN_BODIES.values(), ids=BROKEN_BODIES)
@pytest.mark.parametrize("status", [200, 503])
def test_of_a_body_that_is_invalid_the_status_and_what_came_are_kept(
    data: bytes, detail: str, body: bytes, status: int
) -> None:
    """It may hold the refusal of a login."""
    data = data.replace(b" 200 ", b" %d " % status, 1)
    for pieces in ([data], [data[:40], data[40:]]):
        answer, response = parsed(*pieces, closed=False)
        assert answer is not None
        assert answer.cut is not None
        assert (answer.status, answer.body, answer.whole) == (status, body, False)
        assert (answer.cut.reason, response.reusable) == (Reason.INVALID, False)
        assert detail in answer.cut.detail


def test_a_trailer_without_end_is_not_collected() -> None:
    response = Response()
    response.feed(CHUNKED + b"0\r\nX: ")
    answers = [response.feed(b"y" * 10_000) for _ in range(8)]
    ended = [answer for answer in answers if answer]
    assert ended
    assert ended[0].cut


@pytest.mark.parametrize("data", [WHOLE[kind][0] for kind in ("length", "chunks", "trailers")])
def test_a_connection_that_ends_cuts_the_answer_at_every_byte(data: bytes) -> None:
    head = data.index(b"\r\n\r\n") + 4
    for end in range(len(data)):
        answer, response = parsed(data[:end])
        assert (answer is None) == (end < head)
        if answer:
            assert not answer.whole
            assert b"<a/>".startswith(answer.body)
            assert answer.cut
            assert answer.cut.reason is Reason.CONNECTION
        assert not response.reusable


UNCOMPRESSED = [
    "",
    "identity",
    "none",
    "utf-8",
    "UTF8",
    "ISO-8859-1",
    "latin1",
    "windows-1252",
    "8bit",
    "Identity, ",
]
COMPRESSED = ["gzip", "x-gzip", "deflate", "br", "zstd", "utf-8, gzip", "aes128", "utf"]


@pytest.mark.parametrize("encoding", UNCOMPRESSED)
def test_an_encoding_that_is_none_is_none(encoding: str) -> None:
    answer, response = parsed(http("200 OK", b"<a/>", f"Content-Encoding: {encoding}"))
    assert answer == HttpAnswer(200, "", None, b"<a/>")
    assert response.reusable


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_any_other_encoding_is_refused(encoding: str) -> None:
    answer, _ = parsed(http("200 OK", b"<a/>", f"Content-Encoding: {encoding}"))
    assert answer is not None
    assert (answer.whole, answer.body) == (False, b"")


def test_headers_come_as_they_stand() -> None:
    kind, date = 'multipart/related; type="a/b"', "Wed, 21 Oct 2015 07:28:00 GMT"
    answer, _ = parsed(http("503 X", b"", f"CONTENT-TYPE:  {kind}", f"Retry-After: {date}"))
    assert answer == HttpAnswer(503, kind, date, b"")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=30), st.booleans())
def test_no_bytes_make_it_raise_anything_else(pieces: list[bytes], begun: bool) -> None:
    with suppress(TransportError):
        parsed(*([CHUNKED] if begun else []), *pieces)
