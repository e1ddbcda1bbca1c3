"""The provider's WSDL, read by zeep: where to ask for balances and with which envelopes.

The only module that imports zeep, which costs much time and memory, and much more with a hostile WSDL: so it
is a program, which runs in a process of its own (``wsdl_process``). Nothing here opens a connection; what has
to be fetched is asked for through ``fetch``.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import urljoin, urlsplit

import zeep.exceptions
from lxml import etree
from zeep.settings import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap11Binding
from zeep.wsdl.definitions import Port

from exporter.account.outcome import Failure, Reason, unsent
from exporter.provider.solucion_factible.operation import Operation, Operations
from exporter.provider.solucion_factible.schemas import WELL_KNOWN, XML, empty

OPERATION = "getTimbresImplementacion"
"""The operation that tells the balance of an account as a whole."""
ISSUER_OPERATION = "getTimbres"
"""The operation that tells the balance of one issuer under an account."""

CPU_SECONDS: Final = 10
"""Of the processor, for reading a WSDL: a hundred times what one of the usual size takes."""

_MEMORY: Final = 64 * 1024 * 1024  # bytes that reading may take more than zeep itself
_MOST_HEIRS: Final = 100
"""Complex types of a WSDL that may extend or restrict others. Those of a Java service are a handful."""

Fetch = Callable[[str, bool], bytes | None]
_Read = TypeVar("_Read")

# Addresses at which zeep looks for schemas by itself.
_ADDRESSES: Final = {"https://www.w3.org/2001/xml.xsd": XML, "http://www.w3.org/2001/xml.xsd": XML}

_XS = "{http://www.w3.org/2001/XMLSchema}"
# What zeep writes out wherever it is referred to, and the attributes that do so.
_WRITTEN_OUT = {f"{_XS}group": "ref", f"{_XS}attributeGroup": "ref", f"{_XS}union": "memberTypes"}
_CONTENT = (f"{_XS}complexContent", f"{_XS}simpleContent")
_INHERITS = (f"{_XS}extension", f"{_XS}restriction")

# What stands for each parameter while zeep builds an envelope; no escaping changes these.
_MARK = "cfdi-stamps-exporter-{}"
_CREDENTIAL = ("usuario", "password")
_RFC = "rfcEmisor"


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


class _Documents:
    """What zeep takes for its transport: it hands out documents and can do nothing else."""

    def __init__(self, url: str, fetch: Fetch) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._fetch = fetch
        self._heirs = 0
        self._namespaces: dict[str, str] = {}  # of schemas that are imported, by address
        self.absent = 0

    def load(self, url: str) -> bytes:
        namespace = self._namespaces.get(url, _ADDRESSES.get(url, url))
        if namespace in WELL_KNOWN:
            return WELL_KNOWN[namespace]
        needed = url not in self._namespaces
        address = self._at_origin(url)
        if address is None and needed:
            raise _UnusableError("the WSDL imports a document that has no http address")
        document = self._fetch(address, needed) if address else None
        if document is None:
            # Whether the operation needs what is in it will be seen.
            self.absent += 1
            return empty(namespace)
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
        self._refuse_bombs(root)
        self._note_imports(root, url)
        return document

    def _at_origin(self, url: str) -> str | None:
        """Where to ask for it: a WSDL can name hosts that only the provider's network knows."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            return None
        return f"{self._origin}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"

    def _note_imports(self, root: etree._Element, url: str) -> None:
        for element in root.iter(f"{_XS}import"):
            location = element.get("schemaLocation")
            if location:
                self._namespaces[urljoin(url, location)] = element.get("namespace", "")

    def _refuse_bombs(self, root: etree._Element) -> None:
        """Refuse small documents that make zeep go on for hours, or take much memory."""
        for element in root.iter(*_WRITTEN_OUT):
            if element.get(_WRITTEN_OUT[str(element.tag)]):
                raise _UnusableError("the WSDL's types refer to groups or unions")
        # Each such type holds all that it inherits.
        self._heirs += sum(1 for content in root.iter(*_CONTENT) for _ in content.iterchildren(*_INHERITS))
        if self._heirs > _MOST_HEIRS:
            raise _UnusableError(f"more than {_MOST_HEIRS} of the WSDL's types extend or restrict others")


def read_wsdl(url: str, fetch: Fetch) -> Operations | Failure:
    """Read the WSDL at ``url`` and return how to ask for balances, or why it can't be used (``invalid``).

    One that says how to ask for an account, and not how to ask for an issuer, can be used for accounts.

    ``fetch`` returns a document's bytes: the WSDL's own and those of what it imports, all of them at its own
    scheme, host and port. Its second argument says whether the document is needed; where it isn't, it may
    return None. What it raises is passed on.

    Of the WSDL the SOAP 1.1 port of the URL's own scheme counts, else the first SOAP 1.1 port, and of its
    address only the path: it can name a plaintext port first, and an internal host.
    """
    settings = Settings(forbid_dtd=True, forbid_entities=True, force_https=False)
    documents = _Documents(url, fetch)
    scheme = urlsplit(url).scheme

    def attempted(read: Callable[[], _Read]) -> _Read | Failure:
        try:
            return read()
        except _UnusableError as error:
            detail = str(error)
        except (zeep.exceptions.Error, etree.LxmlError) as error:
            detail = f"the WSDL can't be read ({type(error).__name__})"
        except _NO_WSDL as error:
            detail = f"the WSDL makes no sense ({type(error).__name__})"
        if documents.absent:
            detail += f"; {documents.absent} of the schemas that it imports can't be had"
        return unsent(Reason.INVALID, detail)

    def read() -> Operations:
        document = Document(url, cast("Any", documents), settings=settings)
        of_account = _operation(document, scheme, OPERATION, _CREDENTIAL)
        parameters = (*_CREDENTIAL, _RFC)
        of_issuer = attempted(lambda: _operation(document, scheme, ISSUER_OPERATION, parameters))
        return Operations(of_account, of_issuer)

    return attempted(read)


def _choose_port(document: Document, scheme: str, operation: str) -> Port:
    ports: list[Port] = [
        port
        for service in document.services.values()
        for port in service.ports.values()
        if _is_usable(port.binding, operation)
    ]
    if not ports:
        raise _UnusableError(f"the WSDL has no SOAP 1.1 port with the operation {operation}")
    return next((port for port in ports if urlsplit(_address(port)).scheme == scheme), ports[0])


def _is_usable(binding: Any, operation: str) -> bool:
    return isinstance(binding, Soap11Binding) and operation in cast("Any", binding).all()


def _address(port: Any) -> str:
    return str((port.binding_options or {}).get("address") or "")


def _operation(document: Document, scheme: str, name: str, parameters: tuple[str, ...]) -> Operation:
    port = _choose_port(document, scheme, name)
    path = urlsplit(_address(port)).path
    if not path.startswith("/"):
        raise _UnusableError("the WSDL's port has no address with a path")
    binding: Any = port.binding
    operation = binding.get(name)
    # The operation itself builds the envelope, not the client: that would add WS-Addressing headers, whose
    # MessageID must not be the same in every call.
    marks = {parameter: _MARK.format(parameter) for parameter in parameters}
    message = operation.create(**marks)
    envelope = etree.tostring(message.content, encoding="utf-8", xml_declaration=True)
    places = [envelope.find(mark.encode()) for mark in marks.values()]
    if any(envelope.count(mark.encode()) != 1 for mark in marks.values()):
        taken = f"{', '.join(parameters[:-1])} and {parameters[-1]}"
        raise _UnusableError(f"the WSDL's {name} doesn't take {taken}")
    template = re.split("|".join(marks.values()).encode(), envelope)
    order = sorted(range(len(places)), key=places.__getitem__)
    return Operation(path, operation.soapaction or "", tuple(template), tuple(order))


def main() -> None:
    """Read WSDLs for the process that started this one; ``wsdl_process`` has the other side."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer

    def say(**what: object) -> None:
        sink.write(json.dumps(what).encode() + b"\n")
        sink.flush()

    def fetch(url: str, needed: bool) -> bytes | None:
        say(fetch=url, needed=needed)
        size = int(source.readline() or sys.exit(1))
        return None if size < 0 else source.read(size)

    size = _size()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, size + _MEMORY)
    while line := source.readline():
        _limit(resource.RLIMIT_CPU, ceil(time.process_time()) + CPU_SECONDS)
        try:
            found = read_wsdl(json.loads(line), fetch)
        except MemoryError:
            found = unsent(Reason.INVALID, "reading the WSDL takes too much memory")
        spent = _size() > size + _MEMORY // 4  # lxml remembers names
        if isinstance(found, Failure):
            say(unusable=found.detail, spent=spent)
        else:
            say(account=_spelled(found.account), issuer=_spelled(found.issuer), spent=spent)


def _spelled(found: Operation | Failure) -> object:
    """Return an operation, or the detail of a failure, as JSON can have it."""
    if isinstance(found, Failure):
        return found.detail
    return {
        "path": found.path,
        "soap_action": found.soap_action,
        "template": [part.decode() for part in found.template],
        "order": found.order,
    }


def _size() -> int:
    """Bytes of this process's address space."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 4 * _MEMORY  # more than it is


def _limit(kind: int, limit: int) -> None:
    """Take from this process what a hostile document could use up."""
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
