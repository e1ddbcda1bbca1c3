"""A body in HTTP's chunked coding."""

from typing import Final

from httptools import HttpParserError, HttpResponseParser

MAX_TRAILERS: Final = 64 * 1024
"""Bytes of the lines behind the last chunk."""

MAX_TRAILER_LINES: Final = 100

_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


class Chunks:
    """Takes a body in chunks apart, as its bytes come."""

    def __init__(self) -> None:
        self._pieces = _Pieces()
        self._parser = HttpResponseParser(self._pieces)
        self._parser.feed_data(_HEAD)
        self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
        self._tail = b""
        self._trailers = 0
        self.broken = ""
        """Which part of what came isn't as it must be; nothing that comes behind it counts."""

    @property
    def complete(self) -> bool:
        """Whether the last chunk and the trailers have come."""
        return self._pieces.complete

    @property
    def nothing_behind(self) -> bool:
        """Whether the body's last byte was certainly the last that came; behind trailers it never is."""
        return not self._pieces.another and self._tail == _END

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces of the body that are in these bytes."""
        pieces = self._pieces
        pieces.body = []
        between = pieces.between
        self._tail = (self._tail + data[-len(_END) :])[-len(_END) :]
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            if pieces.complete:
                pieces.another = True
            else:
                self.broken = "trailers" if pieces.between else "chunks"
        # llhttp collects a trailer until it ends.
        self._trailers = self._trailers + len(data) if between and pieces.between else 0
        if self._trailers > MAX_TRAILERS:
            self.broken = "trailers"
        return pieces.body


class _Pieces:
    """Collects what llhttp finds in chunks."""

    def __init__(self) -> None:
        self.body: list[bytes] = []
        self.between = False  # behind a size and before its data; behind the last one come trailers
        self.complete = False
        self.another = False  # an answer begins behind this one
        self._trailers = -1  # the header of our own

    def on_header(self, _name: bytes, _value: bytes) -> None:
        self._trailers += 1
        if self._trailers > MAX_TRAILER_LINES:
            raise ValueError("too many trailers")

    def on_chunk_header(self) -> None:
        self.between = True

    def on_body(self, piece: bytes) -> None:
        self.between = False
        if not self.complete:
            self.body.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True

    def on_message_begin(self) -> None:
        self.another = self.complete
