"""The envelope of an answer: the bytes of a SOAP message in, the fields of its return value out.

It is tolerant where the service may grow: fields are found by their local name, in any order and any
namespace, unknown ones are ignored. It is built on expat and keeps no tree. lxml remembers every element name
that a thread ever parsed, which a hostile provider could use to fill the memory; expat forgets them with its
parser.
"""

import re
from html import unescape
from typing import Final
from xml.parsers import expat

MAX_ELEMENTS: Final = 1000
"""Elements of an answer. It has about ten; reading stops here, so that junk can't hold up the loop."""

MAX_ATTRIBUTES: Final = 100
"""Attributes of an element. It has up to three."""

SOAP: Final = frozenset(
    {"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"}
)
"""The namespaces of SOAP 1.1 and 1.2."""

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_STATUS: Final = "status"
_MESSAGE: Final = "mensaje"
_FIELDS: Final = frozenset({_STATUS, _MESSAGE, "contratados", "usados", "disponibles"})
_SPACE: Final = " \t\r\n"  # XML's white space
_MARKUP: Final = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>", re.DOTALL)
_MAX_TEXT: Final = 4096  # characters of a field: a message for people fits easily

# What expat takes long for, and would hand to Python in one piece: 85,000 attributes take 80 ms, a million
# line ends 20. So they are counted beforehand; an answer has about ten attributes, on one line.
_MOST: Final = (
    (b"=", 2_000, "the answer has too many attributes"),
    (b"\n", 20_000, "the answer has too many lines"),
    (b"\r", 20_000, "the answer has too many lines"),
)
_SMALL: Final = 16 * 1024  # bytes of an answer that nothing has to be counted of

# An element `status` with nothing but an integer in it, as far as its end tag's beginning.
_STATUS_ELEMENT: Final = re.compile(
    rb"<(?:[^\s<>/:!?]{1,100}:)?status(?:[ \t\r\n](?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+(?<!/))?>"
    rb"[ \t\r\n]*+([+-]?[0-9]{1,17})[ \t\r\n]*+</"
)
_LONGEST_PREFIX: Final = 102  # bytes from an element's `<` to its local name
_LONGEST_STATUS: Final = 1_000  # bytes of such an element
_MOST_PLACES: Final = 1_000  # at which the word may stand


class EnvelopeError(Exception):
    """The bytes are no SOAP message that can be read; the message is safe to show."""


class Envelope:
    """What a SOAP message says.

    ``fields`` are the return value's: a figure as it stands there, with its references, comments and whatever
    else is in it, a message as text; None is xsi:nil. ``returns`` counts the return values, ``repeated`` are
    fields that stand twice. ``statuses`` are those of all elements of that name, wherever they stand.
    """

    __slots__ = (
        "_depth",
        "_elements",
        "_field",
        "_field_depth",
        "_in_body",
        "_in_return",
        "_nil",
        "_parser",
        "_text",
        "fault",
        "fields",
        "repeated",
        "returns",
        "statuses",
    )

    def __init__(self, document: bytes) -> None:
        """Read a document in UTF-8 that begins with its first element. Raises EnvelopeError."""
        _refuse_masses(document)
        try:
            self._parse(document)
        except expat.ExpatError:
            # Bytes that aren't UTF-8 cost no more than the text that they stand in.
            mended = document.decode("utf-8", "replace").encode() if len(document) <= _SMALL else document
            try:
                if mended == document:
                    raise
                self._parse(mended)
            except expat.ExpatError as error:
                raise EnvelopeError("the answer is not well-formed XML") from error

    def _parse(self, document: bytes) -> None:
        self.fields: dict[str, str | None] = {}
        self.statuses: list[str] = []
        self.repeated: set[str] = set()
        self.fault = False
        self.returns = 0
        self._elements = 0
        self._depth = 0
        self._in_body = False
        self._in_return = False
        self._field: str | None = None
        self._field_depth = 0
        self._text = ""
        self._nil: set[str] = set()  # the names of xsi:nil, whatever prefix it has
        # Without expat's namespaces: it would write out each name with its own, and so make gigabytes of one
        # long namespace and many short names.
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.StartDoctypeDeclHandler = _refuse_dtd
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            parser.Parse(document, True)
        finally:
            del self._parser  # it and this hold each other

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise EnvelopeError("the answer has too many elements")
        if attributes:
            self._note_nil(attributes)
        if self._field:
            self._interrupt_field()
        prefix, _, name = tag.rpartition(":")
        if (name == _STATUS and depth > 1) or (depth == 5 and self._in_return and name in _FIELDS):
            if not self._field:
                self._start_field(name, attributes)
        elif depth == 4:
            if self._in_body and name == "return":
                self.returns += 1
                self._in_return = True
        elif depth == 3:
            if self._in_body and name == "Fault":
                self.fault = True
        elif depth == 2:
            if name == "Body":
                self._in_body = True
        elif depth == 1:
            namespace = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
            if name != "Envelope" or namespace not in SOAP:
                raise EnvelopeError("the answer is not a SOAP envelope")

    def _note_nil(self, attributes: dict[str, str]) -> None:
        if len(attributes) > MAX_ATTRIBUTES:
            raise EnvelopeError("the answer has too many attributes")
        if _XSI in attributes.values():
            self._nil.update(f"{key[6:]}:nil" for key, value in attributes.items() if value == _XSI)

    def _start_field(self, name: str, attributes: dict[str, str]) -> None:
        if attributes and any(attributes.get(nil, "").strip(_SPACE) in ("true", "1") for nil in self._nil):
            self._keep(name, self._depth, None)
        else:
            self._field, self._field_depth, self._text = name, self._depth, ""
            # expat hands this handler what stands there, not what it means.
            self._parser.DefaultHandler = self._literal

    def _interrupt_field(self) -> None:
        """An element in a field: a message ends there, a figure doesn't stand literally any more."""
        if self._field == _MESSAGE:
            self._end_field(_MESSAGE)
        else:
            self._text += "<"

    def _end_field(self, name: str) -> None:
        self._parser.DefaultHandler = None
        self._field = None
        self._keep(name, self._field_depth, self._text)

    def _keep(self, name: str, depth: int, text: str | None) -> None:
        if text is not None:
            if name == _STATUS:
                self.statuses.append(text)
            elif name == _MESSAGE:
                text = _plain(text)
        if depth == 5 and self._in_return:
            if name in self.fields:
                self.repeated.add(name)
            self.fields[name] = text

    def _end(self, _tag: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if self._field:
            if depth == self._field_depth:
                self._end_field(self._field)
        elif depth == 4:
            self._in_return = False
        elif depth == 2:
            self._in_body = False

    def _literal(self, text: str) -> None:
        self._text += text
        if len(self._text) > _MAX_TEXT:
            # A long message does no harm; a figure that was cut would be a wrong one, so it becomes none.
            self._text = self._text[:_MAX_TEXT] if self._field == _MESSAGE else "…"
            self._parser.DefaultHandler = None


def _refuse_masses(document: bytes) -> None:
    if len(document) > _SMALL:
        for byte, most, detail in _MOST:
            if document.count(byte) > most:
                raise EnvelopeError(detail)


def _plain(literal: str) -> str:
    """What a text means, of which this is how it stands there."""
    if "<" in literal or "&" in literal:
        return unescape(_MARKUP.sub("", literal))
    return literal


def _refuse_dtd(*_declaration: object) -> None:
    raise EnvelopeError("the answer has a DTD")


def statuses_in(fragment: bytes) -> list[str]:
    """Return the statuses that stand in what may be a SOAP message that was cut or damaged.

    It looks at the bytes alone, so in every charset that contains ASCII, UTF-16 and UTF-32 too.
    """
    if b"\0" in fragment:
        fragment = fragment.translate(None, b"\0")
    if not any(namespace.encode() in fragment for namespace in SOAP):
        return []
    found: list[str] = []
    place = -1
    for _ in range(_MOST_PLACES):
        place = fragment.find(b"status", place + 1)
        if place < 0:
            break
        begin = fragment.rfind(b"<", max(0, place - _LONGEST_PREFIX), place)
        element = _STATUS_ELEMENT.match(fragment, begin, begin + _LONGEST_STATUS) if begin >= 0 else None
        if element:
            found.append(element.group(1).decode())
    return found
