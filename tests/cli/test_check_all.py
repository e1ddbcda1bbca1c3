"""`check --all`: in order, through the gate, bounded, with a summary and an exit code."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import log
from exporter.cli import check_all, stdio
from exporter.cli import main as cli
from exporter.cli.check import Colour, Report
from exporter.cli.check_all import GIVEN_UP, Summary
from exporter.config import load
from exporter.simulator import PASSWORD, Simulator
from tests.support.simulation import running


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(extra_accounts=8)
    with running(simulator):
        yield simulator


def configured(path: Path, wsdl: str, *names: str, more: str = "") -> str:
    accounts = "".join(
        f"- {{name: {name}, username: {name}@demo.example, password: {PASSWORD}, environment: peer{more}}}\n"
        for name in names
    )
    (path / "config.yaml").write_text(
        f"global: {{auth_attempts: 1}}\nenvironments: {{peer: {{wsdl: '{wsdl}'}}}}\naccounts:\n{accounts}"
    )
    return f"--config.file={path / 'config.yaml'}"


@pytest.mark.process
class TestCommand:
    def test_all_are_well(
        self, simulator: Simulator, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """A line each, in the order of the configuration; no progress where nobody sees it."""
        flag = configured(tmp_path, simulator.wsdl_url, "load-00002", "healthy", "load-00001")
        assert cli.main(["check", "--all", flag]) == 0
        out, err = capfd.readouterr()
        assert err == ""
        lines = out.splitlines()
        assert [line.partition(":")[0] for line in lines[:3]] == ["load-00002", "healthy", "load-00001"]
        assert lines[1] == "healthy: 24,000 available"
        assert lines[3:] == ["3 accounts: 3 well"]
        assert simulator.accounts["healthy@demo.example"].calls == 1

    def test_some_are_not(
        self, simulator: Simulator, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Each with all that is to be said, and the command to paste; and it has one try alone."""
        flag = configured(
            tmp_path,
            simulator.wsdl_url,
            *("exhausted", "wrong-password", "healthy", "code-602"),
            more=", thresholds: {warning: 30000}",
        )
        for _ in range(2):
            assert cli.main(["check", "--all", flag]) == 1
        out, _ = capfd.readouterr()
        assert "exhausted: 630: the account's stamps have run out." in out
        assert "Buy stamps: invoicing has stopped." in out
        assert "healthy: few stamps." in out
        assert "code-602: 602: the account is locked." in out
        assert "So the account is suspended" in out
        assert f"check {flag} --resume wrong-password" in out
        assert "4 accounts: 0 well, 2 to buy stamps for, 2 without a balance" in out
        assert simulator.accounts["wrong-password@demo.example"].calls == 1
        assert simulator.accounts["code-602@demo.example"].calls == 1

    def test_nobody_answers(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """After a few it is left at that: thousands of timeouts help nobody."""
        names = [f"n{number}" for number in range(GIVEN_UP + 3)]
        flag = configured(tmp_path, "http://127.0.0.1:1/ws?wsdl", *names)
        assert cli.main(["check", "--all", flag]) == 1
        out, _ = capfd.readouterr()
        assert out.count("no answer (connection)") == GIVEN_UP
        assert f"peer: {GIVEN_UP} accounts in a row got no answer: its others aren't asked for" in out
        assert out.endswith(
            f"{GIVEN_UP + 3} accounts: 0 well, {GIVEN_UP} without a balance, 3 not asked for\n"
        )

    async def test_one_at_a_time(self, simulator: Simulator, tmp_path: Path) -> None:
        """And progress before each."""
        flag = configured(tmp_path, simulator.wsdl_url, *(f"load-0000{number}" for number in range(1, 9)))
        config = load(Path(flag.partition("=")[2]), {})
        told: list[str] = []

        def tell(report: Report) -> None:
            told.append(report.line.partition(":")[0])
            assert sum(account.calls for account in simulator.accounts.values()) == len(told)

        summary = await check_all.run(
            config,
            tmp_path / "state.db",
            log.logger("info", stream=io.StringIO()),
            ("check",),
            tell=tell,
            progress=lambda number, account: told.append(account.name) if number < 0 else None,
        )
        assert summary == Summary(8, 0, 0, 0)
        assert told == [f"load-0000{number}" for number in range(1, 9)]
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("summary", "well", "text"),
    [
        (Summary(1, 0, 0, 0), True, "1 account: 1 well"),
        (
            Summary(1200, 1, 2, 3),
            False,
            "1,200 accounts: 1,194 well, 1 to buy stamps for, 2 without a balance",
        ),
        (Summary(0, 0, 0, 0), True, "0 accounts: 0 well"),
    ],
)
def test_the_summary(summary: Summary, well: bool, text: str) -> None:
    assert summary.well is well
    assert summary.text.startswith(text)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["check"], "say which account: NAME, or --all"),
        (["check", "acme", "--all"], "either an account or --all, got both: acme"),
        (["check", "--all", "--resume"], "--resume takes one account, not --all"),
    ],
)
def test_what_contradicts(words: list[str], error: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert error in capfd.readouterr().err


def test_progress_is_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    progress = stdio.Progress(1200)
    progress.show(7, "a\x1b[2Jb" + "x" * 500)
    progress.clear()
    progress.clear()
    text = terminal.getvalue()
    assert text.startswith("\r\x1b[K7 of 1,200: a?[2Jb")
    assert text.endswith("x\r\x1b[K")
    assert "\n" not in text
    assert len(text) < 200
    monkeypatch.setattr("sys.stderr", io.StringIO())
    progress = stdio.Progress(3)
    progress.show(1, "acme")
    progress.clear()


def test_colour_is_that_of_the_report() -> None:
    assert Report(True, "a\nb", Colour.LOW).in_colour("x\ny") == "\x1b[33mx\x1b[0m\ny"
