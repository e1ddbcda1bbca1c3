"""`history import --from-prometheus`: from samples to days, a real Prometheus, hostile servers."""

import asyncio
import json
import shutil
import sqlite3
import ssl
import subprocess
import time
from array import array
from contextlib import closing
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from exporter.account.past import HISTORY
from exporter.cli import prometheus as client
from exporter.cli.history import ANSWERED, CONSUMED, USED
from exporter.cli.http_config import HttpConfig, load_http_config
from exporter.cli.main import main
from exporter.cli.replay import STEP, AmbiguousError, Period, Sample, Series, use_of_days
from exporter.config import load
from exporter.secret import Secret
from exporter.simulator import Simulator
from exporter.storage import days
from tests.support.calendars import at, mexican
from tests.support.configs import config
from tests.support.dashboards.backfill import fill_with_samples
from tests.support.dashboards.history import SECONDS, as_openmetrics, let_them_live, lived
from tests.support.peers import Prometheus
from tests.support.peers.daemon import EXPORTER
from tests.support.peers.raw import RawServer, answering, closed_port, http, serving
from tests.support.peers.tls import Authority
from tests.support.simulation import running

MEXICO = mexican()
HOUR, DAY = 3600, 86_400
MONDAY = int(at(MEXICO, "2026-11-16"))
TODAY = date(2026, 11, 23)
PERIOD = Period(MEXICO, at(MEXICO, "2026-11-23 12:00"))


def samples(*hours: tuple[int, int], late: float = 600.0) -> Series:
    """Samples some hours after Monday's midnight, each with a counter; the provider answered a bit before."""
    return {MONDAY + hour * HOUR: Sample(stamps, MONDAY + hour * HOUR - late) for hour, stamps in hours}


def rising(first: int, last: int, each: int = 10, begin: int = 0) -> Series:
    """A counter that rises every hour."""
    return samples(*((hour, begin + each * (hour - first)) for hour in range(first, last)))


def found(*series: Series) -> dict[int, int | None]:
    """The use of days by their number, Monday's 0."""
    first = date(2026, 11, 16).toordinal()
    return {one.day - first: one.stamps for one in use_of_days(series, PERIOD)}


class TestSamples:
    def test_days_that_are_covered_are_known(self) -> None:
        """From midnight to midnight: neither the one on which it begins nor the present one."""
        assert found(rising(5, 80)) == {1: 240, 2: 240}
        assert found(rising(-1, 80)) == {0: 240, 1: 240, 2: 240}

    def test_hours_are_those_of_the_use(self) -> None:
        [monday] = use_of_days([samples((0, 0), (9, 0), (10, 50), (24, 50), (25, 50))], PERIOD)
        assert [round(stamps) for stamps in array("f", monday.hours)] == [0] * 8 + [8, 42] + [0] * 14

    def test_a_gap_is_spread(self) -> None:
        """As the exporter does with what one answer brings: what isn't known isn't 0."""
        gap = found({**rising(-1, 12), **rising(60, 80, begin=610)})
        assert gap == {0: 240, 1: 240, 2: 240}

    def test_without_answers_nothing_is_said(self) -> None:
        """The counter stands still as the provider doesn't answer: the last day has not ended."""
        still = {MONDAY + hour * HOUR: Sample(230, MONDAY + 22.5 * HOUR) for hour in range(23, 80)}
        assert found({**rising(-1, 23), **still}) == {}

    def test_a_counter_that_begins_anew(self) -> None:
        """The storage was lost: what was used in between nobody knows."""
        assert found({**rising(-1, 30), **rising(30, 80)}) == {0: 240, 2: 240}

    def test_a_restored_file(self) -> None:
        """It shows figures from before until the next poll, and goes on from the provider's own."""
        before, after = rising(-1, 30), rising(33, 80, each=30, begin=420)
        restored = {MONDAY + 31 * HOUR: before[MONDAY + 20 * HOUR], MONDAY + 32 * HOUR: before[MONDAY]}
        assert found({**before, **restored, **after}) == {0: 240, 1: 623, 2: 720}

    def test_a_clock_that_was_wrong(self) -> None:
        """An answer from the future, or from before the period, is none."""
        ahead = {MONDAY + 30 * HOUR: Sample(999, MONDAY + 40 * HOUR)}
        behind = {MONDAY + 31 * HOUR: Sample(999, 5.0)}
        assert found({**rising(-1, 80), **ahead, **behind}) == {0: 240, 1: 240, 2: 240}

    def test_an_exporter_that_moves(self) -> None:
        """Its labels change; for a moment both are there."""
        moved = found(rising(-1, 30), samples(*((hour, 10 * hour + 10) for hour in range(29, 80)), late=595))
        assert moved == {0: 240, 1: 240, 2: 240}

    def test_two_servers_that_scrape_one_exporter(self) -> None:
        other = {at: sample for at, sample in rising(-1, 80).items() if at % (5 * HOUR)}
        assert found(rising(-1, 80), other) == {0: 240, 1: 240, 2: 240}

    def test_two_exporters_at_once(self) -> None:
        """Nobody knows whose account that is."""
        with pytest.raises(AmbiguousError):
            found(rising(-1, 80), samples(*((hour, 7 * hour) for hour in range(80)), late=500))

    def test_the_period_ends_now_and_has_as_many_days_as_are_kept(self) -> None:
        """No query has more points than a Prometheus gives, 11,000."""
        assert PERIOD.last == at(MEXICO, "2026-11-23 12:00")
        first = PERIOD.day(PERIOD.first)
        assert first
        assert first.ordinal == TODAY.toordinal() - HISTORY
        assert PERIOD.day(PERIOD.first - DAY) is None
        assert (PERIOD.last - PERIOD.first) / STEP < 11_000

    def test_days_where_clocks_change(self) -> None:
        tijuana = mexican("America/Tijuana")
        period = Period(tijuana, at(tijuana, "2026-11-23 12:00"))
        short, long = (period.day(at(tijuana, f"{day} 12:00")) for day in ("2026-03-08", "2026-11-01"))
        assert short
        assert long
        assert (short.end - short.start, long.end - long.start) == (23 * HOUR, 25 * HOUR)


# With servers. ------------------------------------------------------------------------------------------


ACCOUNTS = (
    "accounts:\n- {name: acme, username: a, password: p}\n- {name: 'a|b\".*', username: b, password: p}\n"
)


def imported(folder: Path, url: str, *flags: str) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it said."""
    folder.mkdir(exist_ok=True)
    if not (folder / "config.yaml").exists():
        (folder / "config.yaml").write_text(ACCOUNTS)
    command = ["history", "import", f"--from-prometheus={url}", "--config.file=config.yaml", *flags]
    proxies = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [*EXPORTER, *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env=proxies,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


async def run(folder: Path, url: str, *flags: str) -> tuple[int, str, str]:
    """The same beside a server of this loop."""
    return await asyncio.to_thread(imported, folder, url, *flags)


async def asked(server: RawServer, path: str = "", access: HttpConfig | None = None) -> object:
    """What a query is answered with."""
    async with client.Prometheus(f"http://127.0.0.1:{server.port}{path}", access or HttpConfig()) as one:
        return await one.query_range("up", 0, 7200, 3600)


def said(result: object) -> bytes:
    """An answer of a Prometheus."""
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


GOOD = said([{"metric": {"account": "acme"}, "values": [[3600, "5"], [7200, "NaN"]]}])


async def test_what_it_asks_and_is_answered() -> None:
    """Of values those that are numbers. On one connection."""
    async with serving(answering(http("200 OK", GOOD), close=False)) as server:
        async with client.Prometheus(f"http://127.0.0.1:{server.port}/prefix/", HttpConfig()) as one:
            for _ in range(2):
                assert await one.query_range("up", 0, 7200, 3600) == {
                    frozenset({("account", "acme")}): {3600: 5.0}
                }
        assert server.connections == 1
        request = server.requests[0].decode()
        assert request.startswith("POST /prefix/api/v1/query_range HTTP/1.1\r\n")
        assert request.endswith("\r\n\r\nquery=up&start=0&end=7200&step=3600")
        assert "Accept-Encoding: identity" in request
        assert "Authorization" not in request


DEEP = b"[" * 100_000
HOSTILE = [
    (http("302 Found", b"", "Location: http://127.0.0.1:9/"), r"it redirects \(HTTP status 302\)", "URL"),
    (http("307 Temporary Redirect", b"", "Location: /other"), "it redirects", "URL"),
    (http("401 Unauthorized", b"no"), "HTTP status 401", "--http.config.file"),
    (http("403 Forbidden", b"{}"), "HTTP status 403", "--http.config.file"),
    (http("404 Not Found", b"<html>"), "HTTP status 404", "/api/v1"),
    (http("422 X", b'{"error": "too many\\n\\u001b[31m"}'), r"HTTP status 422: 'too many\\n\\x1b\[31m'", ""),
    (http("400 X", json.dumps({"error": "x" * 9000}).encode()), "HTTP status 400: 'x{300}'$", ""),
    (http("503 X", DEEP), "HTTP status 503$", "later"),
    (http("200 OK", DEEP), "isn't that of a Prometheus", "/api/v1"),
    (http("200 OK", b"<html>"), "isn't that of a Prometheus", ""),
    (http("200 OK", b'"\xff"'), "isn't that of a Prometheus", ""),
    (http("200 OK", b'{"status": "error"}'), "isn't that of a Prometheus", ""),
    (http("200 OK", said(None)), "isn't that of a Prometheus", ""),
    (http("200 OK", said([{"metric": 1, "values": []}])), "isn't that of a Prometheus", ""),
    (http("200 OK", said([{"metric": {}, "values": [[1]]}])), "isn't that of a Prometheus", ""),
    (http("200 OK", said([{"metric": {}, "values": [[1, []]]}])), "isn't that of a Prometheus", ""),
    (http("200 OK", said([{"metric": {}, "values": [[1e999, "1"]]}])), "isn't that of a Prometheus", ""),
    (http("200 OK", said([{"metric": {}, "values": [[1, "x"]]}])), "isn't that of a Prometheus", ""),
    (http("200 OK", said([]).replace(b"matrix", b"vector")), "isn't that of a Prometheus", ""),
    (http("200 OK", GOOD, "Content-Encoding: gzip"), "compressed", ""),
    (http("200 OK", GOOD)[:-5], "connection was lost", ""),
    (b"SSH-2.0\r\n\r\n", "isn't HTTP", ""),
    (b"", "connection was lost", ""),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "isn't HTTP", ""),
]


@pytest.mark.parametrize(("answer", "text", "remedy"), HOSTILE)
async def test_what_can_t_be_used(answer: bytes, text: str, remedy: str) -> None:
    """It is said, with what to do about it; nobody else is asked."""
    async with serving(answering(answer)) as server:
        with pytest.raises(client.PrometheusError, match=text) as raised:
            await asked(server)
        assert str(raised.value).startswith(f"http://127.0.0.1:{server.port}: ")
        assert remedy in raised.value.remedy
        assert len(server.requests) == 1


async def test_an_answer_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"[" * 100_000)
            await writer.drain()

    monkeypatch.setattr(client, "MOST_BYTES", 2**20)
    async with serving(endless) as server:
        with pytest.raises(client.PrometheusError, match="more than 1 MB") as raised:
            await asked(server)
        assert "--match" in raised.value.remedy


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_an_answer_that_drips(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"x" if head else b"")
            await writer.drain()
            await asyncio.sleep(0.05)

    monkeypatch.setattr(client, "SECONDS", 0.5)
    async with serving(drip) as server:
        began = time.monotonic()
        with pytest.raises(client.PrometheusError, match=r"no whole answer within 0\.5 s"):
            await asked(server)
        assert time.monotonic() - began < 5


async def test_nobody_there() -> None:
    with pytest.raises(client.PrometheusError, match="no connection: Connection refused"):
        await asked(RawServer(closed_port()))


class TestCredentials:
    """What `--http.config.file` says, and whom it is said to."""

    @pytest.mark.parametrize(
        ("text", "header"),
        [
            ("basic_auth: {username: ana, password: 'p: w'}", "Basic YW5hOnA6IHc="),
            ("basic_auth: {username: ana, password_file: kept}", "Basic YW5hOmZpbGUncw=="),
            ("authorization: {credentials: tok}", "Bearer tok"),
            ("authorization: {type: Token, credentials_file: kept}", "Token file's"),
            ("", None),
        ],
    )
    async def test_they_are_sent(self, tmp_path: Path, text: str, header: str | None) -> None:
        (tmp_path / "http.yaml").write_text(text)
        (tmp_path / "kept").write_text("file's\n")
        access = load_http_config(tmp_path / "http.yaml")
        assert "file's" not in repr(access)
        async with serving(answering(http("200 OK", GOOD))) as server:
            await asked(server, access=access)
        sent = [line for line in server.requests[0].decode().split("\r\n") if line.startswith("Auth")]
        assert sent == ([f"Authorization: {header}"] if header else [])

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("basic_auth: {username: ana}", "1: basic_auth: needs exactly one of password and password_file"),
            ("basic_auth: {password: hunter2}", "1: basic_auth.username: is required"),
            ("basic_auth: {username: 'a:b', password: hunter2}", "must be text on one line without a colon"),
            (
                "authorization: {credentials: hunter2, credentials_file: x}",
                "needs exactly one of credentials",
            ),
            ("authorization: {credentials: 'hunter2 x'}", "must be ASCII without blanks and line ends"),
            ("authorization: {type: 'Bearer hunter2', credentials: x}", "must be a scheme such as Bearer"),
            ("authorization: {credentials_file: none}", "credentials_file: No such file or directory"),
            ("authorization: {credentials_file: empty}", "credentials_file: is empty"),
            ("{authorization: {credentials: hunter2}, basic_auth: {}}", "may not stand beside basic_auth"),
            ("bearer_token: hunter2", "bearer_token: unknown key"),
            ("tls_config: {ca_file: none}", "tls_config.ca_file: No such file or directory"),
            ("proxy_url: http://x", "proxy_url: unknown key"),
        ],
    )
    def test_what_is_wrong(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, error: str
    ) -> None:
        """The file, the line and the key; never the secret."""
        (tmp_path / "config.yaml").write_text(ACCOUNTS)
        (tmp_path / "http.yaml").write_text(text)
        (tmp_path / "empty").write_text("\n")
        flags = [f"--config.file={tmp_path}/config.yaml", f"--http.config.file={tmp_path}/http.yaml"]
        assert main(["history", "import", "--from-prometheus=http://127.0.0.1:9", *flags]) == 2
        err = capsys.readouterr().err
        assert f"{tmp_path}/http.yaml" in err
        assert error in err
        assert "hunter2" not in err

    @pytest.mark.parametrize(
        ("url", "refused"),
        [
            ("http://prometheus.example", True),
            ("http://10.0.0.1:9090", True),
            ("http://127.0.0.1:9090", False),
            ("http://[::1]:9090/x", False),
            ("https://prometheus.example", False),
        ],
    )
    def test_not_in_clear(self, url: str, refused: bool) -> None:
        client.Prometheus(url, HttpConfig())
        access = HttpConfig(authorization=Secret("Bearer x"))
        if not refused:
            client.Prometheus(url, access)
            return
        with pytest.raises(client.PrometheusError, match="would send the credential in clear") as raised:
            client.Prometheus(url, access)
        assert raised.value.remedy == "use https://"

    async def test_only_to_whom_is_trusted(self, tmp_path: Path) -> None:
        """A server with another authority's certificate gets no request."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = Authority(tmp_path)
        identity = authority.issue("server")
        tls.load_cert_chain(identity.cert_file, identity.key_file)
        (tmp_path / "http.yaml").write_text(f"tls_config: {{ca_file: {authority.ca_file.name}}}")
        access = load_http_config(tmp_path / "http.yaml")
        async with serving(answering(http("200 OK", GOOD)), tls) as server:
            url = f"https://127.0.0.1:{server.port}"
            with pytest.raises(client.PrometheusError, match="no secure connection: ") as raised:
                async with client.Prometheus(url, HttpConfig(authorization=Secret("Bearer x"))) as one:
                    await one.query_range("up", 0, 1, 1)
            assert "ca_file" in raised.value.remedy
            assert server.requests == []
            async with client.Prometheus(url, access) as one:
                assert await one.query_range("up", 0, 1, 1)


URL = "--from-prometheus=http://x"
FLAGS = [
    ([], "either FILE or --from-prometheus=URL is needed"),
    (["past.csv", URL], "either FILE or --from-prometheus=URL is needed"),
    (["past.csv", '--match={a="b"}'], "--match has no effect without --from-prometheus"),
    (["past.csv", "--http.config.file=x"], "--http.config.file has no effect without --from-prometheus"),
    (["--from-prometheus=p:9090"], "must be a URL such as http://127.0.0.1:9090, got 'p:9090'"),
    (["--from-prometheus=http://x/?a"], "must be a URL such as"),
    (["--from-prometheus=http://ana:hunter2@x"], "must not hold a user or password: they belong into"),
    ([URL, "--match=cluster"], "must be matchers such as '{cluster=\"a\"}', got cluster"),
    ([URL, '--match={a="b"} or up'], "must be matchers such as"),
]


@pytest.mark.parametrize(("flags", "error"), FLAGS)
def test_wrong_flags(capsys: pytest.CaptureFixture[str], flags: list[str], error: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["history", "import", *flags])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert error in err
    assert "hunter2" not in err


@pytest.mark.process
async def test_an_import_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Nor does it go by the proxies of the environment. The exit code and the remedy say what to do."""
    async with serving(answering(http("200 OK", said([])))) as server:
        url = f"http://127.0.0.1:{server.port}"
        code, out, err = await run(tmp_path, url, '--match={cluster="a"}')
        assert (code, out) == (1, "acme: isn't there\na|b\".*: isn't there\n")
        assert f"{url}: has none of the accounts" in err
        assert "does it scrape this exporter" in err
        query = parse_qs(server.requests[0].decode().partition("\r\n\r\n")[2])["query"]
        assert query == [
            f'{{__name__=~"{CONSUMED}|{ANSWERED}|{USED}",account=~"acme|a\\\\|b\\"\\\\.\\\\*",cluster="a"}}'
        ]
    async with serving(answering(http("404 X", b""))) as server:
        code, out, err = await run(tmp_path / "other", f"http://127.0.0.1:{server.port}")
        assert (code, out) == (1, "")
        assert "HTTP status 404: the URL must be the one under which its /api/v1 is" in err
    assert not (tmp_path / "other" / "state.db").exists()


def kept(file: Path, folder: Path) -> dict[str, dict[int, int]]:
    """The days that a storage knows, by account."""
    names = {account.guard_key: account.name for account in load(folder / "config.yaml", {}).accounts}
    with closing(sqlite3.connect(file)) as db:
        return {names[key]: one.known() for key, one in days.load(db, names).items()}


@pytest.fixture(scope="module")
def lived_through(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, str]]]:
    """Ten days of an exporter's life: its configuration and state, and what was to be scraped."""
    folder, simulator, now = tmp_path_factory.mktemp("lived"), Simulator(), time.time()
    let_them_live(simulator.accounts, now - SECONDS)
    with running(simulator):
        users = (f"{name}@demo.example" for name in ("healthy", "running-out", "exhausted", "wrong-password"))
        (folder / "config.yaml").write_text(config(simulator.wsdl_url, *users, interval="15m"))
    seen = lived(load(folder / "config.yaml", {}), simulator.accounts, folder / "lived.db", now)
    names = CONSUMED, ANSWERED, USED
    return folder, [
        (moment, "".join(f"{line}\n" for line in text.splitlines() if line.startswith(names)))
        for moment, text in seen
    ]


Lived = tuple[Path, list[tuple[int, str]]]


@pytest.mark.process
@pytest.mark.peer("prometheus")
def test_what_a_prometheus_has_kept_is_what_the_exporter_counted(
    lived_through: Lived, tmp_path: Path
) -> None:
    """Day by day, but for what a sample an hour leaves open around midnight."""
    folder, seen = lived_through
    shutil.copy(folder / "config.yaml", tmp_path)
    fill_with_samples(tmp_path, as_openmetrics(seen, "exporter:10520"))
    with Prometheus(tmp_path) as server:
        code, out, err = imported(tmp_path, server.url)
        assert (code, err) == (0, "")
        counted, taken = kept(folder / "lived.db", folder), kept(tmp_path / "state.db", tmp_path)
        assert len(counted["running-out"]) >= 8
        assert counted.keys() == taken.keys()
        for name, of_days in counted.items():
            assert taken[name].keys() == of_days.keys(), name
            assert f"{name}: {len(of_days)} days added\n" in out
            for day, stamps in of_days.items():
                assert taken[name][day] == pytest.approx(stamps, abs=2 + 0.01 * stamps), (name, day)
        assert "wrong-password: isn't there\n" in out
        again = imported(tmp_path, server.url)[1]
        assert f"healthy: 0 days added, {len(counted['healthy'])} known already\n" in again


@pytest.mark.process
@pytest.mark.peer("prometheus")
def test_clusters_that_share_a_prometheus(lived_through: Lived, tmp_path: Path) -> None:
    """Accounts of one name aren't mixed up; `--match` tells which are meant."""
    folder, seen = lived_through
    shutil.copy(folder / "config.yaml", tmp_path)
    here = as_openmetrics(seen[-600:], "here:10520")
    there = as_openmetrics([(moment, doubled(text)) for moment, text in seen[-600:]], "there:10520")
    fill_with_samples(tmp_path, [line for line in (*here, *there) if line != "# EOF\n"] + ["# EOF\n"])
    with Prometheus(tmp_path) as server:
        code, out, err = imported(tmp_path, server.url)
        assert code == 1
        assert "days added" not in out
        assert "healthy: several exporters have it at the same time (instance='here:10520'" in err
        assert "choose one of them with --match" in err
        code, out, err = imported(tmp_path, server.url, '--match=instance="here:10520"')
        assert "healthy: " in out
        assert "several" not in err


def doubled(text: str) -> str:
    """What another exporter shows, which polls at other times."""
    lines = []
    for line in text.splitlines():
        series, value = line.rsplit(" ", 1)
        lines.append(f"{series} {float(value) + (60 if 'timestamp' in series else 1000)}\n")
    return "".join(lines)
