"""What a kill leaves is whole; what was harmed since is found, and said."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from exporter.daemon.state_file import open_storage
from exporter.storage import runs, wal
from exporter.storage.engine import StorageError

pytestmark = pytest.mark.process

NOW = 1_700_000_000.0
GONE = "state.db-wal is gone, or state.db is a copy that was made while a daemon had it"
FRAME = 24 + 4096
DATA = Path(__file__).parent.parent / "data"
WRITE = """
import asyncio, os, signal, sys
from pathlib import Path
from exporter.daemon.state_file import open_storage
async def write():
    storage = open_storage(Path(sys.argv[1]), exclusive=sys.argv[2] == "daemon", now=0.0)
    for number in range(int(sys.argv[3])):
        insert = lambda db: db.execute("INSERT INTO resumption VALUES (?, 1)", (f"key {number}",))
        await storage.transact(lambda db: insert(db).rowcount)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(write())
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as a kill left it."""
    directory = tmp_path_factory.mktemp("left")
    killed(directory / "state.db")
    return directory


def killed(path: Path, writes: int = 20, who: str = "daemon") -> None:
    """Let a process write, and be killed."""
    done = subprocess.run([sys.executable, "-c", WRITE, path, who, str(writes)], check=False, timeout=30)
    assert done.returncode == -9


@pytest.fixture
def path(left: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(left, copy)
    return copy / "state.db"


def log_of(path: Path) -> Path:
    return path.with_name("state.db-wal")


def damage(path: Path, *, exclusive: bool = True) -> str | None:
    """What is said to be lost when a file is opened; it is said again until it was dealt with."""

    async def look() -> str | None:
        found = []
        for _ in range(2):
            storage = open_storage(path, exclusive=exclusive, now=NOW)
            found.append(storage.damaged)
            await storage.close()
        assert found[0] == found[1]
        storage = open_storage(path, exclusive=exclusive, now=NOW)
        await storage.transact(runs.forget_damage)
        await storage.close()
        storage = open_storage(path, exclusive=exclusive, now=NOW)
        assert storage.damaged is None
        await storage.close()
        return found[0]

    return asyncio.run(look())


def keys(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM resumption").fetchone()[0])


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_a_kill_leaves_is_whole(path: Path, exclusive: bool) -> None:
    """Nothing is lost, and nothing said."""
    assert damage(path, exclusive=exclusive) is None
    assert keys(path) == 20


def test_what_version_1_left_is_whole(tmp_path: Path) -> None:
    """Whether it was closed or killed."""
    for name, ending in (("state-v1", ""), ("state-v1-killed", ""), ("state-v1-killed", "-wal")):
        shutil.copy(DATA / f"{name}.db{ending}", tmp_path / f"{name}.db{ending}")
    for name in ("state-v1", "state-v1-killed"):
        assert damage(tmp_path / f"{name}.db") is None


def test_many_kills_at_any_moment(tmp_path: Path) -> None:
    """In a row, of daemons and checks: never a false alarm."""
    path = tmp_path / "state.db"
    for seed in range(6):
        script = WRITE.replace("key {number}", f"{seed} {{number}}")
        process = subprocess.Popen([sys.executable, "-c", script, path, "daemon", "100000"])
        try:
            process.wait(0.5 + seed * 0.07)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if path.exists():
            assert wal.damage(log_of(path)) is None


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("place", [0, 9, 17, 30])
def test_a_harmed_header(path: Path, place: int, exclusive: bool) -> None:
    """Without it all is passed over: magic, size, salts and checksum."""
    harm(log_of(path), place)
    assert damage(path, exclusive=exclusive) == "state.db-wal is damaged: its header is wrong"
    assert keys(path) < 20


@pytest.mark.parametrize("offset", [1, 9, 17, 30, 2000])
@pytest.mark.parametrize(
    ("frame", "index"), [(0, False), (0, True), (5, False), (5, True), (-2, True), (-1, True)]
)
def test_a_harmed_frame(path: Path, frame: int, offset: int, index: bool) -> None:
    """Whichever, and whatever of it: the last one, too, as the index knows that it was committed."""
    if not index:
        path.with_name("state.db-shm").unlink()
    log = log_of(path)
    harm(log, 32 + (frame % frames_of(log)) * FRAME + offset)
    found = damage(path)
    assert found is not None
    assert found.startswith("state.db-wal is damaged: it ")


def frames_of(log: Path) -> int:
    """How many frames of a log are of its present round; the file may be longer than that."""
    data = log.read_bytes()
    return sum(data[start + 8 : start + 16] == data[16:24] for start in range(32, len(data), FRAME))


def harm(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 0x55]))


@pytest.mark.parametrize("size", [32, 32 + FRAME, -FRAME, -1, 20])
def test_a_log_that_was_cut(path: Path, size: int) -> None:
    """At whatever place."""
    log = log_of(path)
    whole = 32 + frames_of(log) * FRAME
    with log.open("r+b") as file:
        file.truncate(size if size > 0 else whole + size)
    assert (damage(path) or "").startswith("state.db-wal is damaged: ")


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("emptied", [True, False])
def test_a_log_that_is_gone(path: Path, emptied: bool, index: bool) -> None:
    """With its index or without."""
    if emptied:
        log_of(path).write_bytes(b"")
    else:
        log_of(path).unlink()
    if not index:
        path.with_name("state.db-shm").unlink()
    assert damage(path) == GONE


def test_check_deals_with_what_a_kill_left(path: Path) -> None:
    """The daemon after it misses no log."""
    assert damage(path, exclusive=False) is None
    assert damage(path) is None
    assert keys(path) == 20


def test_a_check_that_is_killed(path: Path) -> None:
    """Nothing is missing then."""
    killed(path, 0, "check")
    assert damage(path) is None
    assert keys(path) == 20


def test_an_older_copy_beside_a_newer_log(path: Path, tmp_path: Path) -> None:
    """SQLite would mix the two."""
    older = tmp_path / "older.db"
    shutil.copy(path, older)
    for _ in range(2):
        killed(path, 0)
    before = path.read_bytes()
    shutil.copy(older, path)
    with pytest.raises(StorageError) as caught:
        open_storage(path, exclusive=True, now=NOW)
    assert str(caught.value) == (
        f"{path}: is not the file that state.db-wal belongs to: one of them was put there from elsewhere; "
        f"put back the other, too, or delete {log_of(path)}"
    )
    path.write_bytes(before)
    assert damage(path) is None


def test_an_older_copy_alone(path: Path) -> None:
    """What was kept since is forgotten."""
    assert damage(path) is None
    older = path.read_bytes()
    assert damage(path) is None
    path.write_bytes(older)
    assert damage(path) == "state.db is a copy from before the last run"


def test_a_copy_of_a_running_daemon(path: Path, tmp_path: Path) -> None:
    """As operations.md makes one."""
    copy = tmp_path / "moved" / "state.db"
    copy.parent.mkdir()
    with closing(sqlite3.connect(path)) as running, closing(sqlite3.connect(copy)) as copied:
        running.backup(copied)
    assert damage(copy) == GONE


def test_a_log_without_its_file(path: Path) -> None:
    """SQLite would delete it."""
    path.unlink()
    for _ in range(2):
        with pytest.raises(StorageError, match=r"is missing or empty, but its write-ahead log is there"):
            open_storage(path, exclusive=True, now=NOW)
    log_of(path).unlink()
    assert damage(path) is None
