"""An integrator's issuers with nothing left out: the daemon and `check` as processes, and real SOAP."""

import json
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest

from exporter.simulator import Simulator
from tests.support.configs import config
from tests.support.peers import Daemon, DaemonFactory
from tests.support.peers.daemon import EXPORTER
from tests.support.series import shown_when
from tests.support.simulation import control, running

USER = "integrator@demo.example"
COUNT = 50


def integrator(simulator: Simulator, more: str = "issuer_interval: 2s, issuer_concurrency: 4") -> str:
    """A configuration with all issuers that the simulated integrator has."""
    issuers = ", ".join(
        f"{{name: i{number}, rfc: {rfc}, thresholds: {{warning: 50}}}}"
        for number, rfc in enumerate(simulator.accounts[USER].issuers, 1)
    )
    one = f"username: {USER}"
    return config(simulator.wsdl_url, USER).replace(one, f"{one}, {more}, issuers: [{issuers}]")


def available(name: str) -> str:
    return f'cfdi_issuer_stamps_available{{account="integrator",issuer="{name}"}}'


def up(name: str) -> str:
    return f'cfdi_issuer_up{{account="integrator",issuer="{name}"}}'


def change(simulator: Simulator, number: int, **changes: object) -> None:
    """Change an issuer from outside, as a user would."""
    rfc = list(simulator.accounts[USER].issuers)[number - 1]
    port = int(simulator.wsdl_url.split(":")[2].partition("/")[0])
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    path = f"/simulator/accounts/{USER}/issuers/{rfc}"
    connection.request("POST", path, json.dumps(changes), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def all_shown(shown: dict[str, float]) -> bool:
    return all(up(f"i{number}") in shown for number in range(1, COUNT + 1))


def test_fifty_issuers_one_of_which_runs_out(daemon: DaemonFactory) -> None:
    """Each has series of its own, those without a contract no balance; the account's figures are its own."""
    simulator = Simulator(speed=0.001, extra_issuers=COUNT - 6)
    with running(simulator):
        control(simulator, USER, no_contract="zeros")
        exporter = daemon(integrator(simulator))
        shown = shown_when(exporter, all_shown)
        assert len([name for name in shown if name.startswith("cfdi_issuer_up{")]) == COUNT
        assert shown['cfdi_stamps_available{account="integrator"}'] == 24_000
        assert (shown[available("i1")], shown[available("i2")], shown[available("i4")]) == (3_000, 40, 0)
        assert (shown[up("i5")], available("i5") in shown) == (1, False)
        change(simulator, 7, available=3)
        shown_when(exporter, lambda now: now[available("i7")] == 3)
        change(simulator, 7, use=3)
        out = shown_when(exporter, lambda now: now[available("i7")] == 0)
        assert out['cfdi_issuer_stamps_depletion_timestamp_seconds{account="integrator",issuer="i7"}'] > 0
        change(simulator, 7, top_up=500)
        shown_when(exporter, lambda now: now[available("i7")] == 500)
        bought = 'cfdi_issuer_stamps_purchased_total{account="integrator",issuer="i7"}'
        assert exporter.metrics()[bought] == 500
        nothing_personal(simulator, exporter)


def nothing_personal(simulator: Simulator, exporter: Daemon) -> None:
    """No RFC is shown, logged or written down."""
    written = b"".join(path.read_bytes() for path in exporter.config_file.parent.glob("state.db*"))
    for rfc in simulator.accounts[USER].issuers:
        assert rfc not in exporter.get("/metrics").text + exporter.log + exporter.get("/").text
        assert rfc.encode() not in written


def test_a_login_that_is_refused(daemon: DaemonFactory) -> None:
    """All stand still after two logins, whoever they asked for, over a restart too."""
    simulator = Simulator(speed=0.001, extra_issuers=COUNT - 6)
    with running(simulator):
        exporter = daemon(integrator(simulator, "issuer_interval: 2s"))
        shown_when(exporter, lambda shown: up("i1") in shown)
        before = simulator.accounts[USER].lockout.failures
        control(simulator, USER, password="another one")
        suspended = 'cfdi_account_suspended{account="integrator"}'
        shown_when(exporter, lambda shown: shown[suspended] == 1)
        calls = simulator.accounts[USER].calls
        exporter.kill()
        exporter.start()
        shown_when(exporter, lambda shown: shown.get(suspended) == 1)
        assert simulator.accounts[USER].calls == calls
        assert simulator.accounts[USER].lockout.failures - before == 2


def test_it_is_refused_from_the_start(daemon: DaemonFactory) -> None:
    simulator = Simulator(speed=0.001, extra_issuers=COUNT - 6)
    with running(simulator):
        control(simulator, USER, password="another one")
        exporter = daemon(integrator(simulator))
        shown_when(exporter, lambda shown: shown.get('cfdi_account_suspended{account="integrator"}') == 1)
        assert simulator.accounts[USER].calls == 2
        assert all(issuer.calls == 0 for issuer in simulator.accounts[USER].issuers.values())


@pytest.mark.process
def test_check_of_an_issuer(tmp_path: Path) -> None:
    """Its account is asked for first, as nothing is proven in that process."""
    simulator = Simulator(speed=0.001)
    with running(simulator):
        control(simulator, USER, no_contract="zeros")
        file = tmp_path / "config.yaml"
        file.write_text(integrator(simulator))

        def check(name: str) -> subprocess.CompletedProcess[str]:
            command = [*EXPORTER, "check", name, f"--config.file={file}"]
            return subprocess.run(command, capture_output=True, text=True, check=False)

        told = check("integrator/i2")
        assert told.returncode == 0
        assert told.stdout.startswith("integrator/i2: few stamps.\n  contracted")
        assert "That is below the warning threshold of 50." in told.stdout
        assert simulator.accounts[USER].calls == 2
        told = check("integrator/i5")
        assert told.returncode == 0
        assert "It has no contract of its own." in told.stdout
        assert "available" not in told.stdout
        control(simulator, USER, no_contract="620")
        told = check("integrator/i5")
        assert told.returncode == 1
        assert "620: this login has no permission to ask for this issuer." in told.stdout
        calls = simulator.accounts[USER].calls
        told = check("integrator/i22")
        assert (told.returncode, simulator.accounts[USER].calls) == (2, calls)
        assert "account integrator has no issuer called i22, did you mean i2?" in told.stderr
        control(simulator, USER, password="another one")
        told = check("integrator/i1")
        assert told.returncode == 1
        assert told.stdout.startswith("integrator: 601: the user name or the password is wrong.")
        assert simulator.accounts[USER].calls == calls + 1
