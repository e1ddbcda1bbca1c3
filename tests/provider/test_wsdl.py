"""The reader of WSDLs: which port and path it takes, and the envelope that it makes."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from exporter.account.outcome import Failure, Reason, unsent
from exporter.provider.solucion_factible.operation import Operation, Operations
from exporter.provider.solucion_factible.wsdl import read_wsdl
from tests.support.places import DATA

WSDLS = DATA / "wsdl"
BASE = "https://pac.example/ws/"
SOAP11 = "{http://schemas.xmlsoap.org/soap/envelope/}"
NS = "{urn:utilerias}"
ACTION = "urn:getTimbresImplementacion"
NO_PORT = "the WSDL has no SOAP 1.1 port with the operation getTimbresImplementacion"


class RefusedError(Exception):
    """What a test's fetch raises, as the transport does, for a document that can't be had."""


class Documents:
    """A fetch that serves stored documents below one address, and remembers what it was asked for."""

    def __init__(self, base: str = BASE, **documents: bytes) -> None:
        self.asked: list[str] = []
        self._base = base
        self._documents = documents

    def __call__(self, url: str, needed: bool) -> bytes | None:
        self.asked.append(url)
        assert url.startswith(self._base.removesuffix("ws/")), "nothing else is ever asked"
        name = url.removeprefix(self._base)
        if name in self._documents:
            return self._documents[name]
        stored = WSDLS / name.lstrip("/")
        if stored.is_file() and url.startswith(self._base):
            return stored.read_bytes()
        if needed:
            raise RefusedError(url)
        return None


def read_file(name: str, base: str = BASE) -> Operations | Failure:
    return read_wsdl(base + name, Documents(base))


def read_text(text: str | bytes, url: str = BASE + "main") -> Operations | Failure:
    return read_wsdl(url, lambda _url, _needed: text.encode() if isinstance(text, str) else text)


def usable(found: Operations | Failure) -> Operation:
    assert isinstance(found, Operations), found
    return found.account


def parts(envelope: bytes) -> tuple[etree._Element, dict[str, str]]:
    """The called element and its parameters with their values, by qualified name."""
    root = etree.fromstring(envelope)
    assert root.tag == SOAP11 + "Envelope"
    assert [child.tag for child in root] == [SOAP11 + "Body"], "no header, and so no WS-Addressing"
    (called,) = root[0]
    return called, {str(parameter.tag): parameter.text or "" for parameter in called}


AXIS2 = (WSDLS / "axis2.wsdl").read_text()

PATHS = [
    # The plaintext port comes first in the file.
    ("axis2.wsdl", "https", "/ws/services/Utilerias.Https11/"),
    ("axis2.wsdl", "http", "/ws/services/Utilerias.Http11/"),
    ("http-only.wsdl", "https", "/ws/services/Utilerias.Http11/"),
    ("http-only.wsdl", "http", "/ws/services/Utilerias.Http11/"),
    ("two-services.wsdl", "https", "/ws/services/Utilerias.Seguro/"),
    ("two-services.wsdl", "http", "/ws/services/Utilerias.Http11/"),
    ("imports.wsdl", "https", "/ws/services/Utilerias.Https11/"),
    ("imports.wsdl", "http", "/ws/services/Utilerias.Http11/"),
]


@pytest.mark.parametrize(("name", "scheme", "path"), PATHS)
def test_the_soap_11_port_of_the_url_s_own_scheme_is_taken_else_the_first(
    name: str, scheme: str, path: str
) -> None:
    operation = usable(read_file(name, f"{scheme}://pac.example/ws/"))
    assert (operation.path, operation.soap_action) == (path, ACTION)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://10.0.0.7:8443/internal/Utilerias", "/internal/Utilerias"),
        ("HTTPS://axis/x", "/x"),
        ("https://user:secret@axis/x", "/x"),
        ("https://axis/x?y=1#z", "/x"),
        ("https://axis/x/../y", "/x/../y"),
        ("https://axis//other.example/x", "//other.example/x"),
        ("/only/a/path", "/only/a/path"),
    ],
)
def test_of_an_address_only_the_path_counts(address: str, path: str) -> None:
    text = (WSDLS / "no-address.wsdl").read_text().replace("https://axis-node1.internal", address)
    assert usable(read_text(text)).path == path


UNUSABLE = [
    ("soap12-only.wsdl", NO_PORT),
    ("http-binding-only.wsdl", NO_PORT),
    ("no-operation.wsdl", NO_PORT),
    ("no-address.wsdl", "the WSDL's port has no address with a path"),
    ("required-parameter.wsdl", "the WSDL can't be read (ValidationError)"),
    ("no-password.wsdl", "the WSDL makes no sense (TypeError)"),
    ("dtd.wsdl", "the WSDL can't be read (DTDForbidden)"),
]


@pytest.mark.parametrize(("name", "detail"), UNUSABLE)
def test_a_wsdl_that_offers_no_way_to_ask_is_invalid_and_says_why(name: str, detail: str) -> None:
    assert read_file(name) == unsent(Reason.INVALID, detail)


def test_every_stored_wsdl_is_tested() -> None:
    elsewhere = {"password-first.wsdl", "optional-parameter.wsdl", "unqualified.wsdl"}
    tested = {case[0] for case in PATHS} | {case[0] for case in UNUSABLE} | elsewhere
    assert {path.name for path in WSDLS.glob("*.wsdl")} == tested


def twisted(types: str, parameter: str = "") -> str:
    """A WSDL with more types, and a parameter more in front of the username."""
    username = '<xs:element minOccurs="0" name="usuario"'
    text = AXIS2.replace(
        '<xs:complexType name="ResponseTimbres">', types + '<xs:complexType name="ResponseTimbres">'
    )
    return text.replace(username, parameter + username)


NO_WSDL: list[tuple[str, str | bytes]] = [
    ("empty", b""),
    ("text", b"Service unavailable"),
    ("NUL bytes", b"\0" * 50),
    ("JSON", b"{}"),
    ("HTML", b"<html><body>Mantenimiento</body></html>"),
    ("HTML with doctype", b"<!DOCTYPE html><html><body>Mantenimiento</body></html>"),
    ("HTML that isn't XML", b"<!doctype html><p>Mantenimiento<br>"),
    ("cut", AXIS2[: len(AXIS2) // 2]),
    ("no namespace", b"<definitions/>"),
    ("nothing defined", b'<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>'),
    ("a schema", (WSDLS / "types" / "utilerias.xsd").read_bytes()),
    ("no bindings", AXIS2.replace("wsdl:binding", "wsdl:bonding")),
    ("no types", AXIS2.replace("wsdl:types", "wsdl:tapes").replace("xs:schema", "xs:scheme")),
    ("address that is none", AXIS2.replace("://axis-node1.internal", "://[axis")),
    ("entity bomb", AXIS2.replace("<wsdl:definitions", '<!DOCTYPE d [<!ENTITY a "b">]><wsdl:definitions', 1)),
    ("nested beyond all measure", "<a>" * 10_000),
]


@pytest.mark.filterwarnings("ignore::UserWarning:zeep")
@pytest.mark.parametrize("document", [case[1] for case in NO_WSDL], ids=[case[0] for case in NO_WSDL])
def test_what_is_no_wsdl_is_invalid(document: str | bytes) -> None:
    found = read_text(document)
    assert isinstance(found, Failure)
    assert (found.reason, found.sent) == (Reason.INVALID, False)


CYCLES = [
    (
        "attribute group in itself",
        twisted(
            '<xs:attributeGroup name="g"><xs:attributeGroup ref="ns:g"/></xs:attributeGroup>'
            '<xs:complexType name="A"><xs:attributeGroup ref="ns:g"/></xs:complexType>'
        ),
    ),
    (
        "group in itself",
        twisted(
            '<xs:group name="g"><xs:sequence><xs:group ref="ns:g"/></xs:sequence></xs:group>',
            '<xs:group ref="ns:g"/>',
        ),
    ),
    (
        "simple type of itself",
        twisted(
            '<xs:simpleType name="A"><xs:restriction base="ns:A"/></xs:simpleType>',
            '<xs:element name="y" type="ns:A"/>',
        ),
    ),
]


@pytest.mark.parametrize("document", [case[1] for case in CYCLES], ids=[case[0] for case in CYCLES])
def test_a_definition_that_refers_to_itself_is_invalid(document: str) -> None:
    """A hostile or broken WSDL must not raise what nobody expects: every account would crash with it."""
    found = read_text(document)
    assert isinstance(found, Failure)
    assert (found.reason, found.sent) == (Reason.INVALID, False)


def unions(count: int) -> str:
    """Types of which each is twice a member of the one before."""
    types = "".join(
        f'<xs:simpleType name="U{number}">'
        f'<xs:union memberTypes="ns:U{number + 1} ns:U{number + 1}"/></xs:simpleType>'
        for number in range(count)
    )
    return types + f'<xs:simpleType name="U{count}"><xs:restriction base="xs:int"/></xs:simpleType>'


def test_unions_are_refused_before_they_are_written_out() -> None:
    """Each level doubles the work: with 60 it would never end."""
    found = read_text(twisted(unions(60), '<xs:element name="y" type="ns:U0"/>'))
    assert found == unsent(Reason.INVALID, "the WSDL's types refer to groups or unions")


def heirs(count: int, how: str) -> str:
    """A type, so many that extend or restrict each the one before, and each with a field more."""
    base = '<xs:complexType name="E0"><xs:sequence/></xs:complexType>'
    return base + "".join(
        f'<xs:complexType name="E{number}"><xs:complexContent><xs:{how} base="ns:E{number - 1}">'
        '<xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence>'
        f"</xs:{how}></xs:complexContent></xs:complexType>"
        for number in range(1, count + 1)
    )


@pytest.mark.parametrize("how", ["extension", "restriction"])
@pytest.mark.parametrize(("count", "refused"), [(100, False), (101, True)])
def test_only_so_many_types_may_extend_or_restrict_others(count: int, refused: bool, how: str) -> None:
    """zeep gives each all that it inherits: a megabyte of them takes a hundred, and half a minute."""
    found = read_text(twisted(heirs(count, how)))
    if refused:
        too_many = "more than 100 of the WSDL's types extend or restrict others"
        assert found == unsent(Reason.INVALID, too_many)
    else:
        assert usable(found).soap_action == ACTION


def test_a_type_that_extends_itself_does_no_harm_where_it_is_not_used() -> None:
    extension = '<xs:complexContent><xs:extension base="ns:A"/></xs:complexContent>'
    document = twisted(f'<xs:complexType name="A">{extension}</xs:complexType>')
    assert usable(read_text(document)).soap_action == ACTION


def test_what_is_imported_is_fetched_relative_to_what_imports_it() -> None:
    documents = Documents()
    usable(read_wsdl(BASE + "imports.wsdl", documents))
    assert documents.asked == [
        BASE + "imports.wsdl",
        BASE + "parts/interface.wsdl",
        BASE + "types/utilerias.xsd",
    ]


TYPES = '<xs:element name="getTimbresImplementacion">'
IMPORTS: list[tuple[str, str, str]] = [
    ("wsdl:import", "<wsdl:types>", '<wsdl:import namespace="urn:x" location="{}"/>'),
    ("xs:import", TYPES, '<xs:import namespace="urn:x" schemaLocation="{}"/>'),
    ("xs:include", TYPES, '<xs:include schemaLocation="{}"/>'),
]


@pytest.mark.parametrize(
    ("place", "element"), [case[1:] for case in IMPORTS], ids=[case[0] for case in IMPORTS]
)
@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("file", None),
        ("path", "https://pac.example{path}"),
        ("http://127.0.0.1:9/x.xsd?a=b#c", "https://pac.example/x.xsd?a=b"),
        ("https://user:secret@other.example:8443/x.xsd", "https://pac.example/x.xsd"),
        ("http://axis-node1.internal", "https://pac.example/"),
        ("ftp://pac.example/x.xsd", None),
    ],
)
def test_whatever_a_wsdl_imports_is_asked_for_at_its_own_origin_alone(
    place: str, element: str, address: str, asked: str | None, tmp_path: Path
) -> None:
    """The file exists: had it been read from the disk, nothing would be missing."""
    schema = tmp_path / "there.xsd"
    schema.write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>')
    url = {"file": schema.as_uri(), "path": str(schema)}.get(address, address)
    documents = Documents(main=AXIS2.replace(place, element.format(url) + place, 1).encode())
    if "xs:import" in element:
        usable(read_wsdl(BASE + "main", documents))
    elif asked is None:
        assert read_wsdl(BASE + "main", documents) == unsent(
            Reason.INVALID, "the WSDL imports a document that has no http address"
        )
    else:
        with pytest.raises(RefusedError):
            read_wsdl(BASE + "main", documents)
    assert documents.asked == [BASE + "main"] + ([asked.format(path=schema)] if asked else [])


def test_what_an_internal_host_is_named_for_is_read_from_the_configured_one() -> None:
    """Axis2 behind a proxy writes its own address into imports, as it does into ports."""
    text = (WSDLS / "imports.wsdl").read_text()
    for name in ("parts/interface.wsdl", "types/utilerias.xsd"):
        text = text.replace(f'"{name}"', f'"http://axis-node1.internal:8080/ws/{name}"')
    documents = Documents(main=text.encode())
    assert usable(read_wsdl(BASE + "main", documents)) == usable(read_file("imports.wsdl"))
    assert documents.asked[1:] == [BASE + "parts/interface.wsdl", BASE + "types/utilerias.xsd"]


SOAPENC = "http://schemas.xmlsoap.org/soap/encoding/"
XMIME = "http://www.w3.org/2005/05/xmlmime"
SCHEMAS = [
    (SOAPENC, SOAPENC, "Array", "arrayType"),
    (SOAPENC, "soapenc.xsd", "string", "offset"),
    (SOAPENC, "", "base64", "root"),
    (XMIME, XMIME, "base64Binary", "contentType"),
    (XMIME, "http://axis-node1.internal/xmlmime.xsd", "hexBinary", "contentType"),
    ("http://www.w3.org/2004/11/xmlmime", "xmlmime", "base64Binary", "expectedContentTypes"),
    ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/xml.xsd", None, "lang"),
    ("http://www.w3.org/XML/1998/namespace", "", None, "base"),
]


@pytest.mark.parametrize(("namespace", "location", "type_", "attribute"), SCHEMAS)
def test_schemas_that_everybody_knows_are_not_fetched(
    namespace: str, location: str, type_: str | None, attribute: str
) -> None:
    """Their addresses are other hosts', which are never asked; types of the WSDL may refer to them."""
    where = f' schemaLocation="{location}"' if location else ""
    prefix = "xml" if "XML/1998" in namespace else "k"
    used = (
        f'<xs:complexType xmlns:{prefix}="{namespace}" name="Used"><xs:sequence>'
        + (f'<xs:element name="x" type="k:{type_}"/>' if type_ else "")
        + f'</xs:sequence><xs:attribute ref="{prefix}:{attribute}"/></xs:complexType>'
    )
    imports = f'<xs:import namespace="{namespace}"{where}/>'
    text = AXIS2.replace(TYPES, imports + used + TYPES, 1)
    if location:
        documents = Documents(main=text.encode())
        assert usable(read_wsdl(BASE + "main", documents)).soap_action == ACTION
        assert documents.asked == [BASE + "main"]
    assert usable(read_text(AXIS2.replace(TYPES, imports + TYPES, 1))).soap_action == ACTION


@pytest.mark.filterwarnings("ignore::UserWarning:zeep")
def test_a_schema_that_cannot_be_had_is_missed_only_where_the_operation_needs_it() -> None:
    interface = (WSDLS / "parts" / "interface.wsdl").read_bytes().replace(b"utilerias.xsd", b"gone.xsd")
    found = read_wsdl(BASE + "imports.wsdl", Documents(BASE, **{"parts/interface.wsdl": interface}))
    assert isinstance(found, Failure)
    assert found.reason is Reason.INVALID
    assert found.detail.endswith("; 1 of the schemas that it imports can't be had")


def test_an_external_dtd_is_not_fetched() -> None:
    text = AXIS2.replace(
        "<wsdl:definitions", '<!DOCTYPE d SYSTEM "https://pac.example/ws/d.dtd"><wsdl:definitions', 1
    )
    documents = Documents(BASE, main=text.encode())
    assert isinstance(read_wsdl(BASE + "main", documents), Failure)
    assert documents.asked == [BASE + "main"]


def test_what_fetch_raises_is_passed_on() -> None:
    def fetch(_url: str, _needed: bool) -> bytes:
        raise RefusedError

    with pytest.raises(RefusedError):
        read_wsdl(BASE + "axis2.wsdl", fetch)


ENVELOPES = [
    ("axis2.wsdl", [NS + "usuario", NS + "password"]),
    ("password-first.wsdl", [NS + "password", NS + "usuario"]),
    ("optional-parameter.wsdl", [NS + "usuario", NS + "password"]),
    ("unqualified.wsdl", ["usuario", "password"]),
    ("imports.wsdl", [NS + "usuario", NS + "password"]),
]


@pytest.mark.parametrize(("name", "order"), ENVELOPES)
def test_the_envelope_has_the_elements_of_the_wsdl_in_its_order(name: str, order: list[str]) -> None:
    called, parameters = parts(usable(read_file(name)).envelope("ws@acme.example", "s3cret"))
    assert called.tag == NS + "getTimbresImplementacion"
    assert list(parameters) == order
    values = {key.rpartition("}")[2]: value for key, value in parameters.items()}
    assert values == {"usuario": "ws@acme.example", "password": "s3cret"}


def test_the_envelope_byte_for_byte() -> None:
    """No header: the WSDL has wsaw:Action, of which zeep would make WS-Addressing with a frozen MessageID."""
    assert "wsaw:Action" in AXIS2
    assert usable(read_file("axis2.wsdl")).envelope("ws@acme.example", "a<b&c]]>\r\n\"'") == (
        b"<?xml version='1.0' encoding='utf-8'?>\n"
        b'<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/"><soap-env:Body>'
        b'<ns0:getTimbresImplementacion xmlns:ns0="urn:utilerias"><ns0:usuario>ws@acme.example</ns0:usuario>'
        b"<ns0:password>a&lt;b&amp;c]]&gt;&#13;\n\"'</ns0:password></ns0:getTimbresImplementacion>"
        b"</soap-env:Body></soap-env:Envelope>"
    )


OPERATIONS = {name: usable(read_file(name)) for name, _ in ENVELOPES}
# All that XML 1.0 can carry (its production Char).
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff", min_codepoint=0x20)
XML_TEXT = st.text(CHARACTERS | st.sampled_from("\t\n\r&<>\"' "), max_size=30)


@given(st.sampled_from(sorted(OPERATIONS)), XML_TEXT, XML_TEXT)
@example("axis2.wsdl", " a ", "  ")
@example("axis2.wsdl", "", "")
@example("password-first.wsdl", "&amp;", "<![CDATA[x]]>")
@example("axis2.wsdl", "\r\n\r", "]]>")
@example("axis2.wsdl", "\u0085\u2028\x7f", "😀$HOME {0} %s \\1")
@example("axis2.wsdl", "cfdi-stamps-exporter-password", "cfdi-stamps-exporter-usuario")
def test_username_and_password_arrive_exactly_as_they_are(name: str, username: str, password: str) -> None:
    _, parameters = parts(OPERATIONS[name].envelope(username, password))
    values = {key.rpartition("}")[2]: value for key, value in parameters.items()}
    assert values == {"usuario": username, "password": password}


def test_an_operation_holds_no_credential_and_shows_none_of_its_envelope() -> None:
    operation = usable(read_file("axis2.wsdl", "http://pac.example/ws/"))
    before = repr(operation)
    assert b"s3cret" in operation.envelope("ws@acme.example", "s3cret")
    assert before == (
        "Operation(path='/ws/services/Utilerias.Http11/', soap_action='urn:getTimbresImplementacion', "
        "order=(0, 1))"
    )
    assert repr(operation) == before
    assert operation == usable(read_file("axis2.wsdl", "http://pac.example/ws/")), "unchanged is equal"


TOKENS = AXIS2.replace(">", ">\0").replace("<", "\0<").split("\0")
PLACES = st.integers(0, len(TOKENS) - 1)


@pytest.mark.filterwarnings("ignore::UserWarning:zeep")
@given(st.lists(st.tuples(PLACES, PLACES, st.booleans()), min_size=1, max_size=3))
def test_no_damage_to_a_wsdl_makes_the_reader_raise(damages: list[tuple[int, int, bool]]) -> None:
    """Elements are replaced by others of the document, or doubled elsewhere."""
    tokens = list(TOKENS)
    for place, source, insert in damages:
        tokens[place : place if insert else place + 1] = [tokens[source]]
    found = read_text("".join(tokens))
    assert isinstance(found, Operations) or found.reason is Reason.INVALID
