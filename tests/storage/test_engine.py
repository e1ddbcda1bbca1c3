"""The storage: what it refuses to open and in which words, what a transaction is, who may have the file."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest

from exporter.daemon.state_file import STEPS, open_storage
from exporter.storage import engine
from exporter.storage.engine import APPLICATION_ID, Storage, StorageError

NOW = 1_700_000_000.0
ELSEWHERE = "; --storage.path can name another place"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@asynccontextmanager
async def opened(path: Path | None, *, exclusive: bool = True, now: float = NOW) -> AsyncIterator[Storage]:
    storage = open_storage(path, exclusive=exclusive, now=now)
    try:
        yield storage
    finally:
        await storage.close()


def insert(key: str) -> Callable[[sqlite3.Connection], object]:
    """A work that leaves a trace."""
    return lambda db: db.execute("INSERT INTO resumption VALUES (?, 1)", (key,)).rowcount


def keys(db: sqlite3.Connection) -> list[str]:
    """The traces."""
    return [row[0] for row in db.execute("SELECT key FROM resumption ORDER BY key")]


async def in_one_group(storage: Storage, works: list[Callable[[sqlite3.Connection], object]]) -> list[object]:
    """Let works wait together, so that they share a transaction; return the result or the error of each."""
    entered, gate = threading.Event(), threading.Event()

    def hold(_db: sqlite3.Connection) -> None:
        entered.set()
        gate.wait(10)

    holding = asyncio.ensure_future(storage.transact(hold))
    await asyncio.to_thread(entered.wait, 10)
    group = [asyncio.ensure_future(storage.transact(work)) for work in works]
    await asyncio.sleep(0)
    gate.set()
    await holding
    return await asyncio.gather(*group, return_exceptions=True)


def refusal(path: Path, *, exclusive: bool = True) -> str:
    """What is said of a file that can't be opened."""
    with pytest.raises(StorageError) as caught:
        open_storage(path, exclusive=exclusive, now=NOW)
    return str(caught.value)


WRITE = """
import asyncio, sys
from pathlib import Path
from exporter.daemon.state_file import open_storage
async def write():
    storage = open_storage(Path(sys.argv[1]), exclusive=True, now=0.0)
    insert = lambda db: db.execute("INSERT INTO resumption VALUES ('not durable', 1)")
    await storage.transact(lambda db: insert(db).rowcount, durable=False)
    print("written", flush=True)
    await asyncio.sleep(60)
asyncio.run(write())
"""


class TestTransactions:
    async def test_what_is_written_is_there_after_a_restart(self, path: Path) -> None:
        """And a work's result is handed back."""
        async with opened(path) as storage:
            assert await storage.transact(insert("a")) == 1
        async with opened(path) as storage:
            assert storage.read(keys) == ["a"]

    async def test_works_that_wait_together_share_a_transaction(self, path: Path) -> None:
        """One sync to the disk for all of them: while it writes, others gather."""
        seen: list[bool] = []

        def work(db: sqlite3.Connection) -> None:
            seen.append(db.execute("SELECT count(*) FROM resumption").fetchone()[0] > 0)
            db.execute("INSERT INTO resumption VALUES (?, 1)", (str(len(seen)),))

        commits: list[str] = []
        async with opened(path) as storage:
            storage._connection.set_trace_callback(
                lambda statement: commits.append(statement) if statement == "COMMIT" else None
            )
            await asyncio.gather(*(storage.transact(work) for _ in range(200)))
            assert len(seen) == 200
            assert len(commits) < 100

    @pytest.mark.parametrize("broken", [0, 1, 2])
    async def test_a_failing_work_fails_alone(self, path: Path, broken: int) -> None:
        """Whatever its place in the group: nothing of it is kept, and all of the others."""

        def fail(db: sqlite3.Connection) -> object:
            insert("half of it")(db)
            return db.execute("INSERT INTO nowhere VALUES (1)")

        async with opened(path) as storage:
            works = [insert("a"), insert("b")]
            works.insert(broken, fail)
            results: list[object] = await in_one_group(storage, works)
            assert str(results.pop(broken)) == "writing failed: no such table: nowhere"
            assert results == [1, 1]
            assert await storage.transact(keys) == ["a", "b"]
            await storage.transact(insert("c"))
            assert await storage.transact(keys) == ["a", "b", "c"]

    async def test_a_full_disk_fails_the_whole_group(self, path: Path) -> None:
        """None of it is kept, and none of it is tried for as many times as there are works."""
        ran: list[str] = []

        def note(db: sqlite3.Connection) -> object:
            ran.append("a")
            return insert("a")(db)

        async with opened(path) as storage:
            pages = await storage.transact(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
            storage._connection.execute(f"PRAGMA max_page_count = {pages}")
            results = await in_one_group(storage, [note, insert("b" * 100_000), insert("c")])
            assert [str(one) for one in results] == ["writing failed: database or disk is full"] * 3
            assert ran == ["a"]
            assert await storage.transact(keys) == []

    async def test_only_what_is_written_shows_that_it_works_again(self, path: Path) -> None:
        """A full disk can be read."""
        async with opened(path) as storage:
            pages = await storage.transact(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
            storage._connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(StorageError):
                await storage.transact(insert("b" * 100_000))
            await storage.transact(keys)
            await storage.verify()
            assert not storage.works
            await storage.transact(insert("a"))
            assert storage.works

    async def test_a_disk_that_stands_still(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who waits is told, and who comes then at once; what was withdrawn is never done."""
        monkeypatch.setattr(engine, "PATIENCE", 0.4)
        goes_on, loop = threading.Event(), asyncio.get_running_loop()
        async with opened(path) as storage:
            standing = asyncio.ensure_future(storage.transact(lambda _: goes_on.wait(20)))
            await asyncio.sleep(0.05)
            withdrawn = asyncio.ensure_future(storage.transact(insert("withdrawn")))
            for waiting in (standing, withdrawn):
                with pytest.raises(StorageError, match=r"^writing failed: the disk stands still$"):
                    await waiting
            assert not storage.works
            before = loop.time()
            with pytest.raises(StorageError, match="stands still"):
                await storage.transact(insert("too soon"))
            assert loop.time() - before < 0.3
            goes_on.set()
            await asyncio.sleep(0.3)
            assert await storage.transact(insert("a")) == 1
            assert await storage.transact(keys) == ["a"]
            assert storage.works

    async def test_a_close_does_not_wait_for_a_disk_that_stands_still(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not for long."""
        monkeypatch.setattr(engine, "CLOSE_SECONDS", 0.1)
        goes_on = threading.Event()
        storage = open_storage(path, exclusive=True, now=NOW)
        standing = asyncio.ensure_future(storage.transact(lambda _: goes_on.wait(20)))
        await asyncio.sleep(0.05)
        with pytest.raises(StorageError, match="stands still"):
            await storage.close()
        goes_on.set()
        assert await standing
        await asyncio.wrap_future(storage._closed)

    async def test_an_unforeseen_exception_names_its_kind_only(self, path: Path) -> None:
        """Its text could hold anything. The thread lives on."""

        def fail(_db: sqlite3.Connection) -> None:
            raise RuntimeError("a secret")

        async with opened(path) as storage:
            with pytest.raises(StorageError, match=r"^writing failed: RuntimeError$"):
                await storage.transact(fail)
            assert await storage.transact(keys) == []

    async def test_a_write_is_done_though_nobody_waits_for_it_any_more(self, path: Path) -> None:
        """A poll that is cancelled may have a refusal to keep."""
        async with opened(path) as storage:
            task = asyncio.create_task(storage.transact(insert("a")))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await storage.transact(keys) == ["a"]

    async def test_what_need_not_be_durable_does_not_wait_for_the_disk(self, path: Path) -> None:
        """But what is durable does, before and after it, and together with it."""
        async with opened(path) as storage:

            def synchronous(db: sqlite3.Connection) -> int:
                return int(db.execute("PRAGMA synchronous").fetchone()[0])

            normal, full = 1, 2
            for _ in range(2):
                assert await storage.transact(synchronous) == full
                assert await storage.transact(synchronous, durable=False) == normal
            together = (storage.transact(synchronous, durable=durable) for durable in (False, True, False))
            assert await asyncio.gather(*together) == [full] * 3

    @pytest.mark.process
    async def test_a_kill_loses_nothing_that_was_not_durable(self, path: Path) -> None:
        """The kernel has it."""
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITE, str(path), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"written\n"
        writer.kill()
        await writer.communicate()
        async with opened(path) as storage:
            assert storage.read(keys) == ["not durable"]

    async def test_closing_writes_what_waits(self, path: Path) -> None:
        """A stop loses nothing."""
        storage = open_storage(path, exclusive=True, now=NOW)
        tasks = [asyncio.ensure_future(storage.transact(insert(str(number)))) for number in range(20)]
        await asyncio.sleep(0)
        await storage.close()
        assert await asyncio.gather(*tasks) == [1] * 20
        with closing(sqlite3.connect(path)) as db:
            assert len(keys(db)) == 20

    async def test_in_memory_keeps_nothing(self) -> None:
        """But works as long as it lives."""
        for _ in range(2):
            async with opened(None) as storage:
                await storage.transact(insert("a"))
                assert await storage.transact(keys) == ["a"]

    async def test_a_full_disk_while_running(self, path: Path) -> None:
        """The write fails, what was there stays, and it goes on once there is room."""
        async with opened(path) as storage:
            await storage.transact(insert("a"))
            pages = await storage.transact(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
            storage._connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(StorageError, match=r"^writing failed: database or disk is full$"):
                await storage.transact(insert("b" * 100_000))
            assert await storage.transact(keys) == ["a"]
            storage._connection.execute(f"PRAGMA max_page_count = {pages + 100}")
            await storage.transact(insert("b" * 100_000))

    async def test_what_is_read_fails_in_our_words(self, path: Path) -> None:
        """As writes do."""
        async with opened(path) as storage:
            with pytest.raises(StorageError, match=r"^reading failed: no such table: nowhere$"):
                storage.read(lambda db: db.execute("SELECT * FROM nowhere"))


class TestOpening:
    async def test_only_its_owner_may_read_it(self, path: Path) -> None:
        """SQLite's own files beside it and the lock included, whatever the umask."""
        before = os.umask(0)
        try:
            async with opened(path) as storage:
                await storage.transact(insert("a"))
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        finally:
            os.umask(before)
        names = ("state.db", "state.db-wal", "state.db-shm", "state.db.lock")
        assert modes == dict.fromkeys(names, 0o600)

    async def test_writes_survive_a_power_cut(self, path: Path) -> None:
        """That takes a sync at each commit."""
        async with opened(path) as storage:
            assert await storage.transact(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)
            assert await storage.transact(lambda db: db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
            assert await storage.transact(lambda db: db.execute("PRAGMA foreign_keys").fetchone()) == (1,)

    def test_an_empty_file_is_a_new_one(self, path: Path) -> None:
        """As `mktemp` leaves it."""
        path.touch()
        asyncio.run(open_storage(path, exclusive=True, now=NOW).close())
        assert path.read_bytes().startswith(b"SQLite format 3")

    async def test_tries_and_resumptions_of_a_clock_that_was_ahead_are_of_now(self, path: Path) -> None:
        """Else they would stand for as long as it was ahead."""
        times = [(NOW - 5, NOW + 55, NOW + 900), (NOW + 1e7, NOW + 1e7 + 60, NOW + 1e7 + 900)]
        async with opened(path) as storage:
            await storage.transact(
                lambda db: db.executemany(
                    "INSERT INTO try (login, at, over_at, next_at, kind) VALUES ('k', ?, ?, ?, 1)", times
                )
            )
            await storage.transact(
                lambda db: db.executemany(
                    "INSERT INTO resumption (at, key) VALUES (?, random())", [(at,) for at, *_ in times]
                )
            )
        async with opened(path) as storage:
            tries = storage.read(lambda db: db.execute("SELECT at, over_at, next_at FROM try").fetchall())
            assert tries == [times[0], (NOW, NOW + 60, NOW + 900)]
            resumptions = storage.read(lambda db: db.execute("SELECT at FROM resumption").fetchall())
            assert sorted(resumptions) == [(NOW - 5,), (NOW,)]


class TestRefusals:
    def test_a_missing_directory(self, tmp_path: Path) -> None:
        """Said in the system's words, for the daemon and for `check`."""
        path = tmp_path / "missing" / "state.db"
        assert refusal(path) == f"{path}: can't be locked: No such file or directory{ELSEWHERE}"
        assert (
            refusal(path, exclusive=False) == f"{path}: can't be opened: No such file or directory{ELSEWHERE}"
        )

    def test_a_directory_that_is_a_file(self, tmp_path: Path) -> None:
        """Permission bits don't bind root; this binds everyone."""
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "state.db"
        assert refusal(path) == f"{path}: can't be locked: Not a directory{ELSEWHERE}"

    def test_a_file_that_is_a_directory(self, path: Path) -> None:
        """Docker makes one where somebody mounts a file that isn't there."""
        path.mkdir()
        assert refusal(path) == f"{path}: can't be opened: Is a directory{ELSEWHERE}"

    def test_a_file_that_is_no_database(self, path: Path) -> None:
        """Nothing of it is touched."""
        text = "accounts:\n- name: acme\n" * 100
        path.write_text(text)
        assert refusal(path) == f"{path}: can't be used: file is not a database{ELSEWHERE}"
        assert path.read_text() == text

    @pytest.mark.parametrize("application_id", [0, 0x1234])
    def test_another_programs_database(self, path: Path, application_id: int) -> None:
        """Nothing of it is touched."""
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE theirs (x)")
            db.execute(f"PRAGMA application_id = {application_id}")
            db.commit()
        before = path.read_bytes()
        assert refusal(path) == f"{path}: is not a state file of cfdi-stamps-exporter"
        assert path.read_bytes() == before

    async def test_a_newer_version(self, path: Path) -> None:
        """A roll-back of the program must not read what it doesn't know."""
        async with opened(path):
            pass
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
        assert refusal(path) == f"{path}: was written by a newer version of cfdi-stamps-exporter"

    @pytest.mark.parametrize("page", range(1, 12))
    async def test_a_damaged_file(self, path: Path, page: int) -> None:
        """Whichever page is hit: it is found at the start, not by a poll weeks later."""
        async with opened(path) as storage:
            for number in range(300):
                await storage.transact(insert(f"{number} {'x' * 50}"))
            pages = storage.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        assert pages >= 12
        with path.open("r+b") as file:
            # The head of a page tells its kind and where its cells are; the file's own head comes before it.
            file.seek(page * 4096)
            file.write(b"\xff" * 64)
        said = refusal(path)
        assert said.startswith((f"{path}: is damaged: ", f"{path}: can't be used: database disk image"))

    async def test_a_truncated_file(self, path: Path) -> None:
        """As a copy that ran out of space."""
        async with opened(path) as storage:
            for number in range(300):
                await storage.transact(insert(f"{number} {'x' * 50}"))
        os.truncate(path, 3 * 4096)
        said = refusal(path)
        assert said.startswith((f"{path}: is damaged: ", f"{path}: can't be used: database disk image"))

    def test_it_never_repairs_what_it_refuses(self, path: Path) -> None:
        """A refused file is left as it was, for whoever looks into it, and its lock is free again."""
        path.write_bytes(b"no database" * 1000)
        for _ in range(2):
            assert "file is not a database" in refusal(path)
        path.unlink()
        asyncio.run(open_storage(path, exclusive=True, now=NOW).close())


OPEN = """
import sys
from pathlib import Path
from exporter.daemon.state_file import open_storage
from exporter.storage.engine import StorageError
try:
    open_storage(Path(sys.argv[1]), exclusive=True, now=0.0)
except StorageError as error:
    print(error)
else:
    print("opened")
"""
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
        timeout=10,
    ).returncode
    == 0
)


@pytest.mark.skipif(
    not CAN_MOUNT, reason="no user namespaces here: nothing can be mounted for the test alone"
)
@pytest.mark.process
class TestDisks:
    """Real mounts, in a namespace of their own that goes with the process: root is bound by them too."""

    def opening(self, mount: str, path: Path) -> str:
        """What opening a file says after a mount."""
        script = f'{mount}; exec "$PYTHON" -c "$OPEN" "$FILE"'
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHON": sys.executable, "OPEN": OPEN, "FILE": str(path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return (done.stdout + done.stderr).strip()

    async def test_a_full_disk(self, tmp_path: Path) -> None:
        """Whichever of SQLite's files finds no room first."""
        path = tmp_path / "state.db"
        for kilobytes in (4, 16, 32, 64):
            mount = f"mount -t tmpfs -o size={kilobytes}k none {tmp_path}"
            assert self.opening(mount, path) == f"{path}: can't be used: database or disk is full{ELSEWHERE}"

    async def test_a_full_disk_under_a_state_that_was_there_before(self, tmp_path: Path) -> None:
        """Found at the start, not by the first charge."""
        async with opened(tmp_path / "state.db") as storage:
            await storage.transact(insert("a"))
        mounted = tmp_path / "mounted"
        mounted.mkdir()
        full = (
            f"mount -t tmpfs -o size=200k none {mounted}; cp {tmp_path}/state.db {mounted}; "
            f"cat /dev/zero > {mounted}/junk 2>&- || true"
        )
        said = self.opening(full, mounted / "state.db")
        assert said == f"{mounted}/state.db: can't be used: database or disk is full{ELSEWHERE}"

    @pytest.mark.parametrize("exists", [True, False])
    async def test_a_read_only_directory(self, tmp_path: Path, exists: bool) -> None:
        """Whether the file is there or not."""
        path = tmp_path / "state.db"
        if exists:
            async with opened(path):
                pass
        mount = f"mount --bind {tmp_path} {tmp_path}; mount -o remount,bind,ro {tmp_path}"
        assert self.opening(mount, path) == f"{path}: can't be locked: Read-only file system{ELSEWHERE}"

    async def test_a_read_only_file(self, path: Path) -> None:
        """In a directory that can be written."""
        async with opened(path):
            pass
        mount = f"mount --bind {path} {path}; mount -o remount,bind,ro {path}"
        assert "is a mount point of its own" in self.opening(mount, path)

    async def test_a_writable_one_opens(self, path: Path) -> None:
        """So the refusals above are about what is mounted."""
        assert self.opening("true", path) == "opened"


HOLD = """
import sys, time
from pathlib import Path
from exporter.daemon.state_file import open_storage
storage = open_storage(Path(sys.argv[1]), exclusive=True, now=0.0)
storage._connection.execute("BEGIN IMMEDIATE")
storage._connection.execute("INSERT INTO resumption VALUES ('never committed', 1)")
print("held", flush=True)
time.sleep(60)
"""


HAVE = """
import asyncio, sys
from pathlib import Path
from exporter.daemon.state_file import open_storage
storage = open_storage(Path(sys.argv[1]), exclusive=True, now=0.0)
print("held", flush=True)
asyncio.run(asyncio.sleep(60))
"""


class TestSharing:
    async def test_a_second_daemon_is_refused(self, path: Path) -> None:
        """Until the first has closed the file."""
        async with opened(path):
            assert refusal(path) == f"{path}: another daemon uses it"
        async with opened(path):
            pass

    async def test_by_another_name_it_is_the_same_file(self, path: Path, tmp_path: Path) -> None:
        """A link to a volume, as many a deployment has one."""
        link = tmp_path / "link" / "other.db"
        link.parent.mkdir()
        link.symlink_to(path)
        async with opened(path):
            assert refusal(link) == f"{link}: another daemon uses it"

    async def test_a_check_may_use_it_beside_the_daemon(self, path: Path) -> None:
        """Each sees what the other has committed."""
        async with AsyncExitStack() as stack:
            daemon = await stack.enter_async_context(opened(path))
            check = await stack.enter_async_context(opened(path, exclusive=False))
            another = await stack.enter_async_context(opened(path, exclusive=False))
            await check.transact(insert("check"))
            await daemon.transact(insert("daemon"))
            assert await another.transact(keys) == ["check", "daemon"]

    async def test_many_that_open_a_new_file_at_once(self, path: Path) -> None:
        """One makes the tables, the others find them."""
        storages = await asyncio.gather(
            *(asyncio.to_thread(open_storage, path, exclusive=False, now=NOW) for _ in range(8))
        )
        for number, storage in enumerate(storages):
            await storage.transact(insert(str(number)))
        for storage in storages:
            await storage.close()
        with closing(sqlite3.connect(path)) as db:
            assert len(keys(db)) == 8

    @pytest.mark.process
    async def test_a_kill_frees_the_file_and_leaves_it_whole(self, path: Path) -> None:
        """Nothing to repair and no lock to delete by hand; what wasn't committed is gone."""
        async with opened(path) as storage:
            await storage.transact(insert("kept"))
        holder = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLD, str(path), stdout=asyncio.subprocess.PIPE
        )
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        assert refusal(path) == f"{path}: another daemon uses it"
        holder.kill()
        await holder.communicate()
        async with opened(path) as storage:
            assert await storage.transact(keys) == ["kept"]
            assert await storage.transact(lambda db: db.execute("PRAGMA integrity_check").fetchall()) == [
                ("ok",)
            ]

    async def test_a_write_waits_for_another_process(self, path: Path) -> None:
        """For some seconds, rather than failing."""
        async with opened(path) as storage:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                waiting = asyncio.ensure_future(storage.transact(insert("a")))
                await asyncio.sleep(0.2)
                assert not waiting.done()
                other.execute("COMMIT")
            assert await waiting == 1

    def test_the_file_says_whose_it_is(self) -> None:
        """For `file` and for those who find it: CFDI."""
        assert APPLICATION_ID.to_bytes(4, "big") == b"CFDI"
