"""A multipart body (RFC 2046, RFC 2387), as MTOM and SOAP with attachments send one: its root part."""

import binascii
import re
from dataclasses import dataclass
from typing import Final

from exporter.provider.solucion_factible.media_type import MediaType, media_type

_MOST_PARTS: Final = 16
_LONGEST_HEAD: Final = 8192  # bytes
_LONGEST_BOUNDARY: Final = 200  # characters; 70 are allowed
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(frozen=True, slots=True)
class Part:
    """A part's content, decoded, and its charset where it names one; not ``whole`` where it was cut."""

    content: bytes
    charset: str | None
    whole: bool


def is_multipart(media: MediaType) -> bool:
    """Return whether a body of this type has parts."""
    return media.name.startswith("multipart/")


def root_part(media: MediaType, body: bytes) -> Part | None:
    """Return the part that ``start`` names, else the first one; None where it can't be found."""
    boundary = media.parameters.get("boundary", "")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        return None
    delimiter = b"\n--" + boundary.encode("latin-1", "replace")
    start = media.parameters.get("start", "").strip(" <>")
    # In front of the first delimiter may be a line end or not, and a preamble.
    end = 0 if body.startswith(delimiter[1:]) else body.find(delimiter) + 1
    if not body.startswith(delimiter[1:], end):
        return None
    for _ in range(_MOST_PARTS):
        begin = end + len(delimiter) - 1
        if body.startswith(b"--", begin):
            return None
        end = body.find(delimiter, begin)
        headers, content = _split(body[begin : end if end >= 0 else None])
        if not start or headers.get("content-id", "").strip(" <>") == start:
            return _decoded(headers, content, whole=end >= 0)
        if end < 0:
            return None
        end += 1
    return None


def _split(part: bytes) -> tuple[dict[str, str], bytes]:
    """The headers of a part, names in lower case, and its content. It begins behind its delimiter."""
    blank = _BLANK_LINE.search(part, 0, _LONGEST_HEAD)
    if not blank:
        return {}, b""
    headers: dict[str, str] = {}
    for line in _FOLD.sub(" ", part[: blank.start()].decode("latin-1")).splitlines():
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers, part[blank.end() :].removesuffix(b"\r")


def _decoded(headers: dict[str, str], content: bytes, *, whole: bool) -> Part | None:
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding == "base64":
        content = content.translate(None, b" \t\r\n")
        try:
            # Of a part that was cut the last piece can be incomplete.
            content = binascii.a2b_base64(content if whole else content[: len(content) // 4 * 4])
        except binascii.Error:
            return None
    elif encoding == "quoted-printable":
        content = binascii.a2b_qp(content)
    elif encoding not in _PLAIN:
        return None
    return Part(content, media_type(headers.get("content-type", "")).charset, whole)
