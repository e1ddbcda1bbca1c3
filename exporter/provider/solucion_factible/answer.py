"""The reader of answers: the bytes of a SOAP envelope in, what it says out.

It is tolerant where the service may grow (fields are found by their local name, in any order and any
namespace, unknown ones are ignored) and strict where a wrong balance could come of it: an integer is an
integer, a field that stands twice has no value, and nothing is ever guessed to be 0.

It is built on expat and keeps no tree. lxml remembers every element name that a thread ever parsed, which a
hostile provider could use to fill the memory; expat forgets them with its parser.
"""

import re
from typing import Final
from xml.parsers import expat

from exporter.account.outcome import Effect, Failure, Outcome, Reading, Reason, Verdict
from exporter.config.model import LARGEST_COUNT
from exporter.provider.solucion_factible.codes import code

MAX_ELEMENTS: Final = 1000
"""Elements of an answer. It has about ten; reading stops here, so that junk can't hold up the loop."""

MAX_ATTRIBUTES: Final = 100
"""Attributes of an element. It has up to three."""

_MAX_TEXT: Final = 4096  # characters of a field: a message for people fits easily
_SOAP: Final = frozenset(
    {"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"}
)
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_FIELDS: Final = frozenset({"status", "mensaje", "contratados", "usados", "disponibles"})
# Those that a SOAP service may send. pyexpat asks Python for any other, which remembers each name for good.
_CHARSETS: Final = frozenset(
    {"utf-8", "utf-16", "utf-16be", "utf-16le", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"}
)
# Seventeen digits hold 2^53; a longer run of digits is refused before Python is asked to convert it.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,17}")
# pyexpat's exceptions for bytes that are no XML; the second for charsets that it doesn't get along with.
_UNPARSABLE: Final = (expat.ExpatError, ValueError)
_NOT_XML: Final = "the answer is not well-formed XML"
_SPACE: Final = " \t\r\n"  # XML's white space, which xs:int allows around the digits


class _UnreadableError(Exception):
    """The answer can't be read; the message is safe to show."""


def read(body: bytes) -> Outcome:
    """Return what an answer says, or why it can't be read (``fault`` or ``invalid``).

    It never raises, whatever the bytes are. An answer of 200 without any figure is ``invalid``: it claims
    success and tells nothing.
    """
    answer = _Answer()
    try:
        answer.parse(body)
        if answer.fault:
            return Failure(
                Reason.FAULT, "the service answered with a SOAP fault", verdict=Verdict.UNKNOWN_FROM_SERVICE
            )
        return _reading(answer.fields)
    except _UnreadableError as error:
        return Failure(Reason.INVALID, str(error), verdict=Verdict.UNKNOWN_FROM_SERVICE)


def is_fault(body: bytes) -> bool:
    """Tell whether a body is a SOAP fault, as one comes with HTTP status 500."""
    outcome = read(body)
    return isinstance(outcome, Failure) and outcome.reason is Reason.FAULT


class _Answer:
    """Follows the elements of one envelope: Envelope/Body/response/return/field."""

    __slots__ = (
        "_depth",
        "_elements",
        "_field",
        "_in_body",
        "_in_return",
        "_nil",
        "_returns",
        "_text",
        "fault",
        "fields",
    )

    def __init__(self) -> None:
        self.fields: dict[str, str | None] = {}
        self.fault = False
        self._returns = 0
        self._elements = 0
        self._depth = 0
        self._in_body = False
        self._in_return = False
        self._field: str | None = None
        self._text = ""
        self._nil: set[str] = set()  # the names of xsi:nil, whatever prefix it has

    def parse(self, body: bytes) -> None:
        # Without expat's namespaces: it would write out each name with its own, and so make gigabytes of one
        # long namespace and many short names.
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.XmlDeclHandler = _check_charset
        parser.StartDoctypeDeclHandler = _refuse_dtd
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(body, True)
        except _UNPARSABLE as error:
            raise _UnreadableError(_NOT_XML) from error
        if not self.fault and self._returns != 1:
            raise _UnreadableError("the answer has no return value, or several")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise _UnreadableError("the answer has too many elements")
        if attributes:
            self._note_nil(attributes)
        if self._field:
            raise _UnreadableError(f"the answer's {self._field} is not a plain value")
        prefix, _, name = tag.rpartition(":")
        if depth == 5:
            if self._in_return and name in _FIELDS:
                self._start_field(name, attributes)
        elif depth == 4:
            if self._in_body and name == "return":
                self._returns += 1
                self._in_return = True
        elif depth == 3:
            if self._in_body and name == "Fault":
                self.fault = True
        elif depth == 2:
            if name == "Body":
                self._in_body = True
        elif depth == 1:
            namespace = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
            if name != "Envelope" or namespace not in _SOAP:
                raise _UnreadableError("the answer is not a SOAP envelope")

    def _note_nil(self, attributes: dict[str, str]) -> None:
        if len(attributes) > MAX_ATTRIBUTES:
            raise _UnreadableError("the answer has too many attributes")
        if _XSI in attributes.values():
            self._nil.update(f"{key[6:]}:nil" for key, value in attributes.items() if value == _XSI)

    def _start_field(self, name: str, attributes: dict[str, str]) -> None:
        if name in self.fields:
            raise _UnreadableError(f"the answer has {name} more than once")
        self._text = ""
        if attributes and any(attributes.get(nil, "").strip(_SPACE) in ("true", "1") for nil in self._nil):
            self.fields[name] = None
        else:
            self._field = name

    def _end(self, _tag: str) -> None:
        if self._depth == 5 and self._field:
            self.fields[self._field] = self._text
            self._field = None
        elif self._depth == 4:
            self._in_return = False
        elif self._depth == 2:
            self._in_body = False
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if self._field:
            self._text += text
            if len(self._text) > _MAX_TEXT:
                # A long message does no harm, a figure that was cut would be a wrong one.
                if self._field != "mensaje":
                    raise _UnreadableError(f"the answer's {self._field} is too long")
                self._text = self._text[:_MAX_TEXT]


def _check_charset(_version: str, charset: str | None, _standalone: int) -> None:
    if charset and charset.lower() not in _CHARSETS:
        raise _UnreadableError(_NOT_XML)


def _refuse_dtd(*_declaration: object) -> None:
    raise _UnreadableError("the answer has a DTD")


def _reading(fields: dict[str, str | None]) -> Reading:
    status = _integer(fields, "status")
    if status is None:
        raise _UnreadableError("the answer has no status")
    meaning = code(status)
    if meaning.effect is not Effect.BALANCE:
        # Its figures mean nothing, and must not get in the way of a refusal of the credential.
        return Reading(meaning, message=fields.get("mensaje"))
    contracted, used, available = (_figure(fields, name) for name in ("contratados", "usados", "disponibles"))
    if status == 200 and contracted is None and used is None and available is None:
        raise _UnreadableError("the answer says 200 without figures")
    if meaning.exhausted and not contracted and not used and not available:
        # A service whose figures are primitive ints answers 0 where it has none. Taken as figures they
        # would say that nothing was ever bought, and the next real answer would count as consumption.
        contracted = used = available = None
    return Reading(meaning, contracted, used, available, fields.get("mensaje"))


def _figure(fields: dict[str, str | None], name: str) -> int | None:
    value = _integer(fields, name)
    if value is not None and not 0 <= value <= LARGEST_COUNT:
        raise _UnreadableError(f"the answer's {name} is negative or too large")
    return value


def _integer(fields: dict[str, str | None], name: str) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    text = text.strip(_SPACE)
    if not _INTEGER.fullmatch(text):
        raise _UnreadableError(f"the answer's {name} is not an integer")
    return int(text)
