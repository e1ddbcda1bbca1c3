"""`history import FILE`: what is taken, what is said of what can't be, and that a daemon takes it up."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.cli.main import main
from exporter.config import load
from exporter.daemon.state_file import open_storage
from exporter.simulator import Simulator
from exporter.storage import days
from exporter.storage.days import History
from tests.support.configs import config
from tests.support.peers import DaemonFactory
from tests.support.peers.daemon import EXPORTER
from tests.support.series import shown_when
from tests.support.simulation import running

ACCOUNTS = "accounts:\n- {name: acme, username: a, password: p}\n- {name: 'a, b', username: b, password: p}\n"


def today() -> date:
    """The day in Mexico City."""
    return datetime.now(ZoneInfo("America/Mexico_City")).date()


def ago(number: int) -> str:
    return (today() - timedelta(days=number)).isoformat()


@pytest.fixture
def imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[str | bytes], tuple[int, str, str]]:
    """Imports a text; returns the exit code and what was said."""
    (tmp_path / "config.yaml").write_text(ACCOUNTS)

    def run(text: str | bytes) -> tuple[int, str, str]:
        file = tmp_path / "past.csv"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        code = main(["history", "import", str(file), f"--config.file={tmp_path}/config.yaml"])
        out, err = capsys.readouterr()
        return code, out, err.replace(f"{tmp_path}/", "")

    return run


def kept(folder: Path, name: str) -> History:
    """What the storage has of an account."""
    accounts = {account.name: account.guard_key for account in load(folder / "config.yaml", {}).accounts}

    async def read() -> History:
        storage = open_storage(folder / "state.db", exclusive=False, now=time.time())
        found = await storage.transact(lambda db: days.load(db, [accounts[name]]))
        await storage.close()
        return found.get(accounts[name], History())

    return asyncio.run(read())


Imported = Callable[[str | bytes], tuple[int, str, str]]


@pytest.mark.parametrize("form", ["{}", "\ufeff{}", "{}\n\n"])
def test_days_are_added(imported: Imported, tmp_path: Path, form: str) -> None:
    """As spreadsheets write them, too. What is known already stays."""
    rows = f'account,day,stamps\nacme,{ago(2)},50\nacme,{ago(1)},0\n"a, b",{ago(400)},7\n"a, b",{ago(401)},8'
    assert imported(form.format(rows)) == (
        0,
        "acme: 2 days added\na, b: 1 days added, 1 over 400 days ago left out\n",
        "",
    )
    assert kept(tmp_path, "acme").until(today().toordinal()) == [50, 0]
    assert imported(f"Account, Day, Stamps\r\nacme,{ago(2)},99\r\nacme,{ago(3)},4\r\n")[1] == (
        "acme: 1 days added, 1 known already\n"
    )
    assert kept(tmp_path, "acme").until(today().toordinal()) == [4, 50, 0]


HEAD = "account,day,stamps\n"
WRONG = [
    ("", "past.csv:1: must be account,day,stamps"),
    (f"acme,{ago(1)},5", "past.csv:1: must be account,day,stamps"),
    ("account;day;stamps", "past.csv:1: must be account,day,stamps (with commas)"),
    (HEAD, "past.csv: holds no days"),
    (f"{HEAD}acme,{ago(1)}", "past.csv:2: must have 3 cells (account,day,stamps), has 2"),
    (f"{HEAD}acme,{ago(1)},5,000", "past.csv:2: must have 3 cells (account,day,stamps), has 4"),
    (f"{HEAD}\nacne,{ago(1)},5", "past.csv:3: no account is called 'acne', did you mean acme?"),
    (f"{HEAD},{ago(1)},5", "past.csv:2: no account is called nothing"),
    (f"{HEAD}acme,2026-02-30,5", "past.csv:2: day must be a date such as 2026-12-24, got '2026-02-30'"),
    (f"{HEAD}acme,24/12/2025,5", "past.csv:2: day must be a date such as 2026-12-24, got '24/12/2025'"),
    (f"{HEAD}acme,{ago(0)},5", f"past.csv:2: day must be over, got {ago(0)}: the exporter counts today"),
    (f"{HEAD}acme,{ago(-9)},5", f"past.csv:2: day must be over, got {ago(-9)}"),
    (f"{HEAD}acme,{ago(1)},-5", "past.csv:2: stamps must be a whole number such as 4812, got '-5'"),
    (f"{HEAD}acme,{ago(1)},5.0", "past.csv:2: stamps must be a whole number such as 4812, got '5.0'"),
    (f"{HEAD}acme,{ago(1)},", "past.csv:2: stamps must be a whole number such as 4812, got nothing"),
    (f"{HEAD}acme,{ago(1)},9007199254740993", "past.csv:2: stamps must be a whole number"),
    (f"{HEAD}acme,{ago(1)},5\nacme,{ago(1)},5", f"past.csv:3: {ago(1)} of acme stands there twice"),
    (f'{HEAD}"acme,{ago(1)},5', "past.csv:2: is no CSV: unexpected end of data"),
    (b"account,day,stamps\n\xff", "past.csv: isn't UTF-8: save it as CSV in UTF-8"),
]


@pytest.mark.parametrize(("text", "error"), WRONG)
def test_what_can_t_be_taken(imported: Imported, tmp_path: Path, text: str | bytes, error: str) -> None:
    """The line, the value and what it must be; then nothing of the file is."""
    if isinstance(text, str) and text.startswith(HEAD) and error != "past.csv: holds no days":
        text = f"{text}\nacme,{ago(5)},1" if '"' not in text else text
    code, out, err = imported(text)
    assert (code, out) == (2, "")
    assert error in err
    assert not (tmp_path / "state.db").exists()


def test_every_error_is_listed_up_to_a_screen(imported: Imported) -> None:
    """A file of another form has one in each line."""
    _, _, err = imported(HEAD + "x,y,z\n" * 50)
    assert len(err.splitlines()) == 21
    assert err.splitlines()[-1] == "past.csv: 30 more errors"


def test_a_file_that_isn_t_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is there anything to be kept in memory."""
    (tmp_path / "config.yaml").write_text(ACCOUNTS)
    flags = [f"--config.file={tmp_path}/config.yaml"]
    assert main(["history", "import", f"{tmp_path}/none.csv", *flags]) == 2
    assert "none.csv: No such file or directory" in capsys.readouterr().err
    assert main(["history", "import", f"{tmp_path}/none.csv", *flags, "--storage.path=:memory:"]) == 2
    assert ":memory: keeps nothing" in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.timeout(120)
def test_a_running_daemon_takes_it_up(daemon: DaemonFactory, tmp_path: Path) -> None:
    """Within a minute, without a restart."""
    simulator = Simulator(speed=0.001)
    path = tmp_path / "kept.db"
    with running(simulator):
        exporter = daemon(config(simulator.wsdl_url, "healthy@demo.example"), f"--storage.path={path}")
        history, depletion = (
            f'cfdi_stamps_{name}{{account="healthy"}}'
            for name in ("history_days", "depletion_timestamp_seconds")
        )
        assert shown_when(exporter, lambda shown: history in shown)[history] == 0
        file = tmp_path / "past.csv"
        file.write_text(HEAD + "".join(f"healthy,{ago(number)},4000\n" for number in range(1, 91)))
        flags = [f"--config.file={exporter.config_file}", f"--storage.path={path}"]
        told = subprocess.run(
            [*EXPORTER, "history", "import", str(file), *flags], capture_output=True, text=True, check=True
        )
        assert told.stdout == "healthy: 90 days added\n"
        shown = shown_when(exporter, lambda shown: shown[history] == 90, timeout=60)
        assert shown[depletion] > time.time()
