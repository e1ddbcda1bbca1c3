"""A balance provider that shares no code with the project: PHP's SoapServer under PHP's own web server."""

import errno
import fcntl
import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from tests.support.peers.process import Process
from tests.support.peers.waiting import eventually

ROUTER = Path(__file__).with_name("provider.php")
SERVICE_PATH = "/soap/balance"
# An error goes to the log, never into an answer.
LOG_ERRORS = ["-d", "display_errors=0", "-d", "log_errors=1"]
WORKERS = 24
START_SECONDS = 10.0


class PhpProvider:
    """The provider as a process on loopback.

    Accounts and counters live in a file that both sides lock, so they can be read and changed at any time,
    also while the process is stopped.

    Calls are answered side by side, but not strictly: a worker of PHP's web server that accepts a second
    connection before it has read the first one's request answers them in turn. Under full load about one slow
    call in ten held up another, so a test that times the accounts beside a slow one belongs to the simulator.
    """

    def __init__(self, tmp_path: Path, port: int | None = None) -> None:
        """Keep all files in `tmp_path`; without `port` the first start picks a free one and keeps it."""
        self._directory = tmp_path
        self._port = port
        self._process: Process | None = None
        self._state_file = tmp_path / "provider.json"
        self._state_file.write_text(json.dumps({"accounts": {}, "calls": {}}))

    @property
    def port(self) -> int:
        """The port on loopback, known once the provider has been started."""
        assert self._port is not None, "the provider has never been started"
        return self._port

    @property
    def wsdl_url(self) -> str:
        """Where the WSDL is. The address in it names another host: of that, only the path is right."""
        return f"http://127.0.0.1:{self.port}{SERVICE_PATH}?wsdl"

    def set(
        self,
        username: str,
        *,
        password: str,
        contracted: int | None = None,
        used: int | None = None,
        available: int | None = None,
        code: int = 200,
        delay: float = 0.0,
        issuers: Mapping[str, tuple[int, int, int]] | None = None,
    ) -> None:
        """Make the account, or replace it: from the next call on it answers so.

        Args:
            username: who calls. Anyone else, or with another password, is answered 601 without figures.
            password: what the account's calls must carry.
            contracted: the figure in stamps; None leaves its field out of the answer.
            used: likewise.
            available: likewise.
            code: the status of an answer to the right password.
            delay: seconds between the arrival of a call, when it is counted, and its answer.
            issuers: stamps contracted, used and available by RFC. Any other issuer is answered 620.
        """
        account = {
            "password": password,
            "contracted": contracted,
            "used": used,
            "available": available,
            "code": code,
            "delay": delay,
            "issuers": {
                rfc: {"code": 200, "contracted": figures[0], "used": figures[1], "available": figures[2]}
                for rfc, figures in (issuers or {}).items()
            },
        }
        with self._state() as state:
            state["accounts"][username] = account

    def calls(self, username: str, rfc: str | None = None) -> int:
        """How many calls named this user (and issuer), with whatever password, unanswered ones too."""
        with self._state() as state:
            return int(state["calls"].get(f"{username} {rfc}" if rfc else username, 0))

    def start(self) -> None:
        """Listen, on the same port as before."""
        assert self._process is None, "the provider runs already"
        self._process = Process(
            ["php", *LOG_ERRORS, "-S", f"127.0.0.1:{self._port or 0}", str(ROUTER)],
            self._directory / "provider.log",
            cwd=self._directory,
            env={"PROVIDER_STATE": str(self._state_file), "PHP_CLI_SERVER_WORKERS": str(WORKERS)},
        )
        self._port = self._process.await_log(_port, START_SECONDS)

    def stop(self) -> None:
        """End at once: calls in flight are cut off. Nothing happens where it does not run."""
        if self._process is not None:
            with self._state():  # no worker dies while it writes
                self._process.kill()
            self._process = None
            # The workers share the port and end one by one: nobody is to meet one that is about to.
            eventually(self._refuses)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _refuses(self) -> bool:
        """Whether nothing listens any more."""
        if self._port is None:  # it never came so far as to listen
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == errno.ECONNREFUSED

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        """The state under its lock, written back at the end where it was changed."""
        with self._state_file.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            state = json.loads(text)
            yield state
            if state != json.loads(text):
                file.seek(0)
                file.truncate()
                json.dump(state, file)


class PhpProviderFactory(Protocol):
    """Starts providers that end with the test."""

    def __call__(self, port: int | None = None) -> PhpProvider: ...


def _port(log: str) -> int | None:
    """The port in the line that PHP's web server starts with."""
    found = re.search(r"\(http://127\.0\.0\.1:(\d+)\) started", log)
    return int(found[1]) if found else None
