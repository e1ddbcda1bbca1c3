"""The reader of WSDLs: which port and path it takes, and the envelope that it makes."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from exporter.account.outcome import Failure, Reason
from exporter.provider.solucion_factible.wsdl import Operation, read_wsdl
from tests.support.places import DATA

WSDLS = DATA / "wsdl"
BASE = "https://pac.example/ws/"
SOAP11 = "{http://schemas.xmlsoap.org/soap/envelope/}"
NS = "{urn:utilerias}"
ACTION = "urn:getTimbresImplementacion"
NO_PORT = "the WSDL has no SOAP 1.1 port with the operation getTimbresImplementacion"


class RefusedError(Exception):
    """What a test's fetch raises, as the transport does, for an address that it doesn't serve."""


class Documents:
    """A fetch that serves stored documents below one address, and remembers what it was asked for."""

    def __init__(self, base: str = BASE, **documents: bytes) -> None:
        self.asked: list[str] = []
        self._base = base
        self._documents = documents

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if not url.startswith(self._base):
            raise RefusedError(url)
        name = url.removeprefix(self._base)
        return self._documents[name] if name in self._documents else (WSDLS / name).read_bytes()


def read_file(name: str, base: str = BASE) -> Operation | Failure:
    return read_wsdl(base + name, Documents(base))


def read_text(text: str | bytes, url: str = BASE + "main") -> Operation | Failure:
    return read_wsdl(url, lambda _: text.encode() if isinstance(text, str) else text)


def usable(found: Operation | Failure) -> Operation:
    assert isinstance(found, Operation), found
    return found


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
    assert read_file(name) == Failure(Reason.INVALID, detail, sent=False)


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


@pytest.mark.timeout(20)
def test_unions_are_refused_before_they_are_written_out() -> None:
    """Each level doubles the work: with 60 it would never end."""
    found = read_text(twisted(unions(60), '<xs:element name="y" type="ns:U0"/>'))
    assert found == Failure(Reason.INVALID, "the WSDL's types refer to groups or unions", sent=False)


def heirs(count: int) -> str:
    """A type, so many that extend each the one before, and each with a field more."""
    base = '<xs:complexType name="E0"><xs:sequence/></xs:complexType>'
    return base + "".join(
        f'<xs:complexType name="E{number}"><xs:complexContent><xs:extension base="ns:E{number - 1}">'
        '<xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence>'
        "</xs:extension></xs:complexContent></xs:complexType>"
        for number in range(1, count + 1)
    )


@pytest.mark.parametrize(("count", "refused"), [(100, False), (101, True)])
def test_only_so_many_types_may_extend_others(count: int, refused: bool) -> None:
    """zeep gives each all that it inherits: a megabyte of them takes a hundred, and half a minute."""
    found = read_text(twisted(heirs(count)))
    if refused:
        too_many = "more than 100 of the WSDL's types extend others"
        assert found == Failure(Reason.INVALID, too_many, sent=False)
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
    "address", ["file", "path", "http://127.0.0.1:9/x.xsd", "https://other.example/x.xsd"]
)
def test_whatever_a_wsdl_imports_goes_through_fetch_which_may_refuse_it(
    place: str, element: str, address: str, tmp_path: Path
) -> None:
    """The file exists: had it been read from the disk, nothing would be raised."""
    schema = tmp_path / "there.xsd"
    schema.write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>')
    url = {"file": schema.as_uri(), "path": str(schema)}.get(address, address)
    documents = Documents(
        BASE + "main", **{"": AXIS2.replace(place, element.format(url) + place, 1).encode()}
    )
    with pytest.raises(RefusedError):
        read_wsdl(BASE + "main", documents)
    expected = f"https://pac.example{schema}" if address == "path" else url
    assert documents.asked == [BASE + "main", expected]


def test_an_external_dtd_is_not_fetched() -> None:
    text = AXIS2.replace(
        "<wsdl:definitions", '<!DOCTYPE d SYSTEM "https://pac.example/ws/d.dtd"><wsdl:definitions', 1
    )
    documents = Documents(BASE, main=text.encode())
    assert isinstance(read_wsdl(BASE + "main", documents), Failure)
    assert documents.asked == [BASE + "main"]


def test_what_fetch_raises_is_passed_on() -> None:
    def fetch(_url: str) -> bytes:
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
        "_username_first=True)"
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
    assert isinstance(found, Operation) or found.reason is Reason.INVALID
