"""The main job with nothing left out: the daemon as a process, real SOAP over HTTP, a real Prometheus."""

import html
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

from exporter.simulator import PASSWORD, Simulator
from tests.support.configs import config
from tests.support.peers import (
    DaemonFactory,
    PhpProvider,
    PrometheusFactory,
    eventually,
    promtool_check_metrics,
)
from tests.support.series import shown_when, total
from tests.support.simulation import control, running

SUSPENDED = "cfdi_account_suspended"
THREE = ("acme", "globex", "initech")


@pytest.mark.peer("php")
def test_each_account_shows_its_figures_and_every_call_is_counted(
    daemon: DaemonFactory, php_provider: PhpProvider
) -> None:
    """Three accounts at 1 s against a provider that shares no code with the project."""
    for number, name in enumerate(THREE, 1):
        php_provider.set(
            name, password=PASSWORD, contracted=1000 * number, used=10 * number, available=990 * number
        )
    exporter = daemon(config(php_provider.wsdl_url, *THREE))

    def polled_thrice() -> dict[str, float] | None:
        metrics = exporter.metrics()
        return metrics if all(total(metrics, "cfdi_responses_total", name) >= 3 for name in THREE) else None

    metrics = eventually(polled_thrice)
    for number, name in enumerate(THREE, 1):
        assert metrics[f'cfdi_stamps_contracted{{account="{name}"}}'] == 1000 * number
        assert metrics[f'cfdi_stamps_used{{account="{name}"}}'] == 10 * number
        assert metrics[f'cfdi_stamps_available{{account="{name}"}}'] == 990 * number
        assert metrics[f'cfdi_account_up{{account="{name}"}}'] == 1

    def adds_up() -> bool:
        shown = exporter.metrics()
        return all(total(shown, "cfdi_responses_total", name) == php_provider.calls(name) for name in THREE)

    # A call may be under way, or its answer not shown yet, at any one look; never at all of them.
    eventually(adds_up)
    for name in THREE:
        assert total(exporter.metrics(), "cfdi_poll_failures_total", name) == 0


@pytest.mark.peer("php")
def test_a_provider_that_is_down_costs_the_balance_only_when_it_is_stale(
    daemon: DaemonFactory, php_provider: PhpProvider
) -> None:
    """Stopped: connection failures, the balance until ``stale_after``, then none. Back: it recovers."""
    php_provider.set("acme", password=PASSWORD, contracted=1000, used=100, available=900)
    exporter = daemon(config(php_provider.wsdl_url, "acme", extra=", stale_after: 4s"))
    balance = 'cfdi_stamps_available{account="acme"}'
    own = 'cfdi_poll_failures_total{account="acme",reason="connection"}'
    refused = 'cfdi_provider_poll_failures_total{pac_environment="peer",reason="connection"}'
    eventually(lambda: exporter.metrics().get(balance) == 900)
    metrics = exporter.metrics()
    assert (metrics[refused], own in metrics) == (0, False)

    php_provider.stop()
    metrics = shown_when(exporter, lambda shown: shown[refused] >= 1 and own in shown)
    assert metrics[own] == 0, "born at 0"
    assert metrics[balance] == 900
    assert metrics['cfdi_account_up{account="acme"}'] == 0
    metrics = shown_when(exporter, lambda shown: balance not in shown)
    assert metrics['cfdi_account_last_status_code{account="acme"}'] == 200
    assert exporter.running

    php_provider.set("acme", password=PASSWORD, contracted=1000, used=250, available=750)
    php_provider.start()
    metrics = shown_when(exporter, lambda shown: shown.get(balance) == 750)
    assert metrics['cfdi_account_up{account="acme"}'] == 1
    assert metrics['cfdi_stamps_consumed_total{account="acme"}'] == 150
    assert 'msg="account recovered" account=acme' in exporter.log


@pytest.mark.peer("php")
def test_it_starts_without_a_provider_and_serves_meanwhile(
    daemon: DaemonFactory, php_provider: PhpProvider
) -> None:
    """The WSDL can't be had at the start: the daemon serves, counts, and recovers by itself."""
    php_provider.set("acme", password=PASSWORD, contracted=10, used=1, available=9)
    wsdl = php_provider.wsdl_url
    php_provider.stop()
    exporter = daemon(config(wsdl, "acme"))
    refused = 'cfdi_provider_poll_failures_total{pac_environment="peer",reason="connection"}'
    metrics = shown_when(exporter, lambda shown: shown.get(refused, 0) >= 1)
    assert 'cfdi_stamps_available{account="acme"}' not in metrics
    assert exporter.get("/-/healthy").status == exporter.get("/-/ready").status == 200

    php_provider.start()
    eventually(lambda: exporter.metrics().get('cfdi_stamps_available{account="acme"}') == 9, timeout=40)


def test_a_slow_account_delays_no_other(daemon: DaemonFactory) -> None:
    """One account that answers after 30 s among 50 that answer at once, with 4 calls in flight."""
    simulator = Simulator(extra_accounts=50)
    fast = [f"load-{number:05}@demo.example" for number in range(1, 51)]
    simulator.accounts["slow@demo.example"].delay = 30.0
    with running(simulator):
        exporter = daemon(
            config(simulator.wsdl_url, *fast, "slow@demo.example", environment=", concurrency: 4")
        )
        names = [username.partition("@")[0] for username in fast]

        def polled(times: int) -> dict[str, float] | None:
            metrics = exporter.metrics()
            polls = (total(metrics, "cfdi_responses_total", name) for name in names)
            return metrics if min(polls) >= times else None

        # The first polls wait for the WSDL, which takes a second or two on a busy machine.
        before = eventually(lambda: polled(2))
        after = eventually(lambda: polled(8), timeout=30)
        assert simulator.accounts["slow@demo.example"].calls == 1
        assert total(after, "cfdi_responses_total", "slow") == 0
        # Each poll that starts more than a second late would be missing below.
        lag = "cfdi_exporter_poll_lag_seconds"
        in_time, polls = (
            after[name] - before[name] for name in (f'{lag}_bucket{{le="1.0"}}', f"{lag}_count")
        )
        assert in_time == polls


def test_the_simulated_provider_shows_in_the_metrics(daemon: DaemonFactory) -> None:
    """Every state that a user meets, compared to the provider's own balances."""
    simulator = Simulator()
    names = ("healthy", "low", "exhausted", "wrong-password", "flaky", "code-605", "code-631", "code-500")
    with running(simulator):
        exporter = daemon(config(simulator.wsdl_url, *(f"{name}@demo.example" for name in names)))

        def all_polled() -> dict[str, float] | None:
            metrics = exporter.metrics()
            suspended = [
                f'cfdi_account_suspended{{account="{name}"}}' for name in ("wrong-password", "code-605")
            ]
            done = all(f'cfdi_account_last_status_code{{account="{name}"}}' in metrics for name in names)
            return metrics if done and all(metrics[name] for name in suspended) else None

        metrics = eventually(all_polled)
        for name in ("healthy", "low"):
            balance = simulator.accounts[f"{name}@demo.example"].life.balance(simulator.now())
            assert metrics[f'cfdi_stamps_contracted{{account="{name}"}}'] == balance.contracted
            assert abs(metrics[f'cfdi_stamps_used{{account="{name}"}}'] - balance.used) <= 5
        assert metrics['cfdi_stamps_available{account="exhausted"}'] == 0
        assert 'cfdi_stamps_contracted{account="exhausted"}' not in metrics
        assert metrics['cfdi_stamps_available{account="code-631"}'] == 0
        assert metrics['cfdi_account_up{account="code-500"}'] == 0
        assert 'cfdi_stamps_available{account="wrong-password"}' not in metrics
        assert simulator.accounts["wrong-password@demo.example"].calls == 2
        assert simulator.accounts["code-605@demo.example"].calls == 1
        assert metrics[f'{SUSPENDED}{{account="code-605"}}'] == 1

        control(simulator, "healthy@demo.example", top_up=5000)
        bought = 'cfdi_stamps_purchased_total{account="healthy"}'
        after = shown_when(exporter, lambda shown: shown[bought] == 5000)
        key = 'cfdi_stamps_contracted{account="healthy"}'
        assert after[key] == metrics[key] + 5000


@pytest.mark.peer("prometheus")
def test_prometheus_scrapes_it_and_promtool_has_no_complaint(
    daemon: DaemonFactory, prometheus: PrometheusFactory
) -> None:
    """Debian's Prometheus, asked through its API."""
    simulator = Simulator()
    with running(simulator):
        exporter = daemon(config(simulator.wsdl_url, "low@demo.example", "exhausted@demo.example"))
        server = prometheus([exporter.address])

        def scraped() -> dict[str, float] | None:
            rows = server.query('cfdi_stamps_available{job="cfdi-stamps"}')
            found = {row["metric"]["account"]: float(row["value"][1]) for row in rows}
            return found if len(found) == 2 else None

        balance = eventually(scraped)
        assert balance["exhausted"] == 0
        assert 0 < balance["low"] < 100
        assert [target["health"] for target in server.targets()] == ["up"]
        [row] = server.query('cfdi_provider_responses_total{code="630"}')
        assert float(row["value"][1]) >= 1
        for accept in ("text/plain", "application/openmetrics-text"):
            response = exporter.get("/metrics", {"Accept": accept})
            assert response.status == 200
        # Its only complaint is a figure in days, where Prometheus' own are in seconds: people count in days.
        complaint = 'cfdi_stamps_history_days use base unit "seconds" instead of "days"'
        assert promtool_check_metrics(exporter.get("/metrics", {}).text).splitlines() == [complaint]


@pytest.mark.peer("php")
def test_it_ends_within_10_seconds_during_polls(daemon: DaemonFactory, php_provider: PhpProvider) -> None:
    """Either signal during polls that take long: exit code 0, in time. Both at once, as this is waiting."""
    signals = {"acme": SIGTERM, "globex": SIGINT}
    for name in signals:
        php_provider.set(name, password=PASSWORD, contracted=10, used=1, available=9, delay=30.0)
    exporters = {name: daemon(config(php_provider.wsdl_url, name)) for name in signals}
    eventually(lambda: all(php_provider.calls(name) for name in signals))
    with ThreadPoolExecutor() as pool:
        ends = pool.map(lambda name: exporters[name].stop(signals[name], timeout=10), signals)
        assert list(ends) == [0, 0]
    assert not any("Traceback" in exporter.log for exporter in exporters.values())


NO_NAME_SERVER = """\
import socket, time
look_up = socket.getaddrinfo
def silence(host, *details, **more):
    if host == "pac.example":
        print("looked up", flush=True)
        time.sleep(30)
    return look_up(host, *details, **more)
socket.getaddrinfo = silence
from exporter.cli.main import run
run()
"""


def test_it_ends_in_time_though_the_name_servers_do_not_answer(daemon: DaemonFactory) -> None:
    """The system looks for a name in its own time, here half a minute; nobody waits for that."""
    exporter = daemon(
        config("http://pac.example/ws?wsdl", "acme", environment=", allow_plaintext: true"),
        command=(sys.executable, "-c", NO_NAME_SERVER),
    )
    eventually(lambda: "looked up" in exporter.log)
    assert exporter.stop(timeout=10) == 0  # of which 4 s are those that polls under way have


def test_balances_and_counters_are_back_at_once_after_a_kill(daemon: DaemonFactory) -> None:
    """SIGKILL, start: the balance is shown before any poll, and the counters don't go back."""
    simulator = Simulator(speed=20000)
    key = 'cfdi_stamps_consumed_total{account="healthy"}'
    with running(simulator):
        # A busy machine takes longer for the start than the three intervals that a balance is shown for.
        exporter = daemon(config(simulator.wsdl_url, "healthy@demo.example", extra=", stale_after: 10m"))
        before = shown_when(exporter, lambda shown: shown.get(key, 0) > 10)
        exporter.kill()
        simulator.accounts["healthy@demo.example"].delay = 60.0
        exporter.start()
        after = shown_when(exporter, lambda shown: key in shown)
    assert after[key] >= before[key]
    assert 'cfdi_stamps_available{account="healthy"}' in after
    assert total(after, "cfdi_responses_total", "healthy") == 0


def test_the_command_on_the_page_lifts_the_suspension(daemon: DaemonFactory, tmp_path: Path) -> None:
    """As it stands there, in any directory: it finds the daemon's own configuration and storage."""
    with running(simulator := Simulator()):
        account = simulator.accounts["code-602@demo.example"]
        exporter = daemon(config(simulator.wsdl_url, "code-602@demo.example"))
        shown_when(exporter, lambda shown: shown.get('cfdi_account_suspended{account="code-602"}') == 1)
        account.code = 200
        (command,) = re.findall("<code><bdi>(.*?)</bdi></code>", exporter.get("/").text)
        words = shlex.split(html.unescape(command))
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("code-602: 200: completed successfully.")
        assert account.calls == 2
        assert not (tmp_path / "state.db").exists()


def test_the_demo_has_metrics_within_ten_seconds(daemon: DaemonFactory) -> None:
    """The demonstration says plainly what it is, and needs no configuration."""
    exporter = daemon("# not read\n", "demo")
    balance = 'cfdi_stamps_available{account="healthy"}'
    metrics = shown_when(exporter, lambda shown: balance in shown, timeout=10)
    assert metrics['cfdi_account_info{account="healthy",pac_environment="simulated",team="demo"}'] == 1
    assert "SIMULATED" in exporter.log
    assert "The provider is simulated" in exporter.get("/").text
    shown_when(exporter, lambda shown: shown.get('cfdi_account_suspended{account="wrong-password"}') == 1)
    shown_when(exporter, lambda shown: 'cfdi_stamps_depletion_timestamp_seconds{account="healthy"}' in shown)
    (command,) = re.findall("<code><bdi>(curl .*?)</bdi></code>", exporter.get("/?q=wrong").text)
    done = subprocess.run(shlex.split(html.unescape(command)), capture_output=True, text=True, check=False)
    assert done.stdout == "resumed: one new try\n"
    assert "http://127.0.0.1" in exporter.log
    assert exporter.stop() == 0


def test_the_demo_shows_a_past(daemon: DaemonFactory) -> None:
    """Until when the stamps last is told at once, at the pace at which the simulated accounts go on."""
    exporter = daemon("# not read\n", "demo")
    lasts = "cfdi_stamps_depletion_timestamp_seconds"
    names = ("healthy", "low", "running-out", "topped-up")
    shown = shown_when(exporter, lambda shown: all(f'{lasts}{{account="{name}"}}' in shown for name in names))
    for name, usual in zip(names, (300, 2, 4800, 200), strict=True):
        assert shown[f'cfdi_stamps_history_days{{account="{name}"}}'] == 120
        assert shown[f'cfdi_stamps_usual_day{{account="{name}"}}'] == pytest.approx(usual, rel=0.3)
    assert (shown[f'{lasts}{{account="running-out"}}'] - time.time()) / 86_400 == pytest.approx(1.5, abs=0.3)
    assert exporter.get("/", {}).text.count("until") >= len(names)
