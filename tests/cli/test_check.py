"""`check NAME`: what a person reads, and that it goes through the same guard as the daemon."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from exporter import log
from exporter.account.login import Login
from exporter.account.outcome import Failure, Outcome, Reason, Verdict, unsent
from exporter.cli import check, names
from exporter.cli import main as cli
from exporter.config import Account, Issuer
from exporter.daemon.state_file import open_storage
from exporter.guard.gate import Gate
from exporter.provider.solucion_factible import codes
from exporter.simulator import PASSWORD, Simulator
from exporter.storage.engine import StorageError
from tests.support.peers import FakeClock
from tests.support.rig import (
    ENVIRONMENT,
    INTERVAL,
    RIGHT,
    WRONG,
    ScriptedProvider,
    account,
    config,
    reading,
    sent,
    unreadable,
)

if TYPE_CHECKING:
    from exporter.provider.contract import Provider

HOUR = 3600.0
Ask = Callable[..., Awaitable[check.Report]]


@pytest.fixture
async def provider(clock: FakeClock) -> ScriptedProvider:
    return ScriptedProvider(clock)


@pytest.fixture
def ask(tmp_path: Path, clock: FakeClock, provider: ScriptedProvider) -> Ask:
    """Checks an account, each time with a storage opened anew, as a process of its own does."""

    async def ask(asked: Account, *, resume: bool = False) -> check.Report:
        storage = open_storage(tmp_path / "state.db", exclusive=False, now=clock.time())
        failed: list[StorageError] = []
        gate = Gate(storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=failed.append)
        login = Login(asked.guard_key, asked.password, asked)
        try:
            report = await check._Check(asked, login, gate, cast("Provider", provider)).run(resume=resume)
            await gate.close(5)
        finally:
            await storage.close()
        assert not failed
        return report

    return ask


BALANCE = """\
acme: 200: completed successfully.
  contracted       12,000
  used             11,950
  available            50
  {}"""
LOW = BALANCE.replace("200: completed successfully", "few stamps").format
CRITICAL = BALANCE.replace("200: completed successfully", "critical balance").format
RESUME = """
  Once that is done, reload with another credential, or for one new try with the same one:
    cfdi-stamps-exporter check --resume acme"""
SUSPENDED = f"""
  So the account is suspended: this exporter doesn't try its login any more, which could have
  the provider lock it.{RESUME}"""
MAY_COUNT = """
  The provider may have counted it as a failed login: the guard counts it for an hour
  or longer, unless a login is accepted before."""


class TestWords:
    @pytest.mark.parametrize(
        ("warning", "critical", "text"),
        [
            (None, None, BALANCE.format("Nothing to do.")),
            (50, 10, BALANCE.format("Nothing to do.")),
            (51, 10, LOW("That is below the warning threshold of 51.\n  Buy stamps soon.")),
            (2_000, 100, CRITICAL("That is below the critical threshold of 100.\n  Buy stamps today.")),
        ],
    )
    async def test_a_balance(
        self, ask: Ask, provider: ScriptedProvider, warning: int | None, critical: int | None, text: str
    ) -> None:
        """With what the thresholds say of it: a low one is no success, and there is something to do."""
        provider.script = [reading(200, 12_000, 11_950, 50)]
        report = await ask(replace(account(), warning=warning, critical=critical))
        assert report.ok
        assert report.text == text

    @pytest.mark.parametrize(
        ("outcome", "ok", "text"),
        [
            (
                reading(630),
                True,
                (
                    "acme: 630: the account's stamps have run out.\n"
                    "  available             0\n"
                    "  Buy stamps: invoicing has stopped."
                ),
            ),
            (
                reading(503),
                False,
                (
                    "acme: 503: the provider's limit of concurrent users is reached.\n"
                    "  Lower the environment's concurrency or lengthen the interval where this lasts."
                ),
            ),
            (
                reading(602),
                False,
                (
                    "acme: 602: the account is locked.\n"
                    "  Have the provider unlock it, check the credential, then resume the account."
                    f"{SUSPENDED}"
                ),
            ),
            (
                reading(577),
                False,
                (
                    "acme: 577: a code that the provider doesn't document.\n"
                    "  Ask the provider what it means; the exporter tries again."
                ),
            ),
            (
                reading(777),
                False,
                (
                    "acme: 777: a code that the provider doesn't document.\n"
                    f"  Ask the provider what it means; the exporter tries again.{MAY_COUNT}"
                ),
            ),
            (
                reading(601),
                False,
                (
                    "acme: 601: the user name or the password is wrong.\n"
                    "  Correct the credential in the configuration, then reload.\n"
                    "  That was refusal 1 of 2 before it is suspended."
                ),
            ),
            (
                unsent(Reason.TLS, "no secure connection: certificate has expired"),
                False,
                "acme: no answer (tls): no secure connection: certificate has expired.",
            ),
            (
                Failure(Reason.HTTP, "HTTP status 503", verdict=Verdict.NEUTRAL),
                False,
                "acme: no answer (http): HTTP status 503.",
            ),
            (sent(), False, f"acme: no answer (timeout): no answer.{MAY_COUNT}"),
            (unreadable(), False, f"acme: no answer (invalid): no status.{MAY_COUNT}"),
        ],
        ids=str,
    )
    async def test_an_outcome(
        self, ask: Ask, provider: ScriptedProvider, outcome: Outcome, ok: bool, text: str
    ) -> None:
        """What came back, what it means, what to do about it."""
        provider.script = [outcome]
        report = await ask(account())
        assert (report.ok, report.text) == (ok, text)

    async def test_200_without_a_balance_is_no_success(self, ask: Ask, provider: ScriptedProvider) -> None:
        """A script that relies on the exit code must not take it for one."""
        provider.script = [reading(200, used=5)]
        report = await ask(account())
        assert not report.ok
        assert report.text == (
            "acme: 200: completed successfully.\n"
            "  used                  5\n"
            "  It doesn't say how many stamps are available."
        )

    async def test_without_a_wsdl(self, ask: Ask, provider: ScriptedProvider) -> None:
        """Nothing is charged, nothing sent."""
        provider.wsdl = unsent(Reason.TIMEOUT, "the WSDL did not come within 60 s")
        for _ in range(5):
            report = await ask(account(WRONG))
            assert report.text == "acme: no answer (timeout): the WSDL did not come within 60 s."
        assert provider.logins == []

    def test_a_name_that_is_close(self) -> None:
        """Typing errors are common."""
        known = config(account(), account(name="globex", username="b"))
        assert names.unknown(known, "acmee") == "config.yaml: no account is called acmee, did you mean acme?"
        assert names.unknown(known, "zzz") == "config.yaml: no account is called zzz"
        assert names.find(known, "globex") is known.accounts[1]
        assert names.find(known, "zzz") is None

    def test_an_issuer(self) -> None:
        """Names can hold slashes: the longest that is an account's is taken for it."""
        issuers = tuple(
            Issuer(name, f"AAA01010{number}AAA", 60.0, 180.0, None, None, ())
            for number, name in enumerate(("norte", "b/norte", "sur"))
        )
        a, ab = (
            replace(account(name=name, username=name), issuers=some)
            for name, some in (("a", issuers), ("a/b", issuers[:1]))
        )
        known = config(a, ab)
        assert names.find_issuer(known, "a/norte") == (a, issuers[0])
        assert names.find_issuer(known, "a/b/norte") == (ab, issuers[0])
        assert names.find_issuer(known, "a/b/sur") is None
        assert names.find_issuer(known, "c/norte") is None
        said = "config.yaml: account a has no issuer called nort, did you mean norte?"
        assert names.unknown(known, "a/nort") == said


class TestGuard:
    async def test_no_more_tries_than_the_daemon_has(
        self, ask: Ask, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """An interval apart, then suspended; each time it says why."""
        began = clock.time()
        assert "refusal 1 of 2" in (await ask(account(WRONG))).text
        assert (await ask(account(WRONG))).text == (
            "acme: not asked: this login was tried a short while ago, and another try could count against "
            "the\n  account. The guard allows the next one at 2023-11-14 22:28:20 UTC."
        )
        clock.advance(INTERVAL)
        assert "refusal 2 of 2" in (await ask(account(WRONG))).text
        clock.advance(100)
        report = await ask(account(WRONG))
        assert not report.ok
        assert report.text == (
            "acme: not asked: suspended since 2023-11-14 22:28:20 UTC, when the provider answered\n"
            "  601: the user name or the password is wrong.\n"
            f"  Correct the credential in the configuration, then reload.{RESUME}"
        )
        assert [login.at - began for login in provider.logins] == [0, INTERVAL]

    async def test_resume(self, ask: Ask, provider: ScriptedProvider, clock: FakeClock) -> None:
        """One new try, once an hour."""
        provider.script = [reading(602)]
        await ask(account(WRONG))
        assert "refusal 2 of 2" in (await ask(account(WRONG), resume=True)).text
        clock.advance(60)
        report = await ask(account(WRONG), resume=True)
        assert (report.ok, report.text) == (
            False,
            "acme: not resumed: an account can be resumed once an hour, next at 2023-11-14 23:13:20 UTC",
        )
        assert len(provider.logins) == 2
        clock.advance(HOUR - 60)
        provider.passwords[account().username] = WRONG
        assert (await ask(account(WRONG), resume=True)).ok

    async def test_resume_where_nothing_is_suspended(
        self, ask: Ask, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """It gives no way around the distance."""
        await ask(account(WRONG), resume=True)
        assert "not asked" in (await ask(account(WRONG), resume=True)).text
        clock.advance(1)
        assert provider.tries(WRONG) == 1

    async def test_it_waits_for_open_tries(
        self, ask: Ask, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """Nobody knows whether they were refused: it says so, until when (an hour after the last), and how to
        try sooner. Another password is no way around, as nobody knows any more which one they carried."""
        began = clock.time()
        for _ in range(2):
            provider.script = [unreadable()]
            assert "may have counted" in (await ask(account(RIGHT))).text
            clock.advance(INTERVAL)
        for password in (RIGHT, WRONG):
            report = await ask(account(password))
            assert (report.ok, report.colour) == (False, check.Colour.BAD)
            assert report.text == (
                "acme: not asked: what became of the last tries isn't known, and they may have been "
                "refused.\n  The guard allows the next one at 2023-11-14 23:28:20 UTC. For one now, "
                "once an hour:\n    cfdi-stamps-exporter check --resume acme"
            )
        clock.advance(HOUR - INTERVAL - 1)
        assert "not asked" in (await ask(account(RIGHT))).text
        clock.advance(1)
        assert (await ask(account(RIGHT))).ok
        assert [arrival.at - began for arrival in provider.logins] == [0, INTERVAL, INTERVAL + HOUR]

    async def test_resume_closes_open_tries_for_one_new_one(
        self, ask: Ask, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """Once an hour; a right password needs no more."""
        for _ in range(2):
            provider.script = [sent()]
            await ask(account(WRONG))
            clock.advance(INTERVAL)
        provider.script = [unreadable()]
        assert "may have counted" in (await ask(account(RIGHT), resume=True)).text
        clock.advance(60)
        assert "can be resumed once an hour" in (await ask(account(RIGHT), resume=True)).text
        assert "isn't known" in (await ask(account(RIGHT))).text
        assert len(provider.logins) == 3
        clock.advance(HOUR - 60)
        assert (await ask(account(RIGHT), resume=True)).ok
        assert (await ask(account(RIGHT))).ok

    async def test_right_as_often_as_one_likes(self, ask: Ask, provider: ScriptedProvider) -> None:
        """Nothing is held against an accepted credential."""
        for _ in range(5):
            assert (await ask(account(RIGHT))).ok
        assert provider.tries(RIGHT) == 5


class TestRun:
    """With the real provider's side: SOAP over HTTP."""

    @pytest.fixture
    async def asked(self) -> Account:
        environment = replace(ENVIRONMENT, wsdl="http://127.0.0.1:1/ws?wsdl", allow_plaintext=True)
        return account(PASSWORD, username="healthy@demo.example", environment=environment)

    @pytest.mark.process
    async def test_against_the_simulator(self, asked: Account, tmp_path: Path) -> None:
        """One login, whatever is needed before it."""
        simulator = Simulator()
        await simulator.start()
        try:
            asked = replace(asked, environment=replace(asked.environment, wsdl=simulator.wsdl_url))
            logged = io.StringIO()
            logger = log.logger("info", stream=logged)
            report = await check.run(asked, tmp_path / "state.db", resume=False, log=logger)
            assert report.ok
            assert report.text.startswith("acme: 200: completed successfully.\n  contracted       80,000\n")
            assert simulator.accounts["healthy@demo.example"].calls == 1
            assert logged.getvalue() == ""
        finally:
            await simulator.stop()

    async def test_without_storage_nothing_is_sent(self, asked: Account, tmp_path: Path) -> None:
        """The guard could not count it."""
        logger = log.logger("info", stream=io.StringIO())
        with pytest.raises(StorageError, match="can't be opened: No such file or directory"):
            await check.run(asked, tmp_path / "missing" / "state.db", resume=False, log=logger)

    async def test_nobody_there(self, asked: Account, tmp_path: Path) -> None:
        """Said in a sentence, nothing left open."""
        logger = log.logger("info", stream=io.StringIO())
        report = await check.run(asked, tmp_path / "state.db", resume=False, log=logger)
        assert not report.ok
        assert report.text.startswith("acme: no answer (connection): loading the WSDL: no connection: ")


class TestCommand:
    """The exit codes that scripts rely on; 0 is proven with real processes (`test_guard_processes`)."""

    @pytest.fixture
    def flag(self, tmp_path: Path) -> str:
        (tmp_path / "config.yaml").write_text(
            "environments: {peer: {wsdl: 'http://127.0.0.1:1/ws?wsdl'}}\n"
            "accounts: [{name: acme, username: a, password: b, environment: peer}]\n"
        )
        return f"--config.file={tmp_path / 'config.yaml'}"

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["acmee"], 2, "no account is called acmee, did you mean acme?\n"),
            (["acme"], 1, "acme: no answer (connection): loading the WSDL: no connection: "),
            (
                ["acme", "--storage.path=missing/state.db"],
                1,
                "missing/state.db: can't be opened: No such file",
            ),
            (["acme", "--config.file=missing.yaml"], 2, "missing.yaml: "),
        ],
    )
    def test_exit_codes(
        self, flag: str, arguments: list[str], code: int, said: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """1 no answer, 2 a name or a configuration that is wrong."""
        assert cli.main(["check", flag, *arguments]) == code
        assert said in "".join(capfd.readouterr())
