"""The control of the simulated provider: what people see of an account and what they may change."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from exporter.simulator import PASSWORD, Balance, Simulator
from exporter.simulator.answers import CODES
from tests.support.peers import FakeClock
from tests.support.places import ROOT

MONDAY_NOON = 1_772_474_400.0  # 2026-03-02 12:00 in Mexico City
DAY = 86_400
HEALTHY = "healthy@demo.example"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(MONDAY_NOON)


@pytest.fixture
async def simulator(clock: FakeClock) -> AsyncIterator[Simulator]:
    simulator = Simulator(clock=clock.time, extra_accounts=2)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Control:
    """A person with curl."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self._url = simulator.wsdl_url.partition("/ws/")[0] + "/simulator/accounts"
        self._session = session

    async def see(self, username: str | None = None) -> Any:
        async with self._session.get(f"{self._url}/{username}" if username else self._url) as response:
            assert response.content_type == "application/json"
            return await response.json()

    async def change(self, username: str = HEALTHY, /, **changes: object) -> Any:
        status, answer = await self.post(json.dumps(changes), username)
        assert status == 200, answer
        return answer

    async def post(
        self, body: str | bytes, username: str = HEALTHY, type_: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        headers = {"Content-Type": type_, **headers}
        async with self._session.post(f"{self._url}/{username}", data=body, headers=headers) as response:
            assert response.content_type == "application/json"
            return response.status, await response.json()


@pytest.fixture
def control(simulator: Simulator, session: aiohttp.ClientSession) -> Control:
    return Control(simulator, session)


def code(simulator: Simulator, username: str, password: str = PASSWORD) -> int:
    return simulator.accounts[username].call(password, simulator.now()).code


async def test_the_list_shows_every_account_and_no_password(control: Control, simulator: Simulator) -> None:
    accounts = await control.see()
    assert [account["username"] for account in accounts] == list(simulator.accounts)
    assert accounts[0] == {
        "username": HEALTHY,
        "contracted": 80_000,
        "used": 56_000,
        "available": 24_000,
        "code": 200,
        "calls": 0,
        "failed_logins": 0,
        "locked": False,
    }
    assert len(accounts) == 9 + 17 + 2
    text = json.dumps(accounts)
    assert PASSWORD not in text
    assert simulator.accounts["wrong-password@demo.example"].password not in text


async def test_the_code_shown_is_that_of_the_next_call(control: Control, simulator: Simulator) -> None:
    """For the documented password: what a client that is set up from the documentation will get."""
    for username in simulator.accounts:
        for _ in range(7):
            shown = (await control.see(username))["code"]
            assert shown == code(simulator, username), username


async def test_calls_and_failed_logins_are_shown(control: Control, simulator: Simulator) -> None:
    for _ in range(4):
        code(simulator, HEALTHY, "wrong")
    seen = await control.see(HEALTHY)
    assert (seen["calls"], seen["failed_logins"], seen["locked"]) == (4, 4, False)
    code(simulator, HEALTHY, "wrong")
    seen = await control.see(HEALTHY)
    assert (seen["calls"], seen["failed_logins"], seen["locked"], seen["code"]) == (5, 5, True, 604)


@pytest.mark.parametrize(
    ("changes", "contracted", "used"),
    [
        ({"top_up": 1_000}, 81_000, 56_000),
        ({"use": 1_000}, 80_000, 57_000),
        ({"use": 24_000}, 80_000, 80_000),
        ({"available": 50}, 80_000, 79_950),
        ({"available": 0}, 80_000, 80_000),
        ({"available": 30_000}, 80_000, 50_000),
        ({"top_up": 1_000, "available": 81_000, "use": 1}, 81_000, 1),
    ],
)
async def test_stamps_can_be_bought_used_and_set(
    control: Control, changes: dict[str, int], contracted: int, used: int
) -> None:
    """Together they are done in this order: bought, set, used."""
    answer = await control.change(**changes)
    assert (answer["contracted"], answer["used"]) == (contracted, used)
    assert answer["available"] == contracted - used
    assert answer == await control.see(HEALTHY)


async def test_life_goes_on_from_changed_figures(
    control: Control, simulator: Simulator, clock: FakeClock
) -> None:
    """A balance set by hand goes down as before and isn't undone by an automatic purchase."""
    await control.change(available=400)
    clock.advance(DAY)
    assert (await control.see(HEALTHY))["available"] == 100
    clock.advance(DAY)
    seen = await control.see(HEALTHY)
    assert (seen["available"], seen["code"]) == (0, 630)
    await control.change(top_up=500)
    assert (await control.see(HEALTHY))["available"] == 500
    assert code(simulator, HEALTHY) == 200


async def test_a_purchase_by_hand_leaves_the_habit_of_buying(
    control: Control, simulator: Simulator, clock: FakeClock
) -> None:
    await control.change(top_up=1)
    clock.advance(60 * DAY)
    assert simulator.accounts[HEALTHY].life.balance(clock.time()).contracted == 100_001


async def test_an_exhausted_account_can_be_topped_up_and_runs_out_again(
    control: Control, clock: FakeClock
) -> None:
    username = "exhausted@demo.example"
    clock.advance(30 * DAY)
    seen = await control.change(username, top_up=90)
    assert (seen["available"], seen["code"]) == (90, 200)
    clock.advance(DAY)
    assert (await control.see(username))["code"] == 630


async def test_a_code_can_be_fixed_and_lifted(control: Control, simulator: Simulator) -> None:
    assert (await control.change(code=503))["code"] == 503
    assert code(simulator, HEALTHY) == code(simulator, HEALTHY, "wrong") == 503
    await control.change(code=None)
    assert code(simulator, HEALTHY) == 200


async def test_an_account_can_be_locked_and_unlocked(control: Control, simulator: Simulator) -> None:
    assert (await control.change(locked=True))["locked"]
    assert [code(simulator, HEALTHY) for _ in range(2)] == [602, 602]
    await control.change(locked=False)
    assert code(simulator, HEALTHY) == 200


async def test_unlocking_forgets_the_failures(control: Control, simulator: Simulator) -> None:
    for _ in range(7):
        code(simulator, HEALTHY, "wrong")
    unlocked = await control.change(locked=False)
    assert (unlocked["failed_logins"], unlocked["locked"], unlocked["code"]) == (0, False, 200)
    assert [code(simulator, HEALTHY, "wrong") for _ in range(6)] == [601] * 5 + [604]


async def test_a_password_can_be_changed(control: Control, simulator: Simulator) -> None:
    """As its owner would at the provider's portal: the old one is refused from then on."""
    answer = await control.change(password="n€w $ecret")
    assert "ecret" not in str(answer)
    assert code(simulator, HEALTHY) == 601
    assert code(simulator, HEALTHY, "n€w $ecret") == 200
    await control.change("wrong-password@demo.example", password=PASSWORD)
    assert code(simulator, "wrong-password@demo.example") == 200


async def test_delay_and_figures_of_630_can_be_set(control: Control, simulator: Simulator) -> None:
    await control.change("exhausted@demo.example", delay=0.5, exhausted_figures=True)
    account = simulator.accounts["exhausted@demo.example"]
    assert account.delay == 0.5
    assert account.call(PASSWORD, simulator.now()).balance == Balance(5_000, 5_000)


STAMPS = "must be a whole number of stamps from 0 to 2000000000"
CODE = f"must be null or one of {', '.join(map(str, CODES))}"
KNOWN = (
    "available, code, delay, exhausted_figures, locked, no_contract, password, top_up, unknown_issuer, use"
)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "the body must be JSON"),
        ("{", "the body must be JSON"),
        (b"\xff", "the body must be JSON"),
        ("[" * 60_000, "the body must be JSON"),
        ("[]", "the body must be a JSON object"),
        ("null", "the body must be a JSON object"),
        ('{"pasword": "s3cret"}', f"pasword: unknown key; known are {KNOWN}"),
        ('{"available": -1}', f"available: {STAMPS}"),
        ('{"available": 1.5}', f"available: {STAMPS}"),
        ('{"available": true}', f"available: {STAMPS}"),
        ('{"available": "s3cret"}', f"available: {STAMPS}"),
        ('{"available": null}', f"available: {STAMPS}"),
        ('{"available": 80001}', "available: must be at most the 80000 stamps contracted; top_up buys more"),
        ('{"top_up": 2000000001}', f"top_up: {STAMPS}"),
        ('{"top_up": 2000000000}', "top_up: must not bring the stamps contracted above 2000000000"),
        ('{"use": 24001}', "use: must be at most the stamps available"),
        ('{"use": []}', f"use: {STAMPS}"),
        ('{"code": 999}', f"code: {CODE}"),
        ('{"code": 200.0}', f"code: {CODE}"),
        ('{"code": "200"}', f"code: {CODE}"),
        ('{"code": true}', f"code: {CODE}"),
        ('{"delay": -0.1}', "delay: must be a number of seconds from 0 to 3600"),
        ('{"delay": 3601}', "delay: must be a number of seconds from 0 to 3600"),
        ('{"delay": NaN}', "delay: must be a number of seconds from 0 to 3600"),
        ('{"delay": false}', "delay: must be a number of seconds from 0 to 3600"),
        ('{"locked": 1}', "locked: must be true or false"),
        ('{"exhausted_figures": null}', "exhausted_figures: must be true or false"),
        ('{"password": ""}', "password: must be a string of 1 to 1000 characters"),
        ('{"password": 12345}', "password: must be a string of 1 to 1000 characters"),
        ('{"password": null}', "password: must be a string of 1 to 1000 characters"),
    ],
)
async def test_a_bad_change_is_refused_with_its_key_and_rule(
    control: Control, body: str | bytes, error: str
) -> None:
    """And without its value: that could be a password which was put in the wrong place."""
    assert await control.post(body) == (400, {"error": error})


async def test_one_bad_change_keeps_all_others_from_being_made(
    control: Control, simulator: Simulator
) -> None:
    before = await control.see(HEALTHY)
    changes = {"password": "new", "code": 500, "locked": True, "delay": 9, "top_up": 5, "use": 100_000}
    status, _ = await control.post(json.dumps(changes))
    assert status == 400
    assert await control.see(HEALTHY) == before
    account = simulator.accounts[HEALTHY]
    assert (account.password, account.code, account.delay) == (PASSWORD, None, 0)


async def test_an_unknown_account_is_404(control: Control) -> None:
    error = {"error": "no account has this username"}
    assert await control.see("nobody@demo.example") == error
    assert await control.post("{}", "nobody@demo.example") == (404, error)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
async def test_a_web_page_cannot_drive_it(control: Control, simulator: Simulator, origin: str) -> None:
    status, _ = await control.post('{"locked": true}', Origin=origin)
    assert status == 403
    assert code(simulator, HEALTHY) == 200


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_a_form_cannot_drive_it(control: Control, simulator: Simulator, type_: str) -> None:
    """A browser sends these types to another site without asking it first."""
    status, answer = await control.post('{"locked": true}', type_=type_)
    assert (status, answer) == (415, {"error": "the content type must be application/json"})
    assert code(simulator, HEALTHY) == 200


async def test_a_charset_in_the_content_type_is_fine(control: Control) -> None:
    assert (await control.post("{}", type_="application/json; charset=utf-8"))[0] == 200


async def test_the_manual_names_every_account_code_and_key(simulator: Simulator) -> None:
    """docs/simulator.md is what users go by."""
    manual = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    for username, account in simulator.accounts.items():
        if not username.startswith("code-"):
            stamps = account.life.balance(MONDAY_NOON)
            row = next((line for line in manual.splitlines() if line.startswith(f"| `{username}` |")), "")
            figures = f"| {stamps.contracted:,} | {stamps.available:,} | {account.life.per_day:,}"
            assert figures in row or username.startswith("load-"), username
    assert all(f"\n| {code} | " in manual for code in CODES)
    assert all(f"\n| `{key}` | " in manual for key in KNOWN.split(", "))
