"""Debian's Prometheus and promtool: the programs that the exporter is made for."""

import subprocess
from collections.abc import Mapping, Sequence
from json import loads
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlencode

import yaml

from tests.support.peers.http import request
from tests.support.peers.logfmt import listening_address
from tests.support.peers.process import Process

JOB = "cfdi-stamps"
READY = "Server is ready to receive web requests."
START_SECONDS = 15.0
STOP_SECONDS = 10.0


class Prometheus:
    """A Prometheus on loopback that scrapes every second.

    The first scrape comes about five seconds after the start: discovery pauses, for static targets too.
    """

    def __init__(
        self,
        tmp_path: Path,
        targets: Sequence[str] = (),
        rule_files: Sequence[Path] = (),
        scrape_options: Mapping[str, object] | None = None,
        alertmanagers: Sequence[str] = (),
        config_file: Path | None = None,
    ) -> None:
        """Write its configuration; `start` runs it.

        Args:
            tmp_path: where its files go.
            targets: what to scrape, `host:port` each.
            rule_files: alerting and recording rules, evaluated every second.
            scrape_options: more keys of the scrape job, such as `basic_auth` or `tls_config`.
            alertmanagers: where alerts go, `host:port` each.
            config_file: a configuration to run as it is, instead of one from the others.
        """
        self._directory = tmp_path
        self._config_file = config_file or tmp_path / "prometheus.yml"
        if config_file is None:
            self._config_file.write_text(_config(targets, rule_files, scrape_options or {}, alertmanagers))
        self._process: Process | None = None
        self._address: str | None = None

    @property
    def url(self) -> str:
        """The address as a URL without a path, known once it has been started."""
        return f"http://{self._address}"

    def start(self) -> None:
        """Run it and wait until it answers queries."""
        assert self._process is None, "Prometheus runs already"
        process = Process(
            [
                "prometheus",
                f"--config.file={self._config_file}",
                f"--storage.tsdb.path={self._directory / 'tsdb'}",
                "--web.listen-address=127.0.0.1:0",
            ],
            self._directory / "prometheus.log",
            cwd=self._directory,
            env={},
        )
        self._process = process
        # "Start listening for connections" comes first and names the port as it was asked for: 0.
        self._address = process.await_log(lambda log: listening_address(log, "Listening on"), START_SECONDS)
        process.await_log(lambda log: READY in log or None, START_SECONDS)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query: `metric` and `value`, a time and a text, for each series."""
        result: list[dict[str, Any]] = self.api("query", query=promql)["result"]
        return result

    def targets(self) -> list[dict[str, Any]]:
        """The active targets, with `health` and `lastError` among their keys."""
        active: list[dict[str, Any]] = self.api("targets", state="active")["activeTargets"]
        return active

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

    def api(self, endpoint: str, **parameters: str) -> Any:
        """The data of an answer of the HTTP API, https://prometheus.io/docs/prometheus/latest/querying/api/."""
        assert self._address is not None, "Prometheus has never been started"
        answer = request(self._address, f"/api/v1/{endpoint}?{urlencode(parameters)}")
        content: dict[str, Any] = loads(answer.body)
        assert content["status"] == "success", content
        return content["data"]


class PrometheusFactory(Protocol):
    """Starts Prometheus servers that end with the test."""

    def __call__(
        self,
        targets: Sequence[str],
        rule_files: Sequence[Path] = (),
        scrape_options: Mapping[str, object] | None = None,
        alertmanagers: Sequence[str] = (),
    ) -> Prometheus: ...


def _config(
    targets: Sequence[str],
    rule_files: Sequence[Path],
    scrape_options: Mapping[str, object],
    alertmanagers: Sequence[str],
) -> str:
    """The text of a configuration with one job."""
    job = {"job_name": JOB, "static_configs": [{"targets": list(targets)}], **scrape_options}
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [job],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        }
    )


def promtool_check_metrics(text: str) -> str:
    """Let promtool read and lint an exposition; return its complaints, empty where it has none.

    Raises:
        AssertionError: promtool refuses it.
    """
    run = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=30
    )
    output = run.stdout + run.stderr
    assert run.returncode in (0, 3), f"promtool exit {run.returncode}:\n{output}"  # 3: it has complaints
    return output
