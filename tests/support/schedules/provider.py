"""A provider that answers as a schedule wants, and writes down each login that arrives."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as ET

from tests.support.places import DATA
from tests.support.schedules.answers import HONEST, Answer, End, choose
from tests.support.schedules.history import History, Login, Run, login_key

WSDL = (DATA / "wsdl" / "axis2.wsdl").read_text()
SERVICE = "/ws/services/Utilerias"
LONGEST_WAIT = 30.0
"""Seconds that an answer is held back at the most."""


class Provider:
    """One provider on loopback, and the history of one schedule.

    Each process asks it under a path of its own, `/TAG/ws/…`, so that it is known who asks. The guard takes
    them all for one provider: host and port are the same.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.timeout = 1.0
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._right: dict[str, str] = {}
        self._script: defaultdict[str, deque[str]] = defaultdict(deque)
        self._always: dict[str, str] = {}
        self._shut: dict[str, threading.Event] = {}
        self._loads: list[str] = []
        self.is_down = False
        """Whether each new connection is closed at once."""
        self.is_undescribed = False
        """Whether there is no WSDL."""
        self._ends = threading.Event()
        self._server = _Server(self)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._server.shutdown()
        self._server.server_close()

    def wsdl(self, tag: str) -> str:
        """The address that a process is configured with."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{tag}{SERVICE}?wsdl"

    # What the schedule decides. -----------------------------------------------------------------------

    def set_password(self, username: str, password: str) -> None:
        """Take this one for right from now on."""
        with self._lock:
            self._right[login_key(username)] = password

    def right(self, username: str) -> str:
        """The password that is right now."""
        with self._lock:
            return self._right[login_key(username)]

    def answer(self, username: str, *names: str) -> None:
        """Answer the next logins so, in turn."""
        with self._lock:
            self._script[login_key(username)].extend(names)

    def always(self, username: str, name: str = HONEST) -> None:
        """Answer each login so where nothing else is said; forgets what was."""
        with self._lock:
            self._script[login_key(username)].clear()
            self._always[login_key(username)] = name

    @contextlib.contextmanager
    def holding(self, username: str) -> Iterator[None]:
        """Keep answers to this login back, for a while."""
        opened = threading.Event()
        with self._lock:
            self._shut[login_key(username)] = opened
        try:
            yield
        finally:
            with self._lock:
                self._shut.pop(login_key(username), None)
            opened.set()

    # What can be waited for. --------------------------------------------------------------------------

    def count(self, username: str, password: str | None = None) -> int:
        """How many logins have arrived, with this password or any."""
        with self._lock:
            return sum(password in (None, one.password) for one in self.history.of(login_key(username)))

    def await_login(self, username: str, seen: int, timeout: float) -> bool:
        """Wait for more logins than were seen."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.count(username) > seen, timeout)

    def await_answer(self, username: str, seen: int, timeout: float) -> bool:
        """Wait for the answer to one more login than were seen."""

        def answered() -> bool:
            logins = self.history.of(login_key(username))
            return len(logins) > seen and logins[seen].heard(time.monotonic())

        with self._arrived:
            return self._arrived.wait_for(answered, timeout)

    def await_load(self, tag: str, timeout: float) -> bool:
        """Wait until a process has asked for the WSDL."""
        with self._arrived:
            return self._arrived.wait_for(lambda: tag in self._loads, timeout)

    # What the server does. ----------------------------------------------------------------------------

    def described(self, tag: str) -> bytes:
        """The WSDL for a process."""
        with self._arrived:
            self._loads.append(tag)
            self._arrived.notify_all()
        return WSDL.replace("/ws/services/", f"/{tag}/ws/services/").encode()

    def arrived(self, tag: str, username: str, password: str) -> tuple[Login, Answer]:
        """Write a login down and decide what to answer."""
        with self._arrived:
            key = login_key(username)
            script = self._script[key]
            name = script.popleft() if script else self._always.get(key, HONEST)
            right = self._right.get(key) == password
            answer = choose(name)(right)
            run = self.history.runs.get(tag) or Run(tag, "unknown", time.monotonic())
            login = Login(
                len(self.history.logins), time.monotonic(), run, username, password, name, answer.says, right
            )
            self.history.logins.append(login)
            self._arrived.notify_all()
            return login, answer

    def wait(self, login: Login, answer: Answer, caller_is_there: Callable[[], bool]) -> bool:
        """Take the time that the answer takes; return whether the caller is still there.

        From that moment on the answer counts as heard.
        """
        self._ends.wait(answer.delay * self.timeout)
        with self._lock:
            shut = self._shut.get(login.key)
        if shut:
            shut.wait(LONGEST_WAIT)
        with self._arrived:
            there = caller_is_there() and not self._ends.is_set()
            if there:
                login.answered = time.monotonic()
            self._arrived.notify_all()
            return there


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _Handler)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002 - the library's
        """Return whether a connection is served."""
        return not self.provider.is_down

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that are killed in the middle are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = LONGEST_WAIT

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing is printed."""

    def do_GET(self) -> None:
        body = self.server.provider.described(self.path.split("/")[1])
        if self.server.provider.is_undescribed:
            self._send(503, b"", "text/plain")
        else:
            self._send(200, body, "text/xml; charset=utf-8")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        credential = _credential(body)
        if credential is None:
            self.close_connection = True
            return
        login, answer = self.server.provider.arrived(self.path.split("/")[1], *credential)
        there = self.server.provider.wait(login, answer, self._caller_is_there)
        if there and not answer.silent:
            self._send(answer.status, answer.body, answer.content_type, answer.headers, answer.end)
        if answer.end is End.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.end is not End.KEPT or not there:
            self._hang_up()

    def _caller_is_there(self) -> bool:
        try:
            self.connection.setblocking(False)
            return len(self.connection.recv(1, socket.MSG_PEEK)) > 0
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self.connection.settimeout(self.timeout)

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str,
        headers: Iterable[tuple[str, str]] = (),
        end: End = End.KEPT,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (100 if end is End.CUT else 0)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()


def _credential(body: bytes) -> tuple[str, str] | None:
    """The username and the password of a request, None where it isn't whole."""
    try:
        elements = ET.fromstring(body).iter()  # noqa: S314 - the exporter's own
        fields = {re.sub(r"\{.*\}", "", one.tag): one.text or "" for one in elements}
        return fields["usuario"], fields["password"]
    except (ET.ParseError, KeyError):
        return None
