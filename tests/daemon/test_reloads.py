"""Reloading: all or nothing, by any of three ways, with polls under way and again and again."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGHUP
from typing import Any

import pytest
import trustme

from exporter.simulator import PASSWORD, Simulator
from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory, eventually
from tests.support.peers.daemon import launched
from tests.support.peers.hostile import HOST, HostileProvider
from tests.support.peers.misbehaviour import answers
from tests.support.series import shown_when, total
from tests.support.simulation import running

GOOD = "cfdi_exporter_config_last_reload_successful"
GOOD_AT = "cfdi_exporter_config_last_reload_success_timestamp_seconds"
RELOADED = 'msg="configuration reloaded"'
NOT_RELOADED = 'msg="configuration not reloaded"'
RESPONSES, FAILURES = "cfdi_responses_total", "cfdi_poll_failures_total"

QUIET = 1.0
"""Seconds without a change before a reload: tests would only wait through the five that people have."""

AT_ONCE = {"first_polls": 0.0}
SOON = {**AT_ONCE, "quiet": QUIET, "watch": 0.05}


def users(*names: str) -> list[str]:
    return [f"{name}@demo.example" for name in names]


def shows(metrics: dict[str, float], account: str) -> bool:
    return any(f'account="{account}"' in sample for sample in metrics)


def post(exporter: Daemon) -> None:
    response = exporter.post("/-/reload")
    assert response.status == 200, response.text


def hang_up(exporter: Daemon) -> None:
    count = exporter.log.count(RELOADED)
    exporter.send(SIGHUP)
    eventually(lambda: exporter.log.count(RELOADED) > count)


def wait(exporter: Daemon) -> None:
    count = exporter.log.count(RELOADED)
    eventually(lambda: exporter.log.count(RELOADED) > count)


@pytest.mark.parametrize("reload", [post, hang_up, wait])
def test_what_has_changed_is_taken_up_and_nothing_else(
    daemon: DaemonFactory, reload: Callable[[Daemon], None]
) -> None:
    """By POST, SIGHUP and itself: removed is gone at once, new is polled soon, unchanged stays as it is."""
    simulator = Simulator(extra_accounts=3)
    stays, goes, comes = (f"load-{number:05}" for number in range(1, 4))
    with running(simulator):
        exporter = daemon(
            config(simulator.wsdl_url, *users(stays, goes), interval="1h"),
            "--web.enable-lifecycle",
            "--config.auto-reload",
            command=launched(**SOON),
        )
        polled = lambda shown: all(total(shown, RESPONSES, one) == 1 for one in (stays, goes))  # noqa: E731
        before = shown_when(exporter, polled)
        exporter.config_file.write_text(config(simulator.wsdl_url, *users(comes, stays), interval="1h"))
        reload(exporter)
        at_once = exporter.metrics()
        assert not shows(at_once, goes)
        own = [sample for sample in before if f'account="{stays}"' in sample]
        assert len(own) > 10
        assert {sample: at_once.get(sample) for sample in own} == {sample: before[sample] for sample in own}
        assert (at_once[GOOD], at_once[GOOD_AT] > before[GOOD_AT]) == (1, True)
        after = shown_when(exporter, lambda shown: total(shown, RESPONSES, comes) == 1)
        assert shows(after, stays)
        assert [simulator.accounts[user].calls for user in users(stays, goes, comes)] == [1, 1, 1]


def test_a_bad_file_changes_nothing_and_every_error_is_told(daemon: DaemonFactory) -> None:
    """400 and the log say all of it; the metric is 0 until a good one comes; the old accounts go on."""
    simulator = Simulator(extra_accounts=2)
    with running(simulator):
        good = config(simulator.wsdl_url, *users("load-00001", "load-00002"))
        exporter = daemon(good, "--web.enable-lifecycle")
        before = shown_when(exporter, lambda shown: total(shown, RESPONSES, "load-00002") >= 1)
        exporter.config_file.write_text(
            "accounts:\n- {name: load-00001, username: u, password: hunter2, interval: never}\n"
            "- {name: load-00001, username: v, passwort: hunter4}\n"
        )
        response = exporter.post("/-/reload")
        errors = response.text.splitlines()
        assert (response.status, len(errors) >= 3) == (400, True)
        assert all(line.startswith(str(exporter.config_file)) for line in errors)
        exporter.send(SIGHUP)
        eventually(lambda: exporter.log.count(NOT_RELOADED) == 2 * len(errors))
        assert "hunter" not in exporter.log + response.text
        failed = exporter.metrics()
        assert (failed[GOOD], failed[GOOD_AT]) == (0, before[GOOD_AT])
        assert "load-00002@demo.example" in exporter.get("/config").text
        calls = simulator.accounts["load-00002@demo.example"].calls
        shown_when(exporter, lambda _: simulator.accounts["load-00002@demo.example"].calls >= calls + 2)

        exporter.config_file.write_text(good)
        post(exporter)
        assert exporter.metrics()[GOOD] == 1


@pytest.mark.parametrize("gone", ["missing", "a directory"])
def test_a_file_that_can_not_be_read_changes_nothing(daemon: DaemonFactory, gone: str) -> None:
    exporter = daemon(
        config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h"), "--web.enable-lifecycle"
    )
    exporter.config_file.unlink()
    if gone == "a directory":
        exporter.config_file.mkdir()
    response = exporter.post("/-/reload")
    reason = {"missing": "No such file or directory", "a directory": "Is a directory"}[gone]
    assert (response.status, response.text) == (400, f"{exporter.config_file}: {reason}\n")
    shown_when(exporter, lambda shown: shows(shown, "acme"))


def test_a_poll_in_flight_is_not_cut_off(daemon: DaemonFactory) -> None:
    """Its answer counts, though the configuration was reloaded three times meanwhile."""
    simulator = Simulator(extra_accounts=2)
    one, other = "load-00001", "load-00002"
    account = simulator.accounts[f"{one}@demo.example"]
    account.delay = 3.0
    with running(simulator):
        exporter = daemon(
            config(simulator.wsdl_url, *users(one), interval="1h"),
            "--web.enable-lifecycle",
            command=launched(**AT_ONCE),
        )
        eventually(lambda: account.calls == 1)
        for names in ((one, other), (other, one), (one,)):
            exporter.config_file.write_text(config(simulator.wsdl_url, *users(*names), interval="1h"))
            post(exporter)
        after = shown_when(exporter, lambda shown: total(shown, RESPONSES, one) == 1)
        assert after[f'cfdi_account_up{{account="{one}"}}'] == 1
        assert total(after, FAILURES, one) == 0
        assert account.calls == 1


def test_by_itself_it_reloads_only_what_has_stood_still(daemon: DaemonFactory) -> None:
    """While an editor writes piece by piece nothing happens; then it is one reload, not many."""
    text = config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h")
    exporter = daemon(text, "--config.auto-reload", command=launched(**SOON))
    pieces = text.replace("acme", "globex")
    end = time.monotonic() + 2 * QUIET
    while time.monotonic() < end:
        exporter.config_file.write_text(f"{pieces}# {time.monotonic()}\naccounts: [")
        time.sleep(0.02)
    assert "reloaded" not in exporter.log
    exporter.config_file.write_text(pieces)
    shown_when(exporter, lambda shown: shows(shown, "globex"))
    time.sleep(QUIET + 0.5)
    assert exporter.log.count(RELOADED) == 1
    assert NOT_RELOADED not in exporter.log


def test_by_itself_it_takes_up_a_new_password_and_a_new_file_of_accounts(
    daemon: DaemonFactory, tmp_path: Path
) -> None:
    """A password file that is replaced, as secrets are, and a file that newly matches a pattern."""
    simulator = Simulator(extra_accounts=2)
    password = tmp_path / "password"
    password.write_text("an old one")
    with running(simulator):
        exporter = daemon(
            config(simulator.wsdl_url, *users("load-00001")).replace(
                f"password: {PASSWORD}", "password_file: password"
            )
            + "account_files: ['accounts.d/*.yaml']\n",
            "--config.auto-reload",
            command=launched(**SOON),
        )
        suspended = 'cfdi_account_suspended{account="load-00001"}'
        shown_when(exporter, lambda shown: shown.get(suspended) == 1)
        new = tmp_path / "password.new"
        new.write_text(PASSWORD + "\n")
        new.replace(password)
        shown_when(exporter, lambda shown: shown[suspended] == 0)
        shown_when(exporter, lambda shown: shown['cfdi_account_up{account="load-00001"}'] == 1)

        (tmp_path / "accounts.d").mkdir()
        (tmp_path / "accounts.d" / "more.yaml").write_text(
            f"- {{name: more, username: load-00002@demo.example, password: {PASSWORD}}}\n"
        )
        shown_when(exporter, lambda shown: total(shown, RESPONSES, "more") >= 1)
        assert exporter.log.count(RELOADED) == 2


def test_by_itself_it_takes_up_certificates_towards_the_provider(
    daemon: DaemonFactory, tmp_path: Path
) -> None:
    """The file of trusted authorities is replaced where it is, as those who renew certificates do."""
    authority, former = trustme.CA(), trustme.CA()
    former.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(served)
    with HostileProvider({"acme": answers(status=200, disponibles=7)}) as provider:
        provider.listen("https", served)
        wsdl = provider.wsdl("https", scheme="https")
        text = config(wsdl, "acme", environment=", tls_config: {ca_file: ca.pem}")
        exporter = daemon(text, "--config.auto-reload", command=launched(**SOON))
        failed = 'cfdi_provider_poll_failures_total{pac_environment="peer",reason="tls"}'
        shown_when(exporter, lambda shown: shown.get(failed, 0) > 0)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.new"))
        (tmp_path / "ca.new").replace(tmp_path / "ca.pem")
        shown_when(exporter, lambda shown: shown.get('cfdi_stamps_available{account="acme"}') == 7)
        assert exporter.log.count(RELOADED) == 1


def test_by_itself_it_tells_of_a_bad_file_once(daemon: DaemonFactory) -> None:
    """Not again at each look; a good one is taken up after it."""
    text = config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h")
    exporter = daemon(text, "--config.auto-reload", command=launched(**SOON))
    exporter.config_file.write_text(text + "x: y\n")
    eventually(lambda: NOT_RELOADED in exporter.log)
    time.sleep(QUIET + 0.5)
    assert exporter.log.count(NOT_RELOADED) == 1
    assert exporter.metrics()[GOOD] == 0
    exporter.config_file.write_text(text.replace("acme", "globex"))
    shown_when(exporter, lambda shown: shows(shown, "globex"))


def test_by_itself_it_looks_at_what_a_refused_configuration_names(
    daemon: DaemonFactory, tmp_path: Path
) -> None:
    """The new account comes before its password, and a new file of accounts is put right: nobody touches the
    configuration again. Each refusal is told once."""
    text = config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h")
    exporter = daemon(text, "--config.auto-reload", command=launched(**SOON))
    exporter.config_file.write_text(
        f"{text}- {{name: globex, username: g, password_file: globex}}\naccount_files: [more.yaml]\n"
    )
    eventually(lambda: exporter.log.count(NOT_RELOADED) == 2)
    (tmp_path / "more.yaml").write_text("- {name: initech, username: i, password: p, x: y}\n")
    eventually(lambda: "unknown key" in exporter.log)
    (tmp_path / "more.yaml").write_text("- {name: initech, username: i, password: p}\n")
    time.sleep(QUIET / 2)
    (tmp_path / "globex").write_text("secret")
    shown_when(exporter, lambda shown: shows(shown, "globex") and shows(shown, "initech"))
    time.sleep(QUIET + 0.5)
    assert exporter.log.count(RELOADED) == 1
    assert exporter.log.count(NOT_RELOADED) == 4


def test_a_change_while_the_configuration_is_being_read_is_not_lost(
    daemon: DaemonFactory, tmp_path: Path
) -> None:
    """The file changes between the reading and the taking up of the second version: the third counts too."""
    first, second, third = (
        config("http://127.0.0.1:9/nobody?wsdl", name, interval="1h") for name in ("one", "two", "three")
    )
    (tmp_path / "third.yaml").write_text(third)
    late = (
        "import exporter.cli.main as c, shutil, pathlib",
        "real, loads = c.load, []",
        "def load(path, environ):",
        "    loads.append(real(path, environ))",
        "    if len(loads) == 2: pathlib.Path('third.yaml').replace(path)",
        "    return loads[-1]",
        "c.load = load",
    )
    exporter = daemon(first, "--config.auto-reload", command=launched(*late, **SOON))
    exporter.config_file.write_text(second)
    shown_when(exporter, lambda shown: shows(shown, "two") or shows(shown, "three"))
    shown_when(exporter, lambda shown: shows(shown, "three") and not shows(shown, "two"))


def test_a_hangup_during_the_start_is_not_lost(daemon: DaemonFactory, tmp_path: Path) -> None:
    """A new version and SIGHUP come while the old one has been read but isn't used yet."""
    old, new = (config("http://127.0.0.1:9/nobody?wsdl", name, interval="1h") for name in ("old", "new"))
    (tmp_path / "new.yaml").write_text(new)
    early = (
        "import exporter.cli.main as c, os, signal, pathlib",
        "real = c.load",
        "def load(path, environ):",
        "    config, new = real(path, environ), pathlib.Path('new.yaml')",
        "    if new.exists(): new.replace(path), os.kill(os.getpid(), signal.SIGHUP)",
        "    return config",
        "c.load = load",
    )
    exporter = daemon(old, command=launched(*early))
    shown_when(exporter, lambda shown: shows(shown, "new") and not shows(shown, "old"))
    assert exporter.log.count(RELOADED) == 1


@pytest.mark.parametrize("since", ["the start", "a reload"])
def test_files_that_stand_still_hold_up_no_stop(daemon: DaemonFactory, tmp_path: Path, since: str) -> None:
    """As on a network filesystem whose server is gone: its web and its polls go on, too."""
    stuck = (
        "import exporter.cli.main as c, pathlib, time",
        "real = c.load",
        "def load(path, environ):",
        "    while pathlib.Path('stuck').exists(): pathlib.Path('reading').touch(), time.sleep(0.01)",
        "    return real(path, environ)",
        "c.load = load",
    )
    stuck_file, reading = tmp_path / "stuck", tmp_path / "reading"
    if since == "the start":
        stuck_file.touch()
    text = config("http://127.0.0.1:9/nobody?wsdl", "acme", interval="1h")
    exporter = daemon(text, command=launched(*stuck), loaded=since != "the start")
    if since == "a reload":
        stuck_file.touch()
        exporter.send(SIGHUP)
    eventually(reading.exists)
    assert exporter.get("/-/healthy").status == 200
    assert exporter.stop(timeout=5) == 0
    assert NOT_RELOADED not in exporter.log


def test_while_it_starts_the_configuration_counts_as_loaded(daemon: DaemonFactory) -> None:
    """Asking the guard about thousands of accounts takes minutes, and is no reload that failed."""
    slow = (
        "import asyncio, exporter.polling.roster as m",
        "async def admit_pending(self): await asyncio.sleep(60)",
        "m.Roster._admit_pending = admit_pending",
    )
    now = time.time()
    exporter = daemon(config("http://127.0.0.1:9/nobody?wsdl", "acme"), command=launched(*slow))
    metrics = exporter.metrics()
    assert metrics[GOOD] == 1
    assert metrics[GOOD_AT] >= now


INTERVAL = 2.0
STEADY = 80
FLAPPING = 20


class Watched:
    """What reaches a simulated provider: how often each account is called."""

    def __init__(self, simulator: Simulator) -> None:
        self.calls: Counter[str] = Counter()
        self.began = time.monotonic()
        provider, answer = simulator._provider, simulator._provider.answer

        def counted(call: Any) -> Any:
            self.calls[call.username] += 1
            return answer(call)

        provider.answer = counted  # type: ignore[method-assign]

    def too_often(self, names: Sequence[str]) -> dict[str, int]:
        """Accounts that were called more often than their interval allows since the beginning."""
        allowed = (time.monotonic() - self.began) / INTERVAL + 2
        return {name: self.calls[name] for name in names if self.calls[name] > allowed}


def test_a_hundred_reloads_under_load_lose_and_double_nothing(daemon: DaemonFactory) -> None:
    """Accounts come and go at each reload, scrapes go on: what the provider saw is what the metrics say.

    The calls of each steady account are its responses, its failures and, in the end, one in flight; none,
    steady or coming and going, is called more often than once an interval.
    """
    simulator = Simulator(extra_accounts=STEADY + FLAPPING)
    names = [f"load-{number:05}" for number in range(1, STEADY + FLAPPING + 1)]
    steady, flapping = names[:STEADY], names[STEADY:]
    with running(simulator):
        watched = Watched(simulator)

        def text(extra: Sequence[str]) -> str:
            return config(
                simulator.wsdl_url,
                *users(*steady, *extra),
                interval=f"{INTERVAL:g}s",
                environment=", concurrency: 1000",
            )

        exporter = daemon(text([]), "--web.enable-lifecycle")
        shown_when(exporter, lambda shown: all(total(shown, RESPONSES, one) for one in steady))
        stop, scrapes = threading.Event(), list[int]()

        def scrape() -> None:
            while not stop.is_set():
                scrapes.append(exporter.get("/metrics").status)
                time.sleep(0.05)

        scraper = threading.Thread(target=scrape)
        scraper.start()
        try:
            for number in range(100):
                extra = flapping[number % FLAPPING :] if number % 2 else flapping[: number % FLAPPING]
                exporter.config_file.write_text(text(extra))
                if number % 10 == 9:
                    hang_up(exporter)
                else:
                    post(exporter)
                shown = exporter.get("/metrics").text
                assert {one for one in flapping if f'account="{one}"' in shown} <= set(extra)
                assert watched.too_often(users(*names)) == {}
        finally:
            stop.set()
            scraper.join()
        assert set(scrapes) == {200}
        assert exporter.metrics()[GOOD] == 1

        # From here on each account's next call stays in flight: then nothing moves any more.
        for one in simulator.accounts.values():
            one.delay = 600.0
        last = dict(watched.calls)
        for user in users(*steady):
            eventually(lambda user=user: watched.calls[user] > last[user], timeout=30)  # type: ignore[misc]

        def settled(shown: dict[str, float]) -> bool:
            return all(
                total(shown, RESPONSES, one) + total(shown, FAILURES, one) == watched.calls[user] - 1
                for one, user in zip(steady, users(*steady), strict=True)
            )

        after = shown_when(exporter, settled)
        assert sum(total(after, FAILURES, one) for one in steady) == 0
        assert watched.too_often(users(*names)) == {}
        assert exporter.log.count(RELOADED) == 100
        assert "level=error" not in exporter.log
