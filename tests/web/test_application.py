"""The HTTP server, asked over real HTTP; and the addresses that it listens on."""

import asyncio
import gzip
import ipaddress
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from html import escape
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from exporter import __version__, page
from exporter.exposition.exposition import CONTENT_TYPES, Exposition
from exporter.metrics import ExporterMetrics
from exporter.page import Overview
from exporter.page.query import Query
from exporter.polling.accounts import Accounts
from exporter.web import delivery
from exporter.web.addresses import bind, shown_address, split_address
from exporter.web.addresses import reachable as shown_in_url
from exporter.web.application import Endpoints, application
from exporter.web.auth import BasicAuth
from exporter.web.delivery import Deliveries
from exporter.web.negotiation import accepts_gzip, prefers_openmetrics
from exporter.web.protection import Protection
from tests.support.peers import FakeClock, happened
from tests.support.standings import monitored

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROMETHEUS_3_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    + PROMETHEUS_3
)

ACCEPTS = [
    (PROMETHEUS_2_42, True),
    (PROMETHEUS_3, True),
    (PROMETHEUS_3_PROTOBUF, True),
    ("application/openmetrics-text", True),
    ("Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.9 , text/plain;q=0.8", True),
    ("text/plain;q=0.2,application/openmetrics-text;q=0.3", True),
    ("application/openmetrics-text;q=0.001", True),
    ("", False),
    ("*/*", False),
    ("text/*", False),
    ("text/plain", False),
    ("text/plain;version=0.0.4", False),
    ("text/plain,application/openmetrics-text", False),
    ("*/*,application/openmetrics-text;q=0.5", False),
    ("application/openmetrics-text;q=0.3,text/plain;q=0.5", False),
    ("application/openmetrics-text;q=0", False),
    ("application/openmetrics-text;q=0.0,*/*;q=0.1", False),
    ("application/openmetrics-text;q=high", False),
    ("application/openmetrics-text;q=nan", False),
    ("application/openmetrics-text;q=-1", False),
    ("application/openmetrics-texts", False),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    ("application/json", False),
    (",;,;;q=,,=", False),
    ("ñ€;q=1", False),
]


@pytest.mark.parametrize(("accept", "expected"), ACCEPTS)
def test_the_accept_header_chooses_the_format(accept: str, expected: bool) -> None:
    assert prefers_openmetrics(accept) is expected


ENCODINGS = [
    ("gzip", True),
    ("GZIP", True),
    ("gzip, deflate, br", True),
    ("br, gzip;q=0.5", True),
    ("gzip ; q=0.001", True),
    ("*", True),
    ("*;q=0.1", True),
    ("br;q=1.0, *;q=0.5", True),
    ("*;q=0, gzip", True),
    ("", False),
    ("identity", False),
    ("br", False),
    ("gzip;q=0", False),
    ("gzip;q=0.000", False),
    ("*;q=0", False),
    ("gzip;q=0, *", False),
    ("*, gzip;q=0", False),
    ("gzip;q=yes", False),
    ("gzip;q=nan", False),
    ("x-gzipped", False),
    ("deflate;gzip", False),
    (",;,;;q=,,=", False),
]


@pytest.mark.parametrize(("accept_encoding", "expected"), ENCODINGS)
def test_gzip_is_sent_to_those_alone_that_take_it(accept_encoding: str, expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected


NAMES = ("acme", "a b", "a/b", "100%25", "ñ+?&#", "..", ".", "-x", "a%2Fb", "<b>")


class Site:
    """The exporter's pages on a real server, and a client that decodes nothing."""

    def __init__(self, telemetry_path: str = "/metrics", exposition: Exposition | None = None) -> None:
        self.is_ready = True
        self.metrics = ExporterMetrics("abc123")
        self.exposition = exposition or Exposition(self.metrics, time)
        accounts = Accounts()
        for name in NAMES:
            accounts.put(monitored(name))
        self.pages = Overview(accounts, FakeClock(), page.Site(__version__, telemetry_path))
        endpoints = Endpoints(
            exposition=self.exposition,
            ready=lambda: self.is_ready,
            shown=happened(),
            config=self._config,
            overview=self.pages,
            account=self.pages.account,
            table=self.pages.table,
            telemetry_path=telemetry_path,
        )
        self.application = application(endpoints, Protection(BasicAuth({}), {}), Deliveries())
        self.server = TestServer(self.application)

    async def _config(self) -> bytes:
        return b"accounts:\n- name: acme\n  password: <secret>\n"

    async def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession(
                auto_decompress=False, skip_auto_headers=["Accept-Encoding", "Accept"]
            ) as client,
            client.request(
                method, self.server.make_url(path), headers=named, allow_redirects=False
            ) as response,
        ):
            return response, await response.read()


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    async with site.server:
        yield site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(Site()) as site:
        yield site


@pytest.mark.parametrize(
    ("accept", "content_type", "last"),
    [
        (PROMETHEUS_2_42, CONTENT_TYPES["openmetrics"], b"# EOF\n"),
        (PROMETHEUS_3, CONTENT_TYPES["openmetrics"], b"# EOF\n"),
        ("*/*", CONTENT_TYPES["text"], b"\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_metrics_come_in_the_format_and_encoding_that_were_asked_for(
    site: Site, accept: str, content_type: str, last: bytes, encoding: str
) -> None:
    response, body = await site.ask("/metrics", Accept=accept, Accept_Encoding=encoding)
    assert response.status == 200
    assert response.headers["Content-Type"] == content_type
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert response.headers.get("Content-Encoding", "identity") == encoding
    assert int(response.headers["Content-Length"]) == len(body)
    plain = gzip.decompress(body) if encoding == "gzip" else body
    assert b"\ncfdi_exporter_build_info{" in plain
    assert plain.endswith(last)


async def test_without_any_header_metrics_are_plain_text(site: Site) -> None:
    response, body = await site.ask("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Content-Encoding" not in response.headers
    assert body.startswith(b"# HELP cfdi_stamps_contracted ")


async def test_a_large_body_is_compressed_as_well(site: Site) -> None:
    """It is compressed beside the loop, which small ones aren't."""
    names = [f"environment-{number}" for number in range(400)]
    site.metrics.use_environments(dict.fromkeys(names, ("200",)), ["timeout"])
    for name in names:
        site.metrics.poll_ended(name, 1.0)
    _, plain = await site.ask("/metrics")
    assert len(plain) > 256 * 1024
    _, body = await site.ask("/metrics", Accept_Encoding="gzip")
    assert len(body) < len(plain) / 5
    assert gzip.decompress(body).count(b"\n") == plain.count(b"\n")


PAGES = [
    ("/", "text/html; charset=utf-8"),
    ("/metrics", CONTENT_TYPES["text"]),
    ("/-/healthy", "text/plain; charset=utf-8"),
    ("/-/ready", "text/plain; charset=utf-8"),
    ("/config", "text/plain; charset=utf-8"),
    ("/account/acme", "text/html; charset=utf-8"),
    ("/accounts.csv", "text/csv; charset=utf-8; header=present"),
]


@pytest.mark.parametrize(("path", "content_type"), PAGES)
async def test_each_page_answers_get_and_head_alike(site: Site, path: str, content_type: str) -> None:
    response, body = await site.ask(path)
    assert (response.status, response.headers["Content-Type"]) == (200, content_type)
    head, nothing = await site.ask(path, "HEAD")
    assert (head.status, head.headers["Content-Type"], nothing) == (200, content_type, b"")
    if path != "/metrics":  # whose own figures change with the time
        assert int(head.headers["Content-Length"]) == len(body)


@pytest.mark.parametrize("path", [*(path for path, _ in PAGES), "/nothing", "/-/reload"])
async def test_each_answer_tells_browsers_to_trust_nothing(site: Site, path: str) -> None:
    response, _ = await site.ask(path)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Server"] == "cfdi-stamps-exporter"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "path", ["/nothing", "/metrics/", "/metricsx", "/Metrics", "/-/", "/-/health", "/config/x", "/%00"]
)
async def test_anything_else_is_404_in_one_line(site: Site, path: str) -> None:
    response, body = await site.ask(path)
    assert (response.status, body) == (404, b"404 Not Found\n")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_a_wrong_method_is_405_and_says_which_are_allowed(site: Site, path: str, method: str) -> None:
    response, body = await site.ask(path, method)
    assert (response.status, body) == (405, b"405 Method Not Allowed\n")
    assert response.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", ["/-/reload", "/-/resume?account=acme"])
async def test_what_changes_something_is_post_only_and_forbidden_unless_enabled(
    site: Site, path: str
) -> None:
    response, _ = await site.ask(path)
    assert (response.status, response.headers["Allow"]) == (405, "POST")
    response, body = await site.ask(path, "POST")
    assert response.status == 403
    assert b"--web.enable-lifecycle" in body


async def test_readiness_is_what_the_daemon_says_and_health_is_not(site: Site) -> None:
    site.is_ready = False
    response, body = await site.ask("/-/ready")
    assert (response.status, body) == (503, b"Not ready.\n")
    response, body = await site.ask("/-/healthy")
    assert (response.status, body) == (200, b"Healthy.\n")
    site.is_ready = True
    response, body = await site.ask("/-/ready")
    assert (response.status, body) == (200, b"Ready.\n")


async def test_the_configuration_is_shown_as_the_daemon_redacts_it(site: Site) -> None:
    _, body = await site.ask("/config")
    assert body == b"accounts:\n- name: acme\n  password: <secret>\n"


async def test_the_page_for_people_links_to_the_others(site: Site) -> None:
    _, body = await site.ask("/")
    assert __version__.encode() in body
    for path in ("/metrics", "/config", "/-/healthy", "/-/ready"):
        assert f'href=".{path}"'.encode() in body


@pytest.mark.parametrize("name", NAMES)
async def test_each_account_has_a_page_whatever_its_name(site: Site, name: str) -> None:
    """By the address that the list gives it, as a browser resolves it."""
    address = Query().account(name)
    url = URL(str(site.server.make_url("/"))).join(URL(address, encoded=True))
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        text = await response.text()
        assert response.status == 200
        assert f"<h1><bdi>{escape(name)}</bdi></h1>" in text
        assert 'href="../metrics"' in text
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/account/nobody", "/account/", "/account/%00", "/account/?name=nobody"])
async def test_an_account_that_is_not_there(site: Site, path: str) -> None:
    response, body = await site.ask(path)
    assert response.status == 404
    assert b"There is no account of this name" in body
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/account/a/b", "/account", "/accounts", "/accounts.csv/"])
async def test_what_is_no_page_of_an_account(site: Site, path: str) -> None:
    assert (await site.ask(path))[0].status == 404


async def test_the_accounts_as_a_file(site: Site) -> None:
    """Which a browser saves, compressed where it takes that."""
    response, body = await site.ask("/accounts.csv?q=acme", Accept_Encoding="gzip")
    assert response.headers["Content-Disposition"] == 'attachment; filename="accounts.csv"'
    assert response.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(body).count(b"\r\n") == 2


@pytest.mark.parametrize("path", ["/accounts.csv", "/account/acme"])
async def test_metrics_may_be_anywhere(path: str) -> None:
    """An installation may have them there already."""
    async with serving(Site(path)) as site:
        assert (await site.ask(path))[0].headers["Content-Type"] == CONTENT_TYPES["text"]
        assert (await site.ask("/"))[0].status == 200


async def test_another_telemetry_path_is_served_and_linked_to() -> None:
    async with serving(Site("/probe/stamps")) as site:
        response, _ = await site.ask("/probe/stamps")
        assert (response.status, response.headers["Content-Type"]) == (200, CONTENT_TYPES["text"])
        assert (await site.ask("/metrics"))[0].status == 404
        assert b'href="./probe/stamps"' in (await site.ask("/"))[1]


async def test_metrics_may_take_the_place_of_the_page_for_people() -> None:
    async with serving(Site("/")) as site:
        response, body = await site.ask("/")
        assert response.headers["Content-Type"] == CONTENT_TYPES["text"]
        assert body.startswith(b"# HELP ")
        assert (await site.ask("/metrics"))[0].status == 404


ADDRESSES = [
    (":10520", ("", 10520)),
    ("127.0.0.1:9", ("127.0.0.1", 9)),
    ("localhost:0", ("localhost", 0)),
    ("10.0.0.7:65535", ("10.0.0.7", 65535)),
    ("[::1]:10520", ("::1", 10520)),
    ("[::]:10520", ("::", 10520)),
    ("metrics.acme.example:80", ("metrics.acme.example", 80)),
]


@pytest.mark.parametrize(("address", "expected"), ADDRESSES)
def test_an_address_is_a_host_and_a_port(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


NO_ADDRESSES = [
    "",
    ":",
    "10520",
    "localhost",
    "localhost:",
    "localhost:http",
    ":65536",
    ":-1",
    ":+1",
    ": 1",
    ":1 ",
    ":1.0",
    ":٣",
    ":²",
    ":1_0",
    "::1",
    "::1:80",
    "[::1]",
    "[::1]80",
    "[::1:80",
    "::1]:80",
    "http://localhost:80",
    "localhost:80/metrics",
    ":" + "9" * 5000,
    "a" * 64 + ":80",
    "ñ..example:80",
    "\udcff:80",
]


@pytest.mark.parametrize("address", NO_ADDRESSES, ids=[ascii(address)[:20] for address in NO_ADDRESSES])
def test_what_is_no_address_is_refused_with_the_value(address: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        split_address(address)
    assert str(caught.value) == f"must be host:port, :port or [address]:port, got {address}"


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])


def reachable(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def bound(address: str) -> Iterator[socket.socket]:
    """The first that is bound there."""
    listeners = bind(address)
    try:
        yield listeners[0]
    finally:
        for listener in listeners:
            listener.close()


def test_a_host_alone_is_listened_on() -> None:
    with bound("127.0.0.1:0") as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert reachable("127.0.0.1", listener.getsockname()[1])


def test_all_addresses_of_a_name_are_bound_at_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where port 0 picks it; of those that this machine doesn't have there needs to be one."""
    loopbacks = ["127.0.0.1", "127.0.0.2", *(["::1"] if has_ipv6() else [])]
    look_up = socket.getaddrinfo

    def several(_host: str, port: int, **hints: int) -> list[object]:
        return [one for host in ("192.0.2.1", *loopbacks) for one in look_up(host, port, **hints)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    listeners = bind("localhost:0")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    (port,) = {listener.getsockname()[1] for listener in listeners}
    hosts = {listener.getsockname()[0] for listener in listeners}
    assert hosts == set(loopbacks)
    assert all(reachable(str(host), port) for host in hosts)
    for listener in listeners:
        listener.close()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_all_of_ipv6_is_all_of_ipv4_too() -> None:
    """As with Go's exporters."""
    with bound("[::]:0") as listener:
        port = listener.getsockname()[1]
        assert reachable("::1", port)
        assert reachable("127.0.0.1", port)


def link_local() -> str | None:
    """An address that needs its interface to be named, if this machine has one."""
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            address, _index, _prefix, scope, _flags, interface = line.split()
            if scope == "20":
                return f"{ipaddress.IPv6Address(int(address, 16))}%{interface}"
    return None


@pytest.mark.skipif(link_local() is None, reason="no interface of this machine has a link-local address")
def test_a_link_local_address_is_bound_with_its_interface() -> None:
    with bound(f"[{link_local()}]:0") as listener:
        assert shown_address(listener).startswith(f"[{link_local()}]:")
        assert reachable(str(link_local()), listener.getsockname()[1])


URLS = [
    ("127.0.0.1:80", "127.0.0.1:80"),
    ("0.0.0.0:80", "localhost:80"),
    ("[::]:80", "localhost:80"),
    ("[::1]:80", "[::1]:80"),
    ("[fe80::1%eth0]:80", "[fe80::1%25eth0]:80"),
]


@pytest.mark.parametrize(("address", "url"), URLS)
def test_an_address_is_shown_as_it_can_be_opened(address: str, url: str) -> None:
    assert shown_in_url(address) == url


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_host_is_listened_on_and_no_ipv4() -> None:
    with bound("[::1]:0") as listener:
        port = listener.getsockname()[1]
        assert reachable("::1", port)
        assert not reachable("127.0.0.1", port)


def test_no_host_is_all_addresses() -> None:
    with bound(":0") as listener:
        port = listener.getsockname()[1]
        assert reachable("127.0.0.1", port)
        assert not has_ipv6() or reachable("::1", port)


def test_a_port_that_is_taken_is_one_line_with_the_address() -> None:
    with bound("127.0.0.1:0") as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(OSError, match="Address already in use") as caught:
            bind(address)
    message = caught.value.strerror or ""
    assert message.startswith(f"can't listen on {address}: Address already in use")
    assert "\n" not in message


def test_a_port_that_was_just_given_up_can_be_had_again(free_port: int) -> None:
    """A restart must not wait for the connections of the run before."""
    with bound(f"127.0.0.1:{free_port}") as listener:
        client = socket.create_connection(("127.0.0.1", free_port))
        accepted, _ = listener.accept()
        accepted.close()  # the server closes first and keeps the port in TIME_WAIT
        client.close()
    with bound(f"127.0.0.1:{free_port}") as listener:
        assert listener.getsockname()[1] == free_port


@pytest.mark.parametrize("address", ["nowhere.invalid:80", "192.0.2.1:80"])
def test_a_host_that_is_not_here_says_so(address: str) -> None:
    with pytest.raises(OSError, match="can't listen on") as caught:
        bind(address)
    assert (caught.value.strerror or "").startswith(f"can't listen on {address}: ")


async def test_a_bound_socket_serves() -> None:
    """As the daemon uses it."""
    runner = web.AppRunner(Site().server.app, access_log=None)
    await runner.setup()
    (listener,) = bind("127.0.0.1:0")
    try:
        await web.SockSite(runner, listener).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/-/healthy"
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            assert await response.text() == "Healthy.\n"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("largest", "joined"),
    [(delivery._UNCOPIED, delivery._CHUNK), (delivery._SECURE, delivery._SECURE)],
)
@given(pieces=st.lists(st.integers(0, 3 * delivery._CHUNK)))
def test_a_body_is_written_in_few_chunks_none_of_them_large(
    largest: int, joined: int, pieces: list[int]
) -> None:
    """Each costs as a write, and a client that doesn't read holds one: few bytes where it is a copy."""
    body = [number.to_bytes(1, "big") * size for number, size in enumerate(pieces[:255])]
    chunks = list(delivery._chunks(body, largest, joined))
    assert b"".join(chunks) == b"".join(body)
    assert all(len(chunk) <= (joined if type(chunk) is bytes else largest) for chunk in chunks)
    assert len(chunks) <= 3 * sum(map(len, body)) / joined + 1


class HugeExposition(Exposition):
    """Serves one large piece."""

    piece = bytes(64 * 1024 * 1024)

    def pieces(self, _form: object) -> list[bytes]:
        return [self.piece]


def holders() -> int:
    """How much refers to the large piece."""
    return sys.getrefcount(HugeExposition.piece)


@pytest.mark.usefixtures("no_garbage_collector")
async def test_a_scrape_that_is_hung_up_leaves_nothing_of_its_body() -> None:
    """Else the memory would grow with each scrape that times out."""
    before = holders()
    # As the daemon has it: aiohttp's test server cancels a handler whose client is gone.
    runner = web.AppRunner(Site(exposition=HugeExposition(None, time)).application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    for _ in range(3):
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)  # now it waits for the client to read on
        assert holders() > before
        writer.transport.abort()
    for _ in range(200):
        if holders() == before:
            break
        await asyncio.sleep(0.05)
    assert holders() == before
    await runner.cleanup()
