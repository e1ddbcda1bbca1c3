"""The simulated provider over real HTTP: called by the real zeep, and by those who call it wrong."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from xml.sax.saxutils import escape

import aiohttp
import pytest
import requests
import trustme
import zeep
from lxml import etree

from exporter.simulator import PASSWORD, Simulator
from exporter.simulator.answers import CODES, MESSAGES
from tests.support.peers import FakeClock

MONDAY_NOON = 1_772_474_400.0  # 2026-03-02 12:00 in Mexico City
NAMESPACE = "http://utilerias.ws.cfdi.solucionfactible.com"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(MONDAY_NOON)


@asynccontextmanager
async def serving(simulator: Simulator, **where: Any) -> AsyncIterator[Simulator]:
    await simulator.start(**where)
    try:
        yield simulator
    finally:
        await simulator.stop()


@pytest.fixture
async def simulator(clock: FakeClock) -> AsyncIterator[Simulator]:
    async with serving(Simulator(clock=clock.time)) as simulator:
        yield simulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def address(simulator: Simulator, port: str) -> str:
    return simulator.wsdl_url.replace("?wsdl", f".{port}/")


def envelope(
    operation: str = "getTimbresImplementacion",
    namespace: str = NAMESPACE,
    soap: str = SOAP11,
    prefix: str = "u:",
    **parameters: str,
) -> str:
    fields = "".join(
        f"<{prefix}{name}>{escape(value)}</{prefix}{name}>" for name, value in parameters.items()
    )
    return (
        f'<e:Envelope xmlns:e="{soap}"><e:Body><u:{operation} xmlns:u="{namespace}">{fields}</u:{operation}>'
        "</e:Body></e:Envelope>"
    )


def login(username: str = "healthy@demo.example", password: str = PASSWORD) -> str:
    return envelope(usuario=username, password=password)


async def post(
    session: aiohttp.ClientSession,
    simulator: Simulator,
    body: str | bytes,
    port: str = "UtileriasHttpSoap11Endpoint",
    **headers: str,
) -> tuple[int, dict[str, str | None]]:
    """Post a body; return the HTTP status and the fields (or the fault) by local name."""
    headers = {"Content-Type": "text/xml; charset=utf-8", **headers}
    async with session.post(address(simulator, port), data=body, headers=headers) as response:
        root = etree.fromstring(await response.read())
        return response.status, {etree.QName(element).localname: element.text for element in root.iter("*")}


async def code(session: aiohttp.ClientSession, simulator: Simulator, body: str) -> str | None:
    status, fields = await post(session, simulator, body)
    assert status == 200, fields
    return fields["status"]


async def with_zeep(url: str, use: Callable[[zeep.Client], Any]) -> Any:
    """Run something on a real zeep client, which is synchronous, beside the loop."""

    def run() -> Any:
        with requests.Session() as session:
            transport = zeep.Transport(session=session)  # type: ignore[no-untyped-call]
            return use(zeep.Client(url, transport=transport))  # type: ignore[no-untyped-call]

    return await asyncio.to_thread(run)


BINDINGS = [
    ("UtileriasSoap11Binding", "UtileriasHttpSoap11Endpoint"),
    ("UtileriasSoap11Binding", "UtileriasHttpsSoap11Endpoint"),
    ("UtileriasSoap12Binding", "UtileriasHttpSoap12Endpoint"),
    ("UtileriasSoap12Binding", "UtileriasHttpsSoap12Endpoint"),
]


@pytest.mark.parametrize(("binding", "port"), BINDINGS)
async def test_zeep_calls_both_operations(simulator: Simulator, binding: str, port: str) -> None:
    def call(client: zeep.Client) -> list[Any]:
        name = f"{{{NAMESPACE}}}{binding}"
        service = client.create_service(name, address(simulator, port))  # type: ignore[no-untyped-call]
        return [
            service.getTimbresImplementacion("healthy@demo.example", PASSWORD),
            service.getTimbres("healthy@demo.example", PASSWORD, "AAA010101AAA"),
            service.getTimbresImplementacion("exhausted@demo.example", PASSWORD),
        ]

    whole, issuer, exhausted = await with_zeep(simulator.wsdl_url, call)

    figures = {"contratados": 80_000, "disponibles": 24_000, "status": 200, "usados": 56_000}
    assert {field: whole[field] for field in whole} == {**figures, "mensaje": MESSAGES[200]}
    assert issuer == whole
    assert (exhausted.status, exhausted.contratados, exhausted.disponibles) == (630, None, None)


async def test_the_wsdl_has_the_six_ports_of_axis2_with_a_plaintext_one_first(simulator: Simulator) -> None:
    """Addresses name a host that nobody reaches, so that a client which trusts them fails."""

    def ports(client: zeep.Client) -> list[tuple[str, str]]:
        (service,) = client.wsdl.services.values()
        return [
            (name, port.binding_options.get("address") or port.binding_options["location"])
            for name, port in service.ports.items()
        ]

    http, https = "http://axis-node1.internal:8080", "https://axis-node1.internal:8443"
    path = "/ws/services/Utilerias."
    assert await with_zeep(simulator.wsdl_url, ports) == [
        ("UtileriasHttpSoap11Endpoint", f"{http}{path}UtileriasHttpSoap11Endpoint/"),
        ("UtileriasHttpsSoap11Endpoint", f"{https}{path}UtileriasHttpsSoap11Endpoint/"),
        ("UtileriasHttpSoap12Endpoint", f"{http}{path}UtileriasHttpSoap12Endpoint/"),
        ("UtileriasHttpsSoap12Endpoint", f"{https}{path}UtileriasHttpsSoap12Endpoint/"),
        ("UtileriasHttpEndpoint", f"{http}{path}UtileriasHttpEndpoint/"),
        ("UtileriasHttpsEndpoint", f"{https}{path}UtileriasHttpsEndpoint/"),
    ]


async def test_the_wsdl_has_the_types_and_actions_of_axis2(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    """The returned type's namespace is its own; fields are optional, nillable and in alphabetical order."""
    async with session.get(simulator.wsdl_url) as response:
        assert response.content_type == "text/xml"
        wsdl = etree.fromstring(await response.read())
    prefixes = {
        "xs": "http://www.w3.org/2001/XMLSchema",
        "wsdl": "http://schemas.xmlsoap.org/wsdl/",
        "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    }

    (type_,) = wsdl.findall(".//xs:complexType[@name='ResponseTimbres']", prefixes)
    (schema,) = type_.iterancestors(f"{{{prefixes['xs']}}}schema")
    assert schema.get("targetNamespace") == f"{NAMESPACE}/xsd"
    fields = type_.findall(".//xs:element", prefixes)
    assert [element.get("name") for element in fields] == [
        "contratados",
        "disponibles",
        "mensaje",
        "status",
        "usados",
    ]
    for element in wsdl.findall(".//xs:sequence/xs:element", prefixes):
        assert (element.get("minOccurs"), element.get("nillable")) == ("0", "true"), element.get("name")

    action = "{http://www.w3.org/2006/05/addressing/wsdl}Action"
    assert [element.get(action) for element in wsdl.findall(".//wsdl:portType//*[@message]", prefixes)] == [
        "urn:getTimbres",
        "urn:getTimbresResponse",
        "urn:getTimbresImplementacion",
        "urn:getTimbresImplementacionResponse",
    ]
    operations = wsdl.findall(".//soap:operation", prefixes)
    assert [element.get("soapAction") for element in operations] == [
        "urn:getTimbres",
        "urn:getTimbresImplementacion",
    ]


async def test_the_address_without_wsdl_has_nothing(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    async with session.get(simulator.wsdl_url.removesuffix("?wsdl")) as response:
        assert response.status == 404


async def test_an_answer_looks_as_axis2_writes_it(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    """Chunked, xsi:type on the return value, fields in alphabetical order, nil where there is no value."""
    url = address(simulator, "UtileriasHttpSoap11Endpoint")
    headers = {"Content-Type": "text/xml", "SOAPAction": '"urn:getTimbresImplementacion"'}
    async with session.post(url, data=login("exhausted@demo.example"), headers=headers) as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers["Content-Type"] == "text/xml; charset=UTF-8"
        (returned,) = etree.fromstring(await response.read()).iter(f"{{{NAMESPACE}}}return")

    prefix, _, type_ = returned.get(f"{{{XSI}}}type", "").partition(":")
    assert (returned.nsmap[prefix], type_) == (f"{NAMESPACE}/xsd", "ResponseTimbres")
    fields = [(etree.QName(field).localname, field.text, field.get(f"{{{XSI}}}nil")) for field in returned]
    assert fields == [
        ("contratados", None, "true"),
        ("disponibles", None, "true"),
        ("mensaje", MESSAGES[630], None),
        ("status", "630", None),
        ("usados", None, "true"),
    ]


async def test_a_client_of_http_1_0_gets_its_answer_unchunked(simulator: Simulator) -> None:
    """HTTP/1.0 has no chunks; some proxies speak it."""
    body = login().encode()
    port = int(simulator.wsdl_url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        "POST /ws/services/Utilerias.UtileriasHttpSoap11Endpoint HTTP/1.0\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b" 200 OK" in answer.splitlines()[0]
    assert b"chunked" not in answer
    assert answer.endswith(b"</soapenv:Envelope>")


@pytest.mark.parametrize("code_", CODES)
async def test_each_code_has_an_account(
    simulator: Simulator, session: aiohttp.ClientSession, code_: int
) -> None:
    status, fields = await post(session, simulator, login(f"code-{code_}@demo.example"))
    assert (status, fields["status"], fields["mensaje"]) == (200, str(code_), MESSAGES[code_])
    assert bool(fields["disponibles"]) == (code_ == 200)


@pytest.mark.parametrize(
    ("username", "expected"),
    [
        ("healthy", ["200"] * 3),
        ("low", ["200"] * 3),
        ("running-out", ["200"] * 3),
        ("exhausted", ["630"] * 3),
        ("wrong-password", ["601"] * 5 + ["604"] + ["602"] * 2),
        ("flaky", ["200", "200", "503", "200", "200", "503"]),
        ("topped-up", ["200"] * 3),
        ("nobody", ["601"] * 5 + ["604"] + ["602"] * 2),
    ],
)
async def test_each_account_answers_by_its_state(
    simulator: Simulator, session: aiohttp.ClientSession, username: str, expected: list[str]
) -> None:
    """Unknown usernames lock as well, so that answers don't tell which usernames exist."""
    body = login(f"{username}@demo.example")
    assert [await code(session, simulator, body) for _ in expected] == expected


async def test_a_flood_of_unknown_usernames_is_forgotten(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    """Memory is bounded: those longest unheard of go, one that keeps trying keeps its count."""
    gone, stays = login("gone@x.example"), login("stays@x.example")
    for _ in range(5):
        assert await code(session, simulator, gone) == await code(session, simulator, stays) == "601"
    provider = simulator._provider
    for number in range(990):
        provider._refuse(f"{number}@x.example")
    assert await code(session, simulator, stays) == "604"
    for number in range(990, 1_000):
        provider._refuse(f"{number}@x.example")
    assert len(provider._strangers) == 1_000
    assert await code(session, simulator, stays) == "602"
    assert await code(session, simulator, gone) == "601"


@pytest.mark.parametrize(
    "body",
    [
        envelope(usuario="healthy@demo.example"),
        envelope(password=PASSWORD),
        envelope(usuario="healthy@demo.example", password=""),
        envelope("getTimbres", usuario="healthy@demo.example", password=PASSWORD),
        envelope(prefix="", usuario="healthy@demo.example", password=PASSWORD),
        envelope(),
    ],
    ids=["no password", "no username", "empty password", "no issuer", "fields of no namespace", "nothing"],
)
async def test_missing_fields_are_611_and_no_failed_login(
    simulator: Simulator, session: aiohttp.ClientSession, body: str
) -> None:
    """A call with a username counts as a call of that account."""
    assert await code(session, simulator, body) == "611"
    account = simulator.accounts["healthy@demo.example"]
    assert account.lockout.failures == 0
    assert account.calls == (f"<u:usuario>{account.username}<" in body)


FAULTS = [
    pytest.param("", {}, id="empty"),
    pytest.param("<a", {}, id="malformed"),
    pytest.param("<a/>", {}, id="no envelope"),
    pytest.param(f'<e:Envelope xmlns:e="{SOAP11}"/>', {}, id="no body"),
    pytest.param(f'<e:Envelope xmlns:e="{SOAP11}"><e:Body/></e:Envelope>', {}, id="empty body"),
    pytest.param(login().replace("</e:Body>", "<x/></e:Body>"), {}, id="two operations"),
    pytest.param("<!DOCTYPE e:Envelope>" + login(), {}, id="DOCTYPE"),
    pytest.param(
        '<!DOCTYPE x [<!ENTITY p SYSTEM "file:///etc/passwd">]>' + login().replace(PASSWORD, "&p;"),
        {},
        id="external entity",
    ),
    pytest.param(
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        + login().replace(PASSWORD, "&b;"),
        {},
        id="entity expansion",
    ),
    pytest.param(login().replace("getTimbresImplementacion", "getSaldo"), {}, id="wrong operation"),
    pytest.param(envelope(namespace="http://other.example"), {}, id="wrong namespace"),
    pytest.param(login(), {"SOAPAction": '"urn:getTimbres"'}, id="action of the other operation"),
    pytest.param(envelope(soap=SOAP12), {}, id="envelope of the other version"),
    pytest.param(login(), {"Content-Type": "application/json"}, id="wrong content type"),
]


@pytest.mark.parametrize(("body", "headers"), FAULTS)
async def test_what_is_no_call_is_a_fault(
    simulator: Simulator, session: aiohttp.ClientSession, body: str, headers: dict[str, str]
) -> None:
    """HTTP 500 with a Fault that doesn't quote the request; no account is touched."""
    status, fields = await post(session, simulator, body, **headers)
    assert (status, fields["faultcode"]) == (500, "soapenv:Client")
    assert PASSWORD not in str(fields)
    assert all(account.calls == 0 for account in simulator.accounts.values())


async def test_a_fault_of_soap_1_2_has_its_shape(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    type_ = {"Content-Type": "application/soap+xml"}
    status, fields = await post(session, simulator, "<a", "UtileriasHttpSoap12Endpoint", **type_)
    assert status == 500
    assert (fields["Value"], fields["Text"]) == ("soapenv:Sender", "The request is not well-formed XML.")


@pytest.mark.parametrize(
    ("action", "status"), [("urn:getTimbresImplementacion", 200), ("urn:getTimbres", 500)]
)
async def test_the_action_of_soap_1_2_is_in_the_content_type(
    simulator: Simulator, session: aiohttp.ClientSession, action: str, status: int
) -> None:
    body = envelope(soap=SOAP12, usuario="healthy@demo.example", password=PASSWORD)
    type_ = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
    assert (await post(session, simulator, body, "UtileriasHttpsSoap12Endpoint", **type_))[0] == status


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 200), (64 * 1024 + 1, 413)])
async def test_a_body_has_at_most_64_kib(
    simulator: Simulator, session: aiohttp.ClientSession, size: int, status: int
) -> None:
    url = address(simulator, "UtileriasHttpSoap11Endpoint")
    body = login().ljust(size)
    async with session.post(url, data=body, headers={"Content-Type": "text/xml"}) as response:
        assert response.status == status


@pytest.mark.parametrize("port", ["UtileriasHttpEndpoint", "UtileriasHttpsEndpoint"])
async def test_the_http_binding_is_described_but_not_served(
    simulator: Simulator, session: aiohttp.ClientSession, port: str
) -> None:
    async with session.post(
        address(simulator, port), data=login(), headers={"Content-Type": "text/xml"}
    ) as response:
        assert response.status == 404


@pytest.mark.parametrize("password", ["a<b&c>d\"e'f$g", "contraseña", "  spaces  ", "emoji 🔑"])
async def test_passwords_arrive_as_they_are(
    simulator: Simulator, session: aiohttp.ClientSession, password: str
) -> None:
    simulator.accounts["healthy@demo.example"].password = password
    assert await code(session, simulator, login(password=password)) == "200"
    assert await code(session, simulator, login(password=password + " ")) == "601"


async def test_simulated_time_passes_at_its_speed(clock: FakeClock, session: aiohttp.ClientSession) -> None:
    """At 3600 an hour passes each second, and in no time nothing does. Once empty it answers 630."""
    username, used = "running-out@demo.example", []
    async with serving(Simulator(clock=clock.time, speed=3600)) as simulator:
        assert simulator.now() == MONDAY_NOON
        for seconds in (0, 0, 1, 12, 24):
            clock.time_seconds = MONDAY_NOON + seconds
            _, fields = await post(session, simulator, login(username))
            used.append(int(fields["usados"] or 0) - 42_800)
        clock.time_seconds = MONDAY_NOON + 36
        assert await code(session, simulator, login(username)) == "630"
    assert used == [0, 0, 200, 2_400, 4_800]


def test_simulated_time_never_goes_back(clock: FakeClock) -> None:
    """Stamps stay used when someone sets the machine's clock back."""
    simulator = Simulator(clock=clock.time)
    clock.advance(100)
    later = simulator.now()
    clock.advance(-50)
    assert simulator.now() == later == MONDAY_NOON + 100


@pytest.mark.parametrize("speed", [0, -1, 86_401, float("nan"), float("inf")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"^speed: must be above 0 and at most 86400 simulated seconds"):
        Simulator(speed=speed)


def test_time_stops_at_the_calendars_end(clock: FakeClock) -> None:
    """However long it runs at full speed, it goes on answering."""
    simulator = Simulator(clock=clock.time, speed=86_400)
    clock.advance(10 * 365 * 86_400)
    balances = [account.life.balance(simulator.now()) for account in simulator.accounts.values()]
    assert all(0 <= balance.available <= balance.contracted < 2**31 for balance in balances)


def test_100_000_accounts_are_cheap() -> None:
    """Made within seconds; a call costs far below a millisecond."""
    simulator = Simulator(extra_accounts=100_000)
    assert "load-00001@demo.example" in simulator.accounts
    account, now = simulator.accounts["load-100000@demo.example"], simulator.now()
    began = time.process_time()
    assert {account.call(PASSWORD, now).code for _ in range(1_000)} == {200}
    assert time.process_time() - began < 0.5


async def test_a_slow_answer_delays_no_other_and_no_stop(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    simulator.accounts["slow@demo.example"].delay = 60.0
    slow = asyncio.create_task(code(session, simulator, login("slow@demo.example")))
    while not simulator.accounts["slow@demo.example"].calls:  # noqa: ASYNC110 - an account signals nothing
        await asyncio.sleep(0.01)
    began = time.monotonic()
    assert await code(session, simulator, login()) == "200"
    assert not slow.done()
    await simulator.stop()
    assert time.monotonic() - began < 20
    with pytest.raises(aiohttp.ClientError):
        await slow


async def test_the_answer_comes_after_the_accounts_delay(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    account = simulator.accounts["slow@demo.example"]
    assert account.delay == 3
    account.delay = 0.2
    began = time.monotonic()
    assert await code(session, simulator, login("slow@demo.example")) == "200"
    assert 0.2 <= time.monotonic() - began < 3


async def test_a_taken_port_is_an_os_error(simulator: Simulator) -> None:
    port = int(simulator.wsdl_url.split(":")[2].split("/")[0])
    other = Simulator()
    with pytest.raises(OSError, match="address already in use"):
        await other.start(port=port)
    await other.start()
    await other.stop()


async def test_it_can_be_stopped_twice_and_started_again(session: aiohttp.ClientSession) -> None:
    simulator = Simulator()
    await simulator.stop()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = simulator.wsdl_url
    for _ in range(2):
        await simulator.start()
        with pytest.raises(RuntimeError, match="started already"):
            await simulator.start()
        assert await code(session, simulator, login()) == "200"
        await simulator.stop()
        await simulator.stop()
    assert simulator.accounts["healthy@demo.example"].calls == 2


@pytest.mark.parametrize(
    ("host", "name"), [("", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]"), ("::", "[::1]")]
)
async def test_the_wsdl_url_can_be_used_as_it_stands(
    host: str, name: str, session: aiohttp.ClientSession
) -> None:
    """Also where it listens on all addresses."""
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    async with serving(Simulator(), host=host) as simulator:
        assert simulator.wsdl_url.startswith(f"http://{name}:")
        async with session.get(simulator.wsdl_url) as response:
            assert response.status == 200


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_it_serves_over_tls() -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    async with (
        serving(Simulator(), ssl_context=server) as simulator,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client)) as session,
    ):
        assert simulator.wsdl_url.startswith("https://127.0.0.1:")
        assert await code(session, simulator, login()) == "200"
