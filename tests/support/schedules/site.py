"""One company's machine: its configuration, its daemon, and people at terminals. All as real processes."""

import json
import mmap
import resource
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM
from types import TracebackType
from typing import Self

from tests.support.peers.daemon import LOADED, samples
from tests.support.peers.http import Response, request
from tests.support.peers.logfmt import listening_address
from tests.support.peers.process import Process
from tests.support.schedules.history import History, Run, login_key
from tests.support.schedules.provider import Provider

CLOCK = Path(__file__).with_name("clock")
PATIENCE = 40.0
"""Seconds for what takes one or two on a machine with nothing else to do."""


@dataclass
class Account:
    """One account as the configuration has it now."""

    name: str
    username: str
    password: str
    auth_attempts: int = 2
    timeout: str = "1s"
    configured: bool = True

    def section(self) -> dict[str, object]:
        """As it stands in the configuration."""
        return {key: value for key, value in vars(self).items() if key != "configured"}


class Site:
    """Owns the processes and writes down what becomes of them. Files lie in `directory`."""

    def __init__(self, directory: Path, provider: Provider, accounts: list[Account]) -> None:
        self.directory, self.provider, self.accounts = directory, provider, accounts
        self.history: History = provider.history
        for account in accounts:
            self.history.attempts[login_key(account.username)] = account.auth_attempts
        self.storage = directory / "state.db"
        self.clock = Clock(directory / "clock")
        self._processes: dict[str, Process] = {}
        self._daemon: Run | None = None
        self._address: str | None = None
        self._limits: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.kill()

    # Files. -------------------------------------------------------------------------------------------

    def account(self, name: str) -> Account:
        """The account of this name."""
        return next(account for account in self.accounts if account.name == name)

    def write(self, tag: str) -> Path:
        """Write the configuration of now for one process."""
        path = self.directory / f"{tag}.yaml"
        config = {
            "global": {"environment": "peer", "interval": "1s"},
            "environments": {"peer": {"wsdl": self.provider.wsdl(tag), "concurrency": 20}},
            "accounts": [account.section() for account in self.accounts if account.configured],
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(config))  # which is YAML
        fresh.rename(path)
        return path

    # The daemon. --------------------------------------------------------------------------------------

    @property
    def daemon(self) -> Run | None:
        """The daemon, where it runs."""
        if self._daemon and not self._process(self._daemon).running:
            self._ended(self._daemon)
            self._daemon = None
        return self._daemon

    def start(self, *, loaded: bool = True) -> Run:
        """Start the daemon, unless it runs; wait until it has loaded its configuration, or don't."""
        run = self.daemon
        if run is None:
            self._address = None
            run = self._daemon = self._start(
                "daemon", "--web.enable-lifecycle", "--web.listen-address=127.0.0.1:0"
            )
        if loaded:
            self.await_loaded(run)
        return run

    def await_loaded(self, run: Run) -> None:
        """Wait until the daemon has loaded its configuration."""
        process = self._process(run)
        self._address = process.await_log(lambda log: listening_address(log, "listening"), PATIENCE)
        process.await_log(lambda log: LOADED in log or None, PATIENCE)
        run.loaded = min(run.loaded, time.monotonic())

    def start_second(self) -> int:
        """Start one more daemon on the same storage; return its exit code, -1 where it doesn't give up."""
        run = self._start("second", "--web.listen-address=127.0.0.1:0")
        if self.await_end(run):
            return self._process(run).kill()
        self.kill(run)
        return -1

    def reload(self) -> None:
        """Let the daemon read what is configured now."""
        if run := self.daemon:
            self.write(run.tag)
            run.reloads.append(time.monotonic())
            if run.loaded < inf:  # before, the signal would end it
                self._process(run).send(SIGHUP)

    def metrics(self) -> dict[str, float]:
        """What the daemon shows."""
        assert self._address
        return samples(request(self._address, "/metrics").text)

    def resume(self, name: str) -> Response:
        """Ask the daemon to resume an account."""
        assert self._address
        self._resumed(name)
        return request(self._address, f"/-/resume?account={name}", method="POST")

    # Checks. ------------------------------------------------------------------------------------------

    def check(self, name: str, *, resume: bool = False) -> Run:
        """Let somebody check an account, in the background."""
        if resume:
            self._resumed(name)
        return self._start("check", *(["--resume"] if resume else []), command=("check", name))

    def _resumed(self, name: str) -> None:
        account = self.account(name)
        self.history.resumes.append((time.monotonic(), login_key(account.username), account.password))

    def await_end(self, run: Run, timeout: float = PATIENCE) -> bool:
        """Wait until a process has ended by itself."""
        deadline = time.monotonic() + timeout
        process = self._process(run)
        while process.running:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        self._ended(run)
        return True

    def said(self, run: Run) -> str:
        """What a process wrote."""
        return self._process(run).log

    # What is done to processes. -----------------------------------------------------------------------

    def kill(self, run: Run) -> None:
        """End it without a word."""
        if not self._process(run).running:
            self._ended(run)
        else:
            run.killed = time.monotonic()
        self._process(run).send(SIGKILL)
        self._process(run).kill()

    def stop(self, run: Run) -> None:
        """End it in good order."""
        run.told = time.monotonic()
        self._process(run).send(SIGTERM)
        if not self.await_end(run):
            self.kill(run)

    def freeze(self, run: Run) -> None:
        """Let it stand still."""
        run.frozen.append((time.monotonic(), inf))
        self._process(run).send(SIGSTOP)

    def thaw(self, run: Run) -> None:
        """Let it go on."""
        self._process(run).send(SIGCONT)
        run.frozen[-1] = (run.frozen[-1][0], time.monotonic() + 0.05)

    def fill_disk(self, run: Run) -> None:
        """Let no file of the process grow, or be written to."""
        with suppress(ProcessLookupError):
            limits = resource.prlimit(self._process(run).pid, resource.RLIMIT_FSIZE)
            self._limits[run.tag] = limits
            resource.prlimit(self._process(run).pid, resource.RLIMIT_FSIZE, (0, limits[1]))
            run.full.append((time.monotonic(), inf))

    def free_disk(self, run: Run) -> None:
        """Let it write again."""
        if run.tag in self._limits:
            with suppress(ProcessLookupError):
                run.full[-1] = (run.full[-1][0], time.monotonic())
                resource.prlimit(self._process(run).pid, resource.RLIMIT_FSIZE, self._limits.pop(run.tag))

    # Their start and end. -----------------------------------------------------------------------------

    def _start(self, kind: str, *flags: str, command: tuple[str, ...] = ()) -> Run:
        tag = f"{kind}{len(self.history.runs) + 1}"
        config = self.write(tag)
        run = self.history.runs[tag] = Run(tag, kind, time.monotonic())
        self._processes[tag] = Process(
            [
                sys.executable,
                "-m",
                "exporter",
                *command,
                f"--config.file={config}",
                f"--storage.path={self.storage}",
                *flags,
            ],
            self.directory / f"{tag}.log",
            cwd=self.directory,
            env={"PYTHONUNBUFFERED": "1", **self.clock.environment},
        )
        return run

    def _process(self, run: Run) -> Process:
        return self._processes[run.tag]

    def _ended(self, run: Run) -> None:
        if run.killed == inf:
            run.ended = min(run.ended, time.monotonic())


class Clock:
    """The wall clock that a site's processes see; those that run see it jump."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(struct.pack("d", 0.0))
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)
        self.environment = {"PYTHONPATH": str(CLOCK), "CLOCK_OFFSET_FILE": str(path)}

    def set(self, offset: float) -> None:
        """Let it differ from the machine's by so many seconds."""
        self._offset[:] = struct.pack("d", offset)
