"""Where the state file may lie, and what is said once it is no longer where it was."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from exporter.daemon.state_file import open_storage
from exporter.storage import place
from exporter.storage.engine import Storage, StorageError

NOW = 1_700_000_000.0
OPEN = """
import sys
from pathlib import Path
from exporter.daemon.state_file import open_storage
from exporter.storage.engine import StorageError
try:
    storage = open_storage(Path(sys.argv[1]), exclusive="check" not in sys.argv, now=0.0)
except StorageError as error:
    print(error)
else:
    print("opened", storage.network, flush=True)
    sys.stdin.read()
"""
MOUNT_POINT = (
    "is a mount point of its own: what SQLite keeps beside it (state.db-wal) would be lost with the "
    "container, and other containers wouldn't see that it is in use; mount the directory that it lies in, "
    "and let --storage.path name the file in there"
)
HARD_LINK = "has 2 names (hard links), and by another one somebody else could use it; delete the others"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@asynccontextmanager
async def opened(path: Path, *, exclusive: bool = True) -> AsyncIterator[Storage]:
    storage = open_storage(path, exclusive=exclusive, now=NOW)
    try:
        yield storage
    finally:
        await storage.close()


def insert(db: sqlite3.Connection) -> int:
    return db.execute("INSERT INTO resumption VALUES (hex(randomblob(8)), 1)").rowcount


def refusal(path: Path, *, exclusive: bool = True) -> str:
    with pytest.raises(StorageError) as caught:
        open_storage(path, exclusive=exclusive, now=NOW)
    return str(caught.value)


def in_mounts(mounts: str, path: Path, *words: str) -> str:
    """What opening a file says after mounts that are there for that process alone."""
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    done = subprocess.run(
        [
            "unshare",
            *namespaces,
            "sh",
            "-ec",
            f'{mounts}\nexec "$PYTHON" -c "$OPEN" "$@"',
            "sh",
            path,
            *words,
        ],
        env={**os.environ, "PYTHON": sys.executable, "OPEN": OPEN},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return (done.stdout + done.stderr).strip()


@contextmanager
def held_by_another_process(path: Path) -> Iterator[str]:
    """What another daemon says that comes to have a file, while it has it."""
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0  # where root may not mount, these fail: then nobody would know
    and (
        shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True, check=False
        ).returncode
        != 0
    ),
    reason="no user namespaces here: nothing can be mounted for the test alone",
)


@needs_mounts
@pytest.mark.process
class TestMounts:
    """As containers have them."""

    @pytest.mark.parametrize("words", [(), ("check",)])
    @pytest.mark.parametrize("exists", [True, False])
    def test_the_file_alone(self, tmp_path: Path, path: Path, words: tuple[str, ...], exists: bool) -> None:
        """`-v ./state.db:/var/lib/…/state.db`, from the same disk: refused for daemon and `check`."""
        outside = tmp_path / "outside.db"
        if exists:
            asyncio.run(open_storage(outside, exclusive=True, now=NOW).close())
        said = in_mounts(f"touch {outside} {path}; mount --bind {outside} {path}", path, *words)
        assert said == f"{path}: {MOUNT_POINT}"

    def test_the_file_alone_from_another_disk(self, tmp_path: Path, path: Path) -> None:
        """And behind a link."""
        link = tmp_path / "link.db"
        link.symlink_to(path)
        other = tmp_path / "other"
        other.mkdir()
        mounts = f"mount -t tmpfs none {other}; touch {other}/a {path}; mount --bind {other}/a {path}"
        assert in_mounts(mounts, link) == f"{link}: {MOUNT_POINT}"

    def test_the_directory(self, tmp_path: Path) -> None:
        """As it should be: from the same disk or another, and where a mount lies on another."""
        directory = tmp_path / "a b"  # a blank is written in another way in the list of mounts
        directory.mkdir()
        for mount in ("--bind", "-t tmpfs"):
            mounts = f"mount {mount} '{tmp_path}' '{directory}'"
            assert in_mounts(mounts, directory / "state.db") == "opened None"

    @pytest.mark.parametrize("lock_deleted", [False, True])
    def test_a_second_daemon_in_another_container(self, tmp_path: Path, lock_deleted: bool) -> None:
        """They share nothing but the volume: no network, no processes."""
        with held_by_another_process(tmp_path / "state.db") as said:
            assert said == "opened None"
            if lock_deleted:
                (tmp_path / "state.db.lock").unlink()
            other = tmp_path.parent / f"{tmp_path.name}-other"
            other.mkdir()
            alone = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork"]
            script = f'mount --bind {tmp_path} {other}; exec "$0" -c "$1" {other}/state.db'
            found = subprocess.run(
                [*alone, "sh", "-ec", script, sys.executable, OPEN],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            assert found.stdout + found.stderr == f"{other}/state.db: another daemon uses it\n"


@pytest.mark.parametrize(
    ("kind", "network"), [("nfs4", True), ("cifs", True), ("9p", True), ("fuse.sshfs", True), ("ext4", False)]
)
def test_network_filesystems_are_told_by_the_list_of_mounts(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, network: bool
) -> None:
    """The list is a true one but for the kind: there is no such server here."""
    path.touch()
    number = place._mount_id(path)
    listed = f"{number} 1 0:1 / / rw shared:7 - {kind} server:/x rw\n{number}1 1 0:1 / / rw - tmpfs none rw\n"
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_kwargs: listed)
    assert place.network(path) == (kind if network else None)


class TestNames:
    async def test_links_are_followed(self, path: Path, tmp_path: Path) -> None:
        """However many: they lead to one file, and the lock is beside that."""
        first, second = tmp_path / "first.db", tmp_path / "second.db"
        second.symlink_to(path)
        first.symlink_to(second)
        async with opened(first):
            assert refusal(path) == f"{path}: another daemon uses it"

    def test_links_in_a_circle(self, path: Path, tmp_path: Path) -> None:
        """No file at all."""
        other = tmp_path / "other.db"
        other.symlink_to(path)
        path.symlink_to(other)
        assert refusal(path).startswith(f"{path}: can't be opened: ")

    @pytest.mark.parametrize("exclusive", [True, False])
    async def test_several_names(self, path: Path, tmp_path: Path, exclusive: bool) -> None:
        """Two daemons could have it by two names, with a write-ahead log for each."""
        async with opened(path):
            pass
        (tmp_path / "other.db").hardlink_to(path)
        assert refusal(path, exclusive=exclusive) == f"{path}: {HARD_LINK}"

    def test_no_file(self) -> None:
        """A device keeps nothing."""
        assert "Is no regular file" in refusal(Path("/dev/null"), exclusive=False)


def away(file: Path) -> None:
    file.rename(file.with_name("away"))


def replaced(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)


class TestWhileItRuns:
    @pytest.mark.parametrize("durable", [True, False])
    @pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
    @pytest.mark.parametrize(
        ("harm", "said"),
        [
            (Path.unlink, "was deleted while it is in use; put it back, or restart"),
            (replaced, "is no longer the file that was opened; put it back, or restart"),
        ],
    )
    async def test_a_file_that_is_gone(
        self, path: Path, harm: Callable[[Path], None], said: str, ending: str, durable: bool
    ) -> None:
        """Nothing is written any more that a kill would lose."""
        async with opened(path) as storage:
            await storage.transact(insert)
            file = path.with_name(path.name + ending)
            harm(file)
            await asyncio.sleep(0.6 if not durable else 0)
            with pytest.raises(StorageError) as caught:
                await storage.transact(insert, durable=durable)
            assert str(caught.value) == f"writing failed: {file}: {said}"
            assert not storage.works

    async def test_nothing_to_write_is_enough_to_find_it(self, path: Path) -> None:
        """An idle daemon is to say so, too."""
        async with opened(path) as storage:
            await storage.verify()
            Path.unlink(path)
            await asyncio.sleep(0.6)
            with pytest.raises(StorageError):
                await storage.verify()

    async def test_it_goes_on_once_the_file_is_put_back(self, path: Path) -> None:
        """The very same."""
        async with opened(path) as storage:
            away(path)
            with pytest.raises(StorageError):
                await storage.transact(insert)
            path.with_name("away").rename(path)
            assert await storage.transact(insert) == 1
            assert storage.works

    @pytest.mark.process
    async def test_another_name(self, path: Path, tmp_path: Path) -> None:
        """Whoever comes by it shall not find a daemon that writes."""
        other = tmp_path / "other.db"
        async with opened(path) as storage:
            other.hardlink_to(path)
            with pytest.raises(StorageError, match="hard links"):
                await storage.transact(insert)
            with held_by_another_process(other) as said:
                assert said == f"{other}: {HARD_LINK}"
            other.unlink()
            await storage.transact(insert)

    async def test_a_link_that_is_turned(self, path: Path, tmp_path: Path) -> None:
        """The next start would use another file."""
        link, other = tmp_path / "link.db", tmp_path / "other.db"
        link.symlink_to(path)
        other.touch()
        async with opened(link) as storage:
            link.unlink()
            link.symlink_to(other)
            with pytest.raises(StorageError, match="no longer the file that was opened"):
                await storage.transact(insert)

    @pytest.mark.parametrize(
        "gone", [("state.db.lock",), ("state.db", "state.db-wal", "state.db-shm", "state.db.lock")]
    )
    @pytest.mark.process
    async def test_no_second_daemon_though_the_lock_is_deleted(
        self, path: Path, gone: tuple[str, ...]
    ) -> None:
        """Not even where all is deleted."""
        async with opened(path):
            for name in gone:
                path.with_name(name).unlink()
            with held_by_another_process(path) as said:
                assert said == f"{path}: another daemon uses it"

    async def test_a_deleted_lock_is_made_anew(self, path: Path) -> None:
        """For those who share nothing but the directory."""
        async with opened(path) as storage:
            path.with_name("state.db.lock").unlink()
            await storage.transact(insert)
            with pytest.raises(BlockingIOError):
                place._locked(path.with_name("state.db.lock"), seconds=0)

    async def test_closing_leaves_the_files_of_another_alone(self, path: Path) -> None:
        """Which SQLite finds by their names."""
        daemon = open_storage(path, exclusive=True, now=NOW)
        await daemon.transact(insert)
        for file in path.parent.iterdir():
            file.unlink()
        async with opened(path, exclusive=False) as other:
            await other.transact(insert)
            log = path.with_name("state.db-wal")
            before = log.stat().st_ino
            await daemon.close()
            assert log.stat().st_ino == before
            await other.transact(insert)
