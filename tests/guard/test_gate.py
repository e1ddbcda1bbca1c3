"""The lockout guard, story by story: what may be sent, and what no kill, reload or rename gets around.

Each story tells what the provider sees. The daemon's parts are real; what stands in for the rest is in
`tests.support.rig`.
"""

import asyncio
import base64
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.account.login import Held, Tried
from exporter.account.outcome import Failure, Outcome
from exporter.account.state import Suspension
from exporter.config import Account
from exporter.guard.credential import Fingerprints
from exporter.guard.gate import ResumeTooSoonError
from exporter.guard.records import REMEMBERED
from exporter.provider.contract import Permit
from exporter.provider.solucion_factible import codes
from exporter.secret import Secret
from exporter.storage.engine import StorageError
from tests.support.peers import FakeClock
from tests.support.rig import (
    GOOD,
    INTERVAL,
    RIGHT,
    WRONG,
    KilledError,
    Life,
    ScriptedProvider,
    account,
    asked_for,
    fails,
    gate_beside,
    kills,
    reading,
    sent,
    unreadable,
    unsent,
)

HOUR = 3600.0
OPEN = "SELECT id FROM try WHERE kind <> 3"
REFUSED = reading(601)
OTHER = account(RIGHT, "other", username="other@acme.example")
Start = Callable[..., Awaitable[Life]]


@pytest.fixture
def cheap_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a story be about what is counted, not about how long scrypt takes."""

    def digest(_method: str, password: Secret, salt: bytes) -> bytes:
        return hashlib.blake2b(password.reveal().encode(), salt=salt).digest()

    monkeypatch.setattr("exporter.guard.credential._digest", digest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def provider(clock: FakeClock) -> ScriptedProvider:
    return ScriptedProvider(clock)


@pytest.fixture
async def start(path: Path, clock: FakeClock, provider: ScriptedProvider) -> AsyncIterator[Start]:
    """Starts a life on the test's storage, with accounts; the one before must have ended."""
    lives: list[Life] = []

    async def begin(*accounts: Account) -> Life:
        life = Life(path, clock, provider)
        lives.append(life)
        await life.use(*accounts)
        return life

    yield begin
    for life in lives:
        await life.stop()


async def check(path: Path, clock: FakeClock, provider: ScriptedProvider, asked: Account) -> str:
    """What `check` does to an account: `sent`, `held` or `suspended`."""
    async with gate_beside(path, clock) as gate:
        balance = asked_for(asked)
        await gate.adopt(balance.login)
        tried = await provider.ask(balance, gate)
        if isinstance(tried, Held):
            return "suspended" if tried.suspension else "held"
        return "sent"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What the state file holds."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def fails_from_the_next_login_on(life: Life) -> None:
    """The disk fills up while the provider thinks."""
    life.provider.on_login = lambda _login: setattr(life.storage, "before", fails())


def works_again(life: Life) -> None:
    """There is room on the disk again."""
    life.provider.on_login = lambda _login: None
    life.storage.before = lambda _number: None


@pytest.mark.usefixtures("cheap_fingerprints")
class TestLimit:
    @pytest.mark.parametrize("auth_attempts", [1, 2, 3])
    async def test_a_wrong_credential_is_tried_so_often_and_no_more(
        self, start: Start, provider: ScriptedProvider, auth_attempts: int
    ) -> None:
        """Then the account is suspended, which the log says once."""
        life = await start(account(WRONG, auth_attempts=auth_attempts))
        await life.poll_until_idle()
        assert provider.tries(WRONG) == auth_attempts
        assert life.suspended()
        assert life.logged.getvalue().count('msg="account suspended"') == 1

    async def test_tries_are_an_interval_apart(self, start: Start, provider: ScriptedProvider) -> None:
        """Whoever looks at the provider's log sees no burst."""
        life = await start(account(WRONG, auth_attempts=3))
        await life.poll_until_idle()
        times = [login.at for login in provider.logins]
        assert [later - earlier for earlier, later in pairwise(times)] == [INTERVAL] * 2

    @pytest.mark.parametrize("restart", ["kill", "stop"])
    async def test_restarts_give_no_fresh_tries(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock, restart: str
    ) -> None:
        """Twenty of them, at any time; after each it is suspended as soon as it is."""
        for _ in range(20):
            life = await start(account(WRONG))
            await life.poll_until_idle(1)
            await (life.kill() if restart == "kill" else life.stop())
            clock.advance(INTERVAL / 2)
        assert provider.tries(WRONG) == 2
        life = await start(account(WRONG))
        assert life.suspended()
        assert not life.agenda.due

    async def test_the_suspension_says_what_and_since_when(
        self, start: Start, clock: FakeClock, provider: ScriptedProvider
    ) -> None:
        """Also after a restart, by the provider's last word."""
        provider.script = [reading(604)]
        life = await start(account(WRONG))
        await life.poll()
        at = clock.time()
        assert life.state().suspension == Suspension(codes.code(604), at)
        await life.kill()
        clock.advance(500)
        assert (await start(account(WRONG))).state().suspension == Suspension(codes.code(604), at)

    @pytest.mark.parametrize("code", [602, 603, 604, 605, 633])
    @pytest.mark.parametrize("proven", [True, False])
    async def test_a_stop_suspends_at_once(
        self, start: Start, provider: ScriptedProvider, code: int, proven: bool
    ) -> None:
        """Over restarts too, even where the password is right."""
        life = await start(account(RIGHT, auth_attempts=3))
        if proven:
            await life.poll()
        provider.script = [reading(code)]
        await life.poll()
        assert life.suspended()
        await life.kill()
        life = await start(account(RIGHT, auth_attempts=3))
        await life.poll_until_idle()
        assert life.suspended()
        assert len(provider.logins) == 1 + proven

    async def test_two_accounts_have_their_own_tries(self, start: Start, provider: ScriptedProvider) -> None:
        """One being suspended leaves the other alone."""
        provider.passwords[OTHER.username] = RIGHT
        life = await start(account(WRONG), OTHER)
        await life.poll_until_idle(10)
        assert provider.tries(WRONG) == 2
        assert life.suspended()
        assert provider.tries(RIGHT) == 8
        assert not life.state("other").suspension
        await life.kill()
        life = await start(account(WRONG), OTHER)
        assert life.suspended()
        assert set(life.agenda.due) == {"other"}


@pytest.mark.usefixtures("cheap_fingerprints")
class TestOutcomes:
    @pytest.mark.parametrize("code", [200, 630, 631])
    async def test_acceptance_clears_all_charges(
        self, start: Start, provider: ScriptedProvider, path: Path, code: int
    ) -> None:
        """Whatever was refused before doesn't count any more."""
        provider.script = [REFUSED, reading(code, available=0)]
        life = await start(account(RIGHT))
        await life.poll_until_idle(2)
        assert life.monitored().login.proven
        assert rows(path, "SELECT * FROM try") == rows(path, "SELECT * FROM credential") == []
        provider.passwords.clear()
        await life.poll_until_idle()
        assert life.suspended()
        assert len(provider.logins) == 4

    async def test_a_proven_credential_that_turns_wrong_has_two_tries_in_all(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """The password was changed at the provider."""
        life = await start(account(RIGHT))
        await life.poll_until_idle(3)
        provider.passwords.clear()
        provider.logins.clear()
        await life.poll_until_idle()
        assert provider.tries(RIGHT) == 2
        assert life.suspended()

    @pytest.mark.parametrize("code", [500, 501, 502, 503, 611, 612, 624, 632, 599, 0, -1])
    async def test_what_says_nothing_gives_the_try_back_but_holds_the_distance(
        self, start: Start, provider: ScriptedProvider, path: Path, code: int
    ) -> None:
        """Ten of them suspend nothing; none is followed by a quick retry, not even after a restart."""
        provider.script = [reading(code)] * 15
        life = await start(account(WRONG))
        for _ in range(5):
            await life.poll()
            assert rows(path, OPEN) == []
        await life.kill()
        life = await start(account(WRONG))
        for _ in range(10):
            await life.poll()
        times = [login.at for login in provider.logins]
        assert min(later - earlier for earlier, later in pairwise(times)) >= INTERVAL
        assert not life.suspended()
        await life.poll_until_idle()
        assert life.suspended()
        assert provider.tries(WRONG) == 17

    async def test_what_was_not_sent_needs_no_distance(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock, path: Path
    ) -> None:
        """A provider that is down is tried again after 30 s, and the credential at once when it is back."""
        provider.script = [unsent()]
        life = await start(account(RIGHT))
        await life.poll()
        down = clock.time()
        assert rows(path, "SELECT * FROM try") == []
        await life.poll()
        assert 30 <= clock.time() - down <= 33
        assert life.state().up

    async def test_without_a_wsdl_nothing_is_charged(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """And nothing sent."""
        provider.wsdl = unsent()
        life = await start(account(WRONG))
        await life.poll_until_idle()
        assert provider.logins == []
        assert rows(path, "SELECT * FROM credential") == []

    async def test_a_proven_credential_is_retried_quickly(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """It is right: the provider's trouble is no reason to wait for long."""
        life = await start(account(RIGHT))
        await life.poll()
        provider.script = [sent()]
        await life.poll()
        failed = clock.time()
        await life.poll()
        assert 30 <= clock.time() - failed <= 33


@pytest.mark.usefixtures("cheap_fingerprints")
class TestKey:
    async def test_a_renamed_account_gets_no_fresh_tries(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """By reload or with a restart."""
        life = await start(account(WRONG, "one"))
        await life.poll_until_idle(1)
        await life.use(account(WRONG, "two"))
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2
        assert life.state("two").suspension
        await life.use(account(WRONG, "three"))
        assert life.state("three").suspension
        await life.kill()
        life = await start(account(WRONG, "four"))
        assert life.state("four").suspension
        assert provider.tries(WRONG) == 2

    async def test_nor_does_another_spelling_of_the_username(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """The provider may not care about its case."""
        life = await start(account(WRONG, username="WS@acme.example"))
        await life.poll_until_idle(1)
        await life.use(account(WRONG, username="ws@ACME.example"))
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2
        assert life.suspended()

    async def test_nor_another_environment_at_the_same_host(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """What counts is where the logins go."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        await life.kill()
        elsewhere = replace(provider.environment, name="alias", wsdl="https://PAC.example:443/other?wsdl")
        provider.environment = elsewhere
        life = await start(account(WRONG, environment=elsewhere))
        assert life.suspended()

    async def test_a_name_that_is_given_to_another_login_inherits_nothing(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Neither the suspension nor the balance."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        provider.passwords["other@acme.example"] = RIGHT
        await life.use(account(RIGHT, username="other@acme.example"))
        assert not life.suspended()
        await life.poll()
        assert life.state().up

    async def test_removed_and_added_again(self, start: Start, provider: ScriptedProvider) -> None:
        """An account that was taken out for a while comes back with what was held against it."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        await life.use(OTHER)
        await life.use(account(WRONG))
        assert life.suspended()
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2

    async def test_removed_and_added_again_with_another_password(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """Which is as unproven as any: charged before it is sent."""
        life = await start(account(RIGHT))
        await life.poll()
        await life.use(OTHER)
        await life.use(account(WRONG))
        charged: list[int] = []
        provider.on_login = lambda _login: charged.append(len(rows(path, "SELECT * FROM try")))
        await life.poll_until_idle()
        assert charged == [1, 1]
        assert life.suspended()

    async def test_removed_while_suspended_and_added_again_corrected(self, start: Start) -> None:
        """Up at the first try."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        await life.use(OTHER)
        await life.use(account(RIGHT))
        assert not life.suspended()
        await life.poll()
        assert life.state().up


class TestFingerprints:
    async def test_corrected_by_reload(self, start: Start, provider: ScriptedProvider) -> None:
        """One try, and it is up."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        await life.use(account(RIGHT))
        await life.poll()
        assert life.state().up
        assert provider.tries(RIGHT) == 1

    async def test_corrected_at_a_restart(self, start: Start, provider: ScriptedProvider) -> None:
        """Likewise."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        await life.kill()
        life = await start(account(RIGHT))
        assert not life.suspended()
        await life.poll()
        assert life.state().up
        assert provider.tries(RIGHT) == 1

    @pytest.mark.parametrize("by", ["reload", "restart"])
    @pytest.mark.parametrize("polls", [1, 2])
    async def test_there_and_back_again_gives_no_fresh_tries(
        self, start: Start, provider: ScriptedProvider, by: str, polls: int
    ) -> None:
        """A, B, A, B and so on, all wrong: each has two tries in all."""
        life = await start(account("A"))
        for password in "ABABABAB":
            if by == "reload":
                await life.use(account(password))
            else:
                await life.kill()
                life = await start(account(password))
            await life.poll_until_idle(polls)
        assert provider.tries("A") == provider.tries("B") == 2
        assert life.suspended()

    @pytest.mark.parametrize("by", ["reload", "restart"])
    async def test_back_to_a_wrong_one_after_the_right_one(
        self, start: Start, provider: ScriptedProvider, by: str
    ) -> None:
        """That another credential was accepted proves nothing of the first."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        for password in (RIGHT, WRONG):
            if by == "reload":
                await life.use(account(password))
            else:
                await life.kill()
                life = await start(account(password))
            await life.poll_until_idle(1)
        assert life.suspended()
        assert provider.tries(WRONG) == 2

    async def test_killed_before_a_refusal_is_kept(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """Whose it was nobody knows: an open try of the login, and no record of any password."""
        life = await start(account(WRONG))
        life.storage.before = kills(life.storage.writes + 2)  # the charge, the refusal
        with pytest.raises(KilledError):
            await life.poll()
        await life.kill()
        assert rows(path, "SELECT * FROM credential") == []
        assert len(rows(path, OPEN)) == 1
        life = await start(account("B"))
        await life.poll_until_idle(2)
        assert provider.tries("B") == 1, "one open, one refused"
        await life.kill()
        life = await start(account(WRONG))
        await life.poll_until_idle(2)
        assert provider.tries(WRONG) == 2, "one lost, one refused"
        clock.advance(HOUR)
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 3, "the lost one has lapsed"
        assert life.suspended()

    async def test_killed_while_a_suspension_is_being_kept(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """It is there with its fingerprint, or it isn't there and its try is open."""
        provider.script = [reading(602)]
        life = await start(account(RIGHT))
        life.storage.after = kills(life.storage.writes + 3)  # the charge, the look for a record, the refusal
        with pytest.raises(KilledError):
            await life.poll()
        await life.kill()
        for password, suspended in ((RIGHT, True), ("another", False), (RIGHT, True)):
            life = await start(account(password))
            assert life.suspended() == suspended
            assert rows(path, "SELECT count(digest) FROM credential") == [(1,)]
            assert rows(path, OPEN) == []
            await life.kill()

    async def test_a_reload_tells_the_former_credential_apart(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """A corrected password needs no distance to the tries of the wrong one."""
        provider.script = [reading(500)]
        life = await start(account("A"))
        await life.poll()
        tried = clock.time()
        await life.use(account("B"))
        await life.poll()
        assert provider.tries("B") == 1
        assert clock.time() - tried < INTERVAL

    async def test_after_a_restart_nobody_can_tell_them_apart(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """A try that says nothing leaves no fingerprint, so its distance is kept by whoever comes."""
        provider.script = [reading(500)]
        life = await start(account("A"))
        await life.poll()
        tried = clock.time()
        await life.kill()
        life = await start(account("B"))
        await life.poll()
        await life.poll()
        assert provider.logins[-1].at - tried == INTERVAL

    async def test_only_the_last_eight_are_remembered(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """The file doesn't grow without bound; what is remembered is refused, what isn't starts anew."""
        life = await start(account("password 0", auth_attempts=1))
        for number in range(REMEMBERED + 2):
            await life.use(account(f"password {number}", auth_attempts=1))
            await life.poll_until_idle()
        assert rows(path, "SELECT count(*) FROM credential") == [(REMEMBERED,)]
        assert len(provider.logins) == REMEMBERED + 2
        for number in range(2, REMEMBERED + 2):
            await life.use(account(f"password {number}", auth_attempts=1))
            assert life.suspended()
        assert len(provider.logins) == REMEMBERED + 2

    async def test_no_secret_in_any_file(self, start: Start, provider: ScriptedProvider, path: Path) -> None:
        """Nor its usual encodings, nor a digest without salt; in the file, its log and its index."""
        secret = "pässwörd &<$ 1234567890"
        life = await start(account(secret))
        provider.script = [REFUSED]
        await life.poll_until_idle()
        await life.publisher.publish()
        await life.use(account(RIGHT))
        await life.poll_until_idle(2)
        await life.publisher.publish()
        kept = b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))
        assert b"acme.example" in kept
        for form in (
            secret.encode(),
            secret.encode("utf-16-le"),
            secret.encode("latin-1"),
            base64.b64encode(secret.encode()).rstrip(b"="),
            secret.encode().hex().encode(),
            RIGHT.encode(),
        ):
            assert form not in kept
        digests = rows(path, "SELECT length(salt), length(digest) FROM credential")
        assert digests == [(16, 32)]

    async def test_equal_passwords_have_different_fingerprints(self, start: Start, path: Path) -> None:
        """Each has its own salt: the file doesn't tell that two accounts share a password."""
        other = account(WRONG, "other", username="other@acme.example")
        life = await start(account(WRONG), other)
        await life.poll_until_idle()
        assert rows(path, "SELECT count(DISTINCT digest), count(DISTINCT salt) FROM credential") == [(2, 2)]


@pytest.mark.usefixtures("cheap_fingerprints")
class TestLostTries:
    async def lose(self, start: Start, provider: ScriptedProvider, *accounts: Account) -> None:
        """Be killed while a try is under way."""
        provider.open.clear()
        life = await start(*accounts)
        await life.begin_poll()
        await life.kill()
        provider.open.set()

    async def test_a_try_is_on_the_disk_before_it_is_sent(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """Else a kill would forget it."""
        open_then: list[tuple[int, object]] = []
        provider.on_login = lambda _login: open_then.append(
            (len(rows(path, OPEN)), rows(path, "SELECT refusals FROM credential"))
        )
        life = await start(account(WRONG))
        await life.poll_until_idle()
        assert open_then == [(1, []), (1, [(1,)])]

    async def test_so_is_that_of_a_proven_credential(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """Not on the disk, but in the file: a kill of the process loses nothing."""
        life = await start(account(RIGHT))
        await life.poll()
        open_then: list[int] = []
        provider.on_login = lambda _login: open_then.append(len(rows(path, OPEN)))
        await life.poll_until_idle(3)
        assert open_then == [1, 1, 1]
        assert rows(path, OPEN) == []

    @pytest.mark.parametrize("end", ["kill", "stop"])
    async def test_a_proven_credential_that_turns_wrong_and_a_kill(
        self, start: Start, provider: ScriptedProvider, end: str
    ) -> None:
        """Refused, and killed before anybody knew: two tries in all."""
        life = await start(account(RIGHT))
        await life.poll()
        provider.passwords.clear()
        provider.logins.clear()
        for _ in range(6):
            provider.open.clear()
            if life.agenda.due:
                await life.begin_poll()
            await (life.kill() if end == "kill" else life.stop())
            provider.open.set()
            life = await start(account(RIGHT))
        assert provider.tries(RIGHT) == 2

    async def test_a_crash_loop_sends_no_more_than_the_limit(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """Killed with a try under way again and again, within the hour."""
        small = account(WRONG, interval=60.0)
        for _ in range(2):
            await self.lose(start, provider, small)
        for _ in range(20):
            life = await start(small)
            clock.advance(100)
            await life.poll_until_idle(1)
            await life.kill()
        assert provider.tries(WRONG) == 2

    async def test_a_lost_try_lapses_after_an_hour_and_not_before(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """The account isn't given up: the lost try may never have arrived."""
        one_try = account(RIGHT, auth_attempts=1)
        await self.lose(start, provider, one_try)
        lost = clock.time()
        life = await start(one_try)
        await life.poll()
        assert provider.tries(RIGHT) == 1
        assert life.state().next_poll == lost + HOUR
        assert life.state().blocked
        assert 'msg="account waits" account=acme' in life.logged.getvalue()
        await life.poll()
        assert (provider.tries(RIGHT), clock.time()) == (2, lost + HOUR)
        assert life.state().up

    async def test_a_refusal_never_lapses(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """Not in a year."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        for _ in range(3):
            await life.kill()
            clock.advance(365 * 24 * HOUR)
            life = await start(account(WRONG))
            await life.poll_until_idle()
        assert provider.tries(WRONG) == 2

    async def test_one_refused_and_one_lost(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """Both count until the lost one lapses; the next refusal suspends."""
        life = await start(account(WRONG))
        await life.poll()
        provider.open.clear()
        await life.begin_poll()
        await life.kill()
        provider.open.set()
        lost = clock.time()
        life = await start(account(WRONG))
        await life.poll_until_idle()
        assert [login.at for login in provider.logins[1:]] == [lost, lost + HOUR]
        assert life.suspended()

    async def test_a_stop_that_cancels_a_try_leaves_it_open(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """The provider may have counted it."""
        provider.open.clear()
        life = await start(account(WRONG))
        await life.begin_poll()
        await life.stop()
        assert len(rows(path, OPEN)) == 1

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("wrong", [True, False])
    async def test_killed_at_each_single_step(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock, moment: str, wrong: bool
    ) -> None:
        """Before and after every write that two polls make: a wrong credential is never sent a third time
        within the hour, and the right one comes up."""
        step, finished = 1, False
        for step in range(1, 30):
            asked = account(WRONG if wrong else RIGHT, username=f"user-{step}@acme.example")
            provider.passwords[asked.username] = RIGHT
            provider.logins.clear()
            life = await start(asked)
            setattr(life.storage, moment, kills(life.storage.writes + step))
            try:
                await life.poll_until_idle(2)
                finished = True
            except KilledError:
                await life.kill()
                life = await start(asked)
                await life.poll_until_idle(3)
            if wrong:
                assert provider.tries(WRONG) <= 2 + (clock.time() - provider.logins[0].at >= HOUR)
                assert life.suspended() or life.agenda.due
            else:
                assert life.state().up
            await life.kill()
            if finished:
                break
        assert finished
        assert step > (5 if wrong else 2)


@pytest.mark.usefixtures("cheap_fingerprints")
class TestUnknownOutcomes:
    """What isn't understood is taken for a refusal, with a limit and a way out."""

    async def test_what_the_service_said_unreadably_is_tried_ever_more_seldom(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Twice, then 1, 3, 7, 15, 31 hours after that, and then once a day: not 96 times a day."""
        provider.script = [unreadable()] * 20
        life = await start(account(WRONG))
        await life.poll_until_idle(16)
        times = [login.at for login in provider.logins]
        assert times[1] - times[0] == INTERVAL
        assert [(at - times[1]) / HOUR for at in times[2:9]] == [1, 3, 7, 15, 31, 55, 79]

    @pytest.mark.parametrize("auth_attempts", [1, 2, 3])
    async def test_acceptance_ends_that(
        self, start: Start, provider: ScriptedProvider, auth_attempts: int, path: Path
    ) -> None:
        """All open tries of the login are closed, and the next unreadable one waits for an hour again."""
        provider.script = [unreadable()] * (auth_attempts + 2)
        life = await start(account(RIGHT, auth_attempts=auth_attempts))
        while not life.state().up:
            await life.poll()
        assert rows(path, OPEN) == rows(path, "SELECT * FROM login") == []
        provider.script = [unreadable()] * auth_attempts
        provider.logins.clear()
        await life.poll_until_idle(auth_attempts + 2)
        times = [login.at for login in provider.logins]
        assert times[auth_attempts] - times[auth_attempts - 1] == HOUR

    async def test_a_proven_credential_is_unproven_after_as_many_in_a_row(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """It may have turned wrong, and the refusal is one that we can't read."""
        life = await start(account(RIGHT))
        await life.poll()
        provider.script = [unreadable()] * 5
        provider.logins.clear()
        await life.poll()
        assert life.monitored().login.proven
        await life.poll_until_idle(4)
        assert not life.monitored().login.proven
        times = [login.at for login in provider.logins]
        assert len(times) >= 3
        assert times[2] - times[1] == HOUR

    async def test_on_the_way_a_proven_credential_stays_proven(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """An outage is likelier than a refusal: it is tried at the pace of failures."""
        life = await start(account(RIGHT))
        await life.poll()
        provider.script = [sent()] * 10
        began = clock.time()
        await life.poll_until_idle(10)
        assert life.monitored().login.proven
        assert provider.tries(RIGHT) == 11
        assert clock.time() - began < 3 * HOUR

    async def test_on_the_way_each_open_try_lapses_after_an_hour(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """A credential that isn't proven waits then."""
        provider.script = [sent()] * 4
        life = await start(account(RIGHT))
        await life.poll_until_idle(8)
        first, second, third, fourth, *_ = [login.at for login in provider.logins]
        assert second - first == INTERVAL
        assert third - first == HOUR
        assert fourth - second == HOUR

    async def test_an_outage_at_a_start_ends_sooner_than_that(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock, path: Path
    ) -> None:
        """Another login is answered again: one open try of each lapses at once, and not a second one."""
        provider.passwords[OTHER.username] = RIGHT
        provider.script = [sent()] * 4
        life = await start(account(RIGHT, interval=60.0), replace(OTHER, interval=60.0, auth_attempts=3))
        while not life.state().blocked:
            await life.poll_until_idle(1)
        provider.script = [sent()] * len(provider.script)
        clock.advance(660)
        provider.script.clear()
        assert life.state().blocked
        await life.poll("other")
        assert life.state("other").up
        await life.kept()
        assert len(rows(path, f"{OPEN} AND login LIKE '%ws@acme%'")) == 1
        await life.roster.look_around()
        assert life.agenda.due["acme"] - clock.monotonic() <= 60
        await life.poll()
        assert life.state().up

    async def test_switching_between_unreadable_passwords_gives_no_fresh_tries(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Open tries belong to the login, whichever password they carried."""
        provider.script = [unreadable()] * 20
        life = await start(account("A"))
        for password in "ABABABAB":
            await life.use(account(password))
            await life.poll_until_idle(1)
        assert len(provider.logins) == 2

    @pytest.mark.parametrize("outcome", [sent(), unreadable()], ids=["on the way", "from the service"])
    async def test_resumed_by_a_person_it_has_one_new_try(
        self, start: Start, provider: ScriptedProvider, outcome: Outcome, clock: FakeClock
    ) -> None:
        """Then it waits again."""
        provider.script = [outcome] * 10
        life = await start(account(WRONG))
        while not life.state().blocked:
            await life.poll()
        assert len(provider.logins) == 2
        assert await life.roster.resume("acme")
        resumed = clock.time()
        await life.poll()
        assert len(provider.logins) == 3
        assert life.state().blocked
        assert clock.time() - resumed < HOUR
        with pytest.raises(ResumeTooSoonError):
            await life.roster.resume("acme")

    async def test_a_process_that_stood_still_sends_no_more(self, path: Path, clock: FakeClock) -> None:
        """Frozen between the charge and the sending, it may find its try lapsed, and another one made."""
        asked = account(WRONG)
        async with gate_beside(path, clock) as gate:
            sent_with: list[Secret] = []

            async def send(permit: Permit) -> Outcome:
                clock.advance(asked.timeout + 1)
                sent_with.append(permit.password())
                return REFUSED

            login = asked_for(asked).login
            tried = await gate.attempt(login, send)
            assert isinstance(tried, Tried)
            assert not sent_with
            assert isinstance(tried.outcome, Failure)
            assert not tried.outcome.sent
            assert rows(path, OPEN) == []

    async def test_the_clock_jumps_ahead(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """No open try lapses by that: only time that has passed counts."""
        provider.script = [unreadable()] * 10
        life = await start(account(WRONG))
        while not life.state().blocked:
            await life.poll()
        for _ in range(5):
            clock.time_seconds += 2 * HOUR
            await life.roster.look_around()
            if "acme" in life.agenda.due:
                life.agenda.due["acme"] = clock.monotonic()
                await life.poll()
        assert len(provider.logins) == 2


@pytest.mark.usefixtures("cheap_fingerprints")
class TestTwoWrongPasswords:
    """Records without a fingerprint were once taken for whoever asked."""

    async def test_a_check_in_between(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """Two with the first password, two with the second one."""
        life = await start(account("A"))
        await life.poll()
        for password in ("B", "A", "B", "A", "B"):
            await check(path, clock, provider, account(password))
            clock.advance(INTERVAL)
            await life.roster.look_around()
        await life.poll_until_idle()
        assert provider.tries("A") == provider.tries("B") == 2

    @pytest.mark.parametrize("end", ["kill", "stop"])
    async def test_in_turn_with_an_end_in_between(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock, end: str
    ) -> None:
        """However often."""
        for password in "ABABABABABAB":
            life = await start(account(password))
            await life.poll_until_idle(1)
            await (life.kill() if end == "kill" else life.stop())
            clock.advance(INTERVAL)
        assert provider.tries("A") == provider.tries("B") == 2


@pytest.mark.usefixtures("cheap_fingerprints")
class TestResumption:
    async def suspended(self, start: Start, *, auth_attempts: int = 2) -> Life:
        life = await start(account(WRONG, auth_attempts=auth_attempts))
        await life.poll_until_idle()
        assert life.suspended()
        return life

    @pytest.mark.parametrize("auth_attempts", [1, 2, 3])
    async def test_one_new_try_then_suspended_again(
        self, start: Start, provider: ScriptedProvider, auth_attempts: int
    ) -> None:
        """Exactly one, at once."""
        life = await self.suspended(start, auth_attempts=auth_attempts)
        provider.logins.clear()
        assert await life.roster.resume("acme")
        assert not life.suspended()
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 1
        assert life.suspended()

    async def test_the_one_try_can_bring_it_up(self, start: Start, provider: ScriptedProvider) -> None:
        """The provider has unlocked the account."""
        life = await self.suspended(start)
        provider.passwords.clear()
        provider.passwords[account().username] = WRONG
        await life.roster.resume("acme")
        await life.poll()
        assert life.state().up

    async def test_the_one_try_stays_one_where_the_provider_has_trouble(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Given back, then used up by the first refusal."""
        life = await self.suspended(start)
        await life.roster.resume("acme")
        provider.script = [reading(503), sent()]
        provider.logins.clear()
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 3
        assert life.suspended()

    @pytest.mark.parametrize("before_the_try", [True, False])
    async def test_it_survives_a_restart(
        self, start: Start, provider: ScriptedProvider, before_the_try: bool
    ) -> None:
        """The resumption before its try, the suspension after it."""
        life = await self.suspended(start)
        await life.roster.resume("acme")
        provider.logins.clear()
        if not before_the_try:
            await life.poll_until_idle()
        await life.kill()
        life = await start(account(WRONG))
        assert life.suspended() != before_the_try
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 1
        assert life.suspended()

    async def test_once_an_hour(self, start: Start, clock: FakeClock) -> None:
        """Also over a restart, a rename and another credential: it is the account that is protected."""
        life = await self.suspended(start)
        await life.roster.resume("acme")
        resumed = clock.time()
        await life.poll_until_idle()
        for password in (WRONG, "another"):
            await life.kill()
            life = await start(account(password, "renamed"))
            await life.poll_until_idle(2)
            assert life.state("renamed").suspension
            with pytest.raises(ResumeTooSoonError) as caught:
                await life.roster.resume("renamed")
            assert caught.value.at == resumed + HOUR
            assert life.state("renamed").suspension
        clock.advance(resumed + HOUR - clock.time())
        assert await life.roster.resume("renamed")

    async def test_only_what_is_suspended_can_be_resumed(self, start: Start) -> None:
        """And what exists."""
        life = await start(account(RIGHT))
        assert not await life.roster.resume("acme")
        assert not await life.roster.resume("nobody")

    async def test_a_resumption_that_cannot_be_kept_is_none(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Still suspended, and nothing sent."""
        life = await self.suspended(start)
        provider.logins.clear()
        life.storage.before = fails()
        with pytest.raises(StorageError):
            await life.roster.resume("acme")
        assert life.suspended()
        await life.poll_until_idle()
        assert provider.logins == []


@pytest.mark.usefixtures("cheap_fingerprints")
class TestLowered:
    async def test_lowered_by_a_reload(self, start: Start, provider: ScriptedProvider) -> None:
        """What was tried counts against the new limit."""
        life = await start(account(WRONG, auth_attempts=3))
        await life.poll()
        await life.use(account(WRONG, auth_attempts=1))
        await life.poll_until_idle()
        assert life.suspended()
        assert provider.tries(WRONG) == 1

    async def test_lowered_at_a_restart(self, start: Start, provider: ScriptedProvider) -> None:
        """Suspended from the start."""
        life = await start(account(WRONG, auth_attempts=3))
        await life.poll()
        await life.kill()
        life = await start(account(WRONG, auth_attempts=1))
        assert life.suspended()
        assert provider.tries(WRONG) == 1

    async def test_raised_later_a_suspension_stays(self, start: Start, provider: ScriptedProvider) -> None:
        """Only a resumption or another credential lifts it."""
        life = await start(account(WRONG, auth_attempts=1))
        await life.poll_until_idle()
        await life.use(account(WRONG, auth_attempts=3))
        assert life.suspended()
        await life.kill()
        assert (await start(account(WRONG, auth_attempts=3))).suspended()
        assert provider.tries(WRONG) == 1


@pytest.mark.usefixtures("cheap_fingerprints")
class TestTwoProcesses:
    async def test_a_fresh_wrong_credential_in_both(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """In turns or at once, an interval apart or not: two tries in all."""
        life = await start(account(WRONG))
        provider.open.clear()
        task = await life.begin_poll()
        assert await check(path, clock, provider, account(WRONG)) == "held"
        provider.open.set()
        await task
        assert await check(path, clock, provider, account(WRONG)) == "held"
        clock.advance(INTERVAL)
        assert await check(path, clock, provider, account(WRONG)) == "sent"
        assert await check(path, clock, provider, account(WRONG)) == "suspended"
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2
        assert life.suspended()

    @pytest.mark.parametrize("number", range(10))
    async def test_at_the_very_same_moment(
        self, path: Path, clock: FakeClock, provider: ScriptedProvider, number: int
    ) -> None:
        """A charge is one conditional write: of eight processes one may send."""
        asked = account(WRONG, auth_attempts=1 + number % 3)
        said = await asyncio.gather(*(check(path, clock, provider, asked) for _ in range(8)))
        assert said.count("sent") == provider.tries(WRONG) == 1

    async def test_a_check_that_is_refused_counts_for_a_daemon_with_a_proven_credential(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """The password was changed at the provider: two tries in all, whoever made them."""
        life = await start(account(RIGHT))
        await life.poll()
        provider.passwords.clear()
        provider.logins.clear()
        assert await check(path, clock, provider, account(RIGHT)) == "sent"
        await life.poll_until_idle()
        assert provider.tries(RIGHT) == 2
        assert life.suspended()

    async def test_a_check_that_is_stopped_stops_a_daemon_with_a_proven_credential(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """As soon as it looks around."""
        life = await start(account(RIGHT))
        await life.poll()
        provider.script = [reading(602)]
        assert await check(path, clock, provider, account(RIGHT)) == "sent"
        await life.roster.look_around()
        assert life.suspended()
        await life.poll_until_idle()
        assert len(provider.logins) == 2

    async def test_a_check_that_is_accepted_clears_the_charges(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """The daemon goes on, its own record being gone."""
        provider.script = [REFUSED, GOOD]
        life = await start(account(RIGHT))
        await life.poll()
        clock.advance(INTERVAL)
        assert await check(path, clock, provider, account(RIGHT)) == "sent"
        provider.passwords.clear()
        await life.poll_until_idle()
        assert len(provider.logins) == 4
        assert life.suspended()

    async def test_a_check_with_a_corrected_credential_leaves_the_daemons_refusals(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """Before the daemon has reloaded: the old one has one try left, not two."""
        life = await start(account(WRONG))
        await life.poll()
        assert await check(path, clock, provider, account(RIGHT)) == "sent"
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2
        assert life.suspended()

    async def test_resumed_by_a_check_that_is_refused_again(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """The daemon adds no try of its own."""
        life = await start(account(WRONG))
        await life.poll_until_idle()
        async with gate_beside(path, clock) as gate:
            assert await gate.resume(asked_for(account(WRONG)).login)
        assert await check(path, clock, provider, account(WRONG)) == "sent"
        await life.roster.look_around()
        await life.poll_until_idle()
        assert life.suspended()
        assert provider.tries(WRONG) == 3


@pytest.mark.usefixtures("cheap_fingerprints")
class TestFailingStorage:
    async def test_nothing_unproven_is_sent(self, start: Start, provider: ScriptedProvider) -> None:
        """What can't be charged waits an interval; it goes on once the storage is back."""
        life = await start(account(RIGHT))
        life.storage.before = fails()
        for _ in range(5):
            await life.poll()
        assert provider.logins == []
        assert len(life.storage_errors) == 5
        works_again(life)
        await life.poll()
        assert life.state().up

    async def test_what_is_proven_goes_on(self, start: Start, provider: ScriptedProvider) -> None:
        """Polling doesn't end because a disk is full."""
        life = await start(account(RIGHT))
        await life.poll()
        life.storage.before = fails()
        await life.poll()
        assert provider.tries(RIGHT) == 2
        assert life.state().up

    @pytest.mark.parametrize("proven", [True, False])
    @pytest.mark.parametrize("code", [601, 604])
    async def test_a_refusal_that_cannot_be_kept_suspends_in_memory_and_is_paid_later(
        self, start: Start, provider: ScriptedProvider, path: Path, code: int, proven: bool
    ) -> None:
        """It can't be told how many there were, so it is taken for the last."""
        life = await start(account(RIGHT))
        if proven:
            await life.poll()
        provider.script = [reading(code)]
        fails_from_the_next_login_on(life)
        await life.poll()
        with pytest.raises(StorageError):
            await life.roster.look_around()
        assert life.suspended()
        works_again(life)
        await life.gate.keep_owed()
        kept = [(1, None if code == 601 else 604)]
        assert rows(path, "SELECT refusals, suspended_code FROM credential") == kept
        assert rows(path, OPEN) == []
        await life.gate.keep_owed()
        assert rows(path, "SELECT refusals, suspended_code FROM credential") == kept

    @pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
    async def test_a_fingerprint_that_cannot_be_made_for_now_is_made_later(
        self,
        start: Start,
        path: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        async def fail(*_: object) -> None:
            raise error

        life = await start(account(WRONG))
        with monkeypatch.context() as patch:
            patch.setattr(Fingerprints, "make", fail)
            await life.poll()
            with pytest.raises(StorageError, match="a refusal can't be kept"):
                await life.roster.look_around()
            assert life.suspended()
            assert len(life.storage_errors) == 1
        await life.gate.keep_owed()
        assert rows(path, "SELECT refusals FROM credential") == [(1,)]
        assert rows(path, OPEN) == []

    async def test_it_is_resumed_by_itself_where_tries_are_left(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Once the refusal is kept the account has its second try, and no third."""
        life = await start(account(WRONG))
        fails_from_the_next_login_on(life)
        await life.poll()
        works_again(life)
        await life.roster.look_around()
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2
        assert life.suspended()
        times = [login.at for login in provider.logins]
        assert times[1] - times[0] >= INTERVAL

    @pytest.mark.parametrize("wrong", [True, False])
    async def test_failing_at_each_single_step(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock, wrong: bool
    ) -> None:
        """Whichever write fails, once: never a third try with a wrong one, and the right one comes up."""
        for step in range(1, 15):
            asked = account(WRONG if wrong else RIGHT, username=f"user-{step}@acme.example")
            provider.passwords[asked.username] = RIGHT
            provider.logins.clear()
            life = await start(asked)
            life.storage.before = fails(life.storage.writes + step)
            for _ in range(4):
                await life.poll_until_idle(2)
                try:
                    await life.roster.look_around()
                except StorageError as error:
                    life.storage_errors.append(error)
            if wrong:
                assert provider.tries(WRONG) <= 2 + (clock.time() - provider.logins[0].at >= HOUR)
                assert life.suspended()
            else:
                assert life.state().up
            await life.kill()

    async def test_acceptance_that_cannot_be_kept_is_kept_with_the_next_one(
        self, start: Start, provider: ScriptedProvider, path: Path
    ) -> None:
        """Else old refusals would count for ever."""
        provider.script = [REFUSED]
        life = await start(account(RIGHT))
        await life.poll()
        fails_from_the_next_login_on(life)
        await life.poll()
        assert life.state().up
        works_again(life)
        await life.poll()
        assert rows(path, "SELECT * FROM try") == []

    async def test_a_reload_without_storage_polls_no_new_credential(self, start: Start) -> None:
        """It stays out until the guard can be asked about it."""
        life = await start(account(WRONG))
        await life.poll()
        life.storage.before = fails()
        await life.use(account(RIGHT))
        assert not life.agenda.due
        works_again(life)
        await life.roster.look_around()
        await life.poll()
        assert life.state().up


@pytest.mark.usefixtures("cheap_fingerprints")
class TestInFlight:
    """What a reload does while a try is under way, which can take a minute."""

    async def test_an_outcome_counts_for_the_credential_it_was_sent_with(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """Refused after the reload: the old one has one try left, the new one all."""
        life = await start(account("A"))
        provider.open.clear()
        task = await life.begin_poll()
        await life.use(account("B"))
        provider.open.set()
        await task
        assert life.state().last_outcome is None
        await life.poll_until_idle()
        assert provider.tries("B") == 2
        await life.use(account("A"))
        await life.poll_until_idle()
        assert provider.tries("A") == 2

    @pytest.mark.parametrize("right", [True, False])
    async def test_both_credentials_under_way_at_once(
        self, start: Start, provider: ScriptedProvider, right: bool
    ) -> None:
        """Neither answer touches what is held against the other."""
        new = RIGHT if right else "B"
        life = await start(account("A"))
        provider.open.clear()
        first = await life.begin_poll()
        await life.use(account(new))
        second = await life.begin_poll()
        provider.open.set()
        await asyncio.gather(first, second)
        for password in ("A", new, "A", new):
            await life.use(account(password))
            await life.poll_until_idle(3)
        assert provider.tries("A") == 2
        assert provider.tries(new) == 2 or right

    async def test_a_reload_while_the_try_is_being_charged(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """The charge is on the disk, its owner doesn't know yet: the new credential must not take it."""
        life = await start(account("A"))
        life.clock.advance(1000)
        poll = asyncio.create_task(life.agenda.run("acme", life.poller.poll))
        while life.storage.writes < 1:  # noqa: ASYNC110 - until the charge waits to be written
            await asyncio.sleep(0)
        await life.use(account("B"))
        await poll
        for password in ("B", "A", "B", "A"):
            await life.use(account(password))
            await life.poll_until_idle(3)
        assert provider.tries("A") == provider.tries("B") == 2

    async def test_removed_and_added_with_another_credential(
        self, start: Start, provider: ScriptedProvider
    ) -> None:
        """The try that is still under way keeps its own charge."""
        life = await start(account("A"))
        provider.open.clear()
        task = await life.begin_poll()
        await life.use(OTHER)
        await life.use(account("B"))
        provider.open.set()
        await task
        for password in ("B", "A", "B", "A"):
            await life.use(account(password))
            await life.poll_until_idle(3)
        assert provider.tries("A") == provider.tries("B") == 2

    @pytest.mark.parametrize("code", [601, 602])
    async def test_renamed(self, start: Start, provider: ScriptedProvider, code: int) -> None:
        """The answer counts for the account under its new name: it is suspended, without another try."""
        life = await start(account(RIGHT, "one", auth_attempts=1))
        await life.poll("one")
        provider.open.clear()
        task = await life.begin_poll("one")
        await life.use(account(RIGHT, "two", auth_attempts=1))
        provider.script = [reading(code)] * 2
        provider.open.set()
        await task
        await life.poll_until_idle()
        assert life.state("two").suspension
        assert len(provider.logins) == 2

    async def test_removed(self, start: Start, provider: ScriptedProvider, path: Path) -> None:
        """The answer is kept by the guard, and shown nowhere."""
        life = await start(account(WRONG))
        provider.open.clear()
        task = await life.begin_poll()
        await life.use(OTHER)
        provider.open.set()
        await task
        await life.kept()
        assert life.accounts.get("acme") is None
        assert rows(path, "SELECT refusals FROM credential") == [(1,)]
        assert rows(path, OPEN) == []

    async def test_another_interval(self, start: Start, provider: ScriptedProvider) -> None:
        """The account isn't asked for twice at once, which could cost two refusals."""
        life = await start(account(RIGHT, auth_attempts=1))
        await life.poll()
        provider.open.clear()
        first = await life.begin_poll()
        await life.use(account(RIGHT, auth_attempts=1, interval=60.0))
        second = await life.begin_poll()
        provider.passwords.clear()
        provider.open.set()
        await asyncio.gather(first, second)
        await life.poll_until_idle()
        assert len(provider.logins) == 2
        assert life.suspended()

    async def test_suspended_elsewhere(
        self, start: Start, provider: ScriptedProvider, path: Path, clock: FakeClock
    ) -> None:
        """The log says it once, though both the poll and the look around notice."""
        life = await start(account(WRONG))
        await life.poll()
        provider.open.clear()
        task = await life.begin_poll()
        async with gate_beside(path, clock) as gate:
            login = asked_for(account(WRONG)).login
            await gate.adopt(login)
            gate._keep(gate._refusals.refuse(login, 99, reading(601), clock.time()))
            await gate.kept()
        await life.roster.look_around()
        provider.open.set()
        await task
        assert life.suspended()
        assert life.logged.getvalue().count('msg="account suspended"') == 1


@pytest.mark.usefixtures("cheap_fingerprints")
class TestClockJumps:
    async def test_set_back_while_an_account_waits(self, start: Start, clock: FakeClock) -> None:
        """By a year: an account that is held waits an interval, not the year."""
        life = await start(account(WRONG, auth_attempts=3))
        await life.poll()
        clock.time_seconds -= 365 * 24 * HOUR
        before = clock.monotonic()
        await life.poll_until_idle()
        assert life.suspended()
        assert clock.monotonic() - before < 4 * INTERVAL

    async def test_set_back_while_a_try_is_under_way(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """The next poll isn't a year ahead."""
        provider.on_login = lambda _login: setattr(clock, "time_seconds", clock.time() - 365 * 24 * HOUR)
        life = await start(account(RIGHT))
        await life.poll()
        assert life.agenda.due["acme"] <= clock.monotonic() + INTERVAL
        next_poll = life.state().next_poll
        assert next_poll is not None
        assert next_poll <= clock.time() + INTERVAL

    async def test_set_back_before_a_restart(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """Nor does a restart wait for longer."""
        life = await start(account(WRONG, auth_attempts=3))
        await life.poll()
        await life.publisher.publish()
        await life.kill()
        clock.time_seconds -= 365 * 24 * HOUR
        life = await start(account(WRONG, auth_attempts=3))
        assert life.agenda.due["acme"] <= clock.monotonic() + INTERVAL
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 3

    async def test_set_back_with_a_lost_charge(
        self, start: Start, provider: ScriptedProvider, clock: FakeClock
    ) -> None:
        """It lapses an hour later by the new time."""
        one_try = account(RIGHT, auth_attempts=1, interval=60.0)
        provider.open.clear()
        life = await start(one_try)
        await life.begin_poll()
        await life.kill()
        provider.open.set()
        life = await start(one_try)
        clock.time_seconds -= 365 * 24 * HOUR
        before = clock.monotonic()
        await life.poll_until_idle(5)
        assert life.state().up
        assert clock.monotonic() - before < 1.2 * HOUR

    async def test_set_forward(self, start: Start, provider: ScriptedProvider, clock: FakeClock) -> None:
        """By a year: what was refused still counts."""
        life = await start(account(WRONG))
        await life.poll()
        clock.time_seconds += 365 * 24 * HOUR
        await life.poll_until_idle()
        assert provider.tries(WRONG) == 2
        assert life.suspended()
