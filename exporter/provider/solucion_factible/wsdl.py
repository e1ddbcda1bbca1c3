"""The provider's WSDL, read by zeep: where to ask for the balance and with which envelope.

The only module that imports zeep, which costs much time and memory: it is itself imported only when a WSDL is
to be read. Nothing here opens a connection; what has to be fetched is asked for through ``fetch``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import zeep.exceptions
from lxml import etree
from zeep.settings import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap11Binding
from zeep.wsdl.definitions import Port

from exporter.account.outcome import Failure, Reason, unsent

OPERATION = "getTimbresImplementacion"
"""The operation that tells the balance of an account as a whole."""

_MOST_EXTENSIONS = 100
"""Types of a WSDL that may extend others. Those of a Java service are a handful."""

_XS = "{http://www.w3.org/2001/XMLSchema}"
# What zeep writes out wherever it is referred to, and the attributes that do so.
_WRITTEN_OUT = {f"{_XS}group": "ref", f"{_XS}attributeGroup": "ref", f"{_XS}union": "memberTypes"}
_EXTENSION = f"{_XS}extension"

# What stands for the credential while zeep builds the envelope; no escaping changes these.
_USERNAME = "cfdi-stamps-exporter-usuario"
_PASSWORD = "cfdi-stamps-exporter-password"  # noqa: S105 - it only marks the place


# zeep's answers to documents that are XML but no WSDL that makes sense.
_NO_WSDL = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _UnusableError(Exception):
    """The WSDL can't be used; the message is safe to show."""


@dataclass(frozen=True, slots=True)
class Operation:
    """How to ask for a balance: ``path`` on the provider's host, the SOAPAction and the envelope."""

    path: str
    soap_action: str
    _template: tuple[bytes, bytes, bytes] = field(repr=False)
    _username_first: bool = True

    def envelope(self, username: str, password: str) -> bytes:
        """Return the SOAP 1.1 envelope, UTF-8, that asks for the balance with this credential."""
        first, second = (username, password) if self._username_first else (password, username)
        before, between, after = self._template
        return before + _text(first) + between + _text(second) + after


class _Documents:
    """What zeep takes for its transport: it hands out fetched documents and can do nothing else."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._extensions = 0

    def load(self, url: str) -> bytes:
        document = self._fetch(url)
        self._refuse_bombs(
            etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
        )
        return document

    def _refuse_bombs(self, root: etree._Element) -> None:
        """Refuse small documents that make zeep go on for hours, or take much memory."""
        for element in root.iter(*_WRITTEN_OUT, _EXTENSION):
            if element.tag != _EXTENSION:
                if element.get(_WRITTEN_OUT[str(element.tag)]):
                    raise _UnusableError("the WSDL's types refer to groups or unions")
                continue
            # Each such type holds all that it inherits.
            self._extensions += 1
            if self._extensions > _MOST_EXTENSIONS:
                raise _UnusableError(f"more than {_MOST_EXTENSIONS} of the WSDL's types extend others")


def read_wsdl(url: str, fetch: Callable[[str], bytes]) -> Operation | Failure:
    """Read the WSDL at ``url`` and return how to ask for a balance, or why it can't be used (``invalid``).

    ``fetch`` returns a document's bytes: the WSDL's own and those of what it imports. It decides which
    addresses it serves, and what it raises is passed on.

    Of the WSDL the SOAP 1.1 port of the URL's own scheme counts, else the first SOAP 1.1 port, and of its
    address only the path: it can name a plaintext port first, and an internal host.
    """
    settings = Settings(forbid_dtd=True, forbid_entities=True, force_https=False)
    try:
        document = Document(url, cast("Any", _Documents(fetch)), settings=settings)
        return _operation(_choose_port(document, urlsplit(url).scheme))
    except _UnusableError as error:
        detail = str(error)
    except (zeep.exceptions.Error, etree.LxmlError) as error:
        detail = f"the WSDL can't be read ({type(error).__name__})"
    except _NO_WSDL as error:
        detail = f"the WSDL makes no sense ({type(error).__name__})"
    return unsent(Reason.INVALID, detail)


def _choose_port(document: Document, scheme: str) -> Port:
    ports: list[Port] = [
        port
        for service in document.services.values()
        for port in service.ports.values()
        if _is_usable(port.binding)
    ]
    if not ports:
        raise _UnusableError(f"the WSDL has no SOAP 1.1 port with the operation {OPERATION}")
    return next((port for port in ports if urlsplit(_address(port)).scheme == scheme), ports[0])


def _is_usable(binding: Any) -> bool:
    return isinstance(binding, Soap11Binding) and OPERATION in cast("Any", binding).all()


def _address(port: Any) -> str:
    return str((port.binding_options or {}).get("address") or "")


def _operation(port: Port) -> Operation:
    path = urlsplit(_address(port)).path
    if not path.startswith("/"):
        raise _UnusableError("the WSDL's port has no address with a path")
    binding: Any = port.binding
    operation = binding.get(OPERATION)
    # The operation itself builds the envelope, not the client: that would add WS-Addressing headers, whose
    # MessageID must not be the same in every call.
    message = operation.create(usuario=_USERNAME, password=_PASSWORD)
    return Operation(
        path,
        operation.soapaction or "",
        *_split(etree.tostring(message.content, encoding="utf-8", xml_declaration=True)),
    )


def _split(envelope: bytes) -> tuple[tuple[bytes, bytes, bytes], bool]:
    """Cut an envelope at the places of the credential; tell too whether the username comes first."""
    marks = sorted((_USERNAME.encode(), _PASSWORD.encode()), key=envelope.find)
    if any(envelope.count(mark) != 1 for mark in marks):
        raise _UnusableError(f"the WSDL's {OPERATION} doesn't take usuario and password")
    before, _, rest = envelope.partition(marks[0])
    between, _, after = rest.partition(marks[1])
    return (before, between, after), marks[0] == _USERNAME.encode()


def _text(value: str) -> bytes:
    # A carriage return that isn't written as a reference reaches the other side as a line feed.
    return escape(value, {"\r": "&#13;"}).encode()
