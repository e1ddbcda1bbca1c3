"""Debian's Alertmanager and amtool: who decides which alerts people are told of."""

import subprocess
from collections.abc import Mapping
from json import loads
from pathlib import Path
from typing import Any, Protocol, Self

import yaml

from tests.support.peers.http import request
from tests.support.peers.logfmt import listening_address
from tests.support.peers.process import Process

START_SECONDS = 15.0
STOP_SECONDS = 10.0


class Alertmanager:
    """An Alertmanager on loopback, without a cluster."""

    def __init__(self, tmp_path: Path, config: Mapping[str, object] | Path) -> None:
        """Take `config`, or the file that it names as it is; `start` runs it. Its files go to `tmp_path`."""
        self._directory = tmp_path
        self._config_file = config if isinstance(config, Path) else tmp_path / "alertmanager.yml"
        if not isinstance(config, Path):
            self._config_file.write_text(yaml.safe_dump(dict(config)))
        self._process: Process | None = None
        self._address: str | None = None

    @property
    def address(self) -> str:
        """`host:port`, known once it has been started."""
        assert self._address is not None, "Alertmanager has never been started"
        return self._address

    def start(self) -> None:
        """Run it and wait until it answers."""
        assert self._process is None, "Alertmanager runs already"
        self._process = Process(
            [
                "prometheus-alertmanager",
                f"--config.file={self._config_file}",
                f"--storage.path={self._directory / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address=",
            ],
            self._directory / "alertmanager.log",
            cwd=self._directory,
            env={},
        )
        self._address = self._process.await_log(
            lambda log: listening_address(log, "Listening on"), START_SECONDS
        )

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The alerts with these labels that fire, with `labels` and `status` among their keys.

        `status` has the `state` (`active` or `suppressed`) and in `inhibitedBy` the alerts that inhibit it.
        """
        answer = request(self.address, "/api/v2/alerts")
        assert answer.status == 200, answer.text
        fire: list[dict[str, Any]] = loads(answer.body)
        return [one for one in fire if labels.items() <= one["labels"].items()]

    def stop(self) -> None:
        """End it. Nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(timeout=STOP_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class AlertmanagerFactory(Protocol):
    """Starts Alertmanagers that end with the test."""

    def __call__(self, config: Mapping[str, object]) -> Alertmanager: ...


def amtool(*arguments: str | Path) -> str:
    """What amtool prints.

    Raises:
        AssertionError: it fails, with its words.
    """
    run = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 0, f"amtool exit {run.returncode}:\n{run.stdout}{run.stderr}"
    return run.stdout
