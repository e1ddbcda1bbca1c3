"""The lockout guard with real processes: killed at any moment, with `check` beside it, reloaded, resumed."""

import multiprocessing
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from exporter.account.login import Login, Tried
from exporter.account.outcome import Outcome, Reading
from exporter.account.state import Rise, State
from exporter.daemon.state_file import open_storage
from exporter.guard.gate import Gate
from exporter.provider.contract import Permit
from exporter.provider.solucion_factible import codes
from exporter.storage.engine import Storage
from exporter.storage.states import load, save
from tests.support.peers import Daemon, DaemonFactory, FakeClock, PhpProvider, eventually
from tests.support.peers.daemon import EXPORTER, launched
from tests.support.rig import INTERVAL, account, reading, sent

SUSPENDED = 'cfdi_account_suspended{account="acme"}'
UP = 'cfdi_account_up{account="acme"}'
CONFIG = """\
global: {{environment: peer, interval: {interval}}}
environments: {{peer: {{wsdl: "{wsdl}"}}}}
accounts: [{{name: acme, username: ws@acme.example, password_file: password}}]
"""
LOOKS_OFTEN = launched(look_around=0.5)
"""As the exporter, but it looks twice a second at what `check` has done."""
WAITS = launched(first_polls=1e6)
"""As the exporter, but an account is first polled at any time within its interval."""


class Site:
    """One company: an account at the provider, its daemon, and a person at the terminal."""

    def __init__(self, provider: PhpProvider, daemon: DaemonFactory, directory: Path) -> None:
        self.provider, self._start, self._directory = provider, daemon, directory
        self._seen = 0
        self.set_password("right")

    def set_password(self, password: str) -> None:
        """At the provider."""
        self.provider.set("ws@acme.example", password=password, contracted=1000, used=400, available=600)

    def configure(self, password: str) -> None:
        """In the file that the configuration names."""
        (self._directory / "password").write_text(f"{password}\n")

    def start(self, *flags: str, interval: str = "1s", command: Sequence[str] = EXPORTER) -> Daemon:
        self.daemon = self._start(
            CONFIG.format(interval=interval, wsdl=self.provider.wsdl_url), *flags, command=command
        )
        return self.daemon

    def new_tries(self) -> int:
        """How many logins there have been since this was last asked."""
        seen, self._seen = self._seen, self.provider.calls("ws@acme.example")
        return self._seen - seen

    def shows(self, series: str, value: float) -> None:
        """Wait until the daemon shows a value."""
        eventually(lambda: self.daemon.metrics().get(series) == value)

    def check(self, *arguments: str) -> tuple[int, str]:
        """What `check acme` answers at the terminal, beside the daemon."""
        files = {
            "--config.file": self.daemon.config_file,
            "--storage.path": self.daemon.config_file.with_suffix(".db"),
        }
        flags = [f"{flag}={file}" for flag, file in files.items()]
        done = subprocess.run(
            [*EXPORTER, "check", "acme", *flags, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(php_provider: PhpProvider, daemon: DaemonFactory, tmp_path: Path) -> Site:
    return Site(php_provider, daemon, tmp_path)


@pytest.mark.peer("php")
class TestDaemon:
    def test_killed_twenty_times_with_a_wrong_password(self, site: Site) -> None:
        """Two tries in all, whenever it is killed, and suspended after each start; corrected, it takes one.

        Then another wrong one has two tries.
        """
        site.configure("wrong")
        daemon = site.start(command=LOOKS_OFTEN)
        for number in range(20):
            if number < 2:
                eventually(lambda: site.provider.calls("ws@acme.example") > number)  # noqa: B023 - called at once
            else:
                site.shows(SUSPENDED, 1)
            daemon.kill()
            daemon.start()
        site.shows(SUSPENDED, 1)
        assert site.new_tries() == 2

        # A try that a kill has cut off may have been anybody's: somebody says that the new one may be tried.
        site.configure("right")
        daemon.send(SIGHUP)
        code, said = site.check("--resume")
        assert (code, "acme: 200: completed successfully." in said) == (0, True)
        site.shows(UP, 1)
        assert site.daemon.metrics()[SUSPENDED] == 0
        daemon.stop(SIGTERM)
        tries = site.new_tries()
        assert 1 <= tries <= 4  # one or two, and one for each further second

        site.configure("another wrong one")
        before = site.provider.calls("ws@acme.example")
        daemon.start()
        # Until the guard has looked at it, it counts as suspended, as its predecessor was.
        eventually(lambda: site.provider.calls("ws@acme.example") == before + 2)
        site.shows(SUSPENDED, 1)
        site.configure("wrong")
        daemon.send(SIGHUP)
        eventually(lambda: daemon.log.count('msg="configuration reloaded"') == 2)
        time.sleep(1.5)
        site.shows(SUSPENDED, 1)
        # Of the first wrong one's tries those count that were kept before a kill: acceptance ended the rest.
        assert 2 <= site.new_tries() <= 4

    def test_killed_at_any_moment_of_its_tries(self, site: Site) -> None:
        """Never more than two; fewer where a kill came between the charge and the try."""
        site.configure("wrong")
        daemon = site.start()
        for number in range(8):
            time.sleep(number * 0.2)
            daemon.kill()
            daemon.start()
        site.shows(SUSPENDED, 1)
        assert site.new_tries() <= 2

    def test_check_beside_the_daemon(self, site: Site) -> None:
        """It goes through the same guard; exit codes and texts are for people and scripts."""
        site.configure("wrong")
        site.start(interval="24h", command=WAITS)
        code, said = site.check()
        assert code == 1
        assert "601: the user name or the password is wrong" in said
        code, said = site.check()
        assert (code, "not asked: this login was tried a short while ago" in said) == (1, True)
        assert site.new_tries() == 1

        site.set_password("wrong")
        with closing(sqlite3.connect(site.daemon.config_file.with_suffix(".db"))) as db:
            db.execute("UPDATE credential SET next_at = 0")
            db.commit()
        code, said = site.check()
        assert (code, "acme: 200: completed successfully." in said) == (0, True)

    def test_resumed_by_check(self, site: Site) -> None:
        """The daemon notices by itself, polls again, and is suspended again by the next refusal."""
        site.configure("wrong")
        daemon = site.start(command=LOOKS_OFTEN)
        site.shows(SUSPENDED, 1)
        assert site.new_tries() == 2
        code, said = site.check()
        assert (code, "not asked: suspended since" in said) == (1, True)
        site.set_password("wrong")
        code, said = site.check("--resume")
        assert (code, "acme: 200: completed successfully." in said) == (0, True)
        site.shows(UP, 1)
        assert 'msg="account resumed elsewhere" account=acme' in daemon.log
        site.set_password("right")
        site.new_tries()
        site.shows(SUSPENDED, 1)
        assert site.new_tries() <= 2
        code, said = site.check("--resume")
        assert (code, "not resumed: an account can be resumed once an hour" in said) == (1, True)
        assert site.new_tries() == 0

    def test_resume_and_reload_over_http(self, site: Site) -> None:
        """One new try, 429 within the hour, 404 where nothing is suspended; no request from another site."""
        site.configure("wrong")
        daemon = site.start("--web.enable-lifecycle")
        site.shows(SUSPENDED, 1)
        assert site.new_tries() == 2
        for headers in ({"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            for path in ("/-/resume?account=acme", "/-/reload"):
                answer = daemon.post(path, headers)
                assert (answer.status, answer.text) == (403, "refused: the request comes from another site\n")
        assert daemon.post("/-/resume").status == 400
        assert daemon.post("/-/resume?account=nobody").status == 404

        resumed = daemon.post("/-/resume?account=acme", {"Origin": daemon.url})
        assert (resumed.status, resumed.text) == (200, "resumed: one new try\n")
        eventually(lambda: site.provider.calls("ws@acme.example") == 3)
        site.shows(SUSPENDED, 1)
        assert site.new_tries() == 1
        too_soon = daemon.post("/-/resume?account=acme")
        assert (too_soon.status, too_soon.text) == (
            429,
            "an account can be resumed once an hour: try again later\n",
        )
        assert 3500 < int(too_soon.headers["Retry-After"]) <= 3600

        site.configure("right")
        reloaded = daemon.post("/-/reload")
        assert (reloaded.status, reloaded.text) == (200, "reloaded\n")
        site.shows(UP, 1)
        assert daemon.post("/-/resume?account=acme").status == 404

    def test_without_the_flag_nothing_can_be_changed_over_http(self, site: Site) -> None:
        """Whoever reaches the port of an exporter must not reach its accounts."""
        site.configure("right")
        daemon = site.start()
        for path in ("/-/resume?account=acme", "/-/reload"):
            assert daemon.post(path).status == 403

    def test_two_daemons_on_one_file(self, site: Site, tmp_path: Path) -> None:
        """The second refuses to start, with exit code 1."""
        site.configure("right")
        daemon = site.start()
        storage = daemon.config_file.with_suffix(".db")
        second = subprocess.run(
            [
                *EXPORTER,
                f"--config.file={daemon.config_file}",
                f"--storage.path={storage}",
                "--web.listen-address=127.0.0.1:0",
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd=tmp_path,
        )
        assert second.returncode == 1
        assert f'error="{storage}: another daemon uses it"' in second.stderr


# A process that does nothing but charge, settle and save, until it is killed. ---------------------------

ACCOUNTS = [
    account(f"password {number}", f"a{number}", username=f"user-{number}", auth_attempts=10**6)
    for number in range(3)
]
OUTCOMES: list[Outcome] = [reading(601), reading(601), reading(500), sent(), reading(200)]


def live(path: Path, seed: int, report: Connection) -> None:
    """Charge, settle and save as fast as possible; report what is about to be written, and what was."""
    import asyncio
    import hashlib
    from unittest.mock import patch

    def digest(_method: str, password: object, salt: bytes) -> bytes:
        return hashlib.blake2b(repr(password).encode(), salt=salt).digest()

    async def run() -> None:
        now = 1.7e9 + seed * 1e6
        storage = open_storage(path, exclusive=True, now=now)
        known = storage.read(lambda db: load(db, now, codes.code))
        with patch("exporter.guard.credential._digest", digest):
            await asyncio.gather(
                *(
                    charge_and_settle(storage, place, now, random.Random(f"{seed} {place}"), report)  # noqa: S311
                    for place in range(len(ACCOUNTS))
                ),
                count_up(storage, known.get("counter", State()).consumed.total, report),
            )

    asyncio.run(run())


async def charge_and_settle(
    storage: Storage, place: int, now: float, dice: random.Random, report: Connection
) -> None:
    clock, asked = FakeClock(now), ACCOUNTS[place]
    gate = Gate(storage, clock, codes=codes.code, refused=codes.REFUSED, storage_failed=report.send)
    login = Login(asked.guard_key, asked.password, asked)
    outcome: Outcome = sent()

    async def send(permit: Permit) -> Outcome:
        permit.password()
        report.send(("charged", place, 0))
        report.send(("settling", place, number_of(outcome)))
        return outcome

    while True:
        clock.advance(INTERVAL)
        login.proven = False  # as after a start: what is tried is to be on the disk
        outcome = dice.choice(OUTCOMES)
        tried = await gate.attempt(login, send)
        assert isinstance(tried, Tried)
        await gate.kept()
        report.send(("settled", place, number_of(outcome)))


def number_of(outcome: Outcome) -> int:
    return outcome.code.number if isinstance(outcome, Reading) else 0


async def count_up(storage: Storage, total: int, report: Connection) -> None:
    for stamps in count(total + 1):
        states = [("counter", State(consumed=Rise(stamps, stamps)))]
        await storage.transact(lambda db, states=states: save(db, states))  # type: ignore[misc]
        report.send(("saved", -1, stamps))


def received(reports: Connection) -> Iterator[tuple[str, int, int]]:
    """All that a process that is dead by now has reported."""
    while True:
        try:
            yield reports.recv()
        except EOFError:
            return


@pytest.mark.process
@pytest.mark.parametrize(
    "kills", [60, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_killed_again_and_again(tmp_path: Path, kills: int) -> None:
    """No try and no refusal that was reported is ever lost, no counter steps back, the file stays whole."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    path = tmp_path / "state.db"
    dice = random.Random(0)  # noqa: S311
    refused = dict.fromkeys(range(len(ACCOUNTS)), 0)
    steps = total = 0
    for seed in range(kills):
        reports, report = context.Pipe(duplex=False)
        process = context.Process(target=live, args=(path, seed, report))
        process.start()
        report.close()
        with reports:
            reports.poll(10)  # it lives by now
            time.sleep(dice.random() * 0.05)
            process.kill()
            process.join()
            latest = {}
            for step, place, value in received(reports):
                steps += 1
                if step == "saved":
                    total = max(total, value)
                    continue
                latest[place] = step, value
                if step == "settled":
                    refused[place] = {601: refused[place] + 1, 200: 0}.get(value, refused[place])
        process.close()

        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            assert load(db, 0, codes.code)["counter"].consumed.total >= total
            for place, asked in enumerate(ACCOUNTS):
                open_tries, kept = (
                    db.execute(query, (asked.guard_key,)).fetchone()[0]
                    for query in (
                        "SELECT count(*) FROM try WHERE login = ? AND kind <> 3",
                        "SELECT coalesce(sum(refusals), 0) FROM credential WHERE login = ?",
                    )
                )
                step, value = latest.get(place, ("", 0))
                may_be = {refused[place]}
                if step == "settling":
                    may_be.add({601: refused[place] + 1, 200: 0}.get(value, refused[place]))
                assert kept in may_be, f"life {seed}, account {place}, after {step} {value}"
                if step == "charged":
                    assert open_tries, f"life {seed}: a try is lost"
                refused[place] = kept
    assert steps > kills
