"""The use of each day that has ended: what was added is what is there, in little room."""

import shutil
import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.state import Rise, State
from exporter.account.use import Ended, Use
from exporter.daemon.state_file import STEPS, open_storage
from exporter.provider.solucion_factible.codes import code
from exporter.storage import days, migrations, states
from exporter.storage.days import History
from tests.support.places import DATA

NOW = 1_700_000_000.0
TODAY = 739_900
USE = st.lists(st.none() | st.integers(0, 300) | st.integers(0, 2**53), max_size=500)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with made() as connection:
        yield connection


def made() -> "closing[sqlite3.Connection]":
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection, STEPS, NOW)
    return closing(connection)


def ended(first: int, *stamps: int | None) -> list[Ended]:
    """Days that ended one after the other, from one on."""
    return [Ended(first + number, used, b"") for number, used in enumerate(stamps)]


def known(use: list[int | None]) -> list[int | None]:
    """As it is given out: the last 400, from the first that is known on."""
    firsts = [number for number, stamps in enumerate(use) if stamps is not None]
    return use[firsts[0] :][-400:] if firsts else []


@given(USE)
def test_what_has_ended_is_there(use: list[int | None]) -> None:
    """Whether it was added at once or day by day."""
    with made() as db:
        days.append(db, "all", ended(TODAY - len(use), *use))
        for one in ended(TODAY - len(use), *use):
            days.append(db, "each", [one])
        found = days.load(db, ["all", "each", "none"])
        assert set(found) == ({"all", "each"} if use else {"all"})
        for history in found.values():
            assert history.until(TODAY) == pytest.approx(known(use)) or not known(use)


def test_days_between_aren_t_known(db: sqlite3.Connection) -> None:
    """Nor are those since the last one."""
    days.append(db, "a", ended(TODAY - 6, 1, 2))
    days.append(db, "a", ended(TODAY - 2, 5))
    assert days.load(db, ["a"])["a"].until(TODAY) == [1, 2, None, None, 5, None]
    assert days.load(db, ["a"])["a"].until(TODAY - 4) == [1, 2]
    assert days.load(db, ["a"])["a"].until(TODAY - 5) == [1]
    assert days.load(db, ["a"])["a"].until(TODAY - 50) == []
    assert days.load(db, ["a"])["a"].until(TODAY + 398)[0] == 5


def test_a_day_that_ends_anew_replaces_all_from_it_on(db: sqlite3.Connection) -> None:
    """The clock was set back; what ended once more may be stored once more, too."""
    days.append(db, "a", ended(TODAY - 4, 1, 2, 3, 4))
    for _ in range(2):
        days.append(db, "a", ended(TODAY - 3, 20, None))
    assert days.load(db, ["a"])["a"].until(TODAY) == [1, 20, None, None]
    days.append(db, "a", ended(TODAY - 90, 7))
    assert days.load(db, ["a"])["a"].until(TODAY) == [7, *[None] * 89]


def test_a_clock_that_was_years_ahead_for_a_moment(db: sqlite3.Connection) -> None:
    """Its days come and go, and no more is forgotten than there were of them."""
    use = [number % 90 for number in range(400)]
    days.append(db, "a", ended(TODAY - 400, *use))
    days.append(db, "a", ended(TODAY + 4000, None, 5))
    assert days.load(db, ["a"])["a"].until(TODAY) == use[1:]
    days.append(db, "a", ended(TODAY, 7))
    assert days.load(db, ["a"])["a"].until(TODAY + 1) == [*use[1:], 7]


def test_hours_are_added_up(db: sqlite3.Connection) -> None:
    """Each day's once, of days that are known."""
    hours = array("f", [0.0] * 23 + [8.0]).tobytes()
    for day, stamps in ((1, 8), (2, 8), (2, 8), (3, None)):
        days.append(db, "a", [Ended(TODAY + day, stamps, hours)])
    assert array("f", days.load(db, ["a"])["a"].hours)[23] == pytest.approx(8 * 27 / 28 + 8)


def test_days_from_elsewhere_fill_those_that_aren_t_known(db: sqlite3.Connection) -> None:
    """What the exporter has counted itself stays."""
    hours = array("f", [1.0] * 24).tobytes()
    days.append(db, "a", ended(TODAY - 3, 4, None, 6))
    assert days.added(db) == {}
    others = [Ended(TODAY - 5, 1, b""), Ended(TODAY - 3, 99, hours), Ended(TODAY - 2, 5, hours)]
    assert days.add(db, "a", others, NOW) == 2
    assert days.add(db, "a", others, NOW + 2) == 0, "nor are their hours counted twice"
    assert days.add(db, "b", [Ended(TODAY - 1, 3, b"")], NOW + 1) == 1
    found = days.load(db, ["a", "b"])
    assert found["a"].until(TODAY) == [1, None, 4, 5, 6]
    assert (found["a"].hours, found["b"].hours) == (hours, b"")
    days.append(db, "a", ended(TODAY, 7))
    assert days.added(db) == {"a": NOW, "b": NOW + 1}, "also once another day has ended"


def test_they_are_written_with_the_counters(db: sqlite3.Connection) -> None:
    """In one transaction: a kill loses both or none. The present day is in the account's own row."""
    hours = array("f", [0.0] * 10 + [5.0] * 14).tobytes()
    use = Use(TODAY, 70, whole=True, hours=hours, ended=tuple(ended(TODAY - 2, None, 8)))
    states.save(db, [("a", State(consumed=Rise(78, 900), use=use))])
    assert states.load(db, NOW, code)["a"].use == use.stored(use.ended)
    assert days.load(db, ["a"])["a"].until(TODAY) == [8]
    written = db.total_changes
    states.save(db, [("a", State(consumed=Rise(79, 901), use=Use(TODAY, 71, True, hours)))])
    assert db.total_changes - written <= 2, "a row of its own: it is not written again"
    assert days.load(db, ["a"])["a"].until(TODAY) == [8]


@pytest.mark.parametrize("name", ["state-v1.db", "state-v1-killed.db"])
def test_a_file_of_version_1_begins_to_count(tmp_path: Path, name: str) -> None:
    """Of no day anything is known, and nothing else is lost."""
    for part in DATA.glob(f"{name}*"):
        shutil.copy(part, tmp_path / part.name)
    storage = open_storage(tmp_path / name, exclusive=False, now=NOW)
    found = storage.read(lambda db: states.load(db, NOW + 1e9, code))
    assert found
    for key, state in found.items():
        assert (state.use, state.depletion, state.usual_day, state.history_days) == (Use(), None, None, None)
        assert storage.read(lambda db, key=key: days.load(db, [key])) == {}  # type: ignore[misc]


def test_it_takes_little_room(tmp_path: Path) -> None:
    """10,000 accounts have to fit into 40 MB with all else that is kept of them; here are 500."""
    path, dice = tmp_path / "state.db", Random(1)  # noqa: S311 - made up
    hours = array("f", [dice.random() for _ in range(24)]).tobytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrations.migrate(db, STEPS, NOW)
        db.execute("BEGIN")
        for number in range(500):
            mean = 10 ** dice.uniform(0, 4)
            use = [Ended(TODAY + day, round(mean * dice.random()), hours) for day in range(400)]
            state = State(use=Use(TODAY + 400, 5, True, hours, tuple(use)), depletion=NOW)
            states.save(db, [(f"solucionfactible.com:443 ws{number}@customer-{number}.example", state)])
        db.execute("COMMIT")
        db.execute("VACUUM")
    assert path.stat().st_size * 20 < 30_000_000


def test_histories_are_read_for_many_at_once(db: sqlite3.Connection) -> None:
    """However many values SQLite takes."""
    for number in range(1200):
        days.append(db, f"a{number}", ended(TODAY, number))
    found = days.load(db, [f"a{number}" for number in range(1200)])
    assert [found[f"a{number}"] for number in range(1200)] == [
        History(TODAY, (number,), b"") for number in range(1200)
    ]
