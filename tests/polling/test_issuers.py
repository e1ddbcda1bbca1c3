"""How issuers are polled: only with a proven login, and never to the harm of their account."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.account.outcome import Failure, Outcome, Reading, Reason, Verdict
from exporter.account.state import State
from exporter.account.use import Ended
from exporter.config import Account, Issuer, issuer_key
from exporter.provider.solucion_factible import codes
from exporter.secret import Secret
from exporter.storage import days
from tests.support.peers import FakeClock
from tests.support.rig import INTERVAL, KEY, RIGHT, WRONG, Life, ScriptedProvider, account, reading, unsent

ISSUER_INTERVAL = 4 * INTERVAL
UNKNOWN = Failure(Reason.FAULT, "a fault", verdict=Verdict.UNKNOWN_FROM_SERVICE)


def issuer(number: int, name: str = "") -> Issuer:
    return Issuer(
        name or f"issuer {number}", f"AAA01010{number}AAA", ISSUER_INTERVAL, 3 * ISSUER_INTERVAL, 50, 10, ()
    )


def with_issuers(*issuers: Issuer, password: str = RIGHT, attempts: int = 2, concurrency: int = 1) -> Account:
    one = account(password, auth_attempts=attempts)
    return replace(one, issuers=issuers, issuer_concurrency=concurrency)


def answer(
    code: int, contracted: int | None = None, used: int | None = None, available: int | None = None
) -> Reading:
    """An answer about an issuer."""
    return Reading(codes.issuer_code(code), contracted, used, available)


class World:
    """One life after the other on one storage, of which issuers are polled as the scheduler would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.provider = ScriptedProvider(self.clock)
        self.life: Life

    async def start(self, one: Account) -> None:
        self.life = Life(self.path, self.clock, self.provider)
        await self.life.use(one)

    def scripts(self, **scripts: list[Outcome]) -> None:
        self.provider.issuer_scripts = {name.replace("_", " "): script for name, script in scripts.items()}

    def key(self, number: int) -> str:
        return issuer_key(KEY, issuer(number))

    def state(self, number: int) -> State:
        return self.life.monitored(self.key(number)).state

    @property
    def lane(self) -> int:
        """How many issuers may be asked at once."""
        return self.life.agenda.limits[f"testing\n{KEY}"]

    async def poll_issuers(self) -> None:
        """Let an interval of the account pass, and poll the issuers that are due, as their lane lets them."""
        agenda, until = self.life.agenda, self.clock.monotonic() + INTERVAL / 2
        while self.lane and (due := [key for key in agenda.due if "\n" in key and agenda.due[key] <= until]):
            await self.life.poll(min(due, key=agenda.due.__getitem__))

    def asked(self) -> list[str]:
        """The issuers that the provider was asked for since the last time."""
        names = [login.issuer for login in self.provider.logins]
        self.provider.logins.clear()
        return names


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "state.db")
    yield world
    await world.life.stop()


async def test_they_wait_for_the_accounts_own_poll(world: World) -> None:
    await world.start(with_issuers(issuer(1), issuer(2)))
    assert world.lane == 0
    await world.life.poll(world.key(1))  # as if the scheduler were mistaken
    assert world.asked() == []
    await world.life.poll()
    assert (world.asked(), world.lane) == ([""], 1)
    await world.poll_issuers()
    assert sorted(world.asked()) == ["issuer 1", "issuer 2"]
    assert world.state(1).available == world.state(2).available
    assert world.state(1).up


async def test_none_is_asked_while_the_accounts_own_poll_is_under_way(world: World) -> None:
    await world.start(with_issuers(issuer(1)))
    await world.life.poll()
    world.provider.open.clear()
    poll = await world.life.begin_poll()
    assert world.lane == 0
    world.provider.open.set()
    await poll
    assert world.lane == 1


@pytest.mark.parametrize("attempts", [1, 2, 3])
async def test_a_refusal_counts_for_the_login_and_stops_all(world: World, attempts: int) -> None:
    """The password turns wrong: the limit of logins is that of the account, whoever is asked for."""
    await world.start(with_issuers(issuer(1), issuer(2), issuer(3), attempts=attempts))
    await world.life.poll()
    world.provider.passwords = {}
    world.asked()
    for _ in range(6):
        await world.poll_issuers()
        if "acme" in world.life.agenda.due:
            await world.life.poll()
    assert len(world.asked()) == attempts
    assert world.life.suspended()
    assert world.lane == 0
    assert world.state(1).suspension is None


async def test_what_stops_the_login_is_seen_at_its_account_at_once(world: World) -> None:
    await world.start(with_issuers(issuer(1), issuer(2)))
    await world.life.poll()
    world.scripts(issuer_1=[reading(602)], issuer_2=[reading(602)])
    world.asked()
    await world.poll_issuers()
    assert world.life.agenda.due["acme"] == world.clock.monotonic()
    await world.life.poll()
    assert len(world.asked()) == 1
    assert world.life.suspended()
    assert 'msg="account suspended" account=acme code=602' in world.life.logged.getvalue()


async def test_a_suspended_login_is_resumed_with_its_account(world: World) -> None:
    await world.start(with_issuers(issuer(1)))
    await world.life.poll()
    world.scripts(issuer_1=[reading(602)])
    await world.poll_issuers()
    await world.life.poll()
    assert await world.life.roster.resume("acme")
    assert world.lane == 0
    await world.life.poll()
    assert (world.lane, world.life.suspended()) == (1, False)


@pytest.mark.parametrize("attempts", [2, 3])
async def test_odd_issuers_never_hold_up_their_account(world: World, attempts: int) -> None:
    """Each is given up after as many answers that nobody can read, until a reload."""
    issuers = [issuer(number) for number in range(1, 6)]
    await world.start(with_issuers(*issuers, attempts=attempts))
    for number in (1, 2, 4, 5):
        world.provider.issuer_scripts[f"issuer {number}"] = [UNKNOWN] * attempts
    for _ in range(40):
        await world.life.poll()
        assert not world.life.state().held_back
        world.asked()
        await world.poll_issuers()
        assert sum(world.provider.issuer_scripts.get(name) is not None for name in world.asked()) <= 1
    given_up = [number for number in range(1, 6) if world.state(number).given_up]
    assert given_up == [1, 2, 4, 5]
    assert world.state(3).up
    assert world.life.logged.getvalue().count('msg="issuer given up" account=acme issuer=') == 4
    await world.life.use(with_issuers(*issuers, attempts=attempts))
    for _ in range(5):
        await world.life.poll()
        await world.poll_issuers()
    assert all(world.state(number).up for number in range(1, 6))


@pytest.mark.parametrize("code", [611, 620])
async def test_one_that_cannot_be_asked_for_is_given_up_at_once(world: World, code: int) -> None:
    await world.start(with_issuers(issuer(1), issuer(2)))
    await world.life.poll()
    world.scripts(issuer_1=[answer(code)])
    await world.poll_issuers()
    assert (world.state(1).given_up, world.state(1).up, world.state(1).next_poll) == (True, False, None)
    assert world.key(1) not in world.life.agenda.due
    assert (world.state(2).up, world.lane) == (True, 1)
    logged = world.life.logged.getvalue()
    assert f'msg="issuer given up" account=acme issuer="issuer 1" code={code}' in logged
    await world.life.use(with_issuers(issuer(1), issuer(2)))
    await world.poll_issuers()
    assert world.state(1).up


@pytest.mark.parametrize(
    ("outcome", "width"),
    [
        (answer(500), 1),
        (answer(630), 1),
        (answer(503), 0),
        (answer(632), 0),
        (unsent(), 0),
        (Failure(Reason.TIMEOUT, "no answer"), 0),
        (UNKNOWN, 0),
    ],
)
async def test_what_stops_the_others_for_a_while(world: World, outcome: Outcome, width: int) -> None:
    await world.start(with_issuers(issuer(1)))
    await world.life.poll()
    world.scripts(issuer_1=[outcome])
    await world.poll_issuers()
    assert world.lane == width
    await world.life.poll()
    assert world.lane == 1


async def test_more_are_asked_at_once_as_answers_are_good(world: World) -> None:
    await world.start(with_issuers(*map(issuer, range(1, 6)), concurrency=3))
    await world.life.poll()
    widths = []
    for number in range(1, 5):
        widths.append(world.lane)
        await world.life.poll(world.key(number))
    assert widths == [1, 2, 3, 3]
    world.scripts(issuer_5=[unsent()])
    await world.life.poll(world.key(5))
    await world.life.poll()
    assert world.lane == 1


async def test_a_contract_of_its_own(world: World) -> None:
    """Zeros mean that there is none, until there were figures; that they have run out says nothing then."""
    await world.start(with_issuers(issuer(1), issuer(2)))
    await world.life.poll()
    world.scripts(
        issuer_1=[answer(200, 0, 0, 0), answer(200, 100, 40, 60), answer(631)],
        issuer_2=[answer(631), answer(200, 100, 100, 0), answer(200, 0, 0, 0)],
    )
    await world.poll_issuers()
    for number in (1, 2):
        state = world.state(number)
        assert (state.available, state.used, state.contracted, state.up) == (None, None, None, True)
    assert world.life.logged.getvalue().count("issuer without a contract of its own") == 1
    await world.life.publisher.publish()
    text = b"".join(world.life.exposition.pieces("text"))
    assert b'cfdi_issuer_up{account="acme",issuer="issuer 1"} 1.0' in text
    assert b"cfdi_issuer_stamps_available{" not in text
    found = []
    for _ in range(2):
        for number in (1, 2):
            await world.life.poll(world.key(number))
            found.append((figure := world.state(number).available) and figure.stamps)
    assert found == [60, 0, 0, 0]


async def test_figures_that_are_the_accounts_are_told_once(world: World) -> None:
    await world.start(with_issuers(issuer(1), issuer(2)))
    await world.life.poll()
    await world.poll_issuers()
    assert world.life.logged.getvalue().count("an issuer's figures are its account's") == 1


async def test_a_new_name_and_a_restart_count_nothing_twice(world: World) -> None:
    await world.start(with_issuers(issuer(1)))
    await world.life.poll()
    world.scripts(
        issuer_1=[answer(200, 100, 40, 60), answer(200, 100, 45, 55)], other=[answer(200, 100, 47, 53)]
    )
    for _ in range(2):
        await world.life.poll(world.key(1))
    await world.life.publisher.publish()
    due = world.life.agenda.due[world.key(1)]
    await world.life.use(with_issuers(issuer(1, "other")))
    assert world.life.agenda.due[world.key(1)] == due
    await world.life.poll(world.key(1))
    await world.life.publisher.publish()
    series = 'cfdi_issuer_stamps_consumed_total{account="acme",issuer="other"} 7.0'
    text = b"".join(world.life.exposition.pieces("text")).decode()
    assert series in text
    assert 'issuer="issuer 1"' not in text
    await world.life.kill()
    assert b"AAA010101AAA" not in world.path.read_bytes()
    await world.start(with_issuers(issuer(1, "other")))
    await world.life.publisher.publish()
    assert series in b"".join(world.life.exposition.pieces("text")).decode()


async def test_one_that_is_removed_leaves_at_once_and_comes_back_as_it_was(world: World) -> None:
    await world.start(with_issuers(issuer(1), issuer(2)))
    await world.life.poll()
    await world.poll_issuers()
    await world.life.publisher.publish()
    await world.life.use(with_issuers(issuer(2)))
    text = b"".join(world.life.exposition.pieces("text")).decode()
    assert 'issuer="issuer 1"' not in text
    assert 'cfdi_issuer_stamps_available{account="acme",issuer="issuer 2"} 600.0' in text
    assert world.key(1) not in world.life.agenda.due
    await world.life.use(with_issuers(issuer(1), issuer(2)))
    assert world.state(1).available
    await world.life.use(with_issuers())
    assert "issuer" not in b"".join(world.life.exposition.pieces("text")).decode()


async def test_another_password_is_proven_by_the_account_first(world: World) -> None:
    await world.start(with_issuers(issuer(1)))
    await world.life.poll()
    world.asked()
    await world.life.use(with_issuers(issuer(1), password=WRONG))
    assert world.lane == 0
    await world.life.poll(world.key(1))
    assert world.asked() == []
    await world.life.poll()
    await world.poll_issuers()
    assert (world.asked(), world.lane) == ([""], 0)


async def test_a_reload_during_an_issuers_poll(world: World) -> None:
    """With another password its answer says nothing about the new login, and nothing is asked with that."""
    await world.start(with_issuers(issuer(1)))
    await world.life.poll()
    world.provider.open.clear()
    poll = await world.life.begin_poll(world.key(1))
    changed = replace(with_issuers(issuer(1)), password=Secret(WRONG))
    await world.life.use(changed)
    world.provider.open.set()
    await poll
    assert world.lane == 0
    assert world.key(1) in world.life.agenda.due


async def test_the_gate_lets_nothing_through_that_is_not_proven(world: World) -> None:
    await world.start(with_issuers(issuer(1)))
    writes = world.life.storage.writes
    held = await world.provider.ask(world.life.monitored(world.key(1)), world.life.gate)
    assert not hasattr(held, "outcome")
    assert (world.asked(), world.life.storage.writes) == ([], writes)


async def test_those_that_waited_are_spread_over_the_interval_again(world: World) -> None:
    await world.start(with_issuers(*map(issuer, range(10))))
    await world.life.poll()
    began = world.clock.monotonic()
    for number in range(10):
        await world.life.agenda.run(world.key(number), world.life.poller.poll)
        await asyncio.sleep(0)
    after = sorted(world.life.agenda.due[world.key(number)] - began for number in range(10))
    assert after[0] >= ISSUER_INTERVAL / 10
    assert after[-1] <= ISSUER_INTERVAL * 1.1
    assert after[-1] - after[0] > ISSUER_INTERVAL / 2


@pytest.mark.process  # which holidays are looked up in
async def test_the_forecast_is_the_issuers_own(world: World) -> None:
    """By days of use that are kept by its key, and not by those of its account."""
    await world.start(with_issuers(issuer(1), issuer(2)))
    now = world.clock.time()
    today = world.life.profiles.today(now).ordinal
    ended = [Ended(today - back, 10, b"") for back in range(1, 60)]
    await world.life.storage.transact(lambda db: days.add(db, world.key(1), ended, now))
    await world.life.poll()
    world.scripts(issuer_1=[answer(200, 1000, 900, 100)], issuer_2=[answer(200, 1000, 900, 100)])
    await world.poll_issuers()
    await world.life.profiles.refresh()
    depletion = world.state(1).depletion
    assert depletion is not None
    assert 8 < (depletion - now) / 86_400 < 12
    assert (world.state(2).depletion, world.life.state().depletion) == (None, None)
    assert world.state(1).history_days == 59
