"""All that clients and a provider can do to a busy daemon, in one run: its memory, and the pace of its polls.

`pytest -m slow tests/daemon/test_memory.py` does so with 10,000 accounts and prints what docs/safety.md says.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from signal import SIGHUP

import pytest

from exporter.simulator import PASSWORD
from tests.support.configs import config
from tests.support.peers import Daemon, eventually
from tests.support.peers.daemon import EXPORTER
from tests.support.peers.http import request
from tests.support.peers.logfmt import fields
from tests.support.peers.process import Process
from tests.support.peers.tls import Authority
from tests.support.pressure import Busy, WorstProvider, asking, connected

MOST_MEMORY = 256e6
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
DEAF = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
FLOODS = 64  # accounts that are answered with 1 MiB at a time

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc"),
]


def address_of_wsdl(log: str) -> str | None:
    """Where a simulator says that it is."""
    return next((found["wsdl"] for line in log.splitlines() if "wsdl" in (found := fields(line))), None)


def with_more(good: str, environments: dict[str, str], accounts: dict[str, str]) -> str:
    """A configuration with more environments, and with accounts of these beside the good ones."""
    begin, peer, *rest = good.splitlines()
    more = "".join(f', {name}: {{wsdl: "{wsdl}", concurrency: 64}}' for name, wsdl in environments.items())
    bad = [
        f"- {{name: {name}, username: {name}, password: {PASSWORD}, environment: {environment}}}"
        for name, environment in accounts.items()
    ]
    return "\n".join([begin, peer.removesuffix("}") + more + "}", *rest, *bad]) + "\n"


def of(environment: str, number: int) -> dict[str, str]:
    """So many accounts of an environment."""
    return {f"{environment}-{one}": environment for one in range(number)}


SLOW = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("accounts", "interval", "seconds", "secure"),
    [
        pytest.param(200, "2s", 2.0, False, id="200, plain"),
        pytest.param(10_000, "60s", 20.0, False, id="10,000, plain", marks=SLOW),
        pytest.param(10_000, "60s", 20.0, True, id="10,000, TLS", marks=SLOW),
    ],
)
def test_neither_clients_nor_a_provider_take_much_memory_or_polls(
    tmp_path: Path,
    processes: ExitStack,
    capfd: pytest.CaptureFixture[str],
    accounts: int,
    interval: str,
    seconds: float,
    secure: bool,
) -> None:
    """Each in turn, and all that they leave behind: clients that don't read, a provider that does harm."""
    flags = ("--simulator.listen-address=127.0.0.1:0", f"--simulator.accounts={accounts}")
    simulator = Process([*EXPORTER, "simulator", *flags], tmp_path / "simulator.log", cwd=tmp_path, env={})
    processes.callback(simulator.kill)
    wsdl = simulator.await_log(address_of_wsdl, 30)
    provider = WorstProvider()
    processes.enter_context(provider.running())
    names = [f"load-{number:05}@demo.example" for number in range(1, accounts + 1)]
    good = config(wsdl, *names, interval=interval, environment=", concurrency: 50")
    authority = Authority(tmp_path)
    authority.issue("server")
    (tmp_path / "web.yml").write_text(TLS if secure else "")
    exporter = processes.enter_context(Daemon(good, tmp_path, f"--web.config.file={tmp_path / 'web.yml'}"))
    tls = authority.client() if secure else None
    busy = Busy(exporter, tls)
    eventually(lambda: busy.ask()[0] >= accounts, 150)
    alone, paces = busy.pace(seconds), list[float]()

    def say(line: str) -> None:
        with capfd.disabled():
            sys.stdout.write(f"\n    {line}")
            sys.stdout.flush()

    say(f"{accounts} accounts, {'TLS' if secure else 'plain'}: {alone:.0f} polls/s alone")

    def measured(what: str) -> None:
        pace = busy.pace(seconds)
        # As probes ask, in every one of these situations.
        assert request(exporter.address, "/-/healthy", tls=tls).status == 200
        say(f"{what:<40}{pace:6.0f} polls/s ({pace / alone:4.0%})   {busy.ask()[1] / 1e6:4.0f} MB")
        paces.append(pace)

    with connected(exporter.address, 300, DEAF, tls):
        measured("300 that never read")
    with connected(exporter.address, 300, DEAF * 1000, tls):
        measured("300 that ask 1,000 times, never read")
    with asking(exporter.address, "/config", 12, tls) as statuses:
        measured("12 that ask for /config without pause")
    assert set(statuses) == {200}

    def reload(configuration: str) -> None:
        exporter.config_file.write_text(configuration)
        exporter.send(SIGHUP)

    reload(with_more(good, {"refuses": provider.wsdl("refuses")}, of("refuses", accounts // 10)))
    eventually(lambda: provider.calls["refuses"] > 0, 150)
    measured("602 for a tenth of them")
    worst = {f"worst-{number}": address for number, address in enumerate(provider.worst)}
    reload(with_more(good, worst, {name: name for name in worst}))
    eventually(lambda: provider.wsdls >= len(worst), 150)
    measured("WSDLs of 1 MiB at their worst")
    reload(with_more(good, {"floods": provider.wsdl("floods")}, of("floods", FLOODS)))
    eventually(lambda: provider.calls["floods"] >= FLOODS, 150)
    measured(f"{FLOODS} answers of 1 MiB")
    reload(config(provider.wsdl("refuses"), *names, interval=interval, environment=", concurrency: 50"))
    eventually(lambda: provider.calls["refuses"] >= accounts + accounts // 10, 900)
    say(f"{'602 for everybody':<63}{busy.ask()[1] / 1e6:4.0f} MB")
    say(f"most memory {busy.peak / 1e6:.0f} MB\n")
    assert busy.peak < MOST_MEMORY
    # A short look, on a machine that does other things as well, says no more than that they go on.
    assert min(paces) > alone * (0.8 if accounts >= 10_000 else 0.1)
    assert provider.calls["refuses"] == accounts + accounts // 10, "one login each"
    errors = [line for line in exporter.log.splitlines() if "level=error" in line]
    assert {fields(line)["msg"] for line in errors} == {"account suspended"}
    assert exporter.stop(timeout=30) == 0
