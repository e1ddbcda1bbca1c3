"""The answer to one request, as its bytes come in: where it ends, and what may be kept of it."""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from exporter.account.outcome import Reason
from exporter.provider.http.chunks import Chunks
from exporter.provider.http.error import TransportError
from exporter.provider.http.head import Head, HeadBuffer, HeadError

MAX_BODY: Final = 1024 * 1024
"""Bytes. An answer has about a thousand, a WSDL some ten thousand."""

MAX_INFORMATIONAL: Final = 10
"""Answers such as 100 before the one that counts."""

# What servers call a body that isn't compressed: nothing, or its charset.
_UNCOMPRESSED = re.compile(
    rb"(?i)(identity|none|binary|[78]bit|(us-?)?ascii|(utf|iso|latin|windows|cp)[-_]?\d[-_\d]*)?"
)
_WITHOUT_BODY = frozenset({101, 204, 304})
_NONE = Head(0, {}, kept_alive=False)  # as long as none has come


class HttpAnswer(NamedTuple):
    """What came for one request. Of one that was cut short `body` is as much as came."""

    status: int
    content_type: str
    """The header as it stands; empty where there is none."""
    retry_after: str | None
    """The header as it stands."""
    body: bytes
    cut: TransportError | None = None
    """Why this isn't all: connection lost, time is up, body too large, compressed or broken."""

    @property
    def whole(self) -> bool:
        """Whether this is all of the answer."""
        return self.cut is None


class _Part(Enum):
    """What the next bytes belong to."""

    HEAD = auto()
    BODY_OF_LENGTH = auto()
    CHUNKS = auto()
    BODY_UNTIL_CLOSED = auto()
    NOTHING = auto()


class Response:
    """One answer, without I/O. `connect` says that it is one to CONNECT, which has no body."""

    def __init__(self, *, connect: bool = False) -> None:
        self.reusable = False
        """Once the answer has ended: whether its connection may carry another, as nothing came behind it."""
        self._connect = connect
        self._part = _Part.HEAD
        self._buffer = HeadBuffer()
        self._informational = 0
        self._head = _NONE
        self._chunks: Chunks | None = None
        self._body: list[bytes] = []
        self._left = 0  # bytes until the body's end or, where that isn't known, the limit

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The headers by their names in lower case, as far as they came."""
        return self._head.headers

    def feed(self, data: bytes) -> HttpAnswer | None:
        """Take what came; return the answer once it has ended.

        Raises TransportError, `invalid`, where it can't be an answer to anything.
        """
        while self._head is _NONE:
            try:
                found = self._buffer.feed(data)
            except HeadError as error:
                raise _not_http(str(error)) from None
            if found is None:
                return None
            head, data = found
            if 100 <= head.status < 200 and head.status != 101:
                self._informational += 1
                if self._informational > MAX_INFORMATIONAL:
                    raise _not_http("informational")
            else:
                return self._begin_body(head, data)
        return self._feed_body(data)

    def closed(self) -> HttpAnswer | None:
        """Return the answer as it is now that the server has closed the connection; None without a head."""
        if self._part is _Part.BODY_UNTIL_CLOSED:
            return self._ended()
        return self.cut(lost())

    def cut(self, error: TransportError) -> HttpAnswer | None:
        """Return as much of the answer as came until this happened; None without a head."""
        return None if self._head is _NONE else self._ended(error)

    def _begin_body(self, head: Head, data: bytes) -> HttpAnswer | None:
        self._head = head
        headers = head.headers
        if self._connect or head.status in _WITHOUT_BODY:
            self.reusable = self._connect and not data
            return self._ended()
        if not all(
            _UNCOMPRESSED.fullmatch(one.strip()) for one in headers.get(b"content-encoding", b"").split(b",")
        ):
            return self._ended(_invalid("the answer is compressed, which was not asked for"))
        coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        self._left = MAX_BODY
        if coding is not None:
            if coding.strip().lower() != b"chunked":
                return self._ended(_invalid("the answer has a transfer encoding that was not asked for"))
            self._part, self._chunks = _Part.CHUNKS, Chunks()
        elif length is not None:
            self._part, self._left = _Part.BODY_OF_LENGTH, int(length)
            if self._left > MAX_BODY:
                return self._ended(_too_large())
        else:
            self._part = _Part.BODY_UNTIL_CLOSED
        return self._feed_body(data)

    def _feed_body(self, data: bytes) -> HttpAnswer | None:
        if self._chunks:
            return self._feed_chunks(self._chunks, data)
        self._keep(data)
        if self._part is _Part.BODY_UNTIL_CLOSED:
            return self._ended(_too_large()) if self._left < 0 else None
        if self._left > 0:
            return None
        self.reusable = self._left == 0 and self._head.kept_alive
        return self._ended()

    def _feed_chunks(self, chunks: Chunks, data: bytes) -> HttpAnswer | None:
        for piece in chunks.feed(data):
            self._keep(piece)
        if self._left < 0:
            return self._ended(_too_large())
        if chunks.broken:
            return self._ended(_not_http(chunks.broken))
        if not chunks.complete:
            return None
        self.reusable = chunks.nothing_behind and self._head.kept_alive
        return self._ended()

    def _keep(self, piece: bytes) -> None:
        if self._left > 0:
            self._body.append(piece if len(piece) <= self._left else piece[: self._left])
        self._left -= len(piece)

    def _ended(self, cut: TransportError | None = None) -> HttpAnswer:
        status, headers, _ = self._head
        self._part = _Part.NOTHING
        retry_after = headers.get(b"retry-after")
        return HttpAnswer(
            status,
            headers.get(b"content-type", b"").decode("latin-1"),
            None if retry_after is None else retry_after.decode("latin-1"),
            self._body[0] if len(self._body) == 1 else b"".join(self._body),
            cut,
        )


def lost() -> TransportError:
    """Return what a connection's end means while an answer is waited for."""
    return TransportError(Reason.CONNECTION, "the connection was lost before the answer was complete")


def _invalid(detail: str) -> TransportError:
    return TransportError(Reason.INVALID, detail)


def _not_http(part: str) -> TransportError:
    return _invalid(f"the answer is not valid HTTP ({part})")


def _too_large() -> TransportError:
    return _invalid("the answer is larger than 1 MiB")
