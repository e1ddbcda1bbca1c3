"""The listening, attacked: addresses, TLS, basic auth, and clients that do everything but ask politely."""

import asyncio
import io
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from signal import SIGTERM
from ssl import SSLError

import bcrypt
import pytest

from exporter import log
from exporter.exposition.exposition import Exposition
from exporter.metrics import ExporterMetrics
from exporter.web.application import Endpoints
from exporter.web.server import Server
from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory, Response, eventually, happened
from tests.support.peers.http import basic_auth, request
from tests.support.peers.logfmt import fields, listening_address
from tests.support.peers.tls import Authority

CONFIG = config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h")
USERS = f"basic_auth_users:\n  alice: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}\n"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
ALICE = basic_auth("alice", "right")
RELOADED = "cfdi_exporter_web_config_last_reload_successful"
GOOD = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that all attacks go to: what one of them breaks shows in the next, and at the end."""
    with Daemon(CONFIG, tmp_path_factory.mktemp("attacked")) as daemon:
        yield daemon
        assert daemon.get("/metrics").status == 200
        assert daemon.stop() == 0
        events = [fields(line) for line in daemon.log.splitlines()]
        told = {event["msg"] for event in events if event["level"] == "error"}
        assert not told, "clients filled the log"


def raw(address: str, data: str | bytes, seconds: float = 10.0) -> str:
    """Send bytes as they are and return all that is answered until the server closes."""
    host, port = address.rsplit(":", 1)
    data = data.encode("latin-1") if isinstance(data, str) else data
    received = b""
    with socket.create_connection((host, int(port)), timeout=seconds) as client:
        try:
            client.sendall(data)
            while piece := client.recv(65536):
                received += piece
        except ConnectionError:  # it has seen enough
            pass
    return received.decode("latin-1")


# Addresses. -----------------------------------------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def addresses_of(daemon: Daemon) -> list[str]:
    """All that its log names, in their order."""
    events = [fields(line) for line in daemon.log.splitlines()]
    return [event["address"] for event in events if event.get("msg") == "listening"]


def test_it_listens_on_several_addresses(daemon: DaemonFactory) -> None:
    """Each flag is one more, port 0 picks one for each, and all serve the same."""
    flags = ["--web.listen-address=127.0.0.1:0"] * 3
    if has_ipv6():
        flags.append("--web.listen-address=[::1]:0")
    exporter = daemon(CONFIG, *flags)
    eventually(lambda: len(addresses_of(exporter)) == len(flags))
    addresses = addresses_of(exporter)
    assert len(set(addresses)) == len(flags)
    eventually(lambda: [request(address, "/-/ready").status for address in addresses] == [200] * len(flags))


def test_without_a_host_it_listens_on_all(daemon: DaemonFactory) -> None:
    exporter = daemon(CONFIG, "--web.listen-address=:0")
    port = exporter.address.rpartition(":")[2]
    assert request(f"127.0.0.1:{port}", "/-/healthy").status == 200
    assert not has_ipv6() or request(f"[::1]:{port}", "/-/healthy").status == 200
    assert f"url=http://localhost:{port}/" in exporter.log


@pytest.mark.parametrize("first", ["127.0.0.1:0", None])
def test_a_port_that_is_taken_is_one_line_and_exit_code_1(
    tmp_path: Path, processes: ExitStack, first: str | None
) -> None:
    """Whether it is the only address or the second of two; nothing is served then."""
    with closing(socket.create_server(("127.0.0.1", 0))) as holder:
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        flags = [f"--web.listen-address={address}" for address in (first, taken) if address]
        exporter = processes.push(Daemon(CONFIG, tmp_path, *flags))
        with pytest.raises(AssertionError, match=r"exit code 1;"):
            exporter.start()
    errors = [line for line in exporter.log.splitlines() if "level=error" in line]
    assert len(errors) == 1
    assert f'msg="can\'t start" error="can\'t listen on {taken}: Address already in use"' in errors[0]


# Requests that nobody sends by accident. ------------------------------------------------------------------


def asked(target: str, *headers: str, body: str = "", method: str = "GET", last: bool = True) -> str:
    """A request as it goes over the wire, the last on its connection or not."""
    closing = ["Connection: close"] if last else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *headers, *closing, "", body])


BOMB = [f"X-{number}: y" for number in range(200)]
ATTACKS = {
    "200 headers": (asked("/-/healthy", *BOMB), "400"),
    "a header of 20 kB": (asked("/-/healthy", "X: " + "y" * 20_000), "400"),
    "a header name of 20 kB": (asked("/-/healthy", "X" * 20_000 + ": y"), "400"),
    "a request line of 20 kB": (asked("/" + "a" * 20_000), "400"),
    "a query of 20 kB": (asked("/?q=" + "a" * 20_000), "400"),
    "a long path that fits": (asked("/" + "a" * 8_000), "404"),
    "a body on GET": (asked("/-/healthy", "Content-Length: 5", body="hello"), "200"),
    "a body that never comes": (asked("/-/healthy", "Content-Length: 50000000", body="hello"), "200"),
    "absolute form": (asked("http://evil.example/-/healthy"), "200"),
    "absolute form, elsewhere": (asked("http://evil.example/secret"), "404"),
    "absolute form, broken": (asked("http://[::1/metrics"), "400"),
    "absolute form, no port": (asked("http://a:99999/metrics"), "400"),
    "dots": (asked("/-/../metrics"), "404"),
    "dots above the root": (asked("/../../etc/passwd"), "404"),
    "encoded dots": (asked("/%2e%2e/%2e%2e/etc/passwd"), "404"),
    "encoded slashes": (asked("/..%2f..%2fetc%2fpasswd"), "404"),
    "two slashes": (asked("//evil.example/metrics"), "404"),
    "backslashes": (asked("/..\\..\\etc\\passwd"), "404"),
    "a NUL in the path": (asked("/metrics%00.html"), "404"),
    "no UTF-8 in the path": (asked("/%ff%fe"), "404"),
    "a bare byte in the path": (asked("/\xff"), "400"),
    "an asterisk": (asked("*", method="OPTIONS"), "404"),
    "CONNECT": (asked("evil.example:80", method="CONNECT"), "404"),
    "a method of its own": (asked("/metrics", method="BREW"), "4"),
    "no version": ("GET /-/healthy\r\n\r\n", "200"),
    "HTTP/2 at once": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
    "an upgrade": (asked("/-/healthy", "Connection: Upgrade, close", "Upgrade: websocket"), "200"),
    "no host": ("GET /-/healthy HTTP/1.1\r\n\r\n", "400"),
    "TLS on a plain port": ("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n", "400"),
    "not HTTP at all": ("<script>alert(1)</script> / HTTP/1.1\r\n\r\n", "400"),
    "two lengths": (asked("/-/healthy", "Content-Length: 5", "Content-Length: 6", body="hello!"), "400"),
    "a length and chunks": (
        asked("/-/healthy", "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
        "400",
    ),
    "a negative length": (asked("/-/healthy", "Content-Length: -1"), "400"),
    "chunks that are none": (asked("/-/healthy", "Transfer-Encoding: chunked", body="ZZ\r\n"), "400"),
    "a header that folds": (asked("/-/healthy", "X: y", " folded"), "400"),
    "a space before the colon": (asked("/-/healthy", "X : y"), "400"),
    "an expectation": (asked("/-/reload", "Expect: magic", method="POST"), "417"),
    "gzip that is none": (
        asked("/-/healthy", "Content-Encoding: gzip", "Content-Length: 5", body="hello"),
        "200",
    ),
}


@pytest.mark.process
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_odd_request_is_answered_and_the_server_goes_on(exporter: Daemon, attack: str) -> None:
    """A status that says what is wrong, quickly, and the connection is closed; the next client is served."""
    data, status = ATTACKS[attack]
    answer = raw(exporter.address, data)
    assert answer.split(" ")[1].startswith(status), answer
    assert answer.count("HTTP/") <= 2
    assert "Traceback" not in answer
    head, _, body = answer.partition("\r\n\r\n")
    if not status.startswith("2"):
        assert body.count("\n") == 1
        assert body.startswith(head.split(" ")[1])
    assert "\r\nServer: cfdi-stamps-exporter\r\n" in head
    assert "Python" not in answer
    assert "aiohttp" not in answer
    assert exporter.get("/-/healthy").status == 200


@pytest.mark.process
def test_requests_in_one_go_are_answered_in_their_order(exporter: Daemon) -> None:
    """Pipelining: one answer each, the first first."""
    eventually(lambda: exporter.get("/-/ready").status == 200)
    paths = ["/-/healthy", "/nothing", "/-/ready", "/-/healthy"] * 10
    answer = raw(exporter.address, "".join(asked(path, last=False) for path in paths) + asked("/"))
    statuses = [piece[:3] for piece in answer.split("HTTP/1.1 ")[1:]]
    assert statuses == ["200", "404", "200", "200"] * 10 + ["200"]


@pytest.mark.process
def test_nothing_behind_a_bad_request_is_taken_for_one(exporter: Daemon) -> None:
    """Smuggling: after a request that two parsers could read in two ways the connection ends."""
    smuggled = asked("/-/healthy", "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n") + GOOD
    answer = raw(exporter.address, smuggled)
    assert answer.count("HTTP/1.") == 1
    assert answer.split(" ")[1] == "400"


@pytest.mark.process
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("HEAD", "/nothing", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/config", 405),
        ("HEAD", "/metrics", 200),
        ("HEAD", "/-/healthy", 200),
        ("GET", "/-/reload", 405),
    ],
)
def test_paths_and_methods(exporter: Daemon, method: str, path: str, status: int) -> None:
    response = request(exporter.address, path, method=method)
    assert response.status == status
    assert response.headers["Server"] == "cfdi-stamps-exporter"
    assert (response.body == b"") is (method == "HEAD")


@pytest.mark.process
def test_clients_that_vanish_at_once_leave_nothing(exporter: Daemon) -> None:
    """Connect, perhaps send a piece, reset: 300 times, and the process holds no more files than before."""
    files = Path(f"/proc/{exporter.pid}/fd")
    if not files.exists():
        pytest.skip("needs /proc")
    before = len(list(files.iterdir()))
    host, port = exporter.address.split(":")
    for piece in [b"", b"GET /met", GOOD.encode()] * 100:
        client = socket.create_connection((host, int(port)))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        client.sendall(piece)
        client.close()
    eventually(lambda: len(list(files.iterdir())) <= before + 5)


# In this process, where a test can shorten the limits. ----------------------------------------------------


async def no_overview(_query: object, _languages: object) -> str:
    """Stands in for the page for people."""
    return ""


@dataclass
class Serving:
    """A server without a daemon around it."""

    server: Server
    logged: io.StringIO
    address: str
    metrics: ExporterMetrics

    @property
    def open(self) -> int:
        """Connections that it holds."""
        server = self.server._runner.server
        assert server is not None
        return len(server.connections)

    def protection(self) -> tuple[object, ...]:
        """What is in force."""
        inside = self.server._protection
        return inside.auth.users, inside.tls

    async def ask(self, path: str, headers: dict[str, str] | None = None) -> Response:
        return await asyncio.to_thread(request, self.address, path, headers)


@asynccontextmanager
async def serving(
    web_config: Path | None = None, config_size: int = 10, max_requests: int = 40
) -> AsyncIterator[Serving]:
    """Serve pages on loopback, `/config` with a text of a given size."""
    logged = io.StringIO()
    metrics = ExporterMetrics("test")

    async def config_text() -> bytes:
        return b"x" * config_size

    endpoints = Endpoints(
        exposition=Exposition(metrics, time),
        ready=lambda: True,
        shown=happened(),
        config=config_text,
        overview=no_overview,
        telemetry_path="/metrics",
    )
    server = Server(
        endpoints,
        ("127.0.0.1:0",),
        web_config,
        log.logger("debug", stream=logged),
        metrics=metrics,
        max_requests=max_requests,
    )
    await server.start()
    try:
        address = listening_address(logged.getvalue(), "listening")
        assert address
        yield Serving(server, logged, address, metrics)
    finally:
        await server.stop()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is the kernel's to do
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: y", GOOD.encode()])
async def test_a_client_that_says_nothing_or_speaks_slowly_is_dropped(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Nothing, half a request a byte at a time, or an answered one and then nothing: the time is limited."""
    monkeypatch.setattr("exporter.web.connections._IDLE", 2.0)
    async with serving() as site:
        host, port = site.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for byte in sent:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.005)
        received = await asyncio.wait_for(reader.read(), 20)  # until the server closes
        assert received.startswith(b"HTTP/1.1 200" if sent.endswith(b"\r\n\r\n") else b"")
        writer.close()
        await until(lambda: site.open == 0)


async def test_a_body_that_trickles_in_holds_no_connection() -> None:
    async with serving() as site:
        host, port = site.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(asked("/-/healthy", "Content-Length: 1000000", last=False).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await asyncio.wait_for(reader.read(), 20)
        writer.close()
        await until(lambda: site.open == 0)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux closes such connections")
@pytest.mark.parametrize("path", ["/config", "/metrics", "/-/healthy"])
async def test_a_client_that_never_reads_is_dropped(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Asked for again and again, no answer taken: the connection goes, with what waited to be sent."""
    monkeypatch.setattr("exporter.web.addresses.DELIVERY", 1.0)
    async with serving(config_size=8_000_000) as site:
        host, port = site.address.split(":")
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        client.setblocking(False)
        flood = asked(path, last=False).encode() * 1000
        for _ in range(100):
            try:
                client.send(flood)
            except (BlockingIOError, ConnectionError):  # the latter where it is dropped already
                break
            await asyncio.sleep(0.01)
        assert (await site.ask("/-/ready")).status == 200
        await until(lambda: site.open == 0, 30)
        client.close()


@contextmanager
def deaf(site: Serving, number: int, path: str = "/config") -> Iterator[list[socket.socket]]:
    """So many clients that ask and don't read."""
    host, port = site.address.split(":")
    with ExitStack() as opened:
        clients = []
        for _ in range(number):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(asked(path, last=False).encode())
            clients.append(client)
            opened.callback(client.close)
        yield clients


def counted(site: Serving, family: str) -> float:
    """The value of one of the exporter's own counters."""
    text = site.metrics.lines(openmetrics=False).decode()
    return next(float(line.split(" ")[1]) for line in text.splitlines() if line.startswith(family))


REJECTED = 'cfdi_exporter_requests_rejected_total{reason="max_requests"}'
STALLED = 'cfdi_exporter_connections_dropped_total{reason="stalled"}'


async def test_a_request_too_many_is_503_and_health_checks_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one of those that aren't read has stalled: its client would take it from others for long."""
    async with serving(config_size=8_000_000, max_requests=2) as site:
        with deaf(site, 2):
            await until(lambda: len(site.server._deliveries.served) == 2)
            rejected = await site.ask("/metrics")
            assert (rejected.status, rejected.headers["Retry-After"]) == (503, "5")
            assert (rejected.headers["Connection"], rejected.text) == ("close", "503 Service Unavailable\n")
            assert [(await site.ask(path)).status for path in ("/-/healthy", "/-/ready")] == [200, 200]
            assert (counted(site, REJECTED), counted(site, STALLED)) == (1, 0)
            monkeypatch.setattr("exporter.web.delivery.STALLED", 0.2)
            await asyncio.sleep(0.3)
            assert (await site.ask("/metrics")).status == 200
            assert (counted(site, REJECTED), counted(site, STALLED)) == (1, 1)
    assert "level=error" not in site.logged.getvalue()


async def test_bodies_that_are_not_read_end_where_they_come_to_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of these is another body; what several hold at once counts once."""
    monkeypatch.setattr("exporter.web.delivery.UNREAD", 20_000_000)
    async with serving(config_size=8_000_000) as site:
        with deaf(site, 5):
            await until(lambda: counted(site, STALLED) == 3)
            await until(lambda: site.open == 2)
            assert site.server._deliveries._size == 16_000_000
        await until(lambda: site.open == 0)
        assert site.server._deliveries._size == 0
        assert site.server._deliveries._held == {}


async def test_a_connection_too_many_ends_the_one_that_is_idle_for_longest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not one whose answer is under way; with TLS those count, too, that haven't agreed on it yet."""
    monkeypatch.setattr("exporter.web.server.most_clients", lambda: 10)
    authority = Authority(tmp_path)
    authority.issue("server")
    for web in (None, with_web_config(tmp_path, TLS)):
        async with serving(web) as site:
            host, port = site.address.split(":")
            idle = [await asyncio.open_connection(host, int(port)) for _ in range(30)]
            tls = authority.client() if web else None
            assert (await asyncio.to_thread(request, site.address, "/-/healthy", tls=tls)).status == 200
            ended = [await asyncio.wait_for(reader.read(), 10) for reader, _ in idle[:20]]
            assert ended == [b""] * 20
            assert not any(reader.at_eof() for reader, _ in idle[21:])
            assert counted(site, 'cfdi_exporter_connections_dropped_total{reason="limit"}') == 21
            for _, writer in idle:
                writer.close()


async def test_a_stop_waits_for_nobody() -> None:
    """Clients that hang and don't read, at a stop: it takes a moment, not their time."""
    async with serving(config_size=8_000_000) as site:
        host, port = site.address.split(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(30)]
        for number, client in enumerate(clients):
            client.sendall((b"", b"GET /met", asked("/config").encode())[number % 3])
        await until(lambda: site.open > 20)  # on a busy machine the kernel may refuse one
        await asyncio.wait_for(site.server.stop(), 10)
        for client in clients:
            client.close()


# Basic auth. ----------------------------------------------------------------------------------------------


def with_web_config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "web.yml"
    path.write_text(text)
    return path


def curl(*arguments: str | Path) -> tuple[int, str]:
    """Run curl; return its exit code and the HTTP status that it got."""
    command = ["curl", "--silent", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}"]
    run = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=20
    )
    return run.returncode, run.stdout


def test_curl_with_and_without_credentials(daemon: DaemonFactory, tmp_path: Path) -> None:
    """Over TLS with basic auth: 401 without, 200 with; the probes need none."""
    authority = Authority(tmp_path)
    authority.issue("server")
    web = with_web_config(
        tmp_path, "tls_server_config: {cert_file: server.pem, key_file: server.key}\n" + USERS
    )
    exporter = daemon(CONFIG, f"--web.config.file={web}", "--web.enable-lifecycle")
    url, trust = f"https://{exporter.address}", ("--cacert", authority.ca_file)
    for path in ("/metrics", "/", "/config", "/nothing"):
        assert curl(*trust, url + path) == (0, "401")
        assert curl(*trust, "--user", "alice:wrong", url + path) == (0, "401")
        assert curl(*trust, "--user", "bob:right", url + path) == (0, "401")
        assert curl(*trust, "--user", "alice:right", url + path) == (
            0,
            "404" if path == "/nothing" else "200",
        )
    for path in ("/-/reload", "/-/resume?account=acme"):
        assert curl(*trust, "--request", "POST", url + path) == (0, "401")
    assert curl(*trust, "--request", "POST", "--user", "alice:right", url + "/-/reload") == (0, "200")
    for path in ("/-/healthy", "/-/ready"):
        assert curl(*trust, url + path) == (0, "200")
    code, _ = curl(url + "/metrics")
    assert code == 60  # the certificate isn't trusted without the authority
    assert curl("--user", "alice:right", f"http://{exporter.address}/metrics")[1] in ("000", "400")
    refused = request(exporter.address, "/metrics", tls=authority.client())
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="metrics"'
    assert refused.text == "401 Unauthorized\n"
    assert "right" not in exporter.log


PROTECTED = [
    "/metrics",
    "//metrics",
    "/-/healthy/../../metrics",
    "/-/healthy/../metrics",
    "/-/ready?/../metrics",
    "/-/healthy%2f..%2f..%2fmetrics",
    "/-/healthy;/metrics",
    "/%2d/../metrics",
    "http://x/metrics",
    "http://x/-/healthy/../../metrics",
    "/metrics#/-/healthy",
    "/metrics?/-/healthy",
]


@pytest.mark.process
@pytest.mark.parametrize("target", PROTECTED)
def test_no_spelling_of_a_path_gets_around_the_login(protected: Daemon, target: str) -> None:
    """What needs no login is compared with the path as it is routed."""
    answer = raw(protected.address, asked(target))
    assert "cfdi_" not in answer
    assert answer.split(" ")[1] in ("200", "400", "401", "404"), answer
    assert answer.split(" ")[1] != "200" or "Ready.\n" in answer


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with basic auth, and a hash that takes as long to check as people's do."""
    directory = tmp_path_factory.mktemp("protected")
    slow = bcrypt.hashpw(b"right", bcrypt.gensalt(10)).decode()
    web = with_web_config(directory, f"basic_auth_users: {{alice: '{slow}'}}\n")
    with Daemon(CONFIG, directory, f"--web.config.file={web}") as daemon:
        eventually(lambda: daemon.get("/-/ready").status == 200)
        yield daemon


@pytest.mark.process
def test_a_flood_of_guesses_is_turned_away_and_a_good_client_is_not(protected: Daemon) -> None:
    """60 guesses at once are 401, or 429 where they wait for too long; the good client always gets 200."""
    assert protected.get("/metrics", ALICE).status == 200
    answers: list[Response] = []

    def guess(number: int) -> None:
        answers.append(protected.get("/metrics", basic_auth("alice", f"guess {number}")))

    guesses = [threading.Thread(target=guess, args=(number,)) for number in range(60)]
    for thread in guesses:
        thread.start()
    while any(thread.is_alive() for thread in guesses):
        assert protected.get("/metrics", ALICE).status == 200
        assert protected.get("/-/healthy").status == 200
    # Whether some wait so long that they are turned away depends on the machine.
    assert 401 in {answer.status for answer in answers} <= {401, 429}
    busy = [answer for answer in answers if answer.status == 429]
    assert all(answer.headers["Retry-After"] == "1" for answer in busy)


async def test_users_and_headers_are_taken_up_when_their_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new password counts and the old one no longer does; a bad file changes nothing and is told."""
    monkeypatch.setattr("exporter.web.server.SETTLE", 0.0)
    web = with_web_config(tmp_path, USERS + "http_server_config: {headers: {X-Frame-Options: deny}}\n")
    new = basic_auth("alice", "new")
    async with serving(web) as site:
        first = await site.ask("/metrics", ALICE)
        assert (first.status, first.headers["X-Frame-Options"]) == (200, "deny")
        await site.server.refresh()
        assert "reloaded" not in site.logged.getvalue()

        web.write_text("basic_auth_users: {alice: hunter2}\nrate_limit: {}\n")
        await site.server.refresh()
        assert site.logged.getvalue().count('msg="web configuration not reloaded"') == 2
        assert "hunter2" not in site.logged.getvalue()
        assert (await site.ask("/metrics", ALICE)).headers["X-Frame-Options"] == "deny"

        hashed = bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode()
        web.write_text(f"basic_auth_users: {{alice: '{hashed}'}}\n")
        await site.server.refresh()
        assert (await site.ask("/metrics", ALICE)).status == 401
        second = await site.ask("/metrics", new)
        assert (second.status, second.headers["X-Frame-Options"]) == (200, None)
        assert site.logged.getvalue().count('msg="web configuration reloaded"') == 1


async def test_a_refused_file_is_tried_again_when_what_it_names_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate that it newly names comes later; the file itself isn't touched again."""
    monkeypatch.setattr("exporter.web.server.SETTLE", 0.0)
    authority = Authority(tmp_path)
    web = with_web_config(tmp_path, USERS)
    async with serving(web) as site:
        tls = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
        web.write_text(USERS + tls)
        for _ in range(3):
            await site.server.refresh()
        assert site.logged.getvalue().count('msg="web configuration not reloaded"') == 1
        authority.issue("server")
        await site.server.refresh()
        assert site.logged.getvalue().count('msg="web configuration reloaded"') == 1
        secure = await asyncio.to_thread(request, site.address, "/metrics", ALICE, tls=authority.client())
        assert secure.status == 200


CLIENTS = TLS.replace("}\n", ", client_ca_file: ca.pem, client_auth_type: ")
WEAKER = {
    "nothing": (USERS + TLS, "", ["basic auth", "TLS"]),
    "no TLS": (USERS + TLS, USERS, ["TLS"]),
    "no users": (USERS + TLS, TLS, ["basic auth"]),
    "no certificates of clients": (CLIENTS + "RequireAndVerifyClientCert}\n", TLS, ["client certificates"]),
    "not each client": (
        CLIENTS + "RequireAndVerifyClientCert}\n",
        CLIENTS + "VerifyClientCertIfGiven}\n",
        ["client certificates"],
    ),
    "an older TLS": (TLS.replace("}", ", min_version: TLS13}"), TLS, ["the higher min_version"]),
}


@pytest.mark.parametrize("case", WEAKER)
async def test_a_reload_takes_no_protection_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """An empty file is one too, such as one that is being written: the old one stays, which is said."""
    monkeypatch.setattr("exporter.web.server.SETTLE", 0.0)
    Authority(tmp_path).issue("server")
    strong, weak, lost = WEAKER[case]
    web = with_web_config(tmp_path, strong)
    async with serving(web) as site:
        before = site.protection()
        web.write_text(weak)
        for _ in range(3):
            await site.server.refresh()
        assert site.protection() == before
        errors = [line for line in map(fields, site.logged.getvalue().splitlines()) if "error" in line]
        assert [(line["msg"], line["error"]) for line in errors] == [
            ("web configuration not reloaded", f"{web}: it takes {what} away, which needs a restart")
            for what in lost
        ]
        assert f"{RELOADED} 0.0" in site.metrics.lines(openmetrics=False).decode()
        web.write_text(strong)
        await site.server.refresh()
        assert f"{RELOADED} 1.0" in site.metrics.lines(openmetrics=False).decode()


async def test_more_protection_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.web.server.SETTLE", 0.0)
    authority = Authority(tmp_path)
    authority.issue("server")
    web = with_web_config(tmp_path, "")
    async with serving(web) as site:
        web.write_text(USERS + TLS)
        await site.server.refresh()
        secure = await asyncio.to_thread(request, site.address, "/metrics", ALICE, tls=authority.client())
        assert secure.status == 200


async def test_what_is_wrong_is_tried_again_though_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not each reason why a file can't be read shows in it; it is logged once."""
    monkeypatch.setattr("exporter.web.server.SETTLE", 0.0)
    web = with_web_config(tmp_path, USERS)
    async with serving(web) as site:
        web.write_text("rate_limit: {}\n")
        await site.server.refresh()
        monkeypatch.setattr("exporter.web.server.RETRY", 0.0)
        monkeypatch.setattr("exporter.watch.Watch.look", lambda *_: False)
        for _ in range(3):
            await site.server.refresh()
        assert site.logged.getvalue().count('msg="web configuration not reloaded"') == 1
        web.write_text(USERS)
        await site.server.refresh()
        assert site.logged.getvalue().count('msg="web configuration reloaded"') == 1


async def test_configured_headers_are_on_each_answer(tmp_path: Path) -> None:
    """Those of the configuration win over the page's own; errors carry them too."""
    policy = "default-src 'self'"
    web = with_web_config(
        tmp_path,
        "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=31536000\n"
        f'    Content-Security-Policy: "{policy}"\n' + USERS,
    )
    async with serving(web) as site:
        for path, headers, status in (
            ("/metrics", ALICE, 200),
            ("/metrics", {}, 401),
            ("/nothing", ALICE, 404),
            ("/-/healthy", {}, 200),
        ):
            response = await site.ask(path, headers)
            assert response.status == status
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert response.headers.get_all("Content-Security-Policy") == [policy]
            assert response.headers["X-Content-Type-Options"] == "nosniff"


# TLS. -----------------------------------------------------------------------------------------------------


async def s_client(site: Serving, authority: Authority, *flags: str | Path) -> str:
    """Ask for /-/healthy through openssl's own client; return all that it says."""
    command = ["openssl", "s_client", "-connect", site.address, "-CAfile", str(authority.ca_file)]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("-ign_eof", "-verify_return_error", *map(str, flags)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(b"GET /-/healthy HTTP/1.0\r\n\r\n"), 20)
    return said.decode()


@pytest.mark.process
@pytest.mark.parametrize(("minimum", "served"), [("TLS12", (True, True)), ("TLS13", (False, True))])
async def test_the_minimum_version_is_kept(tmp_path: Path, minimum: str, served: tuple[bool, bool]) -> None:
    """TLS 1.1 is never spoken, 1.2 unless the configuration forbids it."""
    authority = Authority(tmp_path)
    authority.issue("server")
    tls = f"tls_server_config: {{cert_file: server.pem, key_file: server.key, min_version: {minimum}}}\n"
    async with serving(with_web_config(tmp_path, tls)) as site:
        assert f"url=https://{site.address}/" in site.logged.getvalue()
        weak = ("-cipher", "DEFAULT:@SECLEVEL=0")  # so that it isn't the client that refuses
        assert "Healthy." not in await s_client(site, authority, "-tls1_1", *weak)
        answers = [await s_client(site, authority, version) for version in ("-tls1_2", "-tls1_3")]
    assert tuple("Healthy." in answer for answer in answers) == served
    assert "Verify return code: 0 (ok)" in answers[1]


@pytest.mark.process
async def test_client_certificates(tmp_path: Path) -> None:
    """Required: without one, or with a stranger's, nothing is served, not even the probes."""
    authority, strangers = Authority(tmp_path), Authority(tmp_path, "strangers")
    authority.issue("server")
    good, stranger = authority.issue("good"), strangers.issue("stranger")
    tls = (
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n"
        "  client_auth_type: RequireAndVerifyClientCert\n"
    )
    async with serving(with_web_config(tmp_path, tls)) as site:
        for version in ("-tls1_2", "-tls1_3"):
            for identity, served in ((None, False), (stranger, False), (good, True)):
                shown = ("-cert", identity.cert_file, "-key", identity.key_file) if identity else ()
                answer = await s_client(site, authority, version, *shown)
                assert ("Healthy." in answer) is served
        response = await asyncio.to_thread(
            request, site.address, "/metrics", None, "GET", authority.client(good)
        )
        assert response.status == 200
    assert "level=error" not in site.logged.getvalue()


@pytest.mark.process
async def test_a_client_certificate_may_be_left_out_where_it_is_not_required(tmp_path: Path) -> None:
    """VerifyClientCertIfGiven: none passes, a stranger's doesn't."""
    authority, strangers = Authority(tmp_path), Authority(tmp_path, "strangers")
    authority.issue("server")
    stranger = strangers.issue("stranger")
    tls = (
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n"
        "  client_auth_type: VerifyClientCertIfGiven\n"
    )
    async with serving(with_web_config(tmp_path, tls)) as site:
        assert "Healthy." in await s_client(site, authority)
        shown = ("-cert", stranger.cert_file, "-key", stranger.key_file)
        assert "Healthy." not in await s_client(site, authority, *shown)


def fingerprint(address: str, authority: Authority) -> bytes:
    """The certificate that a new connection is shown."""
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        authority.client().wrap_socket(plain, server_hostname=host) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    assert certificate
    return certificate


def test_a_certificate_is_replaced_while_serving(daemon: DaemonFactory, tmp_path: Path) -> None:
    """New connections get the new one, open ones go on, none is refused; a bad one is told, not used."""
    authority = Authority(tmp_path)
    server = authority.issue("server")
    web = with_web_config(tmp_path, "tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    exporter = daemon(CONFIG, f"--web.config.file={web}")
    old = fingerprint(exporter.address, authority)
    open_one = HTTPSConnection(exporter.address, timeout=10, context=authority.client())
    stop, failed, connected = threading.Event(), list[Exception](), list[bytes]()

    def connect_again_and_again() -> None:
        while not stop.is_set():
            try:
                connected.append(fingerprint(exporter.address, authority))
            except (OSError, SSLError) as error:
                failed.append(error)

    others = threading.Thread(target=connect_again_and_again)
    with closing(open_one):
        open_one.request("GET", "/-/healthy")
        assert open_one.getresponse().read() == b"Healthy.\n"
        others.start()
        try:
            authority.issue("server")
            eventually(lambda: fingerprint(exporter.address, authority) != old)
            new = fingerprint(exporter.address, authority)
            open_one.request("GET", "/-/healthy")
            assert open_one.getresponse().read() == b"Healthy.\n"
            server.cert_file.write_text("no certificate\n")
            eventually(lambda: "web configuration not reloaded" in exporter.log)
            assert fingerprint(exporter.address, authority) == new
        finally:
            stop.set()
            others.join()
    assert failed == []
    assert set(connected) == {old, new}
    assert exporter.stop(SIGTERM) == 0
    assert exporter.log.count('msg="web configuration reloaded"') == 1
    assert "cert_file and key_file are no certificate and its key" in exporter.log
