"""The exporter as a real process, asked over HTTP as Prometheus and its users ask it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Protocol, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.support.peers.http import Response, request
from tests.support.peers.logfmt import listening_address
from tests.support.peers.process import Process

EXPORTER = (sys.executable, "-m", "exporter")
START_SECONDS = 60.0
"""For what takes one on a machine with nothing else to do."""
LOADED = "configuration loaded"


def launched(*statements: str, **pace: float) -> list[str]:
    """The exporter's command after some statements, and at another pace: see `exporter/daemon/pace.py`."""
    waits = ", ".join(f"{name}={seconds}" for name, seconds in pace.items())
    program = (
        *statements,
        "from exporter.cli.main import run",
        "from exporter.daemon.pace import Pace",
        f"run(Pace({waits}))",
    )
    return [sys.executable, "-c", "\n".join(program)]


class Daemon:
    """One configured exporter, which can be stopped and started again on what it has stored.

    Its files lie in the given directory, so that a file name in the configuration is relative to it.
    """

    def __init__(
        self,
        config_yaml: str,
        tmp_path: Path,
        *flags: str,
        env: Mapping[str, str] | None = None,
        name: str = "daemon",
        command: Sequence[str] = EXPORTER,
        without: Sequence[str] = (),
    ) -> None:
        """Write the configuration; `start` runs it.

        Args:
            config_yaml: the text of the configuration file.
            tmp_path: where the files go, and the working directory of the process.
            flags: as on the command line, `--flag=value`; one given here replaces the harness' own.
            env: added to the environment of this process.
            name: what the names of the files begin with, so that several daemons share a directory.
            command: the program, by default the exporter of this repository.
            without: flags of the harness' own that the command doesn't have.
        """
        self.config_file = tmp_path / f"{name}.yaml"
        self.config_file.write_text(config_yaml)
        self.log_file = tmp_path / f"{name}.log"
        self._directory = tmp_path
        self._env = {"PYTHONUNBUFFERED": "1", **(env or {})}
        self._process: Process | None = None
        self._address: str | None = None
        own = {
            "--config.file": str(self.config_file),
            "--web.listen-address": "127.0.0.1:0",
            "--storage.path": str(tmp_path / f"{name}.db"),
        }
        given = {*without, *(flag.partition("=")[0] for flag in flags)}
        own_flags = [f"{flag}={value}" for flag, value in own.items() if flag not in given]
        self._command = [*command, *own_flags, *flags]

    def start(self, timeout: float = START_SECONDS, *, loaded: bool = True) -> None:
        """Run it and wait until its log names the address, and says that it has its configuration.

        Without `loaded` it may still be about to read that.

        Raises:
            AssertionError: with the log, where the process ends before that or is too slow.
        """
        assert not self.running, "the daemon runs already"
        self._process = Process(self._command, self.log_file, cwd=self._directory, env=self._env)
        self._address = self._process.await_log(lambda log: listening_address(log, "listening"), timeout)
        if loaded:
            self._process.await_log(lambda log: LOADED in log or None, timeout)

    @property
    def address(self) -> str:
        """`host:port` that it listens on; after a stop, where it listened."""
        assert self._address is not None, "the daemon has never been started"
        return self._address

    @property
    def url(self) -> str:
        """The address as a URL without a path."""
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether the process has been started and has not ended by itself."""
        return self._process is not None and self._process.running

    @property
    def log(self) -> str:
        """All that it wrote to stdout and stderr, in all its runs."""
        return self.log_file.read_text(errors="replace")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """GET `path`, exactly once and as it is."""
        return request(self.address, path, headers)

    def post(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """POST `path` without a body."""
        return request(self.address, path, headers, method="POST")

    def metrics(self, path: str = "/metrics") -> dict[str, float]:
        """What `/metrics` shows now, by sample: `cfdi_stamps_available{account="acme"}`.

        Labels stand in alphabetical order, whatever their order in the answer.
        """
        answer = self.get(path)
        assert answer.status == 200, f"{path} answered {answer.status}: {answer.text}"
        return samples(answer.text)

    def send(self, signal: Signals) -> None:
        """Send a signal and go on."""
        self._running().send(signal)

    def stop(self, signal: Signals = SIGTERM, timeout: float = 30.0) -> int:
        """End it with `signal`; return the exit code.

        Raises:
            AssertionError: with the log, where it has not ended in time. It is killed then.
        """
        process, self._process = self._running(), None
        return process.stop(signal, timeout)

    def kill(self) -> None:
        """End it at once, without a chance to tidy up. Nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _running(self) -> Process:
        assert self._process is not None, "the daemon is not started"
        return self._process


class DaemonFactory(Protocol):
    """Starts daemons that end with the test; their files lie in the test's `tmp_path`."""

    def __call__(
        self,
        config_yaml: str,
        *flags: str,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = EXPORTER,
        loaded: bool = True,
    ) -> Daemon: ...


def samples(text: str) -> dict[str, float]:
    """The samples of a text exposition by name and labels, labels in alphabetical order.

    Raises:
        AssertionError: one sample stands there twice.
    """
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = _key(sample.name, sample.labels)
            assert key not in found, f"twice in one exposition: {key}"
            found[key] = sample.value
    return found


def _key(name: str, labels: Mapping[str, str]) -> str:
    """A sample's name and labels, written as in the text format."""
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
