"""Asking for an issuer's balance, over real SOAP: with the account's login, through the same gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from lxml import etree

from exporter.account.login import Held, Login, Tried
from exporter.account.outcome import Effect, Failure, Outcome, Reading, Reason, Verdict, unsent
from exporter.config import Account, Environment, Issuer, TlsConfig
from exporter.daemon.state_file import open_storage
from exporter.guard.gate import Gate
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.answer import read
from exporter.provider.solucion_factible.codes import CODES, ISSUER_CODES, code, issuer_code
from exporter.provider.solucion_factible.operation import Operations
from exporter.provider.solucion_factible.provider import SolucionFactible
from exporter.provider.solucion_factible.wsdl import read_wsdl
from exporter.simulator import PASSWORD, Simulator
from exporter.simulator.catalogue import INTEGRATOR
from exporter.simulator.issuers import made_up_rfc
from exporter.simulator.wsdl import wsdl_text
from tests.support.envelopes import envelope, fields
from tests.support.gates import Asked, OpenGate, ask
from tests.support.peers import FakeClock, PhpProvider
from tests.support.places import DATA
from tests.support.rig import account as rig_account

LIMIT = 10.0  # seconds: more than anything here takes
WITHOUT = (DATA / "wsdl" / "http-only.wsdl").read_text()
NOT_THERE = "the WSDL has no SOAP 1.1 port with the operation getTimbres"
RFC = "EKU9003173C9"


def issuer(rfc: str = RFC) -> Issuer:
    return Issuer("norte", rfc, 3600.0, 10_800.0, None, None, ())


def account(wsdl: str, username: str = INTEGRATOR, password: str = PASSWORD) -> Account:
    environment = Environment("test", wsdl, False, 4, None, TlsConfig())
    return replace(rig_account(password, username=username, environment=environment), timeout=LIMIT)


@asynccontextmanager
async def provider_of(wsdl: str, clock: FakeClock) -> AsyncIterator[SolucionFactible]:
    environment = Environment("test", wsdl, False, 4, None, TlsConfig())
    provider = SolucionFactible(environment, clock, lambda *_, **__: None)
    try:
        assert await provider.ready(LIMIT) is None
        yield provider
    finally:
        await provider.close()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    simulator = Simulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


# What its codes mean. -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [*CODES, 0, 577, 620, 621, 700])
def test_of_the_login_each_code_says_what_it_says_otherwise(number: int) -> None:
    """It is the account's own. Only 620, which is documented elsewhere, is known here and unknown there."""
    known = issuer_code(number)
    if number == 620:
        assert (code(620).verdict, known.verdict) == (Verdict.UNKNOWN_FROM_SERVICE, Verdict.NEUTRAL)
    else:
        assert known.verdict is code(number).verdict
    if number not in (611, 620):
        assert known == code(number)


@pytest.mark.parametrize("number", [611, 620])
def test_what_can_be_the_fault_of_the_rfc_ends_the_asking(number: int) -> None:
    """It says nothing about the password, and each language has its words."""
    known = ISSUER_CODES[number]
    assert (known.effect, known.verdict) == (Effect.GIVE_UP, Verdict.NEUTRAL)
    assert known.label in codes.LABELS
    for meaning, advice in ((known.meaning, known.advice), known.spanish):
        assert meaning[0].islower()
        assert advice.endswith(("reload.", "recargue."))
    assert code(number).effect is Effect.RETRY, "an account is asked again"


@pytest.mark.parametrize(
    ("body", "of_account", "of_issuer"),
    [
        (fields(status=620), (620, Effect.RETRY), (620, Effect.GIVE_UP)),
        (fields(status=611), (611, Effect.RETRY), (611, Effect.GIVE_UP)),
        (fields(status=601), (601, Effect.RETRY), (601, Effect.RETRY)),
        (fields(status=200, disponibles=0), (200, Effect.BALANCE), (200, Effect.BALANCE)),
    ],
)
def test_an_answer_is_read_as_one_about_what_was_asked_for(
    body: str, of_account: tuple[int, Effect], of_issuer: tuple[int, Effect]
) -> None:
    found = [
        read(200, "text/xml", envelope(body), now=0.0, of_issuer=of_issuer) for of_issuer in (False, True)
    ]
    said = [(one.code.number, one.effect) for one in found if isinstance(one, Reading)]
    assert said == [of_account, of_issuer]


# The operation. -----------------------------------------------------------------------------------------


def operations(wsdl: str, url: str = "https://pac.example/ws") -> Operations:
    found = read_wsdl(url, lambda _url, _needed: wsdl.encode())
    assert isinstance(found, Operations), found
    return found


def test_it_is_read_from_the_wsdl() -> None:
    """With the port of the URL's own scheme, as for accounts; each parameter arrives as it is."""
    found = operations(wsdl_text()).issuer
    assert not isinstance(found, Failure), found
    assert found.soap_action == "urn:getTimbres"
    assert found.path.endswith(".UtileriasHttpsSoap11Endpoint/")
    root = etree.fromstring(found.envelope("a&b", "<p>\r", "Ñ&S051221SE2"))
    values = {etree.QName(one).localname: one.text for one in root.iter() if len(one) == 0}
    assert values == {"usuario": "a&b", "password": "<p>\r", "rfcEmisor": "Ñ&S051221SE2"}


@pytest.mark.parametrize(
    ("wsdl", "detail"),
    [
        (WITHOUT, NOT_THERE),
        (wsdl_text().replace('"rfcEmisor"', '"rfc"'), "the WSDL makes no sense (TypeError)"),
    ],
)
def test_a_wsdl_without_it_is_good_for_accounts(wsdl: str, detail: str) -> None:
    found = operations(wsdl)
    assert found.account.soap_action == "urn:getTimbresImplementacion"
    assert found.issuer == unsent(Reason.INVALID, detail)


# Over the wire. -----------------------------------------------------------------------------------------


@pytest.mark.process
async def test_each_issuer_has_its_own_balance(simulator: Simulator, clock: FakeClock) -> None:
    """And the account the one that it had."""
    async with provider_of(simulator.wsdl_url, clock) as provider:
        asked = account(simulator.wsdl_url)
        found = [await ask(provider, asked, issuer(made_up_rfc(number))) for number in (1, 4)]
        of_account = await ask(provider, asked)
    said = [
        (one.contracted, one.used, one.available) for one in (*found, of_account) if isinstance(one, Reading)
    ]
    assert said == [(4_000, 1_000, 3_000), (500, 500, 0), (80_000, 56_000, 24_000)]
    assert simulator.accounts[INTEGRATOR].calls == 3


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("account", (200, 80_000, 56_000, 24_000)),
        ("zeros", (200, 0, 0, 0)),
        ("nothing", "the answer says 200 without figures"),
        ("631", (631, None, None, None)),
        ("611", (611, None, None, None)),
        ("620", (620, None, None, None)),
    ],
)
async def test_whatever_an_rfc_without_a_contract_is_answered(
    simulator: Simulator, clock: FakeClock, kind: str, said: tuple[int | None, ...] | str
) -> None:
    """It is passed on as it stands: what it comes to is decided where it is known what was before."""
    simulator.accounts[INTEGRATOR].unknown_issuer = kind
    async with provider_of(simulator.wsdl_url, clock) as provider:
        found = await ask(provider, account(simulator.wsdl_url), issuer("OÑO120726RX3"))
    if isinstance(found, Failure):
        assert (found.reason, found.detail, found.verdict) == (Reason.INVALID, said, Verdict.ACCEPTED)
    else:
        assert (found.code.number, found.contracted, found.used, found.available) == said
        assert found.verdict in (Verdict.ACCEPTED, Verdict.NEUTRAL)


@pytest.mark.peer("php")
async def test_another_provider_s_service(php_provider: PhpProvider, clock: FakeClock) -> None:
    """It has other namespaces, and its parameters in another order."""
    php_provider.set(
        "acme", password="p&<", contracted=9, used=2, available=7, issuers={"L&O950913MSA": (5, 4, 1)}
    )
    async with provider_of(php_provider.wsdl_url, clock) as provider:
        asked = account(php_provider.wsdl_url, "acme", "p&<")
        found = [
            await ask(provider, asked, of) for of in (None, issuer("L&O950913MSA"), issuer("XIA190128J61"))
        ]
        wrong = await ask(provider, replace(asked, username="other"), issuer())
    said = [
        (one.code.number, one.available, one.effect) for one in (*found, wrong) if isinstance(one, Reading)
    ]
    assert said == [
        (200, 7, Effect.BALANCE),
        (200, 1, Effect.BALANCE),
        (620, None, Effect.GIVE_UP),
        (601, None, Effect.RETRY),
    ]
    assert (php_provider.calls("acme"), php_provider.calls("acme", "L&O950913MSA")) == (3, 1)


class Scripted:
    """A provider whose WSDL and answer a test sets, and that keeps what it was asked."""

    def __init__(self, wsdl: str) -> None:
        self.wsdl = wsdl
        self.answer = envelope(fields(status=200, contratados=9, usados=2, disponibles=7))
        self.fetched = 0
        self.called: list[str] = []
        application = web.Application()
        application.router.add_get("/{path:.*}", self._describe)
        application.router.add_post("/{path:.*}", self._call)
        self.server = TestServer(application)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/ws"))

    async def _describe(self, _request: web.Request) -> web.Response:
        self.fetched += 1
        return web.Response(text=self.wsdl)

    async def _call(self, request: web.Request) -> web.Response:
        self.called.append(request.headers["SOAPAction"].strip('"').removeprefix("urn:"))
        return web.Response(body=self.answer, content_type="text/xml")


@asynccontextmanager
async def scripted(wsdl: str) -> AsyncIterator[Scripted]:
    service = Scripted(wsdl)
    await service.server.start_server()
    try:
        yield service
    finally:
        await service.server.close()


async def loaded(provider: SolucionFactible) -> None:
    if provider._loading:
        await asyncio.wait((provider._loading,), timeout=LIMIT)


@pytest.mark.process
async def test_where_the_service_has_no_such_operation(clock: FakeClock) -> None:
    """Issuers say why, without a call; the account goes on; and once the service has it they do, too."""
    async with scripted(WITHOUT) as service, provider_of(service.url, clock) as provider:
        asked = account(service.url)
        assert await ask(provider, asked, issuer()) == unsent(Reason.INVALID, NOT_THERE)
        assert isinstance(await ask(provider, asked), Reading)
        assert service.called == ["getTimbresImplementacion"]
        await loaded(provider)
        service.wsdl = wsdl_text()
        clock.advance(3600)
        await ask(provider, asked, issuer())
        await loaded(provider)
        assert isinstance(await ask(provider, asked, issuer()), Reading)
        assert service.called == ["getTimbresImplementacion", "getTimbres"]


@pytest.mark.process
@pytest.mark.parametrize("status", [611, 612])
async def test_thousands_of_issuers_that_are_answered_so_load_no_wsdl_each(
    clock: FakeClock, status: int
) -> None:
    """It may be their RFCs: so ever more seldom, to once an hour, though others are answered."""
    bad, good = envelope(fields(status=status)), envelope(fields(status=200, disponibles=7))
    async with scripted(wsdl_text()) as service, provider_of(service.url, clock) as provider:
        asked = account(service.url)
        for _ in range(1_000):
            service.answer = bad
            await ask(provider, asked, issuer())
            await loaded(provider)
            service.answer = good
            await ask(provider, asked)
            await ask(provider, asked, issuer("XIA190128J61"))
            clock.advance(4)
        assert 10 < service.fetched < 15
        service.answer = bad
        clock.advance(1)
        fetched = service.fetched
        await ask(provider, asked)
        await loaded(provider)
        assert service.fetched == fetched + 1, "an account's own doubt is not held up by theirs"


# Through the guard. -------------------------------------------------------------------------------------


class Guarded:
    """One login behind the real gate: its account's balance, and that of an issuer."""

    def __init__(self, asked: Account, provider: SolucionFactible, gate: Gate) -> None:
        self.login = Login(asked.guard_key, asked.password, asked)
        self._asked, self._provider, self._gate = asked, provider, gate

    async def kept(self) -> None:
        """Wait until what was said of the login is kept."""
        await self._gate.kept()

    async def ask(self, of: Issuer | None = None) -> Tried | Held:
        return await self._provider.ask(Asked(self._asked, self.login, of), self._gate)


@asynccontextmanager
async def guarded(folder: Path, asked: Account, clock: FakeClock) -> AsyncIterator[Guarded]:
    storage = open_storage(folder / "state.db", exclusive=False, now=clock.time())
    failed: list[Exception] = []
    gate = Gate(storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=failed.append)
    try:
        async with provider_of(asked.environment.wsdl, clock) as provider:
            one = Guarded(asked, provider, gate)
            await gate.adopt(one.login)
            yield one
            await gate.close(LIMIT)
    finally:
        await storage.close()
    assert not failed


def outcome(tried: Tried | Held) -> Outcome:
    assert isinstance(tried, Tried)
    return tried.outcome


@pytest.mark.process
async def test_a_refusal_counts_for_the_login_whoever_was_asked_for(
    simulator: Simulator, clock: FakeClock, tmp_path: Path
) -> None:
    """The second one suspends it: neither the account nor an issuer is asked for any more."""
    async with guarded(tmp_path, account(simulator.wsdl_url), clock) as one:
        assert outcome(await one.ask()).verdict is Verdict.ACCEPTED
        assert outcome(await one.ask(issuer(made_up_rfc(1)))).verdict is Verdict.ACCEPTED
        simulator.accounts[INTEGRATOR].password = "changed"
        assert outcome(await one.ask(issuer(made_up_rfc(1)))).verdict is Verdict.REFUSED
        await one.kept()
        assert isinstance(await one.ask(issuer(made_up_rfc(2))), Held), "at once it isn't tried again"
        clock.advance(3600)
        assert outcome(await one.ask()).verdict is Verdict.REFUSED
        await one.kept()
        for of in (None, issuer(made_up_rfc(1))):
            clock.advance(86_400)
            held = await one.ask(of)
            assert isinstance(held, Held)
            assert held.suspension
        assert simulator.accounts[INTEGRATOR].lockout.failures == 2


@pytest.mark.process
@pytest.mark.parametrize("kind", ["611", "620", "zeros", "631"])
async def test_an_issuer_s_own_trouble_says_nothing_against_the_login(
    simulator: Simulator, clock: FakeClock, tmp_path: Path, kind: str
) -> None:
    """However many there are."""
    simulator.accounts[INTEGRATOR].unknown_issuer = kind
    async with guarded(tmp_path, account(simulator.wsdl_url), clock) as one:
        await one.ask()
        for _ in range(5):
            await one.ask(issuer())
            assert one.login.proven
        assert outcome(await one.ask()).verdict is Verdict.ACCEPTED


@pytest.mark.process
async def test_where_there_is_no_operation_nothing_is_charged(clock: FakeClock, tmp_path: Path) -> None:
    """The login has as many tries as before."""
    async with scripted(WITHOUT) as service, guarded(tmp_path, account(service.url), clock) as one:
        assert outcome(await one.ask()).verdict is Verdict.ACCEPTED
        for _ in range(5):
            assert outcome(await one.ask(issuer())) == unsent(Reason.INVALID, NOT_THERE)
        assert outcome(await one.ask()).verdict is Verdict.ACCEPTED


@pytest.mark.process
async def test_what_was_retired_meanwhile_is_not_asked(simulator: Simulator, clock: FakeClock) -> None:
    async with provider_of(simulator.wsdl_url, clock) as provider:
        closing = asyncio.create_task(provider.close_when_idle())
        await asyncio.sleep(0)
        asked = Asked.of(account(simulator.wsdl_url), issuer())
        found = outcome(await provider.ask(asked, OpenGate()))
        await closing
    assert found == unsent(Reason.CONNECTION, "the configuration was reloaded meanwhile")
    assert simulator.accounts[INTEGRATOR].calls == 0
