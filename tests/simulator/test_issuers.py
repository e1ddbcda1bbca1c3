"""The simulated issuers over real HTTP: what each is answered, and how a person changes them."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from lxml import etree

from exporter.simulator import PASSWORD, Simulator
from exporter.simulator.catalogue import INTEGRATOR
from exporter.simulator.issuers import NOTHING_OF_ITS_OWN, made_up_rfc
from tests.support.peers import FakeClock
from tests.support.places import ROOT

MONDAY_NOON = 1_772_474_400.0
FIGURES = ("contratados", "usados", "disponibles")
UNKNOWN = "EKU9003173C9"
NAMES = ("healthy", "low", "running out", "exhausted", "without a contract", "without a contract")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    simulator = Simulator(clock=FakeClock(MONDAY_NOON).time)
    await simulator.start()
    yield simulator
    await simulator.stop()


class Caller:
    """A client of the service and of its control."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self._service = simulator.wsdl_url.replace("?wsdl", ".UtileriasHttpSoap11Endpoint/")
        self._control = simulator.wsdl_url.partition("/ws/")[0] + f"/simulator/accounts/{INTEGRATOR}"
        self._session = session

    async def ask(self, rfc: str, password: str = PASSWORD) -> tuple[int, tuple[int, ...] | None]:
        """Ask for an issuer: the code, and the figures where there are any."""
        namespace = "http://utilerias.ws.cfdi.solucionfactible.com"
        body = (
            '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
            f'<getTimbres xmlns="{namespace}"><usuario>{INTEGRATOR}</usuario><password>{password}</password>'
            f"<rfcEmisor>{rfc.replace('&', '&amp;')}</rfcEmisor></getTimbres></e:Body></e:Envelope>"
        )
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "urn:getTimbres"}
        async with self._session.post(self._service, data=body.encode(), headers=headers) as response:
            root = etree.fromstring(await response.read())
        fields = {etree.QName(one).localname: one.text for one in root.iter("{*}return").__next__()}
        figures = [int(text) for name in FIGURES if (text := fields[name])]
        return int(fields["status"] or 0), tuple(figures) or None

    async def change(self, place: str = "", /, **changes: object) -> Any:
        async with self._session.post(self._control + place, json=changes) as response:
            return response.status, await response.json()

    async def see(self, place: str = "") -> Any:
        async with self._session.get(self._control + place) as response:
            return response.status, await response.json()


@pytest.fixture
async def caller(simulator: Simulator) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(simulator, session)


async def test_the_ready_made_ones(caller: Caller, simulator: Simulator) -> None:
    """One in each state, with a balance of its own; the account's is another."""
    _, listed = await caller.see("/issuers")
    assert [one["rfc"] for one in listed] == [made_up_rfc(number) for number in range(1, 7)]
    assert [one["contract"] for one in listed] == [True] * 4 + [False] * 2
    answers = [await caller.ask(one["rfc"]) for one in listed[:4]]
    assert answers == [
        (200, (4_000, 1_000, 3_000)),
        (200, (300, 260, 40)),
        (200, (2_000, 1_700, 300)),
        (200, (500, 500, 0)),
    ]
    assert simulator.accounts[INTEGRATOR].calls == 4
    assert [one["calls"] for one in (await caller.see("/issuers"))[1]] == [1, 1, 1, 1, 0, 0]


ANSWERS = {
    "account": (200, (80_000, 56_000, 24_000)),
    "zeros": (200, (0, 0, 0)),
    "nothing": (200, None),
    "631": (631, None),
    "611": (611, None),
    "620": (620, None),
}


@pytest.mark.parametrize("kind", NOTHING_OF_ITS_OWN)
async def test_what_nobody_knows_is_a_switch(caller: Caller, kind: str) -> None:
    """Of an issuer without a contract, and of an RFC that the account hasn't, each for itself."""
    without = made_up_rfc(5)
    assert await caller.ask(without) == await caller.ask(UNKNOWN) == ANSWERS["account"]
    await caller.change(no_contract=kind)
    assert (await caller.ask(without), await caller.ask(UNKNOWN)) == (ANSWERS[kind], ANSWERS["account"])
    await caller.change(no_contract="account", unknown_issuer=kind)
    assert (await caller.ask(without), await caller.ask(UNKNOWN)) == (ANSWERS["account"], ANSWERS[kind])
    assert (await caller.ask(made_up_rfc(1)))[0] == 200, "one with a contract has its own answer"


async def test_a_wrong_password_is_refused_whoever_is_asked_for(caller: Caller, simulator: Simulator) -> None:
    await caller.change(no_contract="zeros", unknown_issuer="620")
    for rfc in (made_up_rfc(1), made_up_rfc(5), UNKNOWN):
        assert await caller.ask(rfc, "wrong") == (601, None)
    assert simulator.accounts[INTEGRATOR].lockout.failures == 3
    assert simulator.accounts[INTEGRATOR].issuers[made_up_rfc(1)].calls == 0


async def test_stamps_and_codes_of_one_issuer(caller: Caller) -> None:
    """They change nothing for the others."""
    rfc, other = made_up_rfc(1), made_up_rfc(2)
    place = f"/issuers/{rfc}"
    assert (await caller.change(place, available=5))[1]["available"] == 5
    assert await caller.ask(rfc) == (200, (4_000, 3_995, 5))
    await caller.change(place, use=5)
    assert await caller.ask(rfc) == (200, (4_000, 4_000, 0))
    await caller.change(place, code=631)
    assert await caller.ask(rfc) == (631, None)
    await caller.change(place, top_up=100, code=None)
    assert await caller.ask(rfc) == (200, (4_100, 4_000, 100))
    await caller.change(place, code=620)
    assert await caller.ask(rfc) == (620, None)
    assert await caller.ask(other) == (200, (300, 260, 40))


async def test_contracts_come_and_go(caller: Caller) -> None:
    """An RFC that is posted to becomes the account's; stamps that are bought make a contract."""
    place = f"/issuers/{quote('L&O950913MSA')}"
    assert (await caller.see(place))[0] == 404
    assert (await caller.change(place))[1] == {
        "rfc": "L&O950913MSA",
        "contract": False,
        "contracted": None,
        "used": None,
        "available": None,
        "code": None,
        "calls": 0,
    }
    await caller.change(no_contract="zeros")
    assert await caller.ask("L&O950913MSA") == (200, (0, 0, 0))
    await caller.change(place, top_up=50)
    assert await caller.ask("L&O950913MSA") == (200, (50, 0, 50))
    await caller.change(place, contract=False)
    assert await caller.ask("L&O950913MSA") == (200, (0, 0, 0))
    assert (await caller.see(place))[1]["calls"] == 3


@pytest.mark.parametrize(
    ("place", "changes", "error"),
    [
        (
            "/issuers/EKU9003173C9",
            {"available": 5},
            "available, top_up, use: the issuer has no contract of its own",
        ),
        ("/issuers/EKU9003173C9", {"contract": False, "use": 5}, "has no contract of its own"),
        (
            "/issuers/EKU9003173C9",
            {"password": "x"},
            "unknown key; known are available, code, contract, top_up, use",
        ),
        ("/issuers/EKU9003173C9", {"code": 621}, "624, 630, 631, 632, 633"),
        ("/issuers/EKU9003173C9X9", {}, "an RFC has at most 13 characters"),
        ("", {"no_contract": 620}, "no_contract: must be one of account, zeros, nothing, 631, 611, 620"),
        ("", {"unknown_issuer": "x"}, "unknown_issuer: must be one of account"),
    ],
)
async def test_a_wrong_change_changes_nothing(
    caller: Caller, place: str, changes: dict[str, object], error: str
) -> None:
    status, answer = await caller.change(place, **changes)
    assert status == 400
    assert error in answer["error"]
    assert (await caller.see("/issuers/EKU9003173C9"))[0] == 404


def test_many() -> None:
    """As many as one likes, all of them different; every tenth without a contract."""
    issuers = Simulator(extra_issuers=50_000).accounts[INTEGRATOR].issuers
    assert len(issuers) == 6 + 50_000
    assert sum(issuer.life is None for issuer in issuers.values()) == 2 + 5_000


def test_the_manual_names_them_and_their_keys() -> None:
    """docs/simulator.md is what users go by."""
    manual = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    for number, name in enumerate(NAMES, 1):
        assert f"\n| `{made_up_rfc(number)}` | {name}" in manual
    for kind in NOTHING_OF_ITS_OWN:
        assert f"\n| `{kind}` | " in manual
    assert "\n| `contract` | " in manual
