"""A hostile or broken provider harms nobody: the exporter as a process against all that one can do.

Each table is one daemon with one account for each misbehaviour, and healthy accounts beside them. It is
printed with what became of each, how long that took, and the memory that the process needed at most.
"""

import json
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from exporter.account.outcome import Reason
from exporter.provider.solucion_factible.codes import LABELS
from tests.support.peers import Daemon, DaemonFactory, eventually
from tests.support.peers.daemon import launched
from tests.support.peers.hostile import HOST, PATH, Call, HostileProvider
from tests.support.peers.logfmt import fields
from tests.support.peers.misbehaviour import (
    ANSWERS,
    GOOD,
    HANDSHAKES,
    UNASKED,
    WSDL_BOMBS,
    WSDL_OF_GROUPS,
    WSDLS,
    Case,
    answers,
    envelope,
    says,
    xml,
)

INTERVAL, TIMEOUT = 2.0, 4.0
WSDLS_TIMEOUT = 12.0  # some thirty environments load theirs, two at a time
SLACK = 5.0  # seconds by which a busy machine may be late
MEMORY_MB = 150.0
HEALTHY = [f"healthy-{number}" for number in range(5)]
FIGURES = {name: {**GOOD, "disponibles": 100 + place} for place, name in enumerate(HEALTHY)}
RESPOND = {name: answers(**FIGURES[name]) for name in HEALTHY}


GROWN_UP = launched("from exporter.exposition import families", "families.NEWBORN = -1.0")
"""As the exporter, but what is counted for the first time is shown at once, not as 0 for two minutes."""


@dataclass
class Show:
    """Prints to the terminal, also where the tests' output is captured."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, title: str, lines: Iterable[str]) -> None:
        with self.capsys.disabled():
            print(f"\n{title}", *lines, sep="\n  ")  # noqa: T201


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    return Show(capsys)


def password(name: str) -> str:
    return f"pässword of {name}: <&>\"'%25\r\n$"


def configuration(
    environments: Mapping[str, object], accounts: Mapping[str, str], timeout: float = TIMEOUT
) -> str:
    """Accounts by name, each with the environment that it is in; JSON is YAML."""
    return json.dumps(
        {
            "global": {"interval": f"{INTERVAL:g}s", "timeout": f"{timeout * 1000:g}ms"},
            "environments": {
                name: {"concurrency": 1000, **settings}  # type: ignore[dict-item]
                for name, settings in environments.items()
            },
            "accounts": [
                {"name": name, "username": name, "password": password(name), "environment": environment}
                for name, environment in accounts.items()
            ],
        }
    )


def outcomes(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    """How often an account's polls ended in each code and reason, of those that occurred."""
    failures = {
        reason.value: f'cfdi_poll_failures_total{{account="{name}",reason="{reason}"}}' for reason in Reason
    }
    answers = {code: f'cfdi_responses_total{{account="{name}",code="{code}"}}' for code in LABELS}
    return {kind: metrics[sample] for kind, sample in (failures | answers).items() if metrics.get(sample)}


def polled(exporter: Daemon, names: Iterable[str], times: int, timeout: float = 60.0) -> dict[str, float]:
    """Wait until each of the accounts was polled so often; return the metrics."""
    metrics: dict[str, float] = {}

    def enough() -> bool:
        metrics.update(exporter.metrics())
        return all(sum(outcomes(metrics, name).values()) >= times for name in names)

    eventually(enough, timeout)
    return metrics


def first_ends(exporter: Daemon) -> dict[str, float]:
    """When the first poll of each account ended, Unix time, as the log tells."""
    ends: dict[str, float] = {}
    for line in map(fields, exporter.log.splitlines()):
        if line.get("msg") in ("poll failed", "polled"):
            ends.setdefault(line["account"], datetime.fromisoformat(line["time"]).timestamp())
    return ends


def memory_mb(exporter: Daemon) -> float:
    """The most memory that the process had resident so far."""
    status = Path(f"/proc/{exporter.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def table(
    cases: Iterable[Case], metrics: Mapping[str, float], seconds: Mapping[str, float] | None = None
) -> list[str]:
    """The rows to print: what was expected, how long the first poll took, and what came, how often."""
    rows = []
    for case in cases:
        took = f"{seconds[case.name]:.2f} s" if seconds and case.name in seconds else ""
        came = ", ".join(f"{kind}: {times:g}" for kind, times in outcomes(metrics, case.name).items())
        rows.append(f"{case.name:34}{case.expected!s:12}{took:9}{came}")
    return rows


def assert_as_expected(cases: Iterable[Case], metrics: Mapping[str, float]) -> None:
    ended = {case.name: set(outcomes(metrics, case.name)) for case in cases}
    assert ended == {case.name: {str(case.expected)} for case in cases}


def assert_healthy_were_not_held_up(
    provider: HostileProvider, metrics: Mapping[str, float], began: float, names: Iterable[str] = HEALTHY
) -> None:
    """Their polls came at their interval, and each has its own figures and nobody else's."""
    due = (time.time() - began) / INTERVAL
    for name in names:
        assert len(provider.calls[name]) >= due - 2, f"{name} was polled too seldom"
        assert set(outcomes(metrics, name)) == {"200"}
        assert metrics[f'cfdi_stamps_available{{account="{name}"}}'] == FIGURES[name]["disponibles"]
        assert metrics[f'cfdi_stamps_consumed_total{{account="{name}"}}'] == 0
        assert metrics[f'cfdi_stamps_purchased_total{{account="{name}"}}'] == 0


def assert_nothing_went_elsewhere(provider: HostileProvider) -> None:
    assert [one.listener for one in provider.connections if one.listener == "other"] == []
    for name, calls in provider.calls.items():
        for call in calls:
            assert call.password in ("", password(name))


def test_no_answer_harms_anybody(daemon: DaemonFactory, show: Show) -> None:
    with HostileProvider({case.name: case.respond for case in ANSWERS} | RESPOND) as provider:
        accounts = dict.fromkeys((*HEALTHY, *(case.name for case in ANSWERS)), "hostile")
        config = configuration({"hostile": {"wsdl": provider.wsdl()}}, accounts)
        exporter = daemon(config, "--log.level=debug", command=GROWN_UP)
        metrics = polled(exporter, accounts, times=2)
        memory = memory_mb(exporter)
        ends = first_ends(exporter)
        seconds = {name: ends[name] - provider.calls[name][0].at for name in accounts}
        show(
            f"{len(ANSWERS)} misbehaviours of a provider, {memory:.0f} MB at most",
            table(ANSWERS, metrics, seconds),
        )
        assert_as_expected(ANSWERS, metrics)
        began = max(provider.calls[name][0].at for name in HEALTHY)
        assert_healthy_were_not_held_up(provider, metrics, began)
        assert exporter.stop() == 0
    assert max(seconds.values()) <= TIMEOUT + SLACK
    assert memory < MEMORY_MB
    assert_nothing_went_elsewhere(provider)
    assert b"cookie:" not in provider.received("http").lower()


FOLLOWERS = {
    "answers-twice-at-once": "healthy-0",
    "answers-twice": "healthy-1",
    "answers-on-and-on": "healthy-3",
    "says-junk-later": "healthy-4",
}
"""Accounts that are polled a second or more after the others (the spread of the first polls is a hash of the
name, and the others wait for their WSDL): late enough for what comes unasked, which a call that already waits
would take for its answer, and soon enough to be given the connection that it came on."""


def waited_for_it(provider: HostileProvider) -> bool:
    """Whether a call came on a connection before what nobody had asked for there had surely come."""
    before: dict[object, Call] = {}
    calls = [call for calls in provider.calls.values() for call in calls if call.username]
    for call in sorted(calls, key=lambda call: call.at):
        last = before.get(call.writer)
        if last and last.username not in HEALTHY and call.at - last.at < 0.7:
            return True
        before[call.writer] = call
    return False


def test_what_comes_unasked_is_nobody_s_answer(daemon: DaemonFactory, show: Show) -> None:
    """A machine that is too busy for the order of the polls, on which all depends here, gets more chances."""
    for _ in range(5):
        if say_more_than_they_are_asked(daemon, show):
            return
    pytest.fail("the machine is too busy: calls always waited already when something unasked came")


def say_more_than_they_are_asked(daemon: DaemonFactory, show: Show) -> bool:
    """Let the accounts be polled; false where the followers came too soon to prove anything."""
    with HostileProvider({case.name: case.respond for case in UNASKED} | RESPOND) as provider:
        for case in UNASKED:
            provider.listen(case.name)
        environments = {case.name: {"wsdl": provider.wsdl(case.name)} for case in UNASKED}
        accounts = {case.name: case.name for case in UNASKED} | {FOLLOWERS[name]: name for name in FOLLOWERS}
        began = time.time()
        exporter = daemon(configuration(environments, accounts), "--log.level=debug", command=GROWN_UP)
        metrics = polled(exporter, accounts, times=3)
        memory = memory_mb(exporter)
        if waited_for_it(provider):
            exporter.kill()
            return False
        show(
            f"{len(UNASKED)} that say more than they are asked, {memory:.0f} MB at most",
            table(UNASKED, metrics),
        )
        assert_as_expected(UNASKED, metrics)
        assert_healthy_were_not_held_up(provider, metrics, began, FOLLOWERS.values())
        for case in UNASKED:
            assert metrics[f'cfdi_stamps_available{{account="{case.name}"}}'] == GOOD["disponibles"]
        assert exporter.stop() == 0
    assert memory < MEMORY_MB
    return True


def test_no_wsdl_harms_anybody(daemon: DaemonFactory, show: Show) -> None:
    """Where it can't be used nothing is sent at all; where it can, nothing to the host that it names."""
    cases = (*WSDLS, *WSDL_BOMBS)
    respond = {case.name: answers(**GOOD) for case in cases} | RESPOND
    with HostileProvider(respond, {f"/{case.name}": case.respond for case in cases}) as provider:
        environments = {case.name: {"wsdl": provider.wsdl(path=f"/{case.name}")} for case in cases}
        accounts = {case.name: case.name for case in cases} | dict.fromkeys(HEALTHY, "hostile")
        hostile = {"hostile": {"wsdl": provider.wsdl()}}
        config = configuration(environments | hostile, accounts, WSDLS_TIMEOUT)
        exporter = daemon(config, "--log.level=debug", command=GROWN_UP)
        metrics = polled(exporter, accounts, times=2, timeout=120)
        memory = memory_mb(exporter)
        ends = first_ends(exporter)
        seconds = {case.name: ends[case.name] - provider.calls[f"/{case.name}"][0].at for case in cases}
        show(f"{len(cases)} WSDLs, {memory:.0f} MB at most", table(cases, metrics, seconds))
        assert_as_expected(cases, metrics)
        # Their environment's WSDL waits for its turn to be read.
        began = max(provider.calls[name][0].at for name in HEALTHY)
        assert_healthy_were_not_held_up(provider, metrics, began)
        assert exporter.stop() == 0
    assert max(seconds.values()) <= WSDLS_TIMEOUT + SLACK
    assert memory < MEMORY_MB
    assert_nothing_went_elsewhere(provider)
    asked = {case.name for case in cases if case.name in provider.calls}
    assert asked == {case.name for case in cases if case.expected == 200}


def test_a_wsdl_that_would_take_hours_to_read_is_refused_and_keeps_nothing_from_ending(
    daemon: DaemonFactory,
) -> None:
    case = WSDL_OF_GROUPS
    with HostileProvider({}, {f"/{case.name}": case.respond}) as provider:
        environments = {"hostile": {"wsdl": provider.wsdl(path=f"/{case.name}")}}
        exporter = daemon(configuration(environments, {case.name: "hostile"}), command=GROWN_UP)
        polled(exporter, [case.name], times=1)
        [failures] = [
            value
            for name, value in exporter.metrics().items()
            if name.startswith("cfdi_poll_failures_total{") and 'reason="invalid"' in name
        ]
        assert failures >= 1
        assert exporter.stop(timeout=10) == 0


# TLS


def server_tls(authority: trustme.CA, name: str = HOST, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    use_certificate(context, authority, name, expired)
    return context


def use_certificate(
    context: ssl.SSLContext, authority: trustme.CA, name: str = HOST, expired: bool = False
) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    certificate = (
        authority.issue_cert(name, not_before=past - timedelta(days=2), not_after=past)
        if expired
        else authority.issue_cert(name)
    )
    certificate.configure_cert(context)


CERTIFICATES = (
    Case("expired", Reason.TLS, answers(**GOOD)),
    Case("foreign", Reason.TLS, answers(**GOOD)),
    Case("another-name", Reason.TLS, answers(**GOOD)),
    Case("https", 200, says(xml(envelope(**GOOD)))),
)
"""All answer well to whoever accepts their certificate; the last hangs up after each answer."""


def test_nothing_is_sent_without_a_secure_connection(
    daemon: DaemonFactory, show: Show, tmp_path: Path
) -> None:
    """A certificate is checked anew for each connection: one that expires later is refused then."""
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    contexts = {
        "expired": server_tls(authority, expired=True),
        "foreign": server_tls(stranger),
        "another-name": server_tls(authority, "pac.example"),
        "https": server_tls(authority),
        "healthy": server_tls(authority),
    }
    cases = (*HANDSHAKES, *CERTIFICATES)
    respond = {case.name: case.respond for case in CERTIFICATES} | RESPOND
    with HostileProvider(respond) as provider:
        for name, context in contexts.items():
            provider.listen(name, context)
        for case in HANDSHAKES:
            provider.listen(case.name, greet=case.respond)
        environments = {
            name: {"wsdl": provider.wsdl(name, scheme="https"), "tls_config": {"ca_file": "ca.pem"}}
            for name in (*(case.name for case in cases), "healthy")
        }
        accounts = {case.name: case.name for case in cases} | dict.fromkeys(HEALTHY, "healthy")
        exporter = daemon(configuration(environments, accounts), "--log.level=debug", command=GROWN_UP)
        began = time.time()
        metrics = polled(exporter, accounts, times=2)
        memory = memory_mb(exporter)
        ends = first_ends(exporter)
        seconds = {
            one.listener: ends[one.listener] - one.opened
            for one in reversed(provider.connections)
            if one.listener in {case.name for case in HANDSHAKES}
        }
        show(
            f"{len(cases)} servers on a port for TLS, {memory:.0f} MB at most", table(cases, metrics, seconds)
        )
        assert_as_expected(cases, metrics)
        assert_healthy_were_not_held_up(provider, metrics, began)
        use_certificate(contexts["https"], authority, expired=True)
        seen = len(provider.calls["https"])
        eventually(lambda: outcomes(exporter.metrics(), "https").get("tls"), 15)
        assert len(provider.calls["https"]) <= seen + 1
        assert exporter.stop() == 0
    assert max(seconds.values()) <= TIMEOUT + SLACK
    assert memory < MEMORY_MB
    assert_nothing_went_elsewhere(provider)
    assert set(provider.calls) == {PATH, "https", *HEALTHY}
    assert provider.received("http") == b"", "the port that the WSDL names first is not used"
    greeted = provider.received(*(case.name for case in HANDSHAKES))
    assert greeted
    assert b"POST" not in greeted
    assert b"word of" not in greeted
