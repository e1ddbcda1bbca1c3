"""A program as a process of its own, and what the system knows of it (Linux: /proc)."""

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM, signal
from socket import create_server
from tempfile import TemporaryDirectory
from typing import Self

START_SECONDS = 600.0
"""For a hundred thousand accounts on a machine that does other things too."""

STOP_SECONDS = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


class ProgramError(Exception):
    """A program did not do what it was started for."""


class Program(ABC):
    """One run of a program that serves HTTP on a port of loopback, in a directory of its own.

    It runs within the `with`, which begins once `ready_path` is answered with 200.
    """

    ready_path = "/metrics"

    def __init__(self) -> None:
        self.port = free_port()
        self._files = ExitStack()

    @abstractmethod
    def command(self, directory: Path) -> Sequence[str]:
        """Write the files that it needs and return how it is started."""

    def __enter__(self) -> Self:
        self.start()
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def prepared(self) -> Iterator[tuple[Sequence[str], Path]]:
        """Give the command and the directory in which its files are, within the `with`."""
        with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
            directory = Path(name)
            yield self.command(directory), directory

    def start(self) -> None:
        """Start the process and wait for nothing. `started` is the time on `time.perf_counter`."""
        command, directory = self._files.enter_context(self.prepared())
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self.started = time.perf_counter()
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def await_ready(self, path: str = "") -> float:
        """Wait until `path` is answered with 200; return how many seconds after the start that was."""
        while self._popen.poll() is None:
            if answers(self.port, path or self.ready_path):
                return time.perf_counter() - self.started
            if time.perf_counter() - self.started > START_SECONDS:
                break
            time.sleep(0.001)
        raise ProgramError(f"{type(self).__name__} does not answer; its log:\n{self.log}")

    def stop(self) -> None:
        """End the process and remove its directory."""
        self._popen.send_signal(SIGCONT)
        self._popen.terminate()
        try:
            self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._files.close()

    @property
    def log(self) -> str:
        """What it has written to stdout and stderr."""
        return self._log.read_text(errors="replace")

    def pause(self) -> None:
        """Stop the process where it is, so that it takes nothing from those that are measured."""
        self._popen.send_signal(SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let a paused process run within the `with`."""
        self._popen.send_signal(SIGCONT)
        try:
            yield
        finally:
            self.pause()

    def cpu_seconds(self) -> float:
        """CPU time that the process has used, all its threads, user and system."""
        # The name of the program, in parentheses, may hold anything.
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> float:
        """Resident memory in MB."""
        return self._memory("VmRSS")

    def peak(self) -> float:
        """The highest resident memory since the start, in MB."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> float:
        line = next(line for line in self._proc("status").splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024 / 1e6

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._popen.pid}/{name}").read_text(encoding="utf-8")


def end_on_sigterm() -> None:
    """End as with Ctrl-C, so that no program that was started is left behind."""
    signal(SIGTERM, lambda *_: sys.exit(1))


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def answers(port: int, path: str) -> bool:
    """Tell whether somebody on a port answers a GET with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def fetched(port: int, path: str, headers: dict[str, str] | None = None) -> bytes:
    """Return the body of what a port answers to a GET. ProgramError where the status isn't 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ProgramError(f"port {port} answered {path} with {response.status}")
    return body
