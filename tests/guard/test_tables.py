"""What files that version 1 wrote hold against logins, by the tables of today."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from exporter.account.login import Held, Login, Tried
from exporter.account.outcome import Outcome
from exporter.daemon.state_file import STEPS, open_storage
from exporter.guard.gate import Gate
from exporter.guard.tables import open_tries
from exporter.provider.contract import Permit
from exporter.provider.solucion_factible import codes
from exporter.secret import Secret
from exporter.storage.engine import StorageError
from exporter.storage.migrations import first, migrate
from exporter.storage.states import load
from tests.support.peers import FakeClock
from tests.support.places import DATA
from tests.support.rig import account, reading

WRITTEN = 1_795_852_570.0
"""Unix time, a moment after both files were written."""
HOUR = 3600.0


@dataclass
class Past:
    """The guard on a file of the past, and what reaches the provider."""

    gate: Gate
    clock: FakeClock
    logins: list[str]

    def login(self, name: str, password: str) -> Login:
        asked = replace(account(name=name), username=f"{name}@demo.example")
        return Login(f"127.0.0.1:8099 {asked.username}", Secret(password), asked)

    async def ask(self, login: Login, outcome: Outcome) -> Tried | Held:
        async def send(permit: Permit) -> Outcome:
            self.logins.append(permit.password().reveal())
            return outcome

        tried = await self.gate.attempt(login, send)
        await self.gate.kept()
        return tried


Open = Callable[[str], Awaitable[Past]]


def failed(error: StorageError) -> None:
    raise error


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def begin(name: str) -> Past:
            for file in DATA.glob(f"{name}.db*"):
                shutil.copy(file, tmp_path)
            clock = FakeClock(time=WRITTEN)
            storage = open_storage(tmp_path / f"{name}.db", exclusive=True, now=WRITTEN)
            stack.push_async_callback(storage.close)
            gate = Gate(storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=failed)
            return Past(gate, clock, [])

        yield begin


@pytest.mark.parametrize(
    ("name", "password", "code"), [("load-00001", "wrong", 601), ("code-602", "simulated", 602)]
)
async def test_suspensions_stay(opened: Open, name: str, password: str, code: int) -> None:
    past = await opened("state-v1")
    login = past.login(name, password)
    await past.gate.adopt(login)
    assert login.suspension is not None
    assert login.suspension.code.number == code
    assert isinstance(await past.ask(login, reading(200)), Held)
    assert past.logins == []


async def test_refusals_stay_with_their_credential(opened: Open) -> None:
    """And with it the time before which it isn't tried again."""
    past = await opened("state-v1")
    wrong = past.login("load-00002", "wrong once")
    assert await past.gate.adopt(wrong) == pytest.approx(WRITTEN + HOUR, abs=60)
    past.clock.advance(HOUR)
    await past.ask(wrong, reading(601))
    assert wrong.suspension is not None
    for password in ("the first wrong one", "the second wrong one"):
        one = past.login("load-00004", password)
        await past.gate.adopt(one)
        assert one.refusals == 1
    another = past.login("load-00004", "a third one")
    await past.gate.adopt(another)
    assert another.refusals == 0


async def test_a_resumption_leaves_one_try(opened: Open) -> None:
    past = await opened("state-v1")
    login = past.login("load-00003", "wrong and resumed")
    await past.gate.adopt(login)
    assert (login.suspension, login.refusals) == (None, 1)
    await past.ask(login, reading(601))
    assert login.suspension is not None


@pytest.mark.parametrize("name", ["slow", "load-00001"])
async def test_what_a_kill_left_without_a_fingerprint_is_an_open_try_of_the_login(
    opened: Open, name: str
) -> None:
    """Whichever password comes has one try less, until that lapses."""
    past = await opened("state-v1-killed")
    login = past.login(name, "whichever")
    past.clock.advance(900)
    assert isinstance(await past.ask(login, reading(601)), Tried)
    past.clock.advance(900)
    held = await past.ask(login, reading(601))
    assert isinstance(held, Held)
    assert held.blocked
    assert past.logins == ["whichever"]


async def test_and_lapses(opened: Open) -> None:
    """After an hour, as those do that come today."""
    past = await opened("state-v1-killed")
    strict = past.login("load-00001", "wrong")
    strict.terms = replace(account(), auth_attempts=1)
    held = await past.ask(strict, reading(200))
    assert isinstance(held, Held)
    assert held.blocked
    assert held.until == pytest.approx(WRITTEN + HOUR, abs=30)
    past.clock.advance(held.until - past.clock.time())
    assert isinstance(await past.ask(strict, reading(200)), Tried)


async def test_balances_and_counters_stay(tmp_path: Path) -> None:
    shutil.copy(DATA / "state-v1.db", tmp_path)
    storage = open_storage(tmp_path / "state-v1.db", exclusive=True, now=WRITTEN)
    states = storage.read(lambda db: load(db, WRITTEN, codes.code))
    await storage.close()
    healthy = states["127.0.0.1:8099 healthy@demo.example"]
    assert healthy.used is not None
    assert (healthy.used.stamps, healthy.consumed.total, healthy.purchased.total) == (56042, 42, 500)


def test_a_suspension_without_a_fingerprint_stops_every_password_for_an_hour(tmp_path: Path) -> None:
    """Then for two more, and so on: it may have been a stop."""
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        migrate(db, (first,), WRITTEN)
        db.execute("INSERT INTO credential (key, suspended_code, suspended_since) VALUES ('h:1 u', 602, 1)")
        migrate(db, (first, open_tries), WRITTEN)
        assert db.execute("SELECT login, at, kind FROM try").fetchall() == [("h:1 u", WRITTEN, 2)] * 3
        assert db.execute("SELECT * FROM credential").fetchall() == []


def test_a_step_that_is_cut_off_begins_anew(tmp_path: Path) -> None:
    """Nothing of it is kept, nothing of before is lost."""
    file = tmp_path / "state-v1.db"
    shutil.copy(DATA / "state-v1.db", file)

    def cut_off(db: sqlite3.Connection, now: float) -> None:
        open_tries(db, now)
        raise OSError("killed")

    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        before = list(db.iterdump())
        with pytest.raises(OSError, match="killed"):
            migrate(db, (first, cut_off), WRITTEN)
        assert list(db.iterdump()) == before
        migrate(db, STEPS, WRITTEN)
        assert len(db.execute("SELECT * FROM credential").fetchall()) == 6


def test_usernames_get_the_names_of_today(tmp_path: Path) -> None:
    """Where these are compared more loosely now; of two that have become one, the known one stays."""
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as db:
        migrate(db, (first,), WRITTEN)
        db.execute("INSERT INTO resumption VALUES ('h:1 \uff55', 1), ('h:1 v', 2)")
        db.execute(
            "INSERT INTO credential (key, salt, digest) "
            "VALUES ('h:1 \u200bu', x'01', x'02'), ('h:1 v', x'03', x'04')"
        )
        migrate(db, (first, open_tries), WRITTEN)
        assert db.execute("SELECT key FROM resumption ORDER BY key").fetchall() == [("h:1 u",), ("h:1 v",)]
        assert db.execute("SELECT login FROM credential ORDER BY id").fetchall() == [("h:1 u",), ("h:1 v",)]
