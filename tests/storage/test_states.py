"""What is kept about accounts over a restart: the state that was saved is the state that is loaded."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.outcome import Failure, Reading, Reason
from exporter.account.state import Count, Fall, Figure, Rise, State, Suspension
from exporter.account.use import Use
from exporter.config import Issuer, issuer_key
from exporter.daemon.state_file import STEPS
from exporter.provider.solucion_factible.codes import CODES, code, issuer_code
from exporter.storage import migrations
from exporter.storage.engine import Storage
from exporter.storage.states import load, save
from tests.support.places import DATA
from tests.support.rig import reading

NOW = 1_700_000_000.0
TIMES = st.floats(0, NOW)
STAMPS = st.integers(0, 2**53)
FIGURES = st.none() | st.builds(Figure, STAMPS, TIMES)
FALLS = st.builds(Fall, STAMPS, st.integers(1, 20), STAMPS)
RISES = st.builds(Rise, STAMPS, st.none() | STAMPS, st.none() | FALLS)
STATES = st.builds(
    State,
    contracted=FIGURES,
    used=FIGURES,
    available=FIGURES,
    consumed=RISES,
    purchased=RISES,
    up=st.none() | st.booleans(),
    last_code=st.none() | st.integers(-(10**17), 10**17).map(code) | st.sampled_from([*CODES.values()]),
    last_poll=st.none() | TIMES,
    last_success=st.none() | TIMES,
    next_poll=st.none() | TIMES.map(lambda at: at + 1e6),
    retries=st.integers(0, 10**6),
    slow_downs=st.integers(0, 10**6),
    doubted=st.booleans(),
    asked_again=st.none() | TIMES,
    use=st.builds(
        Use, st.integers(0, 10**6), STAMPS, st.booleans(), st.just(b"") | st.binary(min_size=96, max_size=96)
    ),
    depletion=st.none() | TIMES,
    usual_day=st.none() | st.floats(0, 1e9),
    history_days=st.none() | st.integers(0, 400),
    topped_up=FIGURES,
)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with made() as connection:
        yield connection


def made() -> "closing[sqlite3.Connection]":
    """An empty storage in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection, STEPS, NOW)
    return closing(connection)


@given(st.dictionaries(st.text(max_size=20), STATES, max_size=5))
def test_what_was_saved_is_loaded(states: dict[str, State]) -> None:
    """All of it, for each account."""
    with made() as db:
        save(db, states.items())
        assert load(db, NOW, code) == states


def test_the_latest_counts(db: sqlite3.Connection) -> None:
    """An account has one record."""
    save(db, [("a", State(consumed=Rise(1, 5))), ("b", State(retries=1))])
    save(db, [("a", State(consumed=Rise(3, 7)))])
    assert load(db, NOW, code) == {"a": State(consumed=Rise(3, 7)), "b": State(retries=1)}


def test_a_restart_between_a_fall_and_its_confirmation_loses_neither(db: sqlite3.Connection) -> None:
    """Else a wrong answer just before it would be counted, or the first stamps of a contract not."""
    for readings, total in (((5010, 0, 5020), 10), ((5010, 3, 7, 12), 9)):
        rise = Rise()
        for stamps in readings:
            save(db, [("a", State(consumed=rise.seen(stamps), purchased=rise.seen(stamps)))])
            state = load(db, NOW, code)["a"]
            assert state.consumed == state.purchased
            rise = state.consumed
        assert rise.total == total


def test_a_file_of_version_1_goes_on_counting(tmp_path: Path) -> None:
    """Its counters and baselines are as they were, and no fall is known."""
    path = Path(shutil.copy(DATA / "state-v1.db", tmp_path / "state.db"))
    later = 1_800_000_000.0
    storage = Storage(path, STEPS, exclusive=False, now=later)
    before = storage.read(lambda db: load(db, later, code))
    key, healthy = next((key, state) for key, state in before.items() if "healthy" in key)
    assert (healthy.consumed.total, healthy.purchased.total) == (42, 500)
    assert healthy.used
    assert (healthy.consumed.baseline, healthy.consumed.fall) == (healthy.used.stamps, None)
    fallen = replace(healthy, consumed=healthy.consumed.seen(1))
    with closing(sqlite3.connect(path)) as db, db:
        save(db, [(key, fallen)])
        assert load(db, later, code)[key].consumed == Rise(42, healthy.used.stamps, Fall(1))


def test_what_belongs_to_the_process_is_not_kept(db: sqlite3.Connection) -> None:
    """Suspensions and open tries are the guard's, the counters of answers and failures start at 0 as those of
    any process do, and an issuer that was given up is asked for again."""
    state = State(
        suspension=Suspension(code(601), NOW),
        blocked=True,
        responses=(Count("601", 1), Count("other", 2)),
        failures=(Count("tls", 3),),
        unknown=2,
        given_up=True,
        last_outcome=reading(601),
        last_code=code(601),
    )
    save(db, [("a", state)])
    assert load(db, NOW, code) == {"a": State(last_code=code(601))}


def test_every_field_is_kept_or_known_not_to_be() -> None:
    """So that a new one isn't forgotten here."""
    not_kept = {"suspension", "blocked", "responses", "failures", "last_outcome", "profile"}
    not_kept |= {"unknown", "given_up"}
    kept = {field.name for field in fields(State)} - not_kept
    assert len(kept) == 19


@pytest.mark.parametrize("ahead", [0.5, 60.0])
def test_times_a_little_ahead_are_taken_for_now(db: sqlite3.Connection, ahead: float) -> None:
    """The clock was set right."""
    save(db, [("a", times(NOW + ahead))])
    assert load(db, NOW, code) == {"a": times(NOW)}


@pytest.mark.parametrize("ahead", [61.0, 1e6, 400 * 86_400.0])
def test_a_figure_from_the_future_is_not_known(db: sqlite3.Connection, ahead: float) -> None:
    """How old it is nobody knows; it would look fresh for as long as the clock was ahead."""
    save(db, [("a", replace(times(NOW + ahead), consumed=Rise(3, 7), asked_again=NOW + ahead))])
    assert load(db, NOW, code) == {"a": State(consumed=Rise(3, 7), asked_again=NOW)}


def times(at: float) -> State:
    """A state of this time."""
    return State(
        contracted=Figure(3, at), used=Figure(2, at), available=Figure(1, at), last_poll=at, last_success=at
    )


def test_no_text_of_the_provider_is_kept(db: sqlite3.Connection) -> None:
    """An answer or an error could echo the password."""
    for outcome in (Reading(code(500), message="echo"), Failure(Reason.FAULT, "echo")):
        save(db, [("a", State(last_outcome=outcome))])
    assert "echo" not in "".join(db.iterdump())


def test_what_a_restored_copy_does_to_a_counter(db: sqlite3.Connection) -> None:
    """It goes back to where it was, and the first poll brings it to where it would be: docs/operations.md."""
    readings = [5000, 5010, 5020, 5030]
    rise = Rise()
    for stamps in readings[:2]:
        rise = rise.seen(stamps)
    save(db, [("a", State(consumed=rise))])
    restored = load(db, NOW, code)["a"].consumed
    assert (restored.total, restored.seen(readings[-1]).total) == (10, 30)


def test_a_code_about_an_issuer_means_what_it_means_there(db: sqlite3.Connection) -> None:
    issuer = Issuer("norte", "AAA010101AAA", 60.0, 180.0, None, None, ())
    key = issuer_key("a", issuer)
    save(db, [("a", State(last_code=code(611))), (key, State(last_code=issuer_code(611)))])
    assert load(db, NOW, code, issuer_code) == {
        "a": State(last_code=code(611)),
        key: State(last_code=issuer_code(611)),
    }
    assert "AAA010101AAA" not in key
    assert key != issuer_key("b", issuer)
