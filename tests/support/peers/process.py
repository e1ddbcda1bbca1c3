"""A program as a real process, in a group of its own of which nothing is left behind."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import TypeVar

from tests.support.peers.waiting import eventually

T = TypeVar("T")


class Process:
    """One run of one program.

    The exited program is only reaped once its whole group has been killed: until then the system gives its
    id, which is the group's as well, to nobody else.
    """

    def __init__(self, command: Sequence[str], log_file: Path, cwd: Path, env: Mapping[str, str]) -> None:
        """Start `command`; `env` is added to this process' environment, stdout and stderr to `log_file`."""
        self._log_file = log_file
        self._log_start = log_file.stat().st_size if log_file.exists() else 0
        with log_file.open("ab") as output:
            self._popen = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the program itself, the leader of the group, has not exited."""
        if self._popen.returncode is not None:
            return False
        return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None

    @property
    def pid(self) -> int:
        """The process id, and the id of the process group."""
        return self._popen.pid

    @property
    def log(self) -> str:
        """What this run, not an earlier one into the same file, has written."""
        with self._log_file.open("rb") as output:
            output.seek(self._log_start)
            return output.read().decode(errors="replace")

    def await_log(self, find: Callable[[str], T | None], timeout: float) -> T:
        """Wait until `find` gets something out of the log, and return that.

        Raises:
            AssertionError: with the log, where the program ends before that or the time is over. The program
                is killed then.
        """

        def look() -> T | None:
            running = self.running  # asked first: the log of an ended program is complete
            found = find(self.log)
            if found is None and not running:
                raise AssertionError("it ended")
            return found

        try:
            return eventually(look, timeout)
        except AssertionError as error:
            raise self._failure(f"no such line in its log: {error}") from None

    def send(self, signal: Signals) -> None:
        """Send a signal to the program itself."""
        if self.running:
            os.kill(self._popen.pid, signal)

    def stop(self, signal: Signals = SIGTERM, timeout: float = 30.0) -> int:
        """End the program with `signal`, then whatever is left of its group; return the exit code.

        Raises:
            AssertionError: with the log, where the program has not ended in time. It is killed then.
        """
        self.send(signal)
        try:
            eventually(lambda: not self.running, timeout)
        except AssertionError:
            raise self._failure(f"{signal.name} did not end it within {timeout:g} s") from None
        return self.kill()

    def kill(self) -> int:
        """Kill the whole group; return the exit code, negative where a signal ended the program.

        The program itself is gone then; its children are ending.
        """
        if self._popen.returncode is None:
            os.killpg(self._popen.pid, SIGKILL)
        return self._popen.wait()

    def _failure(self, what: str) -> AssertionError:
        """Kill the program and tell `what` went wrong, with all that it wrote."""
        exit_code = self.kill()
        return AssertionError(f"{what}; exit code {exit_code}; log:\n{self.log}")
