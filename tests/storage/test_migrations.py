"""From one version's tables to the next: each step whole, once, and never back."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.daemon.state_file import STEPS, open_storage
from exporter.storage.engine import Storage, StorageError
from exporter.storage.migrations import NewerError, Step, first, migrate

NOW = 1_700_000_000.0
FORKED = multiprocessing.get_context("fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        yield connection


def version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def make(db: sqlite3.Connection, _now: float) -> None:
    db.execute("CREATE TABLE kept (x)")
    db.execute("INSERT INTO kept VALUES (1), (2), (3)")


def double(db: sqlite3.Connection, now: float) -> None:
    """A step that must be taken once, and whole."""
    db.execute("ALTER TABLE kept ADD COLUMN at REAL")
    db.execute("UPDATE kept SET x = 2 * x, at = ?", (now,))


def killed_in_the_middle(db: sqlite3.Connection, now: float) -> None:
    double(db, now)
    db.execute("PRAGMA cache_size = 1")
    db.execute("CREATE TABLE large AS SELECT randomblob(1000000)")  # so that it has written, too
    os.kill(os.getpid(), signal.SIGKILL)


def rows(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT * FROM kept ORDER BY 1").fetchall()


def test_steps_are_taken_in_their_order_and_once(path: Path) -> None:
    """A file knows how many it has seen."""
    with connected(path) as db:
        migrate(db, [make], NOW)
        assert (rows(db), version(db)) == ([(1,), (2,), (3,)], 1)
        for _ in range(2):
            migrate(db, [make, double], NOW)
            assert (rows(db), version(db)) == ([(2, NOW), (4, NOW), (6, NOW)], 2)


def test_a_file_of_a_newer_version_is_not_touched(path: Path) -> None:
    """It never goes back by itself."""
    with connected(path) as db:
        migrate(db, [make, double], NOW)
        with pytest.raises(NewerError):
            migrate(db, [make], NOW)
        assert not db.in_transaction
        assert (rows(db), version(db)) == ([(2, NOW), (4, NOW), (6, NOW)], 2)


def test_a_step_that_fails_leaves_all_as_it_was(path: Path) -> None:
    """Its schema changes included."""

    def fail(db: sqlite3.Connection, now: float) -> None:
        double(db, now)
        raise RuntimeError

    with connected(path) as db:
        migrate(db, [make], NOW)
        with pytest.raises(RuntimeError):
            migrate(db, [make, fail], NOW)
        assert (rows(db), version(db)) == ([(1,), (2,), (3,)], 1)
        migrate(db, [make, double], NOW)
        assert rows(db) == [(2, NOW), (4, NOW), (6, NOW)]


@pytest.mark.process
def test_a_migration_that_is_killed_begins_anew(path: Path) -> None:
    """And has lost nothing."""

    def upgrade() -> None:
        Storage(path, [make, killed_in_the_middle], exclusive=True, now=NOW)

    Storage(path, [make], exclusive=False, now=NOW)
    process = FORKED.Process(target=upgrade)
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    with connected(path) as db:
        assert (rows(db), version(db)) == ([(1,), (2,), (3,)], 1)
        migrate(db, [make, double], NOW)
        assert (rows(db), version(db)) == ([(2, NOW), (4, NOW), (6, NOW)], 2)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("statement", ["UPDATE kept", "PRAGMA user_version = 2", "COMMIT"])
@pytest.mark.process
def test_killed_before_each_statement(path: Path, statement: str) -> None:
    """The step and its count are one."""

    def upgrade() -> None:
        def kill(traced: str) -> None:
            if traced.startswith(statement):
                os.kill(os.getpid(), signal.SIGKILL)

        with connected(path) as db:
            migrate(db, [make], NOW)
            db.set_trace_callback(kill)
            migrate(db, [make, double], NOW)

    Storage(path, [make], exclusive=False, now=NOW)
    process = FORKED.Process(target=upgrade)
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    with connected(path) as db:
        assert (rows(db), version(db)) == ([(1,), (2,), (3,)], 1)


@pytest.mark.process
def test_processes_that_migrate_at_once_take_each_step_once(path: Path) -> None:
    """The daemon and `check`, at the first start after an upgrade."""

    def slowly(db: sqlite3.Connection, now: float) -> None:
        time.sleep(0.05)
        double(db, now)

    def upgrade(start: float) -> None:
        time.sleep(max(0.0, start - time.time()))
        Storage(path, [make, slowly, lambda db, _now: make_other(db)], exclusive=False, now=NOW)

    def make_other(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE other (y)")

    Storage(path, [make], exclusive=False, now=NOW)
    processes = [FORKED.Process(target=upgrade, args=(time.time() + 0.3,)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0] * 6
    with connected(path) as db:
        assert (rows(db), version(db)) == ([(2, NOW), (4, NOW), (6, NOW)], 3)


def test_the_storage_names_the_file_that_is_newer(path: Path) -> None:
    """A roll-back of the program must not read what it doesn't know."""
    Storage(path, [*STEPS, lambda db, _now: make(db, 0.0)], exclusive=False, now=NOW)
    with pytest.raises(StorageError) as caught:
        open_storage(path, exclusive=False, now=NOW)
    assert str(caught.value) == f"{path}: was written by a newer version of cfdi-stamps-exporter"


def test_the_first_step_makes_the_tables_of_version_1() -> None:
    """As they were released: files in the field have them."""
    steps: list[Step] = [first]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db, steps, NOW)
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema ORDER BY name")]
    assert [name for name in names if not name.startswith("sqlite_")] == [
        "account",
        "charge",
        "charge_credential",
        "credential",
        "credential_key",
        "opened",
        "resumption",
    ]
