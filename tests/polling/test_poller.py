"""One poll, start to end: what is asked before it is sent, what is kept, and what the log says of it."""

import asyncio
import io
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.account.outcome import Failure, Outcome, Reason
from exporter.account.state import Figure, Suspension
from exporter.config import Account
from exporter.provider.solucion_factible import codes
from tests.support.peers import FakeClock
from tests.support.peers.logfmt import fields
from tests.support.rig import (
    ENVIRONMENT,
    GOOD,
    INTERVAL,
    RIGHT,
    WRONG,
    Life,
    ScriptedProvider,
    account,
    fails,
    reading,
    sent,
    unsent,
)


class BrokenPipe(io.StringIO):
    """A log that nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


class Rig:
    """Lives of one test, each beginning where the one before ended."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path, self.clock = path, clock
        self.provider = ScriptedProvider(clock)
        self.lives: list[Life] = []

    async def start(self, *accounts: Account, logged: io.StringIO | None = None) -> Life:
        life = Life(self.path, self.clock, self.provider, logged)
        self.lives.append(life)
        await life.use(*accounts)
        return life


@pytest.fixture
async def rig(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "state.db", clock)
    yield rig
    for life in rig.lives:
        await life.stop()


def events(life: Life) -> list[dict[str, str]]:
    """The log, line by line, without times and levels."""
    lines = [fields(line) for line in life.logged.getvalue().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("time", "level")} for line in lines]


FIRST = {"msg": "first balance", "account": "acme", "available": "600"}


def messages(life: Life) -> list[str]:
    return [event["msg"] for event in events(life)]


class TestTelling:
    async def test_quiet_while_an_account_goes_on_as_it_did(self, rig: Rig) -> None:
        """Good or bad: what doesn't change is said once."""
        life = await rig.start(account())
        await life.poll_until_idle(3)
        assert events(life) == [FIRST]
        rig.provider.script = [sent(), sent(), Failure(Reason.HTTP, "HTTP status 502"), GOOD, GOOD]
        await life.poll_until_idle(5)
        assert events(life)[1:] == [
            {"msg": "poll failed", "account": "acme", "reason": "timeout", "detail": "no answer"},
            {"msg": "poll failed", "account": "acme", "reason": "http", "detail": "HTTP status 502"},
            {"msg": "account recovered", "account": "acme", "available": "600"},
        ]

    async def test_quiet_while_only_the_words_for_a_failure_change(self, rig: Rig) -> None:
        """A provider with several addresses fails at another one each time."""
        life = await rig.start(account())
        await life.poll()
        rig.provider.script = [
            Failure(Reason.CONNECTION, f"no connection: Connect call failed ('192.0.2.{number}', 443)")
            for number in (1, 2, 1, 3)
        ]
        await life.poll_until_idle(4)
        assert messages(life) == ["first balance", "poll failed"]

    async def test_the_first_balance_is_told_after_a_start_and_after_a_change(self, rig: Rig) -> None:
        """So that whoever looks sees that it works; and no more than that."""
        life = await rig.start(account())
        await life.poll_until_idle(3)
        assert events(life) == [FIRST]
        await life.use(replace(account(), warning=700))
        await life.poll_until_idle(3)
        assert events(life) == [FIRST, FIRST]
        await life.stop()
        life = await rig.start(account())
        await life.poll_until_idle(3)
        assert events(life) == [FIRST]

    async def test_the_last_top_up_is_known_after_a_restart(self, rig: Rig) -> None:
        """How many stamps, and when it was seen."""
        life = await rig.start(account())
        rig.provider.script = [GOOD, reading(200, 21_000, 400, 20_600), reading(200, 21_000, 500, 20_500)]
        await life.poll_until_idle(1)
        assert life.state().topped_up is None
        await life.poll_until_idle(1)
        seen = Figure(20_000, rig.clock.time())
        await life.poll_until_idle(1)
        assert life.state().topped_up == seen
        await life.kept()
        await life.stop()
        life = await rig.start(account())
        assert life.state().topped_up == seen

    async def test_an_account_that_flaps_is_summed_up(self, rig: Rig) -> None:
        """Once an hour, as long as it goes on; then its changes are told again."""
        life = await rig.start(account(interval=60.0))
        rig.provider.script = [GOOD, reading(500)] * 100
        await life.poll_until_idle(41)
        told = messages(life)
        assert told[:7] == ["first balance", *["poll failed", "account recovered"] * 3]
        assert set(told[7:]) == {"account flaps"}
        assert len(told[7:]) == 1
        assert events(life)[7]["changes"] == "7"
        rig.clock.advance(3600)
        await life.poll_until_idle(4)
        assert messages(life)[8:] == ["account flaps"]
        rig.provider.script = []
        for _ in range(2):
            rig.clock.advance(3600)
            await life.poll_until_idle(2)
        rig.provider.script = [reading(500)]
        await life.poll_until_idle(2)
        rig.clock.advance(3600)
        rig.provider.script = [reading(500)]
        await life.poll_until_idle(2)
        assert messages(life)[9:][-2:] == ["poll failed", "account recovered"]

    async def test_a_sudden_0_is_asked_about_after_a_minute(self, rig: Rig) -> None:
        """Through the gate, as any poll; it is said, and a second such answer is believed."""
        life = await rig.start(account())
        await life.poll()
        rig.provider.script = [reading(200, 1000, 1000, 0), reading(200, 1000, 1000, 0)]
        await life.poll()
        assert events(life)[1:] == [
            {"msg": "balance doubted", "account": "acme", "available": "0", "last": "600"}
        ]
        doubted = life.state()
        await life.poll()
        _, first, second = (login.at for login in rig.provider.logins)
        assert second - first == 60
        assert doubted.available
        assert life.state().available != doubted.available
        assert len(messages(life)) == 2

    async def test_a_restart_between_a_0_and_its_confirmation(self, rig: Rig) -> None:
        """Neither forgets that it was doubted nor asks sooner."""
        life = await rig.start(account())
        rig.provider.script = [GOOD, reading(200, available=0), reading(200, available=0)]
        await life.poll_until_idle(2)
        await life.stop()
        life = await rig.start(account())
        await life.poll_until_idle(1)
        assert [login.at - rig.provider.logins[0].at for login in rig.provider.logins][1:] == [
            INTERVAL,
            INTERVAL + 60,
        ]
        assert (state := life.state()).available
        assert (state.available.stamps, state.doubted) == (0, False)

    async def test_an_account_that_is_down_from_the_start_on(self, rig: Rig) -> None:
        """Is said, with the code's meaning."""
        rig.provider.script = [reading(503)]
        life = await rig.start(account())
        await life.poll()
        assert events(life) == [
            {
                "msg": "poll failed",
                "account": "acme",
                "code": "503",
                "meaning": "the provider's limit of concurrent users is reached",
            }
        ]

    async def test_a_suspension_is_one_line_with_all_that_a_person_needs(self, rig: Rig) -> None:
        """What happened, what it means and how to lift it."""
        life = await rig.start(account(WRONG))
        await life.poll_until_idle()
        refused, suspended = events(life)
        assert refused == {
            "msg": "poll failed",
            "account": "acme",
            "code": "601",
            "meaning": "the user name or the password is wrong",
        }
        assert suspended == {
            "msg": "account suspended",
            "account": "acme",
            "code": "601",
            "meaning": "the user name or the password is wrong",
            "effect": "no login is tried any more, so that the provider doesn't lock the account",
            "advice": "Correct the credential in the configuration, then reload.",
            "resume": (
                "after that: a reload with another credential, or cfdi-stamps-exporter check --resume acme"
            ),
        }

    async def test_the_name_in_the_command_is_quoted_for_a_shell(self, rig: Rig) -> None:
        life = await rig.start(account(WRONG, "a  b; $(reboot)"))
        for _ in range(2):
            await life.poll("a  b; $(reboot)")
        assert events(life)[-1]["resume"].endswith(
            " or cfdi-stamps-exporter check --resume 'a  b; $(reboot)'"
        )

    async def test_after_a_restart_it_is_said_again(self, rig: Rig) -> None:
        """Once: whoever looks at the new process' log only must find it."""
        await (await rig.start(account(WRONG))).poll_until_idle()
        await rig.lives[0].kill()
        life = await rig.start(account(WRONG))
        await life.roster.look_around()
        assert messages(life) == ["account suspended"]

    async def test_a_poll_that_is_held_back_is_said_where_one_can_notice(self, rig: Rig) -> None:
        """The account is asked for later than the interval says."""
        rig.provider.open.clear()
        life = await rig.start(account())
        await life.begin_poll()
        await life.kill()
        rig.provider.open.set()
        life = await rig.start(account())
        life.agenda.due["acme"] = rig.clock.monotonic()
        await life.poll()
        until = math.floor(rig.clock.time() + INTERVAL + 0.5)
        assert events(life) == [
            {"msg": "poll held back by the guard", "account": "acme", "until": str(until)}
        ]

    async def test_an_undocumented_code_is_said_once(self, rig: Rig) -> None:
        """And at most a hundred of them: the provider could choose a new one each time."""
        life = await rig.start(account())
        await life.poll()
        rig.provider.script = [reading(777), reading(777), *(reading(code) for code in range(10_000, 10_200))]
        await life.poll_until_idle(202)
        said = [event["code"] for event in events(life) if event["msg"] == "undocumented status code"]
        assert said == ["777", *(str(code) for code in range(10_000, 10_099))]


class TestKeeping:
    @pytest.mark.parametrize("code", [601, 602])
    async def test_what_follows_is_kept_though_the_log_is_broken(self, rig: Rig, code: int) -> None:
        """Else an account that was just refused would go on being polled, minute by minute."""
        life = await rig.start(account(), logged=BrokenPipe())
        await life.poll()
        rig.provider.script = [reading(code)] * 20
        for _ in range(20):
            life.agenda.due.setdefault("acme", rig.clock.monotonic() + 60)
            try:
                await life.poll()
            except BrokenPipeError:
                life.agenda.add("acme", "testing", rig.clock.monotonic() + 60)
        assert len(rig.provider.logins) == (3 if code == 601 else 2)
        assert life.suspended()

    async def test_an_unknown_or_suspended_account_is_not_polled(self, rig: Rig) -> None:
        """And has no next poll."""
        life = await rig.start(account(WRONG))
        await life.poll_until_idle()
        assert await life.poller.poll("acme") is None
        assert await life.poller.poll("nobody") is None
        assert len(rig.provider.logins) == 2

    async def test_an_account_that_is_suspended_while_its_poll_waits_is_not_sent(self, rig: Rig) -> None:
        """``check`` can do that while the WSDL is loaded anew, and a proven credential needs no charge."""
        life = await rig.start(account())
        await life.poll()
        assert life.monitored().login.proven

        async def ready(_limit: float) -> None:
            life.monitored().login.suspension = Suspension(codes.code(602), rig.clock.time())

        rig.provider.ready = ready  # type: ignore[method-assign]
        rig.clock.advance(INTERVAL)
        assert await life.poller.poll("acme") is None
        assert len(rig.provider.logins) == 1
        assert life.suspended()

    async def test_the_next_poll_is_told_by_the_clock_that_only_goes_forward(self, rig: Rig) -> None:
        """So that a clock that is set doesn't move it."""
        life = await rig.start(account())
        await life.poll()
        assert life.agenda.due["acme"] == rig.clock.monotonic() + INTERVAL
        assert life.state().next_poll == rig.clock.time() + INTERVAL

    async def test_how_long_it_took_is_measured_from_the_sending(self, rig: Rig) -> None:
        """Failures included; what wasn't sent has no duration."""
        rig.provider.on_login = lambda _login: rig.clock.advance(2.0)
        life = await rig.start(account())
        await life.poll()
        rig.provider.wsdl = unsent()
        await life.poll()
        registry = life.metrics.registry
        labels = {"pac_environment": "testing"}
        assert registry.get_sample_value("cfdi_poll_duration_seconds_count", labels) == 1
        assert registry.get_sample_value("cfdi_poll_duration_seconds_sum", labels) == 2.0

    async def test_storage_errors_are_told(self, rig: Rig) -> None:
        """Each of them, to be counted."""
        life = await rig.start(account())
        life.storage.before = fails()
        await life.poll()
        assert [str(error) for error in life.storage_errors] == ["writing failed: database or disk is full"]
        assert life.state().next_poll == rig.clock.time() + INTERVAL
        assert life.state().up is None


class TestCrashes:
    """A poll that raises is a bug, after which nobody knows what was sent."""

    @pytest.mark.parametrize(("interval", "delay"), [(1.0, 60.0), (INTERVAL, INTERVAL)])
    async def test_it_is_not_repeated_sooner_than_any_other(
        self, rig: Rig, interval: float, delay: float
    ) -> None:
        """And the account isn't up any longer: its last poll got no answer."""
        life = await rig.start(account(interval=interval))
        await life.poll()
        assert life.state().up
        assert life.poller.crashed("acme", ValueError("a bug")) == delay
        assert life.state().up is False
        assert life.state().next_poll == rig.clock.time() + delay
        assert events(life)[1:] == [
            {"msg": "poll crashed", "account": "acme", "error": "ValueError", "place": "unknown"}
        ]

    async def test_it_lifts_no_suspension(self, rig: Rig) -> None:
        life = await rig.start(account(WRONG))
        await life.poll_until_idle()
        before = life.state()
        life.poller.crashed("acme", ValueError("a bug"))
        assert life.state() == before

    async def test_an_account_that_is_gone(self, rig: Rig) -> None:
        """Nothing comes back of it."""
        life = await rig.start(account())
        life.poller.crashed("globex", ValueError("a bug"))
        assert [one.account.name for one in life.accounts] == ["acme"]


class TestReloads:
    @pytest.mark.parametrize("wrong_before", [False, True])
    async def test_a_try_that_was_charged_goes_over_the_new_connections(
        self, rig: Rig, wrong_before: bool
    ) -> None:
        """Not over those that may be closed, and without another charge."""
        life = await rig.start(account(auth_attempts=2))
        if wrong_before:
            rig.provider.script = [reading(601)]
            await life.poll()
            rig.provider.logins.clear()
        writes = life.storage.writes
        poll = asyncio.ensure_future(life.poll())
        while life.storage.writes == writes:  # noqa: ASYNC110 - until the charge waits to be written
            await asyncio.sleep(0)
        another = ScriptedProvider(rig.clock, ENVIRONMENT)
        life.poller._asking._providers = {"testing": another}
        rig.provider.retired = True
        await poll
        assert rig.provider.logins == []
        assert another.tries(RIGHT) == 1
        assert life.state().up

    @pytest.mark.parametrize("polled", [False, True])
    async def test_a_poll_that_waits_for_the_wsdl_waits_for_that_of_the_new_connections(
        self, rig: Rig, polled: bool
    ) -> None:
        """A reload that makes connections anew is no failure of the provider."""
        life = await rig.start(account())
        if polled:
            await life.poll()
        another = ScriptedProvider(rig.clock, ENVIRONMENT)

        async def closed(_limit: float) -> Failure:
            life.poller._asking._providers = {"testing": another}
            return unsent()

        rig.provider.ready = closed  # type: ignore[method-assign]
        rig.provider.logins.clear()
        await life.poll()
        assert (rig.provider.logins, another.tries(RIGHT)) == ([], 1)
        assert life.state().up
        assert life.state().failures == ()

    async def test_a_try_that_was_charged_for_a_credential_that_is_gone(self, rig: Rig) -> None:
        """The correction has come in time: the wrong one isn't sent."""
        life = await rig.start(account(WRONG))
        poll = asyncio.ensure_future(life.poll())
        while not life.storage.writes:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await life.use(account(RIGHT))
        await poll
        await life.poll()
        assert [login.password for login in rig.provider.logins] == [RIGHT]

    @pytest.mark.parametrize("after", [account(interval=2 * INTERVAL), account(name="renamed")])
    @pytest.mark.parametrize("outcome", [GOOD, reading(503), sent()])
    async def test_a_poll_under_way_counts_for_the_account_as_it_is_now(
        self, rig: Rig, after: Account, outcome: Outcome
    ) -> None:
        """Else a reload while it lasts would be followed by another poll within half a minute."""
        life = await rig.start(account())
        await life.poll()
        rig.provider.open.clear()
        poll = await life.begin_poll()
        rig.clock.advance(1)
        rig.provider.script = [outcome]
        await life.use(after)
        rig.provider.open.set()
        await poll
        ended = rig.clock.monotonic()
        next_poll = life.state(after.name).next_poll
        assert next_poll
        assert life.agenda.due == {after.name: ended + next_poll - rig.clock.time()}
        await life.poll(after.name)
        first, second = rig.provider.logins[-2:]
        assert second.at - first.at >= (30.0 if isinstance(outcome, Failure) else after.interval)
