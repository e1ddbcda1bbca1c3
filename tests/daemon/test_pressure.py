"""What stands still outside, or asks without pause, stops nothing: the log, clients, files, guesses.

`pytest -m slow tests/daemon/test_pressure.py` does so with 10,000 accounts, for what docs/safety.md says.
"""

import os
import resource
import subprocess
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from signal import SIGHUP, SIGTERM

import bcrypt
import pytest

from exporter.simulator import Simulator
from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory, Response, eventually
from tests.support.peers.daemon import EXPORTER, samples
from tests.support.peers.http import basic_auth, request
from tests.support.peers.logfmt import fields, listening_address
from tests.support.peers.tls import Authority
from tests.support.pressure import connected
from tests.support.series import shown_when
from tests.support.simulation import running

NOBODY = "http://127.0.0.1:9/nobody?wsdl"
POLLED = 'cfdi_poll_duration_seconds_count{pac_environment="peer"}'
MEMORY = "process_resident_memory_bytes"
MOST_MEMORY = 256e6
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


# The log. -------------------------------------------------------------------------------------------------


class Unread:
    """A daemon whose log is a pipe that nobody reads after its first lines."""

    def __init__(self, folder: Path, config_yaml: str, *flags: str) -> None:
        self.config_file = folder / "config.yaml"
        self.config_file.write_text(config_yaml)
        self._process = subprocess.Popen(
            [*EXPORTER, "--web.listen-address=127.0.0.1:0", "--storage.path=:memory:", *flags],
            cwd=folder,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert self._process.stderr
        self.pipe = self._process.stderr
        said = b""
        while not (address := listening_address(said.decode(errors="replace"), "listening")):
            said += (piece := self.pipe.read(4096))
            assert piece, said
        self.address = address

    def metrics(self) -> dict[str, float]:
        return samples(request(self.address, "/metrics").text)

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> tuple[int, float]:
        """Return the exit code, and the seconds that the end took."""
        begun = time.monotonic()
        self._process.send_signal(SIGTERM)
        return self._process.wait(20), time.monotonic() - begun

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self.pipe.close()


@pytest.mark.process
def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """Its lines are dropped and counted; polls, pages and reloads go on, and so does the end."""
    with running(simulator := Simulator()):
        good = config(simulator.wsdl_url, "healthy@demo.example", interval="1s")
        with closing(Unread(tmp_path, good, "--log.level=debug")) as exporter:
            eventually(lambda: exporter.metrics().get(POLLED, 0) >= 1)
            wrong = "".join(f"- {{name: wrong-{number}, bogus: 1}}\n" for number in range(4000))
            exporter.config_file.write_text(good + wrong)

            def dropped() -> bool:
                exporter.send(SIGHUP)
                return exporter.metrics()["cfdi_exporter_log_lines_dropped_total"] > 0

            eventually(dropped, 60)
            exporter.config_file.write_text(good)
            exporter.send(SIGHUP)
            eventually(lambda: exporter.metrics()["cfdi_exporter_config_last_reload_successful"] == 1, 60)
            polled = exporter.metrics()[POLLED]
            eventually(lambda: exporter.metrics()[POLLED] >= polled + 3)
            assert request(exporter.address, "/-/healthy").status == 200
            code, seconds = exporter.stop()
    assert code == 0
    assert seconds < 10


@pytest.mark.process
def test_what_was_logged_before_the_end_is_read_after_it(tmp_path: Path) -> None:
    """A reader that is late gets all lines in their order, and the daemon ends in good order."""
    with closing(Unread(tmp_path, config(NOBODY, "acme", interval="1h"))) as exporter:
        eventually(lambda: request(exporter.address, "/-/ready").status == 200)
        code, _ = exporter.stop()
        lines = [fields(line) for line in exporter.pipe.read().decode().splitlines()]
    assert code == 0
    assert [line["msg"] for line in lines][-2:] == ["stopping", "stopped"]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


# Clients. -------------------------------------------------------------------------------------------------


def test_idle_clients_leave_files_for_polls_and_storage(tmp_path: Path, processes: ExitStack) -> None:
    """1,100 with a limit of 1,024 open files: the oldest end, polls go on, and each newcomer is served."""
    simulator = Simulator()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    processes.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    command = ("sh", "-c", 'ulimit -n 1024; exec "$@"', "sh", *EXPORTER)
    accounts = ["healthy@demo.example", "low@demo.example", "exhausted@demo.example"]
    with running(simulator):
        exporter = processes.enter_context(
            Daemon(config(simulator.wsdl_url, *accounts), tmp_path, command=command)
        )
        shown_when(exporter, lambda shown: shown.get(POLLED, 0) >= 3)
        with connected(exporter.address, 1100):
            # As none is kept to the provider: each poll needs a new file.
            shown = exporter.metrics()
            later = shown_when(exporter, lambda now: now[POLLED] >= shown[POLLED] + 9)
            assert later["process_max_fds"] == 1024
            assert later["process_open_fds"] < 1024 * 0.6
            assert later["cfdi_exporter_storage_errors_total"] == 0
            assert later['cfdi_exporter_connections_dropped_total{reason="limit"}'] >= 1100 - 512
            assert exporter.get("/-/healthy").status == 200
        assert "level=error" not in exporter.log


# Guesses. -------------------------------------------------------------------------------------------------


def test_who_has_the_right_password_gets_in_while_others_guess(daemon: DaemonFactory, tmp_path: Path) -> None:
    """40 clients guess without pause; a scraper that was never seen before isn't turned away."""
    users = ", ".join(
        f"user-{number}: '{bcrypt.hashpw(b'right', bcrypt.gensalt(8)).decode()}'" for number in range(5)
    )
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{{users}}}\n")
    exporter = daemon(config(NOBODY, "acme", interval="1h"), f"--web.config.file={tmp_path / 'web.yml'}")
    stop, answers = threading.Event(), list[Response]()

    def guess(number: int) -> None:
        guesses = 0
        while not stop.is_set():
            header = basic_auth("user-0", f"guess {number} {(guesses := guesses + 1)}")
            answers.append(request(exporter.address, "/metrics", header))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(answers) > 5)
        for number in range(5):
            begun = time.monotonic()
            assert request(exporter.address, "/metrics", basic_auth(f"user-{number}", "right")).status == 200
            assert time.monotonic() - begun < 10
            assert request(exporter.address, "/-/healthy").status == 200
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {answer.status for answer in answers} <= {401, 429}


# Files. ---------------------------------------------------------------------------------------------------


def test_a_web_configuration_that_is_empty_for_a_while_opens_nothing(
    daemon: DaemonFactory, tmp_path: Path
) -> None:
    """As while it is written, or where the disk was full: all is protected as before, and it is said."""
    authority = Authority(tmp_path)
    authority.issue("server")
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yml"
    web.write_text(text := f"{TLS}basic_auth_users: {{alice: '{hashed}'}}\n")
    exporter = daemon(
        config(NOBODY, "acme", interval="1h"), f"--web.config.file={web}", "--web.enable-lifecycle"
    )
    alice = basic_auth("alice", "right")

    def shown() -> float:
        answer = request(exporter.address, "/metrics", alice, tls=authority.client())
        return samples(answer.text)["cfdi_exporter_web_config_last_reload_successful"]

    assert shown() == 1
    web.write_text("")
    eventually(lambda: shown() == 0)
    for method, path in (("GET", "/config"), ("POST", "/-/resume?account=acme"), ("POST", "/-/reload")):
        assert request(exporter.address, path, method=method, tls=authority.client()).status == 401
    with suppress(OSError):
        assert request(exporter.address, "/config").status != 200
    web.write_text(text)
    eventually(lambda: shown() == 1)
    assert exporter.log.count("which needs a restart") == 2


@pytest.mark.parametrize("seconds", [0, 4])
def test_a_renewed_key_that_becomes_readable_later_is_taken_up(
    daemon: DaemonFactory, tmp_path: Path, seconds: int
) -> None:
    """As certbot and friends leave it: written by root for itself, and given to others in a second step."""
    authority = Authority(tmp_path)
    server = authority.issue("server")
    (tmp_path / "web.yml").write_text(TLS)
    # Root may read all that it wants to, unless it is told not to.
    without = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    exporter = daemon(
        config(NOBODY, "acme", interval="1h"),
        f"--web.config.file={tmp_path / 'web.yml'}",
        command=(*without, *EXPORTER),
    )
    authority.issue("server")
    server.key_file.chmod(0)
    if seconds:
        eventually(lambda: "web configuration not reloaded" in exporter.log)
        time.sleep(seconds)
    server.key_file.chmod(0o640)
    eventually(lambda: 'msg="web configuration reloaded"' in exporter.log)
