"""What the tests stand on: the peers and the process handling, proved without the exporter."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGINT, SIGKILL
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from requests import Session
from zeep import Client
from zeep.transports import Transport

from tests.support.peers import (
    AlertmanagerFactory,
    DaemonFactory,
    FakeClock,
    PhpProvider,
    PhpProviderFactory,
    PrometheusFactory,
    Webhook,
    amtool,
    eventually,
    promtool_check_metrics,
    samples,
)
from tests.support.peers.http import request
from tests.support.peers.logfmt import fields, listening_address
from tests.support.peers.requirement import PACKAGES

EXPOSITION = "# HELP cfdi_demo A demonstration.\n# TYPE cfdi_demo gauge\ncfdi_demo 1\n"
BINDING = "{http://php.peer.example/balance}BalanceSoap11"

Call = Callable[[str, str], Any]


@pytest.fixture
def soap() -> Iterator[Callable[[PhpProvider], Call]]:
    """Makes a zeep call of a provider, sent to the host that its WSDL came from."""
    with Session() as session:

        def connect(provider: PhpProvider) -> Call:
            transport = Transport(session=session)  # type: ignore[no-untyped-call]
            client = Client(provider.wsdl_url, transport=transport)  # type: ignore[no-untyped-call]
            path = urlsplit(client.service._binding_options["address"]).path
            address = f"http://127.0.0.1:{provider.port}{path}"
            service = client.create_service(BINDING, address)  # type: ignore[no-untyped-call]
            call: Call = service.getTimbresImplementacion
            return call

        yield connect


@pytest.fixture
def static_target() -> Iterator[str]:
    """The address of a server that shows one metric, whatever the path."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(EXPOSITION.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.peer("php")
class TestPhpProvider:
    def test_zeep_reads_the_figures(
        self, php_provider: PhpProvider, soap: Callable[[PhpProvider], Call]
    ) -> None:
        """What is set is what zeep gets, although the WSDL's own address leads nowhere."""
        php_provider.set("ws@acme.example", password="a$b", contracted=1000, used=400, available=600)
        answer = soap(php_provider)("ws@acme.example", "a$b")
        assert (answer.status, answer.contratados, answer.usados, answer.disponibles) == (200, 1000, 400, 600)

    @pytest.mark.parametrize(("username", "password"), [("acme", "wrong"), ("nobody", "secret"), ("7", "7")])
    def test_a_wrong_credential_is_answered_601_and_counted(
        self, username: str, password: str, php_provider: PhpProvider, soap: Callable[[PhpProvider], Call]
    ) -> None:
        """No figures go to a stranger, and the try counts under the name that it used."""
        php_provider.set("acme", password="secret", contracted=10, used=4, available=6)
        answer = soap(php_provider)(username, password)
        assert (answer.status, answer.contratados, answer.disponibles) == (601, None, None)
        assert php_provider.calls(username) == 1

    def test_an_account_changes_between_two_calls(
        self, php_provider: PhpProvider, soap: Callable[[PhpProvider], Call]
    ) -> None:
        """The next call sees the new code, and a figure that is not set has no field."""
        call = soap(php_provider)
        php_provider.set("acme", password="secret", available=1)
        assert call("acme", "secret").disponibles == 1
        php_provider.set("acme", password="other", code=630)
        assert (call("acme", "secret").status, call("acme", "other").status) == (601, 630)
        assert call("acme", "other").disponibles is None
        assert php_provider.calls("acme") == 4

    def test_parallel_calls_are_all_counted(
        self, php_provider: PhpProvider, soap: Callable[[PhpProvider], Call]
    ) -> None:
        """Twenty calls at once, on two accounts: none is lost between the workers."""
        call = soap(php_provider)
        for name in ("acme", "beta"):
            php_provider.set(name, password="secret", available=5)
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(call, ["acme", "beta"] * 10, ["secret"] * 20))
        assert [answer.status for answer in answers] == [200] * 20
        assert (php_provider.calls("acme"), php_provider.calls("beta")) == (10, 10)

    def test_a_slow_call_is_counted_before_it_is_answered(
        self, php_provider: PhpProvider, soap: Callable[[PhpProvider], Call]
    ) -> None:
        """While one account waits for its answer, another gets its own."""
        call = soap(php_provider)
        php_provider.set("slow", password="secret", available=1, delay=1.0)
        php_provider.set("fast", password="secret", available=2)
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(call, "slow", "secret")
            eventually(lambda: php_provider.calls("slow") == 1)
            assert call("fast", "secret").disponibles == 2
            assert not slow.done()
            assert slow.result().disponibles == 1

    def test_a_restart_keeps_port_and_state(
        self, php_provider: PhpProvider, soap: Callable[[PhpProvider], Call]
    ) -> None:
        """A stopped provider refuses connections; started again it is the same one."""
        call = soap(php_provider)
        php_provider.set("acme", password="secret", available=5)
        call("acme", "secret")
        url = php_provider.wsdl_url
        php_provider.stop()
        with pytest.raises(ConnectionRefusedError):
            request(f"127.0.0.1:{php_provider.port}", "/")
        assert php_provider.calls("acme") == 1
        php_provider.set("acme", password="secret", available=4)
        php_provider.start()
        assert php_provider.wsdl_url == url
        assert call("acme", "secret").disponibles == 4
        assert php_provider.calls("acme") == 2

    def test_only_the_service_has_a_page(self, php_provider: PhpProvider) -> None:
        """The path is real: a client that makes one up gets no answer."""
        assert request(f"127.0.0.1:{php_provider.port}", "/elsewhere?wsdl").status == 404

    def test_two_providers_know_nothing_of_each_other(self, php_providers: PhpProviderFactory) -> None:
        """Each has its own port and accounts."""
        one, two = php_providers(), php_providers()
        one.set("acme", password="secret")
        assert one.port != two.port
        assert "acme" not in two._state_file.read_text()


@pytest.mark.peer("prometheus")
class TestPrometheus:
    def test_it_scrapes_and_answers(
        self, static_target: str, prometheus: PrometheusFactory, tmp_path: Path
    ) -> None:
        """A sample, and what a rule makes of it, come back through the API; a scrape option is in force."""
        rules = tmp_path / "rules.yml"
        rules.write_text("groups: [{name: demo, rules: [{record: cfdi_doubled, expr: cfdi_demo * 2}]}]")
        server = prometheus([static_target], rule_files=[rules], scrape_options={"metrics_path": "/other"})
        (demo,) = eventually(lambda: server.query("cfdi_demo"))
        (doubled,) = eventually(lambda: server.query("cfdi_doubled"))
        labels = {"instance": static_target, "job": "cfdi-stamps"}
        assert (demo["metric"], demo["value"][1]) == ({"__name__": "cfdi_demo", **labels}, "1")
        assert (doubled["metric"], doubled["value"][1]) == ({"__name__": "cfdi_doubled", **labels}, "2")
        (target,) = server.targets()
        assert (target["health"], target["scrapeUrl"]) == ("up", f"http://{static_target}/other")

    def test_a_wrong_query_says_why(self, prometheus: PrometheusFactory) -> None:
        """An error of the API is not an empty result."""
        server = prometheus([])
        with pytest.raises(AssertionError, match="parse error"):
            server.query("sum(")

    def test_promtool_reads_an_exposition(self) -> None:
        """No complaint about a good one; promtool's words about one that could be better; a bad one fails."""
        assert promtool_check_metrics(EXPOSITION) == ""
        assert "no help text" in promtool_check_metrics("# TYPE cfdi_demo gauge\ncfdi_demo 1\n")
        with pytest.raises(AssertionError, match="promtool exit 1"):
            promtool_check_metrics("cfdi_demo one\n")


@pytest.mark.peer("alertmanager")
class TestAlertmanager:
    ROUTE: ClassVar = {"receiver": "webhook", "group_wait": "0s", "group_by": ["..."]}

    def config(self, webhook: Webhook, **more: object) -> dict[str, object]:
        """One that tells a webhook of every alert by itself."""
        receiver = {"name": "webhook", "webhook_configs": [{"url": webhook.url}]}
        return {"route": self.ROUTE, "receivers": [receiver], **more}

    def test_an_alert_reaches_the_webhook_or_is_held_back(
        self, alertmanager: AlertmanagerFactory, webhook: Webhook
    ) -> None:
        """One fires, another is inhibited by it; both are known to Alertmanager."""
        inhibition = {"source_matchers": ["alertname=Big"], "target_matchers": ["alertname=Small"]}
        server = alertmanager(self.config(webhook, inhibit_rules=[inhibition]))
        for name in ("Big", "Small"):
            amtool("alert", "add", name, "account=acme", f"--alertmanager.url=http://{server.address}")
        eventually(lambda: webhook.statuses("Big", account="acme") == ["firing"])
        (small,) = eventually(lambda: server.alerts(alertname="Small"))
        assert small["status"]["state"] == "suppressed"
        assert server.alerts(account="other") == []
        assert webhook.statuses("Small") == webhook.statuses("Big", account="other") == []

    def test_a_wrong_configuration_says_why(self, alertmanager: AlertmanagerFactory) -> None:
        """It ends, and its words are in the error."""
        with pytest.raises(AssertionError, match="no routes provided"):
            alertmanager({"receivers": [{"name": "webhook"}]})

    def test_amtool_says_what_is_wrong(self, tmp_path: Path) -> None:
        """What it refuses is an error with its words."""
        file = tmp_path / "alertmanager.yml"
        file.write_text("route: {receiver: nobody}")
        with pytest.raises(AssertionError, match="undefined receiver"):
            amtool("check-config", file)


LISTENER = """
import http.server, signal, subprocess, sys

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'b_total{y="1",x="q\\\\"q"} 2\\na 1\\n' if self.path == "/metrics" else b"page")
    do_POST = do_GET

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
print("arguments", *sys.argv[1:])
print(f'level=info child={child.pid} msg="listening" address=127.0.0.1:{server.server_port}', file=sys.stderr)
print('level=info msg="configuration loaded"', file=sys.stderr)
server.serve_forever()
"""
STUBBORN = LISTENER.replace("sys.exit(7)", "None")
BROKEN = "import sys; sys.exit('accounts[0].name: must not be empty')"


def python(script: str) -> list[str]:
    """The command that runs a script in place of the exporter."""
    return [sys.executable, "-c", script]


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def child_of(log: str) -> int:
    """The child that the last run of the stand-in has started."""
    return int([found["child"] for line in log.splitlines() if "child" in (found := fields(line))][-1])


class TestDaemon:
    def test_it_is_asked_over_http(self, daemon: DaemonFactory) -> None:
        """The address comes from the log; samples are found by their alphabetical labels."""
        exporter = daemon("accounts: []\n", "--log.level=debug", command=python(LISTENER))
        assert exporter.url == f"http://{exporter.address}"
        assert (exporter.get("/").status, exporter.post("/-/reload").text) == (200, "page")
        assert exporter.metrics() == {'b_total{x="q\\"q",y="1"}': 2.0, "a": 1.0}
        assert exporter.config_file.read_text() == "accounts: []\n"
        assert f"--config.file={exporter.config_file} --web.listen-address=127.0.0.1:0" in exporter.log

    def test_a_given_flag_replaces_the_harness_own(self, daemon: DaemonFactory) -> None:
        """A flag that may be repeated is not given twice by accident."""
        exporter = daemon("", "--storage.path=:memory:", command=python(LISTENER))
        assert exporter.log.count("--storage.path") == 1

    def test_stop_gives_the_exit_code_and_leaves_no_child(self, daemon: DaemonFactory) -> None:
        """What the daemon started ends with it, and it can be started again."""
        exporter = daemon("", command=python(LISTENER))
        assert alive(child_of(exporter.log))
        assert exporter.stop() == 7
        assert not exporter.running
        eventually(lambda: not alive(child_of(exporter.log)))
        exporter.start()
        assert exporter.get("/").status == 200
        assert exporter.stop(SIGKILL) == -SIGKILL

    def test_kill_leaves_no_child(self, daemon: DaemonFactory) -> None:
        """The whole group goes, without a word."""
        exporter = daemon("", command=python(LISTENER))
        pid = exporter.pid
        exporter.kill()
        exporter.kill()
        eventually(lambda: not alive(pid) and not alive(child_of(exporter.log)))

    def test_one_that_does_not_stop_is_killed_and_shown(self, daemon: DaemonFactory) -> None:
        """The test fails with the log, and nothing runs on."""
        exporter = daemon("", command=python(STUBBORN))
        pid = exporter.pid
        with pytest.raises(AssertionError, match=r"(?s)SIGTERM did not end it within 0\.2 s.*listening"):
            exporter.stop(timeout=0.2)
        assert not alive(pid)

    def test_one_that_ends_at_once_shows_its_log(self, daemon: DaemonFactory) -> None:
        """No waiting for the deadline, and the reason is in the failure."""
        with pytest.raises(AssertionError, match=r"(?s)it ended; exit code 1;.*accounts\[0\]\.name"):
            daemon("", command=python(BROKEN))

    def test_an_interrupt_reaches_it(self, daemon: DaemonFactory) -> None:
        """The signal of a test is the signal that the process gets."""
        exporter = daemon("", command=python(LISTENER))
        exporter.send(SIGINT)
        eventually(lambda: not exporter.running)
        assert "KeyboardInterrupt" in exporter.log


@pytest.mark.parametrize(
    ("log", "address"),
    [
        ("", None),
        ("level=info msg=listening address=127.0.0.1:80", None),
        ("level=info msg=listening address=127.0.0.1:80\n", "127.0.0.1:80"),
        ('an "odd line\nts=1 address=127.0.0.1:80 msg="listening"\n', "127.0.0.1:80"),
        ('{broken\n{"msg": "listening", "address": "127.0.0.1:80"}\n', "127.0.0.1:80"),
        ("msg=other address=127.0.0.1:80\n", None),
    ],
)
def test_the_address_in_a_log(log: str, address: str | None) -> None:
    """Both log formats, any order, whole lines only."""
    assert listening_address(log, "listening") == address


def test_a_sample_that_stands_twice_is_an_error() -> None:
    """A comparison never picks one of two values."""
    with pytest.raises(AssertionError, match=r'a\{x="1"\}'):
        samples('a{x="1"} 1\na{x="1"} 2\n')


def test_eventually_shows_the_last_value() -> None:
    """At the deadline the test says what it saw instead."""
    values = iter([0, 0, 3])
    assert eventually(lambda: next(values)) == 3
    with pytest.raises(AssertionError, match=r"not within 0\.05 s; last value: \[\]"):
        eventually(list, timeout=0.05)


def test_the_clock_moves_only_by_hand(clock: FakeClock) -> None:
    """Both times advance together; Unix time can jump alone."""
    start = clock.time(), clock.monotonic()
    clock.advance(1.5)
    clock.time_seconds -= 60
    assert (clock.time() - start[0], clock.monotonic() - start[1]) == (-58.5, 1.5)


# Of the plugins in this project's environment the inner runs need only the one that is tested.
PLUGINS = ("-p", "tests.support.peers.requirement", "-p", "no:asyncio")


class TestRequirement:
    """What happens to a test whose peer is missing; run as a pytest run of its own."""

    TWO_TESTS = """
        import pytest

        @pytest.fixture
        def never():
            raise RuntimeError("made although the peer is missing")

        @pytest.mark.peer("php")
        def test_php(never): ...

        def test_other(): ...
    """

    @pytest.fixture
    def run(self, pytester: pytest.Pytester) -> Callable[[], pytest.RunResult]:
        """Runs the two tests under the plugin."""
        pytester.makepyfile(self.TWO_TESTS)
        pytester.makeini("[pytest]\nmarkers = peer(name): as in this project")
        return lambda: pytester.runpytest_inprocess(*PLUGINS, "-ra")

    @pytest.fixture
    def programs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The only directory in which programs are found."""
        directory = tmp_path / "programs"
        directory.mkdir()
        monkeypatch.setenv("PATH", str(directory))
        return directory

    @pytest.mark.usefixtures("programs")
    def test_skipped_with_the_packages(
        self, run: Callable[[], pytest.RunResult], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a developer's machine: skipped before its fixtures, and the end of the run says so."""
        monkeypatch.delenv("CI", raising=False)
        result = run()
        result.assert_outcomes(passed=1, skipped=1)
        result.stdout.fnmatch_lines(
            [
                "1 skipped for want of a peer: install the Debian packages php-cli php-soap",
                "SKIPPED*php is missing: install the Debian packages php-cli php-soap",
            ],
            consecutive=False,
        )

    @pytest.mark.usefixtures("programs")
    def test_failed_in_ci(self, run: Callable[[], pytest.RunResult], monkeypatch: pytest.MonkeyPatch) -> None:
        """Where everything must be proved, a missing peer is an error."""
        monkeypatch.setenv("CI", "true")
        result = run()
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*php is missing: install the Debian packages php-cli php-soap"])
        result.stdout.no_fnmatch_line("*skipped for want of a peer*")

    def test_what_no_debian_package_has(
        self, pytester: pytest.Pytester, run: Callable[[], pytest.RunResult], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The remedy is `make tools`; those of other peers are said beside it."""
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setattr("tests.support.peers.requirement.tool", lambda _name: None)
        monkeypatch.setitem(PACKAGES, "php", lambda: ("php-cli",))
        pytester.makepyfile(test_more='import pytest\n@pytest.mark.peer("helm")\ndef test_helm(): ...')
        result = run()
        result.assert_outcomes(passed=1, skipped=2)
        result.stdout.fnmatch_lines(
            [
                "2 skipped for want of a peer: install the Debian package php-cli and run make tools",
                "SKIPPED*helm is missing: run make tools",
            ],
            consecutive=False,
        )

    @pytest.mark.process
    def test_php_alone_is_not_enough(
        self, run: Callable[[], pytest.RunResult], programs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only the missing package is named: the SOAP extension."""
        monkeypatch.delenv("CI", raising=False)
        php = programs / "php"
        php.write_text("#!/bin/sh\necho Core\necho libxml\n")
        php.chmod(0o755)
        run().stdout.fnmatch_lines(["SKIPPED*php is missing: install the Debian package php-soap"])

    @pytest.mark.process
    def test_present_and_silent(
        self, run: Callable[[], pytest.RunResult], programs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the peer there the test runs: here into its own error."""
        monkeypatch.delenv("CI", raising=False)
        php = programs / "php"
        php.write_text("#!/bin/sh\necho Core\necho soap\n")
        php.chmod(0o755)
        result = run()
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*made although the peer is missing"])

    def test_an_unknown_peer_is_an_error(self, pytester: pytest.Pytester) -> None:
        """A typing error in a marker never skips a test."""
        pytester.makepyfile('import pytest\n@pytest.mark.peer("hpp")\ndef test_it(): ...')
        pytester.makeini("[pytest]\nmarkers = peer(name): as in this project")
        result = pytester.runpytest_inprocess(*PLUGINS)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*no peer 'hpp'*"])
