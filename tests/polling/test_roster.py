"""Which accounts are polled when: after a start, a reload, a resumption, and what `check` has done."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.account.login import Tried
from exporter.account.policy import first_poll
from exporter.config import Account, ConfigError, Environment, TlsConfig
from tests.support.peers import FakeClock
from tests.support.rig import (
    ENVIRONMENT,
    GOOD,
    INTERVAL,
    RIGHT,
    WRONG,
    Life,
    ScriptedProvider,
    account,
    asked_for,
    config,
    fails,
    gate_beside,
    reading,
)

DAY = 86_400.0
OTHER = account(RIGHT, "other", username="other@acme.example")


class Rig:
    """Lives of one test, each beginning where the one before ended."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path, self.clock = path, clock
        self.provider = ScriptedProvider(clock)
        self.lives: list[Life] = []

    async def start(self, *accounts: Account) -> Life:
        life = Life(self.path, self.clock, self.provider)
        self.lives.append(life)
        await life.use(*accounts)
        return life

    async def resume_beside(self, asked: Account) -> None:
        """What `check --resume` does, before it asks."""
        async with gate_beside(self.path, self.clock) as gate:
            assert await gate.resume(asked_for(asked).login)

    async def answer_beside(self, asked: Account, code: int) -> None:
        """What `check` does, where the provider answers with this code."""
        self.provider.script.insert(0, reading(code))
        async with gate_beside(self.path, self.clock) as gate:
            balance = asked_for(asked)
            await gate.adopt(balance.login)
            assert isinstance(await self.provider.ask(balance, gate), Tried)
        self.provider.logins.pop()


@pytest.fixture
async def rig(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "state.db", clock)
    rig.provider.passwords[OTHER.username] = RIGHT
    yield rig
    for life in rig.lives:
        await life.stop()


def wait(life: Life, name: str = "acme") -> float:
    """Seconds until an account is due."""
    return life.agenda.due[name] - life.clock.monotonic()


class TestStart:
    async def test_first_polls_are_spread(self, rig: Rig) -> None:
        """Always alike, within half a minute for a few accounts."""
        life = await rig.start(account(), OTHER)
        for name in ("acme", "other"):
            assert wait(life, name) == pytest.approx(first_poll(name, INTERVAL, 2))
            assert life.state(name).next_poll == pytest.approx(rig.clock.time() + wait(life, name))

    async def test_stored_due_times_are_kept(self, rig: Rig) -> None:
        """A restart asks nobody earlier."""
        life = await rig.start(account())
        await life.poll()
        await life.publisher.publish()
        await life.kill()
        rig.clock.advance(100)
        assert wait(await rig.start(account())) == pytest.approx(INTERVAL - 100)

    async def test_those_overdue_are_spread(self, rig: Rig) -> None:
        """After a night off not all come at once."""
        life = await rig.start(account())
        await life.poll()
        await life.stop()
        rig.clock.advance(10 * INTERVAL)
        assert wait(await rig.start(account())) == pytest.approx(first_poll("acme", INTERVAL, 1))

    async def test_due_times_are_never_further_than_the_interval(self, rig: Rig) -> None:
        """The clock was ahead, the interval was longer, or the provider wanted longer gaps."""
        rig.provider.script = [GOOD, reading(503), reading(503)]
        life = await rig.start(account())
        await life.poll_until_idle(3)
        assert wait(life) == pytest.approx(4 * INTERVAL)
        await life.stop()
        assert wait(await rig.start(account())) == pytest.approx(INTERVAL)

    async def test_balances_are_back_at_once(self, rig: Rig) -> None:
        """And the counters go on from where they were; who is up is known too."""
        life = await rig.start(account())
        rig.provider.script = [reading(200, 1000, 400, 600), reading(200, 1000, 420, 580)]
        await life.poll_until_idle(2)
        await life.stop()
        life = await rig.start(account())
        state = life.state()
        assert state.available is not None
        assert (state.available.stamps, state.consumed.total, state.up) == (580, 20, True)
        assert not life.monitored().login.proven

    async def test_an_account_that_once_had_a_wrong_password_keeps_its_due_time_too(self, rig: Rig) -> None:
        """That is remembered for ever, and must not make every restart ask for the account at once."""
        life = await rig.start(account(WRONG))
        await life.poll_until_idle()
        await life.use(account(RIGHT))
        await life.poll()
        await life.stop()
        for _ in range(3):
            rig.clock.advance(100)
            life = await rig.start(account(RIGHT))
            await life.publisher.publish()
            await life.kill()
        assert wait(life) == pytest.approx(INTERVAL - 300)

    async def test_what_the_guard_holds_waits(self, rig: Rig) -> None:
        """A credential that isn't proven is due when its distance allows, as the metric says."""
        rig.provider.script = [reading(500)]
        life = await rig.start(account())
        await life.poll()
        await life.kill()
        tried = rig.clock.time()
        life = await rig.start(account())
        await life.poll()
        assert life.state().next_poll == pytest.approx(tried + INTERVAL)
        assert life.state().next_poll == pytest.approx(rig.clock.time() + INTERVAL)

    async def test_without_storage_accounts_that_the_guard_knows_wait(self, rig: Rig) -> None:
        """They stay out until it can be asked; others begin."""
        life = await rig.start(account(WRONG))
        await life.poll()
        await life.kill()
        life = Life(rig.path, rig.clock, rig.provider)
        rig.lives.append(life)
        life.storage.before = fails()
        await life.use(account(WRONG), OTHER)
        assert set(life.agenda.due) == {"other"}
        assert 'msg="account not polled" account=acme' in life.logged.getvalue()
        life.storage.before = lambda _number: None
        await life.roster.look_around()
        assert set(life.agenda.due) == {"acme", "other"}


class TestReload:
    async def test_what_stays_the_same_goes_on(self, rig: Rig) -> None:
        """State, due time, proof of the credential."""
        life = await rig.start(account(), OTHER)
        await life.poll("acme")
        before, due = life.state(), dict(life.agenda.due)
        await life.use(OTHER, account())
        assert life.state() == before
        assert life.agenda.due == due

    async def test_removed_accounts_leave_at_once(self, rig: Rig) -> None:
        """The schedule and the exposition."""
        life = await rig.start(account(), OTHER)
        await life.publisher.publish()
        assert b'account="acme"' in b"".join(life.exposition.pieces("text"))
        await life.use(OTHER)
        assert b'account="acme"' not in b"".join(life.exposition.pieces("text"))
        assert set(life.agenda.due) == {"other"}
        assert [monitored.account.name for monitored in life.accounts] == ["other"]

    async def test_added_again_the_balance_is_back(self, rig: Rig) -> None:
        """With its counters, whatever became of it in between."""
        life = await rig.start(account(), OTHER)
        await life.poll("acme")
        before = life.state()
        await life.use(OTHER)
        await life.use(account(), OTHER)
        assert (life.state().available, life.state().consumed) == (before.available, before.consumed)
        assert not life.monitored().login.proven
        assert life.state().next_poll == before.next_poll

    async def test_another_credential_is_polled_soon(self, rig: Rig) -> None:
        """Not when the former one was due: a person waits for the result."""
        life = await rig.start(account(WRONG, interval=86_400.0))
        await life.poll()
        assert wait(life) == pytest.approx(86_400)
        await life.use(account(RIGHT, interval=86_400.0))
        assert wait(life) < 31
        await life.poll()
        assert life.state().up

    async def test_a_shorter_interval_counts_at_once(self, rig: Rig) -> None:
        """Nobody waits for a day that was configured by mistake."""
        life = await rig.start(account(interval=86_400.0))
        await life.poll()
        await life.use(account(interval=60.0))
        assert wait(life) == pytest.approx(60)

    async def test_renamed_it_keeps_everything(self, rig: Rig) -> None:
        """It is the same account at the provider."""
        life = await rig.start(account(name="one"))
        await life.poll("one")
        before, due = life.state("one"), wait(life, "one")
        await life.use(account(name="two"))
        assert life.state("two") == before
        assert wait(life, "two") == pytest.approx(due)
        assert set(life.agenda.due) == {"two"}

    async def test_two_accounts_that_swap_their_names(self, rig: Rig) -> None:
        """Each keeps its own state and credential."""
        life = await rig.start(account(WRONG), OTHER)
        await life.poll_until_idle()
        assert life.suspended()
        await life.use(account(WRONG, "other"), account(RIGHT, "acme", username="other@acme.example"))
        assert not life.suspended()
        assert life.state("other").suspension
        assert set(life.agenda.due) == {"acme"}

    async def test_connections_that_cannot_be_made_change_nothing(self, rig: Rig, tmp_path: Path) -> None:
        """The file was there when the configuration was checked."""
        life = await rig.start(account())
        before = life.state()
        tls = TlsConfig(ca_file=tmp_path / "gone.pem")
        broken = Environment("broken", "https://pac.example/ws?wsdl", False, 4, None, tls)
        with pytest.raises(ConfigError) as caught:
            await life.roster.apply(config(account(), account(name="b", username="b", environment=broken)))
        assert caught.value.errors == ("environments.broken.tls_config: No such file or directory",)
        assert life.state() == before
        assert set(life.agenda.due) == {"acme"}

    async def test_limits_of_calls_are_taken_over(self, rig: Rig) -> None:
        """By environment."""
        life = await rig.start(account())
        assert life.agenda.limits == {"testing": ENVIRONMENT.concurrency}


class TestClock:
    @pytest.mark.parametrize("seconds", [-30 * DAY, 400 * DAY])
    async def test_it_jumps(self, rig: Rig, seconds: float) -> None:
        """A balance is no older and no younger by that, and polls are due when they were."""
        life = await rig.start(account(), OTHER)
        await life.poll()
        await life.publisher.publish()
        before, due = life.state(), dict(life.agenda.due)
        rig.clock.time_seconds += seconds
        life.roster.clock_jumped(seconds)
        state = life.state()
        assert state.available
        assert state.available.at == state.last_success == state.last_poll == rig.clock.time()
        assert before.next_poll
        assert state.next_poll == before.next_poll + seconds
        await life.publisher.publish()
        shown = b'cfdi_stamps_available{account="acme"}'
        rig.clock.advance(account().stale_after)
        assert shown in b"".join(life.exposition.pieces("text"))
        rig.clock.advance(1)
        assert shown not in b"".join(life.exposition.pieces("text"))
        assert life.agenda.due == due
        direction = "ahead" if seconds > 0 else "back"
        assert f'msg="the clock was set {direction}" seconds={abs(seconds):.0f}' in life.logged.getvalue()

    async def test_there_and_back_changes_nothing(self, rig: Rig) -> None:
        """Neither of the accounts that are monitored nor of those that a reload removed and adds again."""
        life = await rig.start(account(WRONG), OTHER)
        await life.poll_until_idle(4)
        before = life.state("acme"), life.state("other")
        await life.use(OTHER)
        life.roster.clock_jumped(400 * DAY)
        life.roster.clock_jumped(-400 * DAY)
        await life.use(account(WRONG), OTHER)
        assert (life.state("acme"), life.state("other")) == before

    @pytest.mark.parametrize("seconds", [-30 * DAY, 400 * DAY])
    async def test_it_jumps_while_an_account_is_polled(self, rig: Rig, seconds: float) -> None:
        """The next poll is an interval after this one was sent, neither at once nor in a year."""
        life = await rig.start(account())
        rig.provider.open.clear()
        task = await life.begin_poll()
        rig.clock.advance(7)
        rig.clock.time_seconds += seconds
        life.roster.clock_jumped(seconds)
        rig.provider.open.set()
        await task
        assert INTERVAL - 8 < wait(life) <= INTERVAL


class TestStoodStill:
    async def test_overdue_polls_are_spread(self, rig: Rig) -> None:
        """As at a start, the longest overdue first; the metric says when each is due."""
        life = await rig.start(account(), OTHER)
        rig.clock.advance(1000)
        first, second, gone = life.roster.spread(["other", "acme", "removed"])
        now = rig.clock.monotonic()
        assert (first, gone) == (now, now)
        assert second == pytest.approx(now + 30.3 / 3)
        assert life.state("acme").next_poll == pytest.approx(rig.clock.time() + 30.3 / 3)

    async def test_within_the_interval(self, rig: Rig) -> None:
        """Where that is shorter."""
        life = await rig.start(account(interval=4.0), OTHER)
        assert life.roster.spread(["other", "acme"])[1] == pytest.approx(rig.clock.monotonic() + 2)


class TestLookAround:
    async def test_resumed_elsewhere(self, rig: Rig) -> None:
        """The daemon polls again, for the one try that there is."""
        life = await rig.start(account(WRONG))
        await life.poll_until_idle()
        await rig.resume_beside(account(WRONG))
        await life.roster.look_around()
        assert wait(life) == 0
        assert 'msg="account resumed elsewhere" account=acme' in life.logged.getvalue()
        await life.poll_until_idle()
        assert life.suspended()
        assert rig.provider.tries(WRONG) == 3

    async def test_accepted_elsewhere(self, rig: Rig) -> None:
        """`check --resume` was answered with a balance."""
        life = await rig.start(account(RIGHT))
        rig.provider.script = [reading(602)]
        await life.poll()
        await rig.resume_beside(account(RIGHT))
        await rig.answer_beside(account(RIGHT), 200)
        await life.roster.look_around()
        await life.poll()
        assert life.state().up

    @pytest.mark.parametrize("polled", [True, False])
    async def test_suspended_elsewhere(self, rig: Rig, polled: bool) -> None:
        """Whether the daemon's own credential is proven or was never tried."""
        life = await rig.start(account(RIGHT))
        if polled:
            await life.poll()
        await rig.answer_beside(account(RIGHT), 604)
        await life.roster.look_around()
        assert life.suspended()
        assert not life.agenda.due
        assert life.logged.getvalue().count('msg="account suspended"') == 1

    @pytest.mark.parametrize("polled", [True, False])
    async def test_another_credential_suspended_elsewhere(self, rig: Rig, polled: bool) -> None:
        """`check` was run with a configuration that isn't loaded yet: the daemon goes on with its own."""
        life = await rig.start(account(RIGHT))
        if polled:
            await life.poll()
        await rig.answer_beside(account("another"), 604)
        for _ in range(2):
            await life.roster.look_around()
            assert not life.suspended()
        await life.poll()
        assert life.state().up

    async def test_nothing_new(self, rig: Rig) -> None:
        """Nothing is touched: neither a poll that waits nor a suspension."""
        life = await rig.start(account(WRONG), OTHER)
        await life.poll_until_idle(4)
        due = dict(life.agenda.due)
        logged = life.logged.getvalue()
        for _ in range(3):
            await life.roster.look_around()
        assert life.agenda.due == due
        assert life.logged.getvalue() == logged
        assert life.suspended()

    async def test_a_poll_that_is_answered_meanwhile(self, rig: Rig) -> None:
        """An account that is suspended while the storage is asked isn't lifted for want of its record."""
        life = await rig.start(account(WRONG))
        await life.poll()

        async def look() -> None:
            await life.roster.look_around()

        rig.provider.open.clear()
        task = await life.begin_poll()
        rig.provider.open.set()
        await look()
        await task
        await look()
        assert life.suspended()
        assert rig.provider.tries(WRONG) == 2


class TestResume:
    async def test_it_is_said_and_due_at_once(self, rig: Rig) -> None:
        """A person waits for it."""
        life = await rig.start(account(WRONG))
        await life.poll_until_idle()
        assert await life.roster.resume("acme")
        assert wait(life) == 0
        assert life.logged.getvalue().splitlines()[-1].endswith('msg="account resumed" account=acme')
