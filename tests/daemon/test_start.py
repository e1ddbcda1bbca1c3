"""The start: the port answers first, then the accounts are loaded; nobody is told that there are none."""

import subprocess
import sys
import time
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.support.peers import DaemonFactory
from tests.support.peers.daemon import EXPORTER, LOADED

MANY = 2000

NOWHERE = """\
global: {environment: nowhere, interval: 1h}
environments: {nowhere: {wsdl: "http://127.0.0.1:9/ws?wsdl"}}
accounts:
"""


def many() -> str:
    return NOWHERE + "".join(
        f"- {{name: account-{number:05}, username: u{number:05}@x.example, password: secret}}\n"
        for number in range(MANY)
    )


def test_the_port_answers_before_the_accounts_are_loaded(daemon: DaemonFactory) -> None:
    """And the first scrape, which waits for them, has all of them."""
    exporter = daemon(many(), loaded=False)
    assert exporter.get("/-/healthy").status == 200
    assert exporter.get("/-/ready").status == 503
    assert exporter.get("/config").status == 503
    assert LOADED not in exporter.log
    metrics = exporter.metrics()
    assert sum(name.startswith("cfdi_account_info{") for name in metrics) == MANY
    assert exporter.get("/-/ready").status == 200


def test_it_ends_soon_while_it_loads(daemon: DaemonFactory) -> None:
    exporter = daemon(many(), loaded=False)
    began = time.monotonic()
    assert exporter.stop(SIGTERM) == 0
    assert time.monotonic() - began < 10
    assert "level=error" not in exporter.log


def test_a_restart_shows_what_is_stored_with_its_first_answer(daemon: DaemonFactory) -> None:
    """Prometheus would take accounts that are missing from one scrape for gone."""
    exporter = daemon(many(), loaded=False)
    assert len(exporter.metrics()) > MANY
    exporter.kill()
    exporter.start(loaded=False)
    assert sum(name.startswith("cfdi_account_suspended{") for name in exporter.metrics()) == MANY


@pytest.mark.process
def test_the_start_imports_neither_soap_nor_what_reads_the_configuration() -> None:
    """Before it listens: each of these takes longer than all that is needed for an answer."""
    late = {"zeep", "lxml", "requests", "pydantic", "yaml", "bcrypt", "exporter.page"}
    program = (
        f"import sys, exporter.cli.main, exporter.daemon.daemon; print(*sorted({late} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "\n"


@pytest.mark.process
def test_a_wrong_configuration_ends_it_though_it_listens_already(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(NOWHERE + "- {name: acme, username: u, password: p, interval: soon}\n")
    done = subprocess.run(
        [*EXPORTER, f"--config.file={config}", "--web.listen-address=127.0.0.1:0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "accounts[0].interval" in done.stderr
    assert "msg=polling" not in done.stderr
    assert not (tmp_path / "state.db").exists()
