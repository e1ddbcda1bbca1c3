"""One environment's provider, over real HTTP: when its WSDL is loaded, and what asking ends in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exporter.account.outcome import Failure, Reading, Reason, Verdict, unsent
from exporter.config import Account, Environment, TlsConfig
from exporter.provider.solucion_factible.codes import CODES, code
from exporter.provider.solucion_factible.provider import WSDL_DOCUMENTS, SolucionFactible
from exporter.secret import Secret
from exporter.simulator import PASSWORD, Simulator
from tests.support.gates import ask
from tests.support.peers import FakeClock
from tests.support.places import DATA
from tests.support.readers import readers

pytestmark = pytest.mark.process

WSDL = (DATA / "wsdl" / "http-only.wsdl").read_text()
GOOD = (DATA / "answers" / "axis2-200.xml").read_text()
REFUSED = (DATA / "answers" / "axis2-601-nil.xml").read_text()
FAULT = (DATA / "answers" / "fault-soap11.xml").read_text()
OLD, NEW = "/ws/services/Utilerias.Http11/", "/ws/services/Moved.Http11/"
LIMIT = 10.0  # seconds: more than anything here takes


class Service:
    """A provider that a test scripts: a WSDL, one answer to every call, and what was asked for."""

    def __init__(self) -> None:
        self.wsdl: dict[str, tuple[int, str]] = {"/ws": (200, WSDL)}
        self.answer = (200, GOOD)
        self.open = asyncio.Event()
        self.open.set()
        self.fetched: list[str] = []
        self.called: list[str] = []
        self.server = TestServer(self._application())

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._describe)
        application.router.add_post("/{path:.*}", self._answer)
        return application

    async def _describe(self, request: web.Request) -> web.Response:
        self.fetched.append(request.path)
        await self.open.wait()
        status, text = self.wsdl[request.path]
        return web.Response(status=status, text=text, headers={"Location": "/other"})

    async def _answer(self, request: web.Request) -> web.Response:
        self.called.append(request.path)
        status, text = self.answer
        return web.Response(status=status, text=text, content_type="text/xml")

    @property
    def url(self) -> str:
        return str(self.server.make_url("/ws"))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.server.start_server()
    yield service
    service.open.set()
    await service.server.close()


class Log:
    """Keeps events as the daemon would log them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))


@asynccontextmanager
async def provider_of(wsdl: str, clock: FakeClock, log: Log | None = None) -> AsyncIterator[SolucionFactible]:
    provider = SolucionFactible(Environment("test", wsdl, False, 4, None, TlsConfig()), clock, log or Log())
    try:
        yield provider
    finally:
        await provider.close()
        await loading_has_ended()


async def loading_has_ended() -> None:
    """The process that reads a WSDL must end by itself."""
    async with asyncio.timeout(LIMIT):
        while readers():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def account(username: str = "ws@acme.example", password: str = PASSWORD, timeout: float = LIMIT) -> Account:
    environment = Environment("test", "http://127.0.0.1:1/", False, 4, None, TlsConfig())
    return Account(
        name="acme",
        username=username,
        password=Secret(password),
        environment=environment,
        interval=60.0,
        timeout=timeout,
        stale_after=180.0,
        auth_attempts=2,
        warning=None,
        critical=None,
        labels=(),
    )


async def usable(provider: SolucionFactible) -> None:
    assert await provider.ready(LIMIT) is None


async def fetched(service: Service, fetches: int) -> None:
    """Wait until the WSDL was fetched so often."""
    async with asyncio.timeout(LIMIT):
        while len(service.fetched) < fetches:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


async def reloaded(provider: SolucionFactible, service: Service, fetches: int) -> None:
    """Wait until the WSDL was fetched so often, and has been read."""
    await fetched(service, fetches)
    if provider._loading:
        await asyncio.wait((provider._loading,), timeout=LIMIT)


async def test_the_wsdl_is_loaded_once_however_many_need_it(service: Service, clock: FakeClock) -> None:
    async with provider_of(service.url, clock) as provider:
        assert await asyncio.gather(*(provider.ready(LIMIT) for _ in range(100))) == [None] * 100
        clock.advance(86_400)
        await usable(provider)
        await ask(provider, account())
    assert (service.fetched, service.called) == (["/ws"], [OLD])


async def test_nothing_is_loaded_before_it_is_needed(service: Service, clock: FakeClock) -> None:
    async with provider_of(service.url, clock):
        await asyncio.sleep(0.02)
    assert service.fetched == []


async def test_one_caller_that_gives_up_stops_nobody_else(service: Service, clock: FakeClock) -> None:
    service.open.clear()
    async with provider_of(service.url, clock) as provider:
        patient = asyncio.create_task(provider.ready(LIMIT))
        cancelled = asyncio.create_task(provider.ready(LIMIT))
        assert await provider.ready(0.05) == unsent(Reason.TIMEOUT, "the WSDL did not come within 0.05 s")
        cancelled.cancel()
        service.open.set()
        assert await patient is None
    assert service.fetched == ["/ws"]


UNAVAILABLE = [
    ("status", (503, "busy"), Reason.HTTP, "loading the WSDL: HTTP status 503"),
    ("not found", (404, "no"), Reason.HTTP, "loading the WSDL: HTTP status 404"),
    ("redirect", (307, ""), Reason.HTTP, "loading the WSDL: HTTP status 307"),
    (
        "maintenance page",
        (200, "<html>s3cret</html>"),
        Reason.INVALID,
        "the WSDL has no SOAP 1.1 port with the operation getTimbresImplementacion",
    ),
    ("junk", (200, "s3cret"), Reason.INVALID, "the WSDL can't be read (XMLSyntaxError)"),
    (
        "too large",
        (200, "x" * 2_000_000),
        Reason.INVALID,
        "loading the WSDL: the answer is larger than 1 MiB",
    ),
]


@pytest.mark.parametrize(
    ("answer", "reason", "detail"), [case[1:] for case in UNAVAILABLE], ids=[case[0] for case in UNAVAILABLE]
)
async def test_a_wsdl_that_cannot_be_had_says_why_to_every_caller(
    service: Service, clock: FakeClock, answer: tuple[int, str], reason: Reason, detail: str
) -> None:
    service.wsdl["/ws"] = answer
    failure = unsent(reason, detail)
    log = Log()
    async with provider_of(service.url, clock, log) as provider:
        assert await asyncio.gather(*(provider.ready(LIMIT) for _ in range(5))) == [failure] * 5
        assert await provider.ready(LIMIT) == failure, "also to those that come before the next load"
    assert service.fetched == ["/ws"]
    assert log.events == [
        ("WSDL not loaded", {"pac_environment": "test", "reason": reason, "detail": detail})
    ]


async def test_a_host_that_is_down_is_a_connection_failure(service: Service, clock: FakeClock) -> None:
    url = service.url
    await service.server.close()
    async with provider_of(url, clock) as provider:
        failure = await provider.ready(LIMIT)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.sent) == (Reason.CONNECTION, False)
    assert failure.detail.startswith("loading the WSDL: no connection: ")


async def test_a_missing_wsdl_is_asked_for_less_and_less_often_then_had(
    service: Service, clock: FakeClock
) -> None:
    service.wsdl["/ws"] = (503, "")
    async with provider_of(service.url, clock) as provider:
        await provider.ready(LIMIT)
        for loads, wait in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0], start=1):
            clock.advance(wait - 0.01)
            await asyncio.gather(*(provider.ready(LIMIT) for _ in range(20)))
            assert len(service.fetched) == loads, f"before {wait} s have passed"
            clock.advance(0.01)
            await asyncio.gather(*(provider.ready(LIMIT) for _ in range(20)))
            assert len(service.fetched) == loads + 1, f"once {wait} s have passed"
        service.wsdl["/ws"] = (200, WSDL)
        assert isinstance(await provider.ready(LIMIT), Failure)
        clock.advance(30.0)
        await usable(provider)


async def test_what_went_wrong_is_logged_once_until_it_changes(service: Service, clock: FakeClock) -> None:
    log = Log()
    async with provider_of(service.url, clock, log) as provider:
        for status in (503, 503, 503, 404, 404):
            service.wsdl["/ws"] = (status, "")
            await provider.ready(LIMIT)
            clock.advance(30.0)
        service.wsdl["/ws"] = (200, WSDL)
        await usable(provider)
    assert [(event, fields.get("detail")) for event, fields in log.events] == [
        ("WSDL not loaded", "loading the WSDL: HTTP status 503"),
        ("WSDL not loaded", "loading the WSDL: HTTP status 404"),
        ("WSDL loaded", None),
    ]
    assert log.events[-1][1] == {"pac_environment": "test", "path": OLD}


async def test_the_same_trouble_after_a_recovery_is_logged_again(service: Service, clock: FakeClock) -> None:
    log = Log()
    async with provider_of(service.url, clock, log) as provider:
        service.wsdl["/ws"] = (503, "")
        await provider.ready(LIMIT)
        clock.advance(30.0)
        service.wsdl["/ws"] = (200, WSDL)
        await usable(provider)
        service.wsdl["/ws"], service.answer = (503, ""), (404, "")
        clock.advance(30.0)
        await ask(provider, account())
        await reloaded(provider, service, 3)
    assert [event for event, _ in log.events] == ["WSDL not loaded", "WSDL loaded", "WSDL not loaded"]


RECURSIVE = WSDL.replace(
    '<xs:complexType name="ResponseTimbres">',
    '<xs:attributeGroup name="g"><xs:attributeGroup ref="ns:g"/></xs:attributeGroup>'
    '<xs:complexType name="A"><xs:attributeGroup ref="ns:g"/></xs:complexType>'
    '<xs:complexType name="ResponseTimbres">',
)


async def test_no_wsdl_makes_the_asking_raise(service: Service, clock: FakeClock) -> None:
    service.wsdl["/ws"] = (200, RECURSIVE)
    async with provider_of(service.url, clock) as provider:
        failure = await provider.ready(LIMIT)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.sent) == (Reason.INVALID, False)


def importing(location: str) -> str:
    return WSDL.replace(
        "<wsdl:types>", f'<wsdl:import namespace="urn:x" location="{location}"/><wsdl:types>', 1
    )


EMPTY_WSDL = '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:x">{}</definitions>'


async def test_what_a_wsdl_imports_is_fetched_from_the_same_host(service: Service, clock: FakeClock) -> None:
    service.wsdl = {"/ws": (200, importing("more/x.wsdl")), "/more/x.wsdl": (200, EMPTY_WSDL.format(""))}
    async with provider_of(service.url, clock) as provider:
        await usable(provider)
    assert service.fetched == ["/ws", "/more/x.wsdl"]


async def test_another_host_that_a_wsdl_names_is_not_asked(service: Service, clock: FakeClock) -> None:
    service.wsdl = {
        "/ws": (200, importing("http://127.0.0.1:9/x.wsdl")),
        "/x.wsdl": (200, EMPTY_WSDL.format("")),
    }
    async with provider_of(service.url, clock) as provider:
        await usable(provider)
    assert service.fetched == ["/ws", "/x.wsdl"]


async def test_no_file_is_imported(service: Service, clock: FakeClock) -> None:
    service.wsdl["/ws"] = (200, importing((DATA / "wsdl" / "axis2.wsdl").as_uri()))
    detail = "the WSDL imports a document that has no http address"
    async with provider_of(service.url, clock) as provider:
        assert await provider.ready(LIMIT) == unsent(Reason.INVALID, detail)


async def test_a_wsdl_of_endless_imports_is_given_up(service: Service, clock: FakeClock) -> None:
    chain = {
        f"/{n}": (200, EMPTY_WSDL.format(f'<import namespace="urn:x" location="/{n + 1}"/>'))
        for n in range(99)
    }
    service.wsdl = {"/ws": (200, importing("/0")), **chain}
    detail = "loading the WSDL: the WSDL imports too many documents"
    async with provider_of(service.url, clock) as provider:
        assert await provider.ready(LIMIT) == unsent(Reason.INVALID, detail)
    assert len(service.fetched) == WSDL_DOCUMENTS


async def test_closing_while_the_wsdl_is_loaded_leaves_nothing_behind(
    service: Service, clock: FakeClock
) -> None:
    service.open.clear()
    async with provider_of(service.url, clock) as provider:
        waiting = asyncio.create_task(provider.ready(LIMIT))
        await asyncio.sleep(0.1)
        assert service.fetched == ["/ws"]
        waiting.cancel()
    assert not [task for task in asyncio.all_tasks() if "wsdl" in task.get_name()]


# Asking


@pytest.fixture
async def simulator(clock: FakeClock) -> AsyncIterator[Simulator]:
    simulator = Simulator(clock=clock.time)
    await simulator.start()
    yield simulator
    await simulator.stop()


async def test_the_simulated_provider_s_figures_arrive(simulator: Simulator, clock: FakeClock) -> None:
    async with provider_of(simulator.wsdl_url, clock) as provider:
        await usable(provider)
        for username in ("healthy@demo.example", "low@demo.example"):
            balance = simulator.accounts[username].life.balance(simulator.now())
            outcome = await ask(provider, account(username))
            assert isinstance(outcome, Reading)
            expected = Reading(code(200), balance.contracted, balance.used, balance.available)
            assert replace(outcome, message=None) == expected


async def test_every_documented_code_arrives(simulator: Simulator, clock: FakeClock) -> None:
    async with provider_of(simulator.wsdl_url, clock) as provider:
        await usable(provider)
        codes = []
        for number in CODES:
            outcome = await ask(provider, account(f"code-{number}@demo.example"))
            assert isinstance(outcome, Reading)
            codes.append(outcome.code)
    assert codes == [code(number) for number in CODES]


@pytest.mark.parametrize("password", ["wrong", "<&]]>\"'", " " + PASSWORD, "é" * 500, "\r\n"])
async def test_a_wrong_password_is_601_and_one_login(
    simulator: Simulator, clock: FakeClock, password: str
) -> None:
    async with provider_of(simulator.wsdl_url, clock) as provider:
        await usable(provider)
        outcome = await ask(provider, account("healthy@demo.example", password))
    assert isinstance(outcome, Reading)
    assert outcome.code.number == 601
    assert simulator.accounts["healthy@demo.example"].calls == 1


async def test_a_password_of_any_characters_is_accepted_as_it_is(
    simulator: Simulator, clock: FakeClock
) -> None:
    password = " a<b>&amp;]]>\"'\t\r\n$é😀 "
    simulator.accounts["healthy@demo.example"].password = password
    async with provider_of(simulator.wsdl_url, clock) as provider:
        await usable(provider)
        outcome = await ask(provider, account("healthy@demo.example", password))
    assert isinstance(outcome, Reading)
    assert outcome.code.number == 200


async def test_an_answer_that_takes_too_long_is_a_timeout_and_may_have_been_a_login(
    simulator: Simulator, clock: FakeClock
) -> None:
    simulator.accounts["healthy@demo.example"].delay = 60.0
    async with provider_of(simulator.wsdl_url, clock) as provider:
        await usable(provider)
        outcome = await ask(provider, account("healthy@demo.example", timeout=0.1))
    assert outcome == Failure(
        Reason.TIMEOUT, "no complete answer within 0.1 s", verdict=Verdict.UNKNOWN_ON_THE_WAY
    )


@asynccontextmanager
async def dripping() -> AsyncIterator[str]:
    """A server that answers a byte at a time for as long as anybody listens; gives its address."""
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        gone.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/ws"
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_wsdl_that_drips_takes_no_longer_than_the_limit_and_ends_with_the_provider(
    clock: FakeClock,
) -> None:
    async with dripping() as address, provider_of(address, clock) as provider:
        outcome = await provider.ready(0.1)
    assert outcome == unsent(Reason.TIMEOUT, "the WSDL did not come within 0.1 s")


DOUBTS = [
    ("fault", (500, FAULT)),
    ("status 404", (404, "")),
    ("invalid", (200, "<html/>")),
    ("611", (200, REFUSED.replace("601", "611"))),
    ("612", (200, REFUSED.replace("601", "612"))),
]


@pytest.mark.parametrize("answer", [case[1] for case in DOUBTS], ids=[case[0] for case in DOUBTS])
async def test_a_service_that_moved_is_found_again_and_asked_as_before_meanwhile(
    service: Service, clock: FakeClock, answer: tuple[int, str]
) -> None:
    log = Log()
    async with provider_of(service.url, clock, log) as provider:
        await usable(provider)
        clock.advance(1.0)
        service.wsdl["/ws"], service.answer = (200, WSDL.replace("Utilerias.Http11", "Moved.Http11")), answer
        service.open.clear()
        await ask(provider, account())
        await fetched(service, 2)
        assert await provider.ready(0.05) is None, "it has the old one"
        await ask(provider, account())
        service.open.set()
        await reloaded(provider, service, 2)
        service.answer = (200, GOOD)
        assert isinstance(await ask(provider, account()), Reading)
    assert service.called == [OLD, OLD, NEW]
    assert [fields["path"] for _, fields in log.events] == [OLD, NEW]


@pytest.mark.parametrize("number", [200, 500, 503, 601, 602, 630, 633])
async def test_other_answers_are_no_reason_to_load_the_wsdl_again(
    service: Service, clock: FakeClock, number: int
) -> None:
    service.answer = (200, GOOD.replace("status>200<", f"status>{number}<"))
    async with provider_of(service.url, clock) as provider:
        await usable(provider)
        for _ in range(3):
            clock.advance(60.0)
            await ask(provider, account())
        await asyncio.sleep(0.02)
    assert service.fetched == ["/ws"]


async def test_a_reload_that_fails_keeps_the_operation(service: Service, clock: FakeClock) -> None:
    async with provider_of(service.url, clock) as provider:
        await usable(provider)
        clock.advance(1.0)
        service.wsdl["/ws"], service.answer = (503, ""), (404, "")
        await ask(provider, account())
        await reloaded(provider, service, 2)
        await usable(provider)
        await ask(provider, account())
    assert service.called == [OLD, OLD]


async def test_lasting_trouble_reloads_less_and_less_often(service: Service, clock: FakeClock) -> None:
    """A service that is down for hours is not asked for its WSDL with every poll of every account."""
    service.answer = (500, FAULT)
    async with provider_of(service.url, clock) as provider:
        await usable(provider)
        for loads, wait in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0], start=1):
            clock.advance(wait - 0.01)
            await asyncio.gather(*(ask(provider, account()) for _ in range(5)))
            assert len(service.fetched) == loads, f"before {wait} s have passed"
            clock.advance(0.01)
            await ask(provider, account())
            await reloaded(provider, service, loads + 1)


async def test_no_secret_is_logged_or_told(service: Service, clock: FakeClock) -> None:
    log = Log()
    service.answer = (200, "<html>s3cret</html>")
    async with provider_of(service.url, clock, log) as provider:
        await usable(provider)
        outcome = await ask(provider, account(password="s3cret"))
        assert "s3cret" not in repr((log.events, outcome, vars(provider)))


async def test_closing_ends_no_poll_that_waits_for_the_wsdl(clock: FakeClock) -> None:
    """A reload replaces a provider that hangs: the polls that wait must go on to their next time."""
    async with dripping() as wsdl, provider_of(wsdl, clock) as provider:
        waiting = asyncio.create_task(provider.ready(30.0))
        await asyncio.sleep(0.05)
        await provider.close_when_idle()
        outcome = await asyncio.wait_for(waiting, 5)
    assert isinstance(outcome, Failure)
    assert not outcome.sent
