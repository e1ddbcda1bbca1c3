"""Where the state file lies: whether it lasts there, who else has it, whether it is still the same file.

The system is asked by the file's name, not by a descriptor: closing one would drop the locks that SQLite has
on the file. Descriptors opened with ``O_PATH`` don't do that.
"""

import errno
import fcntl
import os
import socket
import stat
import sys
import time
from hashlib import blake2s
from pathlib import Path
from typing import Final

from exporter.storage.error import StorageError

NETWORKED: Final = (
    *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
    *("nfs", "nfs4", "ocfs2", "smb3", "smbfs"),
)
"""Filesystems on which SQLite's locks and commits can't be relied on; and so ``fuse.…``."""

LOCK_SECONDS: Final = 0.5
"""How long a daemon waits for the lock: a ``check`` has it for a moment while it opens the file."""


def resolved(path: Path) -> Path:
    """Return the file that a path leads to: a link to it is the same storage. Raises StorageError."""
    try:
        return path.resolve()
    except (
        OSError,
        RuntimeError,
    ) as error:  # before Python 3.13, where links lead in a circle
        raise unusable(path, "can't be opened", getattr(error, "strerror", None) or str(error)) from error


def unusable(path: Path, what: str, reason: str | None) -> StorageError:
    """Return the error to raise where a file can't be used."""
    return StorageError(f"{path}: {what}: {reason}; --storage.path can name another place")


def check(path: Path, file: Path) -> None:
    """Check that a file lasts where it lies, and that nobody else can have it by another name.

    Raises StorageError.
    """
    try:
        status, directory = file.stat(), file.parent.stat()
        mounts = _mount_id(file), _mount_id(file.parent)
    except OSError as error:
        raise unusable(path, "can't be opened", error.strerror) from error
    if not stat.S_ISREG(status.st_mode):
        what = "Is a directory" if stat.S_ISDIR(status.st_mode) else "Is no regular file"
        raise unusable(path, "can't be opened", what)
    if status.st_dev != directory.st_dev or mounts[0] != mounts[1]:
        raise StorageError(
            f"{path}: is a mount point of its own: what SQLite keeps beside it ({file.name}-wal) would be "
            "lost with the container, and other containers wouldn't see that it is in use; mount the "
            "directory that it lies in, and let --storage.path name the file in there"
        )
    if status.st_nlink > 1:
        raise StorageError(f"{path}: {_names(status.st_nlink)}; delete the others")


def _names(count: int) -> str:
    return f"has {count} names (hard links), and by another one somebody else could use it"


def network(file: Path) -> str | None:
    """Return the kind of network filesystem that a file lies on; ``None`` where it is local, or unknown."""
    found = _mount_id(file)
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return None
    for mount in mounts:
        place, _, rest = mount.partition(" - ")
        if place.split(" ", 1)[0] == str(found):
            kind = rest.split(" ", 1)[0]
            return kind if kind in NETWORKED or kind.startswith("fuse.") else None
    return None


def _mount_id(path: Path) -> int | None:
    """Return which mount a path is on, ``None`` where the system doesn't say. Raises OSError."""
    if sys.platform != "linux":
        return None
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
            return next((int(line[7:]) for line in file if line.startswith("mnt_id:")), None)
    except FileNotFoundError:
        return None  # no /proc
    finally:
        os.close(descriptor)


class Lock:
    """The right of one daemon to a state file. It goes with the process, however that ends.

    Three locks, as each of the names can be deleted while it is locked: one on ``state.db.lock``, one on the
    file itself, and a name in the kernel for its place, which no other process of this machine (of this
    container) can have as well. Raises StorageError where another daemon has one of them.
    """

    def __init__(self, path: Path, file: Path) -> None:
        self._path = path
        self._file = file
        self.file = file.with_name(file.name + ".lock")
        self._descriptors: list[int] = []
        self._name: socket.socket | None = None
        try:
            self._take()
        except BaseException:
            self.release()
            raise

    def _take(self) -> None:
        try:
            self._name = _claim(self._file)
            self._descriptors.append(_locked(self.file))
        except BlockingIOError as error:
            raise self._taken() from error
        except OSError as error:
            raise unusable(self._path, "can't be locked", error.strerror) from error

    def take_file(self) -> None:
        """Lock the state file, too: to be called once it is there, and before SQLite opens it."""
        if network(self._file):
            return  # there it would lock SQLite out
        try:
            self._descriptors.append(_locked(self._file))
        except BlockingIOError as error:
            raise self._taken() from error
        except OSError as error:
            raise unusable(self._path, "can't be locked", error.strerror) from error

    def retake(self) -> None:
        """Make the lock's file anew where somebody has deleted it. Raises StorageError, OSError."""
        try:
            self._descriptors.append(_locked(self.file, seconds=0.0))
        except BlockingIOError as error:
            raise self._taken() from error

    def _taken(self) -> StorageError:
        return StorageError(f"{self._path}: another daemon uses it")

    def read(self) -> str:
        """Return the note that the latest daemon has left in the lock's file."""
        return os.pread(self._descriptors[0], 100, 0).decode(errors="replace")

    def write(self, note: str) -> None:
        """Leave a note in the lock's file, durably. Raises OSError."""
        os.ftruncate(self._descriptors[0], 0)
        os.pwrite(self._descriptors[0], note.encode(), 0)
        os.fsync(self._descriptors[0])

    def release(self) -> None:
        """Let others have it: once the file is closed."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        if self._name:
            self._name.close()


def _locked(file: Path, seconds: float = LOCK_SECONDS) -> int:
    """Open and lock a file; raises BlockingIOError where another process goes on having it, else OSError."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError) or time.monotonic() > deadline:
                os.close(descriptor)
                raise
            time.sleep(0.02)
        else:
            return descriptor


def _claim(file: Path) -> socket.socket | None:
    """Take the place's name in the kernel; raises BlockingIOError where another process has it."""
    if sys.platform != "linux":
        return None
    directory = os.stat(file.parent)
    place = f"{directory.st_dev}:{directory.st_ino}:{file.name}".encode(errors="surrogateescape")
    try:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return None  # a sandbox without such sockets
    try:
        claim.bind(b"\0cfdi-stamps-exporter " + blake2s(place, digest_size=16).hexdigest().encode())
    except OSError as error:
        claim.close()
        if error.errno == errno.EADDRINUSE:
            raise BlockingIOError from error
        return None
    return claim


class Alone:
    """Keeps daemons from a state file for a moment: while ``check`` looks at it and opens it."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let a daemon have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def moment_alone(file: Path) -> Alone | None:
    """Lock daemons out of a file; return ``None`` where one has it, or where that isn't known."""
    try:
        descriptor = os.open(file.with_name(file.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Alone(None)  # no daemon has ever had it, or its lock was deleted
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return Alone(descriptor)


class Watch:
    """Whether the files of an open storage are still those that their names lead to."""

    def __init__(self, path: Path, file: Path, lock: Lock | None) -> None:
        self._path = path
        self._lock = lock
        # The path as it was given: a link on the way may be turned to another file.
        self._files = [path, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")]
        self._known = [_identity(one) for one in self._files]
        self._known_lock = lock and _identity(lock.file)

    def look(self) -> None:
        """Raise StorageError where what is written now would be lost, or somebody else may have the file."""
        for file, known in zip(self._files, self._known, strict=True):
            if (found := _identity(file)) != known:
                what = "is no longer the file that was opened" if found else "was deleted while it is in use"
                raise StorageError(f"{file}: {what}; put it back, or restart")
        if (names := os.stat(self._path).st_nlink) > 1:
            raise StorageError(f"{self._path}: {_names(names)}; delete the others")
        if self._lock and _identity(self._lock.file) != self._known_lock:
            self._lock.retake()
            self._known_lock = _identity(self._lock.file)


def _identity(file: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, ``None`` where there is none. Raises StorageError."""
    try:
        status = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unusable(file, "can't be looked at", error.strerror) from error
    return status.st_dev, status.st_ino
