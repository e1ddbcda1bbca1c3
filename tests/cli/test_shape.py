"""`check NAME --shape`: what the service is made of, to be shown to others, and no value in it."""

import base64
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from exporter import __version__, log
from exporter.account.outcome import Failure, Reason, Verdict
from exporter.cli import check
from exporter.cli import main as cli
from exporter.config import Account, Environment, TlsConfig
from exporter.provider.http.response import HttpAnswer
from exporter.provider.solucion_factible.recording import Recording
from exporter.provider.solucion_factible.shape import MOST_LINES, describe
from exporter.provider.solucion_factible.words import Words
from exporter.secret import Secret
from exporter.simulator import PASSWORD, Simulator
from exporter.simulator.wsdl import wsdl_text
from tests.support.peers import PhpProvider
from tests.support.rig import account as rig_account

GOLDEN = """\
cfdi-stamps-exporter VERSION: the shape of the service, without any value, to be shown to others
Asked: a service at another address
WSDL: 1 document
  namespace http://utilerias.ws.cfdi.solucionfactible.com
  namespace http://utilerias.ws.cfdi.solucionfactible.com/xsd
  port UtileriasHttpSoap11Endpoint: SOAP 1.1, http, another host, the WSDL's path and the port's name
  port UtileriasHttpsSoap11Endpoint: SOAP 1.1, https, another host, the WSDL's path and the port's name
  port UtileriasHttpSoap12Endpoint: SOAP 1.2, http, another host, the WSDL's path and the port's name
  port UtileriasHttpsSoap12Endpoint: SOAP 1.2, https, another host, the WSDL's path and the port's name
  port UtileriasHttpEndpoint: HTTP, http, another host, the WSDL's path and the port's name
  port UtileriasHttpsEndpoint: HTTP, https, another host, the WSDL's path and the port's name
  operations: getTimbres, getTimbresImplementacion
  SOAP 1.1 is document, literal
  element getTimbres
    usuario: xs:string, minOccurs 0, nillable
    password: xs:string, minOccurs 0, nillable
    rfcEmisor: xs:string, minOccurs 0, nillable
  element getTimbresResponse
    return: ResponseTimbres, minOccurs 0, nillable
  element getTimbresImplementacion
    usuario: xs:string, minOccurs 0, nillable
    password: xs:string, minOccurs 0, nillable
  element getTimbresImplementacionResponse
    return: ResponseTimbres, minOccurs 0, nillable
  type ResponseTimbres
    contratados: xs:int, minOccurs 0, nillable
    disponibles: xs:int, minOccurs 0, nillable
    mensaje: xs:string, minOccurs 0, nillable
    status: xs:int, minOccurs 0, nillable
    usados: xs:int, minOccurs 0, nillable
Answer: HTTP status 200, after 0.0 s, SIZE bytes
  taken for an answer with a code
  headers: content-type, transfer-encoding, date, server
  media type: text/xml; charset: utf-8
  XML declaration: yes
  n1 is http://schemas.xmlsoap.org/soap/envelope/
  n2 is http://utilerias.ws.cfdi.solucionfactible.com
  n3 is http://utilerias.ws.cfdi.solucionfactible.com/xsd
    n1:Envelope
      n1:Body
        n2:getTimbresImplementacionResponse
          n2:return: xsi:type ResponseTimbres
            n3:contratados: FIGURE
            n3:disponibles: FIGURE
            n3:mensaje: text, LENGTH characters
            n3:status: a whole number
            n3:usados: FIGURE
  absent in return: no field that is documented"""


async def shape(asked: Account, folder: Path) -> check.Report:
    logger = log.logger("info", stream=io.StringIO())
    return await check.run(asked, folder / "state.db", resume=False, shape=True, log=logger)


def account(wsdl: str, username: str, password: str = PASSWORD, **environment: object) -> Account:
    tls = environment.get("tls", TlsConfig())
    proxy = environment.get("proxy")
    assert isinstance(tls, TlsConfig)
    at = Environment("test", wsdl, True, 4, Secret(str(proxy)) if proxy else None, tls)
    return replace(rig_account(password, username=username, environment=at), timeout=10.0)


def without_time(text: str) -> str:
    lines = text.split("\n")
    place = next(n for n, line in enumerate(lines) if line.startswith("Answer: "))
    before, _, after = lines[place].partition(", after ")
    lines[place] = f"{before}, after 0.0 s{after[after.index(',') :]}"
    return "\n".join(lines)


@pytest.mark.process
@pytest.mark.parametrize(
    ("username", "ok", "size", "figure", "length"),
    [
        ("healthy@demo.example", True, 679, "a whole number", 37),
        ("exhausted@demo.example", True, 671, "nil, empty", 48),
        ("wrong-password@demo.example", False, 701, "nil, empty", 77),
    ],
)
async def test_all_of_it(
    tmp_path: Path, username: str, ok: bool, size: int, figure: str, length: int
) -> None:
    """One login, and not one value: neither a figure nor the code."""
    simulator = Simulator()
    await simulator.start()
    try:
        report = await shape(account(simulator.wsdl_url, username), tmp_path)
    finally:
        await simulator.stop()
    expected = GOLDEN.replace("VERSION", __version__).replace("SIZE", str(size))
    expected = expected.replace("FIGURE", figure).replace("LENGTH", str(length))
    assert without_time(report.text) == expected
    assert report.ok is ok
    assert simulator.accounts[username].calls == 1


@pytest.mark.peer("php")
async def test_of_another_service(php_provider: PhpProvider, tmp_path: Path) -> None:
    """Its namespaces, the order of its fields, and what it leaves out."""
    php_provider.set("acme", password=PASSWORD, contracted=9, available=7)
    report = await shape(account(php_provider.wsdl_url, "acme"), tmp_path)
    assert "  namespace http://php.peer.example/balance/types\n" in report.text
    assert "  port BalanceSoap11Port: SOAP 1.1, http, another host, the WSDL's path\n" in report.text
    assert "  element getTimbres\n    rfcEmisor: xs:string, minOccurs 0, nillable\n" in report.text
    assert report.text.endswith("\n  absent in return: usados")
    assert php_provider.calls("acme") == 1


async def test_where_nothing_came(tmp_path: Path) -> None:
    """The reason is this project's own text."""
    report = await shape(account("http://127.0.0.1:1/ws?wsdl", "u"), tmp_path)
    assert not report.ok
    assert report.text.split("\n")[2:] == [
        "WSDL: none came",
        "It can't be used: connection.",
        "There is no answer: check NAME without --shape says why.",
    ]


def test_of_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text(
        "environments: {peer: {wsdl: 'http://127.0.0.1:1/ws?wsdl'}}\n"
        "accounts: [{name: acme, username: hunter2, password: b, environment: peer}]\n"
    )
    assert cli.main(["check", "acme", "--shape", f"--config.file={tmp_path / 'config.yaml'}"]) == 1
    said = capfd.readouterr().out
    assert said.startswith("cfdi-stamps-exporter ")
    assert "WSDL: none came" in said
    assert "hunter2" not in said
    assert "acme" not in said


# Secrets in every place. ---------------------------------------------------------------------------------

USERNAME, SECRET, RFC = "Quetzal.Ws@Xolotl.example", "Zq7&<Tlaloc>Ñ9", "CACX7605101P8"
WORD = "Zq7Tlaloc"  # as much of a password as can be in a name
PROXY_USER, PROXY_PASSWORD = "Mictlan", "Coyolxauhqui"
TELLING = ("Quetzal", "Xolotl", "Tlaloc", "Zq7", RFC, "Mictlan", "Coyolxauhqui", "Huitzil", "4711", "0815")
"""What no line may hold: pieces of the credential, an RFC, the proxy's login, and values of an answer."""

ECHO = f"{USERNAME} {SECRET} {RFC} {PROXY_USER}:{PROXY_PASSWORD} {quote(SECRET)} Huitzil".replace(
    "&", "&amp;"
).replace("<", "&lt;")
FIELDS = (
    f"<status>4711</status><mensaje>{ECHO}</mensaje><contratados>4711</contratados><usados>0815</usados>"
    f"<disponibles>{ECHO}</disponibles>"
)
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def soap(content: str, head: str = "") -> str:
    namespaces = f'xmlns:e="{ENVELOPE}" xmlns:x="{XSI}"'
    return f"{head}<e:Envelope {namespaces}><e:Body>{content}</e:Body></e:Envelope>"


ANSWERS = {
    "texts": soap(f"<r><return>{FIELDS}</return></r>"),
    "names of elements": soap(f"<r><return><{WORD}/><Quetzal.Ws>1</Quetzal.Ws><{RFC}/>{FIELDS}</return></r>"),
    "names of the operation": soap(f"<{WORD}Response><return>{FIELDS}</return></{WORD}Response>"),
    "attributes": soap(
        f'<r><return {WORD}="{ECHO.replace(chr(34), "")}" Quetzal="Huitzil">{FIELDS}</return></r>'
    ),
    "types": soap(f'<r xmlns:q="urn:{WORD}"><return x:type="q:{WORD}" x:nil="{ECHO}">{FIELDS}</return></r>'),
    "namespaces": soap(
        f'<r xmlns="http://{WORD}.example/Xolotl"><return xmlns="urn:{RFC}">{FIELDS}</return></r>'
    ),
    "prefixes": soap(f'<{WORD}:r xmlns:{WORD}="urn:x"><return>{FIELDS}</return></{WORD}:r>'),
    "comments and instructions": soap(f"<!-- {SECRET} --><?{WORD} {RFC}?><r><return>{FIELDS}</return></r>"),
    "a fault": soap(f"<e:Fault><faultcode>{WORD}</faultcode><faultstring>{ECHO}</faultstring></e:Fault>"),
    "the header": soap(f"<r><return>{FIELDS}</return></r>").replace(
        "<e:Body>", f"<e:Header><{WORD}/></e:Header><e:Body>"
    ),
    "the declaration": soap(f"<r><return>{FIELDS}</return></r>", f'<?xml version="1.0" encoding="{WORD}"?>'),
    "a document type": f"<!DOCTYPE {WORD} [<!ENTITY {WORD} '{SECRET}'>]>" + soap(FIELDS),
    "damage": soap(f"<r><return>{FIELDS}</return></r>")[:-30] + f"<{WORD} {SECRET}",
    "a web page": f"<!doctype html><html><title>{ECHO}</title><body id='{WORD}'>{ECHO}</body></html>",
    "another page": f"<html><{WORD}>{ECHO}</{WORD}></html>",
    "text": f"{SECRET} {USERNAME} 4711",
    "JSON": f'{{"{WORD}": "{SECRET}"}}',
    "nothing": "",
    "control characters": soap(f"<r><return><status>\t4711</status>\x1b[31m{ECHO}</return></r>"),
    "many": soap(f"<r>{'<return>' + FIELDS + '</return>'}</r>" + f"<{WORD}/>" * 900),
    "a long name": soap(f"<{WORD * 1000}/>"),
    "a long namespace": soap(f'<r xmlns="urn:{WORD * 1000}"/>'),
}
HEADERS = {
    f"X-{WORD}": SECRET.encode("ascii", "replace").decode(),
    f"{WORD}": "1",
    "Set-Cookie": f"{WORD}={WORD}; Domain=Xolotl.example",
    "Server": f"{WORD}/4711 (Huitzil)",
    "X-Powered-By": WORD,
    "Location": f"https://{WORD}:{WORD}@Xolotl.example/{RFC}",
}
HOSTILE_WSDL = (
    wsdl_text()
    .replace("axis-node1.internal", "Quetzal:Tlaloc@Xolotl.example")
    .replace("Utilerias (simulated)", ECHO)
    .replace(
        '<xs:complexType name="ResponseTimbres">',
        f'<xs:complexType name="{WORD}"><xs:sequence><xs:element name="Mictlan" type="xs:int"/></xs:sequence>'
        '</xs:complexType><xs:complexType name="ResponseTimbres">',
    )
)


class Hostile:
    """A service that gives back whatever it is told, wherever it can."""

    def __init__(self, wsdl: str) -> None:
        self.wsdl, self.body, self.status, self.media = wsdl, "", 200, "text/xml"
        application = web.Application()
        application.router.add_get("/{path:.*}", self._describe)
        application.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        self.port = 0

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.wsdl.encode(), headers=HEADERS)

    async def _answer(self, _request: web.Request) -> web.Response:
        headers = {**HEADERS, "Content-Type": self.media}
        return web.Response(
            body=self.body.encode(), status=self.status, reason=f"{WORD} Huitzil", headers=headers
        )

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()


@asynccontextmanager
async def hostile(wsdl: str = HOSTILE_WSDL, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hostile]:
    service = Hostile(wsdl)
    await service.start(tls)
    try:
        yield service
    finally:
        await service.stop()


def told(text: str) -> list[str]:
    """What of the secrets and values a text tells."""
    lower = text.lower()
    forms = [*TELLING, base64.b64encode(SECRET.encode()).decode()[:12], SECRET.encode().hex()]
    return [form for form in forms if form.lower() in lower]


def checked(text: str) -> None:
    assert told(text) == []
    assert all(line.isprintable() and line.isascii() and len(line) < 400 for line in text.split("\n"))
    assert text.count("\n") < 2 * MOST_LINES + 20


@pytest.mark.process
async def test_no_answer_tells_anything(tmp_path: Path) -> None:
    """Whatever it holds, and wherever; nor does the WSDL, nor a header."""
    async with hostile() as service:
        asked = account(
            f"http://127.0.0.1:{service.port}/ws/services/Utilerias?wsdl&key=Tlaloc", USERNAME, SECRET
        )
        for number, (name, body) in enumerate(ANSWERS.items()):
            service.body = body
            (tmp_path / str(number)).mkdir()
            report = await shape(asked, tmp_path / str(number))
            assert "\nAnswer: HTTP status 200" in report.text, name
            checked(report.text)
            assert "set-cookie, server" in report.text or "set-cookie" in report.text


@pytest.mark.process
@pytest.mark.parametrize(
    ("status", "media"),
    [
        (200, f"text/xml; charset={WORD}"),
        (200, f"application/{WORD}; {WORD}={WORD}"),
        (200, f'multipart/related; boundary="{WORD}"; start="{WORD}"'),
        (500, "text/xml"),
        (401, "text/html"),
        (307, "text/html"),
    ],
)
async def test_nor_does_http(tmp_path: Path, status: int, media: str) -> None:
    async with hostile() as service:
        service.status, service.media, service.body = status, media, ANSWERS["texts"]
        asked = account(f"http://127.0.0.1:{service.port}/ws/services/Utilerias?wsdl", USERNAME, SECRET)
        report = await shape(asked, tmp_path)
    assert f"\nAnswer: HTTP status {status}" in report.text
    checked(report.text)


@pytest.mark.process
async def test_tls(tmp_path: Path) -> None:
    """The version, and whose the certificate is; a name that holds a secret isn't shown."""
    for organization, shown in (("Tlacopan Authority", True), (f"{WORD} {USERNAME}", False)):
        authority = trustme.CA(organization_name=organization)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        async with hostile(tls=context) as service:
            service.body = ANSWERS["texts"]
            asked = account(
                f"https://127.0.0.1:{service.port}/ws/services/Utilerias?wsdl",
                USERNAME,
                WORD,
                tls=TlsConfig(ca_file=tmp_path / "ca.pem"),
            )
            report = await shape(asked, tmp_path)
        assert ("\nTLSv1.3, certificate issued by Tlacopan Authority" in report.text) is shown
        assert "\nTLSv1.3, certificate issued by " in report.text
        checked(report.text)


@pytest.mark.process
async def test_a_proxy(tmp_path: Path) -> None:
    """It gets its login with each request, and gives it back in every place."""
    async with hostile() as service:
        service.body = ANSWERS["names of elements"]
        proxy = f"http://{PROXY_USER}:{PROXY_PASSWORD}@127.0.0.1:{service.port}"
        asked = account("http://Xolotl.example/ws/services/Utilerias?wsdl", USERNAME, WORD, proxy=proxy)
        report = await shape(asked, tmp_path)
    assert "\nAnswer: HTTP status 200" in report.text
    checked(report.text)


NAMES = st.sampled_from((WORD, "Quetzal", RFC, "return", "status", "a", "Envelope", "Body"))
TEXTS = st.sampled_from((ECHO, "4711", "", " ", "\n", "0815"))


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    """An element with any name, with secrets in its attributes and texts."""
    name, attribute, text = draw(NAMES), draw(NAMES), draw(TEXTS)
    inner = "".join(draw(st.lists(elements(depth + 1), max_size=3))) if depth < 4 else ""
    return f'<{name} {attribute}="{draw(TEXTS)}" xmlns="urn:{draw(NAMES)}">{text}{inner}</{name}>'


def described(body: str, wsdl: str = wsdl_text()) -> str:
    answer = HttpAnswer(200, "text/xml", None, body.encode())
    outcome = Failure(Reason.INVALID, SECRET, verdict=Verdict.UNKNOWN_FROM_SERVICE)
    recording = Recording([wsdl.encode()], None, answer, outcome, headers=(WORD.lower(), "date"))
    return describe(recording, "https://pac.example/ws", [Secret(SECRET), Secret(USERNAME), Secret(WORD)])


@given(elements())
def test_no_element_whatever_its_place_tells_anything(element: str) -> None:
    checked(described(soap(element)))
    checked(described(element))


@given(st.binary(max_size=300))
def test_any_bytes_are_described(body: bytes) -> None:
    answer = HttpAnswer(200, "text/xml", None, body)
    assert describe(Recording([body], None, answer), "https://pac.example/ws", [])


def test_it_is_bounded() -> None:
    """A service that is larger than expected fills no issue."""
    types = "".join(
        f'<xs:complexType name="T{n}"><xs:sequence><xs:element name="f" type="ax21:T{n + 1}"/>'
        "</xs:sequence></xs:complexType>"
        for n in range(500)
    )
    place = '<xs:complexType name="ResponseTimbres">'
    wsdl = wsdl_text().replace(place, types + place).replace('type="ax21:ResponseTimbres"', 'type="ax21:T0"')
    text = described(soap("<a/>" * 900), wsdl)
    assert "  type T1\n" in text
    assert text.count("more lines") == 2
    assert text.count("\n") < 2 * MOST_LINES + 10


@pytest.mark.parametrize(
    ("secret", "text", "holds"),
    [
        ("hunter2", "xHUNTER2x", True),
        ("a&b", "a&amp;b", True),
        ("pässword", quote("pässword"), True),
        ("user:pass", base64.b64encode(b"user:pass").decode(), True),
        ("abc", "abc", True),
        ("abc", "xabcx", False),
        ("", "", False),
        ("hunter2", "hunter", False),
    ],
)
def test_what_holds_a_secret(secret: str, text: str, holds: bool) -> None:
    assert Secret(secret).stands_in(text) is holds


def test_words() -> None:
    """What everybody knows is shown in any case; of the WSDL what looks like a name and holds no secret."""
    words = Words([Secret("status"), Secret("hunter2")])
    for name in ("getSaldo", "ns.Type-2", "x" * 65, "é", "a b", "my_hunter2", "\x1b[31m"):
        words.learn_name(name)
    assert words.name("status") == "status"
    assert words.name("getSaldo") == "getSaldo"
    assert words.name("unheard") == "(a name that isn't shown, 7 characters)"
    assert words.name("my_hunter2") == "(a name that isn't shown, 10 characters)"
    assert words.name("é") == "(a name that isn't shown, 1 characters)"
    for namespace in ("urn:x", "http://u:p@h/", "http://h/?q=1", "ftp://h/", "urn:hunter2"):
        words.learn_namespace(namespace)
    assert words.namespace("urn:x") == "urn:x"
    assert words.namespace("http://h/?q=1") == "(a namespace that isn't shown, 13 characters)"
    assert words.namespace("urn:hunter2") == "(a namespace that isn't shown, 11 characters)"
