"""The charset of an XML document, and its text in UTF-8.

As RFC 7303 has it: a byte order mark counts first, then the charset that HTTP names, then the XML
declaration, then UTF-8. A name in HTTP's header that isn't known counts as none: the header is often a
server's default.
"""

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache
from typing import Final

# Charsets in which the bytes of ASCII mean ASCII, so that markup and digits are what they look like whatever
# the others are taken for. Names as Python's codecs have them. The registry is asked for no other: it
# remembers each name that it is asked for, and some of its codecs run programs of escapes or aren't text.
_NARROW: Final = frozenset(
    {
        "utf_8",
        "latin_1",
        *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
        *(f"cp{page}" for page in range(1250, 1259)),
        *("cp437", "cp850", "cp852", "cp858", "koi8_r", "koi8_u", "mac_roman"),
    }
)
_WIDE: Final = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
_OTHER_NAMES: Final = {"ascii": "utf_8", "utf_8_sig": "utf_8", "8859_1": "latin_1", "ansi": "cp1252"}

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf_8"),
    (codecs.BOM_UTF32_LE, "utf_32_le"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf_32_be"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)
_FIRST_CHARACTER: Final = (
    (b"<\0\0\0", "utf_32_le"),
    (b"\0\0\0<", "utf_32_be"),
    (b"<\0", "utf_16_le"),
    (b"\0<", "utf_16_be"),
)
_SPACE: Final = b" \t\r\n"
_DECLARATION: Final = re.compile(rb"<\?xml[ \t\r\n][^<>]*\?>")
_ENCODING: Final = re.compile(rb"""[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([^"']*)["']""")
_NO_LETTERS: Final = re.compile(r"[^a-z0-9]+")


class CharsetError(ValueError):
    """A document is in no charset that is known, or not in the one that it declares."""


def in_utf8(document: bytes, http_charset: str | None) -> bytes:
    """Return an XML document in UTF-8, without byte order mark, leading blanks and XML declaration.

    Bytes that mean nothing in its charset become another sign; those of a document in UTF-8 are returned as
    they are. Raises CharsetError.
    """
    if not document.startswith(b"<?x"):  # as nearly all of them
        for mark, encoding in _MARKS:
            if document.startswith(mark):
                return _without_declaration(_recoded(document[len(mark) :], encoding))
        for character, encoding in _FIRST_CHARACTER:
            if document.startswith(character):
                return _wide(document, encoding, http_charset)
    return _narrow(document.lstrip(_SPACE), http_charset)


def _wide(document: bytes, encoding: str, http_charset: str | None) -> bytes:
    """Without a mark such a charset has to be named, by HTTP or by the document itself."""
    recoded = _recoded(document, encoding)
    declaration = _DECLARATION.match(recoded)
    if not {_known(http_charset), _declared(declaration)} & _WIDE:
        raise CharsetError
    return recoded[declaration.end() :] if declaration else recoded


def _narrow(document: bytes, http_charset: str | None) -> bytes:
    declaration = _DECLARATION.match(document)
    encoding = _known(http_charset)
    if encoding not in _NARROW:
        encoding = _declared(declaration)
    if encoding not in _NARROW:
        raise CharsetError
    return _recoded(document[declaration.end() :] if declaration else document, encoding)


def _recoded(document: bytes, encoding: str) -> bytes:
    if encoding == "utf_8":
        return document
    try:
        return document.decode(encoding).encode()
    except UnicodeDecodeError as error:
        if encoding in _WIDE:
            raise CharsetError from error
    return document.translate(_meaningful(encoding)).decode(encoding).encode()


@lru_cache
def _meaningful(encoding: str) -> bytes:
    """A table in which the bytes that mean nothing in a charset become a sign that no name and figure has.

    Python's own way of replacing them takes a call for each: most of a second for a mebibyte.
    """
    every = bytes(range(256))
    return bytes(byte if every[byte : byte + 1].decode(encoding, "ignore") else ord("~") for byte in every)


def _without_declaration(document: bytes) -> bytes:
    document = document.lstrip(_SPACE)
    declaration = _DECLARATION.match(document)
    return document[declaration.end() :] if declaration else document


def _declared(declaration: re.Match[bytes] | None) -> str | None:
    """The charset of a declaration; UTF-8 where it names none, None where it names one that isn't known."""
    named = _ENCODING.search(declaration.group()) if declaration else None
    return _known(named.group(1).decode("latin-1")) if named else "utf_8"


def _known(name: str | None) -> str | None:
    """Python's name for a charset that is known under this or a usual other name, else None."""
    if not name or name in ("utf-8", "UTF-8"):
        return "utf_8" if name else None
    key = _NO_LETTERS.sub("_", name.lower()).strip("_").removeprefix("x_")
    key = aliases.get(key, key)
    key = _OTHER_NAMES.get(key, key)
    return key if key in _NARROW or key in _WIDE else None
