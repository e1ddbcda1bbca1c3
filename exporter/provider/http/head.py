"""The head of an answer: its status line and headers."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD: Final = 64 * 1024
"""Bytes of the status line and the headers."""

MAX_HEADERS: Final = 100
"""Lines of headers."""

_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/\d\.\d +\d{3}")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_LENGTH = re.compile(rb"(?i)content-length:(.*)")


class HeadError(Exception):
    """These bytes are no head of an answer; the text is the part that isn't."""


class Head(NamedTuple):
    """What a head says."""

    status: int
    headers: Mapping[bytes, bytes]
    """By their names in lower case; values of one name are joined by a comma."""
    kept_alive: bool
    """Whether the server keeps the connection, going by the head alone."""


class HeadBuffer:
    """Bytes as they come, up to the end of a head."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._lines = 0  # ends of lines in these

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return the head once it is complete, with the bytes behind it.

        Raises HeadError as soon as no head can begin like this.
        """
        head = self._bytes
        searched = max(0, len(head) - 2)
        data = data if head else data.lstrip(b"\r\n")  # some servers end an answer with an empty line
        head += data
        found = _END.search(head, searched)
        end = found.end() if found else len(head)
        if not (head.startswith(b"HTTP/") or b"HTTP/".startswith(head)):
            raise HeadError("status")
        # Counted as they come: a head that drips must not be read anew with each byte.
        self._lines = head.count(b"\n", 0, end) if found else self._lines + data.count(b"\n")
        if end > MAX_HEAD or self._lines > MAX_HEADERS + 2:
            raise HeadError("headers")
        if found:
            self._bytes, self._lines = bytearray(), 0
            return _read(bytes(head[:end])), bytes(head[end:])
        if b"\n" in head and not _STATUS_LINE.match(head):
            raise HeadError("status")
        return None


class _Fields:
    """Collects what llhttp finds in a head."""

    def __init__(self) -> None:
        self.parser: HttpResponseParser | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.kept_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        before = self.headers.get(name)
        self.headers[name] = value if before is None else before + b"," + value

    def on_headers_complete(self) -> None:
        if self.parser:
            self.status = self.parser.get_status_code()
            self.kept_alive = self.parser.should_keep_alive()


def _read(head: bytes) -> Head:
    fields = _parsed(head) or _parsed(_plain(head), lenient=True)
    if fields is None:
        raise HeadError("headers")
    if fields.status < 100:
        raise HeadError("status")
    return Head(fields.status, fields.headers, fields.kept_alive)


def _parsed(head: bytes, *, lenient: bool = False) -> _Fields | None:
    fields = _Fields()
    fields.parser = parser = HttpResponseParser(fields)
    if lenient:
        parser.set_dangerous_leniencies(lenient_headers=True)
    try:
        parser.feed_data(head)
    except HttpParserUpgrade:
        pass  # behind a head of 101 comes something else
    except HttpParserError:
        return None
    finally:
        fields.parser = None  # else a circle, which Python would have to look for
    if lenient:
        fields.kept_alive = False  # whoever writes such heads isn't trusted with a second answer
    return fields


def _plain(head: bytes) -> bytes:
    """Return a head without folds, each line ended by CR LF, a length that stands twice said once."""
    lines: list[bytes] = []
    lengths: set[bytes] = set()
    for line in _FOLD.sub(b" ", head).split(b"\n"):
        length = _LENGTH.match(line)
        if length is None:
            lines.append(line.removesuffix(b"\r"))
            continue
        for one in length[1].split(b","):
            if one.strip() not in lengths:
                lengths.add(one.strip())
                lines.append(b"Content-Length: " + one.strip())
    return b"\r\n".join(lines)
