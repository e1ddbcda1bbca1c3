"""The real daemon, with what can happen to its storage while it runs."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from exporter.simulator import PASSWORD, Simulator
from tests.support.peers import Daemon, DaemonFactory, eventually
from tests.support.peers.daemon import EXPORTER, launched
from tests.support.series import shown_when
from tests.support.simulation import running

ERRORS = "cfdi_exporter_storage_errors_total"
AVAILABLE = 'cfdi_stamps_available{account="healthy"}'
CONFIG = """\
global: {{environment: peer, interval: {interval}}}
environments: {{peer: {{wsdl: "{wsdl}"}}}}
accounts:
- {{name: healthy, username: healthy@demo.example, password: {password}}}
"""
LOW = "- {{name: low, username: low@demo.example, password: {password}}}\n"
AT_ONCE = launched(first_polls=0.0)
LISTEN = "--web.listen-address=127.0.0.1:0"
FREEZE, THAW = 0xC0045877, 0xC0045878  # linux/fs.h


def text(simulator: Simulator, *more: str, interval: str = "1h") -> str:
    return "".join((CONFIG, *more)).format(wsdl=simulator.wsdl_url, password=PASSWORD, interval=interval)


def logged(exporter: Daemon, words: str, seconds: float = 60) -> None:
    eventually(lambda: words in exporter.log, seconds)


@pytest.mark.parametrize("gone", ["state.db", "state.db-wal", "state.db.lock", "state.db*"])
def test_what_is_deleted_is_missed(daemon: DaemonFactory, tmp_path: Path, gone: str) -> None:
    """At once, though every poll is an hour away; nothing unproven is sent, and no second daemon starts."""
    simulator = Simulator()
    path = tmp_path / "state.db"
    with running(simulator):
        exporter = daemon(text(simulator), f"--storage.path={path}", command=AT_ONCE)
        shown_when(exporter, lambda shown: AVAILABLE in shown)
        for file in tmp_path.glob(gone):
            file.unlink()
        if gone != "state.db.lock":
            shown_when(exporter, lambda shown: shown[ERRORS] >= 2)
            assert exporter.log.count('msg="storage fails"') == 1
            assert "was deleted while it is in use; put it back, or restart" in exporter.log
            exporter.config_file.write_text(text(simulator, LOW))
            exporter.send(SIGHUP)
            logged(exporter, 'msg="configuration reloaded"')
            time.sleep(1)  # first polls come within a fifth of that
            assert simulator.accounts["low@demo.example"].calls == 0
        second = subprocess.run(
            [*EXPORTER, f"--config.file={exporter.config_file}", f"--storage.path={path}", LISTEN],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert second.returncode == 1
        assert "another daemon uses it" in second.stderr
        assert exporter.stop() == 0


def test_a_file_that_is_put_back(daemon: DaemonFactory, tmp_path: Path) -> None:
    """The storage recovers with the next thing that it has to keep."""
    simulator = Simulator()
    path = tmp_path / "state.db"
    with running(simulator):
        exporter = daemon(text(simulator, interval="1s"), f"--storage.path={path}")
        shown_when(exporter, lambda shown: AVAILABLE in shown)
        path.rename(tmp_path / "away")
        shown_when(exporter, lambda shown: shown[ERRORS] >= 2)
        (tmp_path / "away").rename(path)
        logged(exporter, 'msg="storage recovered"')


def test_a_damaged_log_is_told(daemon: DaemonFactory, tmp_path: Path) -> None:
    """And the daemon goes on, as if all tries were used up: nobody knows what was held against whom."""
    simulator = Simulator()
    path = tmp_path / "state.db"
    with running(simulator):
        flags = (f"--storage.path={path}", "--web.enable-lifecycle")
        exporter = daemon(text(simulator, interval="1s"), *flags)
        shown_when(exporter, lambda shown: AVAILABLE in shown)
        exporter.kill()
        asked = simulator.accounts["healthy@demo.example"].calls
        log = path.with_name("state.db-wal")
        data = bytearray(log.read_bytes())
        data[20] ^= 1
        log.write_bytes(data)
        exporter.start()
        logged(exporter, 'msg="a part of the storage is lost"')
        assert 'error="state.db-wal is damaged: its header is wrong"' in exporter.log
        time.sleep(2)  # first polls come within that
        assert simulator.accounts["healthy@demo.example"].calls == asked
        assert exporter.post("/-/resume?account=healthy").status == 200
        shown_when(exporter, lambda shown: AVAILABLE in shown)


class Disk:
    """A disk that can be made to stand still: every write to it waits, for good."""

    def __init__(self, tmp_path: Path) -> None:
        self.image, self.mounted = tmp_path / "image", tmp_path / "disk"
        self.mounted.mkdir()
        with self.image.open("wb") as file:
            file.truncate(32 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        # Mounted for the daemon alone: it goes with that.
        script = f'mount -o loop {self.image} {self.mounted}; exec "$@"'
        self.command = ("unshare", "--mount", "sh", "-ec", script, "sh", *EXPORTER)

    @contextmanager
    def still(self, exporter: Daemon) -> Iterator[None]:
        descriptor = os.open(f"/proc/{exporter.pid}/root{self.mounted}", os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, FREEZE, 0)
            try:
                yield
            finally:
                fcntl.ioctl(descriptor, THAW, 0)
        finally:
            os.close(descriptor)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "unshare"))):
        pytest.skip("only root can mount a disk and freeze it")
    if not Path("/dev/loop-control").exists():
        pytest.skip("no loop devices here: no disk can be made")
    return Disk(tmp_path)


def test_a_disk_that_stands_still(daemon: DaemonFactory, disk: Disk) -> None:
    """Polls of proven credentials, scrapes and the probes go on; a stop doesn't wait for it."""
    simulator = Simulator()
    with running(simulator):
        exporter = daemon(
            text(simulator, interval="1s"),
            f"--storage.path={disk.mounted}/state.db",
            command=disk.command,
        )
        shown_when(exporter, lambda shown: AVAILABLE in shown)
        with disk.still(exporter):
            shown_when(exporter, lambda shown: shown[ERRORS] >= 2, 40)
            assert "the disk stands still" in exporter.log
            before = time.monotonic()
            assert exporter.get("/-/healthy").status == 200
            assert time.monotonic() - before < 5
        logged(exporter, 'msg="storage recovered"')
        with disk.still(exporter):
            time.sleep(1)
            exporter.send(SIGTERM)
            logged(exporter, "msg=stopped")
        eventually(lambda: not exporter.running)


def test_a_disk_that_stands_still_at_the_start(daemon: DaemonFactory, disk: Disk) -> None:
    """The daemon is alive, not ready, and can be stopped; it is ready once the disk goes on."""
    simulator = Simulator()
    with running(simulator):
        mount, *rest = disk.command[4].split("; ")
        command = (
            *disk.command[:4],
            "; ".join((mount, f"fsfreeze -f {disk.mounted}", *rest)),
            *disk.command[5:],
        )
        for stopped in (False, True):
            exporter = daemon(
                text(simulator), f"--storage.path={disk.mounted}/state.db", command=command, loaded=False
            )
            thawed = os.open(f"/proc/{exporter.pid}/root{disk.mounted}", os.O_RDONLY)
            try:
                logged(exporter, "configuration loaded")
                assert exporter.get("/-/healthy").status == 200
                assert exporter.get("/-/ready").status == 503
                if stopped:
                    exporter.send(SIGTERM)
                    logged(exporter, "msg=stopped")
            finally:
                fcntl.ioctl(thawed, THAW, 0)
                os.close(thawed)
            if stopped:
                eventually(lambda: not exporter.running)  # noqa: B023 - asked at once
            else:
                eventually(lambda: exporter.get("/-/ready").status == 200)  # noqa: B023
                assert exporter.stop() == 0
