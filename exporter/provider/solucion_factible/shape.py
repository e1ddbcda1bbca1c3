"""The shape of the service: what its WSDL offers and what an answer was made of, without any value.

It is to be shown to others: those who wrote this have never seen a real answer. Which words it may hold is
in ``words``; all else is only counted.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from exporter.account.outcome import Reading, Reason
from exporter.provider.http.response import HttpAnswer
from exporter.provider.solucion_factible.charset import CharsetError, in_utf8
from exporter.provider.solucion_factible.envelope import SOAP
from exporter.provider.solucion_factible.media_type import media_type
from exporter.provider.solucion_factible.multipart import is_multipart, root_part
from exporter.provider.solucion_factible.outline import Element, Outline, outline
from exporter.provider.solucion_factible.recording import Recording
from exporter.provider.solucion_factible.words import HEADERS, MEDIA_TYPES, XSD, XSI, Words
from exporter.secret import Secret

MOST_LINES: Final = 120
"""Lines about the WSDL, and about the answer."""

_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_BINDINGS: Final = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "SOAP 1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "SOAP 1.2",
    "http://schemas.xmlsoap.org/wsdl/http/": "HTTP",
}
_OPERATIONS: Final = ("getTimbresImplementacion", "getTimbres")
_FIELDS: Final = ("status", "mensaje", "contratados", "usados", "disponibles")
_WSDL_ELEMENTS: Final = 20_000
_ANSWER_ELEMENTS: Final = 1_000


def describe(recording: Recording, wsdl: str, secrets: Iterable[Secret]) -> str:
    """Return the shape of what was recorded, in lines.

    ``wsdl`` is the configured address, ``secrets`` is what may stand in no line.
    """
    words = Words(secrets)
    read = [outline(_utf8(document), _WSDL_ELEMENTS) for document in recording.documents]
    roots = [one.root for one in read if one.root]
    for element in (element for root in roots for element in root.walk()):
        words.learn_name(element.get("name"))
        words.learn_namespace(element.get("targetNamespace"))
    lines = [*_bounded(_wsdl(read, roots, wsdl, words))]
    if failure := recording.not_loaded:
        # What the system says of a connection can name the host.
        detail = failure.detail if failure.reason in (Reason.INVALID, Reason.HTTP) else failure.reason
        lines.append(f"It can't be used: {detail}.")
    if recording.tls:
        issued = [words.phrase(value) for kind, value in recording.issued_by if kind in _ISSUER]
        by = f"certificate issued by {', '.join(issued)}" if issued else "certificate not checked"
        lines.append(f"{words.phrase(recording.tls)}, {by}")
    if recording.answer:
        lines += _bounded(_answer(recording, recording.answer, words))
    return "\n".join(lines)


_ISSUER: Final = ("commonName", "organizationName")


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    yield from islice(lines, MOST_LINES)
    if more := sum(1 for _ in lines):
        yield f"  ... and {more} more lines"


def _utf8(document: bytes) -> bytes:
    try:
        return in_utf8(document, None)
    except CharsetError:
        return b""


# The WSDL. ----------------------------------------------------------------------------------------------


def _wsdl(read: list[Outline], roots: list[Element], url: str, words: Words) -> Iterator[str]:
    if not read:
        yield "WSDL: none came"
        return
    yield f"WSDL: {len(read)} document{'' if len(read) == 1 else 's'}"
    yield from (f"  holds {one.damage}" for one in read if one.damage)
    elements = [element for root in roots for element in root.walk()]
    namespaces = dict.fromkeys(filter(None, (one.get("targetNamespace") for one in elements)))
    yield from (f"  namespace {words.namespace(one)}" for one in namespaces)
    yield from _ports(elements, url, words)
    yield from _operations(elements, words)
    yield from _types(elements, words)


def _ports(elements: list[Element], url: str, words: Words) -> Iterator[str]:
    own = urlsplit(url)
    for port in (one for one in elements if (one.namespace, one.name) == (_WSDL, "port")):
        binding, where = "unknown binding", "no address"
        for address in (child for child in port.children if child.name == "address"):
            binding = _BINDINGS.get(address.namespace, binding)
            where = _where(address.get("location"), own.hostname, own.path, port.get("name"))
        yield f"  port {words.name(port.get('name'))}: {binding}, {where}"


def _where(location: str, host: str | None, path: str, port: str) -> str:
    """Say how the address of a port relates to the configured one."""
    try:
        parts = urlsplit(location)
        same = "the same host" if parts.hostname == host else "another host"
    except ValueError:
        return "an address that is none"
    scheme = parts.scheme if parts.scheme in ("http", "https") else "another scheme"
    if parts.path.rstrip("/") == path:
        at = "the WSDL's path"
    elif parts.path.rstrip("/") == f"{path}.{port}":
        at = "the WSDL's path and the port's name"
    else:
        at = f"another path, {len(parts.path)} characters"
    return f"{scheme}, {same}, {at}"


def _operations(elements: list[Element], words: Words) -> Iterator[str]:
    names = dict.fromkeys(
        operation.get("name")
        for port_type in elements
        if (port_type.namespace, port_type.name) == (_WSDL, "portType")
        for operation in port_type.children
        if operation.name == "operation"
    )
    yield f"  operations: {', '.join(map(words.name, names)) or 'none'}"
    parts = [one for one in elements if one.namespace == _BINDINGS_SOAP11 and one.name in ("binding", "body")]
    used = {f"{one.name} {one.get(key)}" for one in parts for key in ("style", "use") if one.get(key)}
    known = ("binding document", "binding rpc", "body literal", "body encoded")
    yield f"  SOAP 1.1 is {', '.join(one.split()[1] for one in known if one in used) or 'not described'}"


_BINDINGS_SOAP11: Final = "http://schemas.xmlsoap.org/wsdl/soap/"


def _types(elements: list[Element], words: Words) -> Iterator[str]:
    """Describe the elements of the two operations, and the types that these lead to."""
    schema = [one for one in elements if one.namespace == XSD]
    named = {one.get("name"): one for one in schema if one.name == "complexType" and one.get("name")}
    wanted = {f"{operation}{suffix}" for operation in _OPERATIONS for suffix in ("", "Response")}
    found = [
        one for one in schema if one.name == "element" and one.get("name") in wanted and not one.get("ref")
    ]
    seen: set[str] = set()
    queue = [("element", one) for one in found]
    while queue:
        kind, one = queue.pop(0)
        if kind == "element" and not one.children and not one.get("type"):
            continue  # it is empty, or only referred to
        yield f"  {kind} {words.name(one.get('name'))}"
        for inner in one.walk():
            if inner is not one and inner.name in ("element", "attribute", "any"):
                yield f"    {_field(inner, words)}"
            for reference in ("type", "base"):
                local = inner.get(reference).rpartition(":")[2]
                if local in named and local not in seen:
                    seen.add(local)
                    queue.append(("type", named[local]))


def _field(field: Element, words: Words) -> str:
    name = "anything" if field.name == "any" else words.name(field.get("name") or _local(field.get("ref")))
    terms = [words.type(field.get("type"), field.prefixes)] if field.get("type") else []
    for key, plain in (("minOccurs", "1"), ("maxOccurs", "1")):
        value = field.get(key)
        if value and value != plain:
            terms.append(f"{key} {value}" if value in ("0", "unbounded") else f"{key} is another number")
    if field.get("nillable") in ("true", "1"):
        terms.append("nillable")
    attribute = "attribute " if field.name == "attribute" else ""
    return f"{attribute}{name}: {', '.join(terms) or 'no type'}"


def _local(qualified: str) -> str:
    return qualified.rpartition(":")[2]


# The answer. --------------------------------------------------------------------------------------------


def _answer(recording: Recording, answer: HttpAnswer, words: Words) -> Iterator[str]:
    outcome = recording.outcome
    taken = "an answer with a code" if isinstance(outcome, Reading) else "no answer"
    if outcome and not isinstance(outcome, Reading):
        taken = f"no answer ({outcome.reason})"
    yield f"Answer: HTTP status {answer.status}, after {recording.seconds:.1f} s, {len(answer.body)} bytes"
    yield f"  taken for {taken}"
    if answer.cut:
        yield f"  it isn't whole ({answer.cut.reason})"
    hidden = [name for name in recording.headers if name not in HEADERS]
    shown = [name for name in recording.headers if name in HEADERS]
    if hidden:
        shown.append(f"and {len(hidden)} whose names aren't shown")
    yield f"  headers: {', '.join(shown) or 'none'}"
    media = media_type(answer.content_type)
    kind = media.name if media.name in MEDIA_TYPES else "one that isn't shown" if media.name else "none"
    yield f"  media type: {kind}; charset: {_charset(media.charset)}"
    body, charset, whole = answer.body, media.charset, True
    if is_multipart(media):
        part = root_part(media, body)
        yield f"  parts: {'a root part' if part else 'no root part'}"
        body, charset, whole = (part.content, part.charset, part.whole) if part else (b"", None, False)
    yield f"  XML declaration: {'yes' if body.lstrip().startswith(b'<?xml') else 'no'}"
    try:
        document = in_utf8(body, charset)
    except CharsetError:
        yield "  its charset isn't known, or another one than it says"
        return
    yield from _elements(outline(document, _ANSWER_ELEMENTS), words, whole=whole)


def _charset(name: str | None) -> str:
    if not name:
        return "none"
    known = ("utf-8", "utf8", "iso-8859-1", "latin1", "windows-1252", "us-ascii", "utf-16")
    return name.lower() if name.lower() in known else "one that isn't shown"


def _elements(found: Outline, words: Words, *, whole: bool) -> Iterator[str]:
    if found.root is None:
        yield "  no element"
    else:
        aliases: dict[str, str] = {}
        for element in found.root.walk():
            aliases.setdefault(element.namespace, f"n{len(aliases) + 1}")
        yield from (f"  {alias} is {words.namespace(namespace)}" for namespace, alias in aliases.items())
        yield from _tree(found.root, aliases, words, 2)
        yield from _absent(found.root)
    if found.damage or not whole:
        yield f"  then {found.damage or 'an end before its end'}"


def _tree(element: Element, aliases: dict[str, str], words: Words, depth: int) -> Iterator[str]:
    terms = [
        term
        for (namespace, name), value in element.attributes.items()
        for term in [_attribute(namespace, name, value, element, words)]
    ]
    if not (element.children and not element.text.strip()):
        terms.append(element.sort)
    colon = f": {', '.join(terms)}" if terms else ""
    yield f"{'  ' * depth}{aliases[element.namespace]}:{words.name(element.name)}{colon}"
    for child in element.children:
        yield from _tree(child, aliases, words, depth + 1)


def _attribute(namespace: str, name: str, value: str, element: Element, words: Words) -> str:
    if namespace == XSI and name == "nil":
        return "nil" if value.strip() in ("true", "1") else "not nil"
    if namespace == XSI and name == "type":
        return f"xsi:type {words.type(value, element.prefixes)}"
    return f"attribute {words.name(name)} ({len(value)} characters)"


def _absent(root: Element) -> Iterator[str]:
    """Name the documented fields that an answer's return value hasn't."""
    if root.namespace in SOAP:
        for returned in (one for one in root.walk() if one.name == "return"):
            there = {child.name for child in returned.children}
            absent = [field for field in _FIELDS if field not in there]
            yield f"  absent in return: {', '.join(absent) or 'no field that is documented'}"
