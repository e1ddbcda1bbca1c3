"""An account that waits until open tries lapse: said once, steadily, and as long as the guard means it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.account.outcome import Outcome
from tests.support.peers import FakeClock
from tests.support.peers.logfmt import fields
from tests.support.rig import (
    INTERVAL,
    RIGHT,
    Life,
    ScriptedProvider,
    account,
    fails,
    reading,
    sent,
    unreadable,
    unsent,
)

HOUR = 3600.0


@pytest.fixture
async def life(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Life]:
    life = Life(tmp_path / "state.db", clock, ScriptedProvider(clock))
    yield life
    await life.stop()


def waits(life: Life) -> list[str]:
    """Until when the log says that the account waits, line by line."""
    lines = [fields(line) for line in life.logged.getvalue().splitlines()]
    return [line["until"] for line in lines if line["msg"] == "account waits"]


def wait(life: Life, name: str = "acme") -> float:
    """Seconds until an account is due: as the schedule has it, and as the metric says."""
    seconds = life.agenda.due[name] - life.clock.monotonic()
    assert life.state(name).next_poll == pytest.approx(life.clock.time() + seconds, rel=0, abs=0.01)
    return seconds


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [(sent(), HOUR - INTERVAL), (unreadable(), HOUR)],
    ids=["on the way", "from the service"],
)
async def test_a_wait_is_known_as_soon_as_it_begins(life: Life, outcome: Outcome, seconds: float) -> None:
    """Not at the next poll, which the guard would only hold: until then nobody would know."""
    life.provider.script = [outcome] * 2
    await life.use(account())
    await life.poll()
    assert not life.state().blocked
    await life.poll()
    assert life.state().blocked
    assert wait(life) == pytest.approx(seconds)
    assert len(waits(life)) == 1
    assert len(life.provider.logins) == 2


@pytest.mark.parametrize(
    ("outcome", "interval"),
    [
        (sent(), 60.0),
        (sent(), INTERVAL),
        (unreadable(), 60.0),
        (unreadable(), INTERVAL),
        (unreadable(), 2400.0),
    ],
)
async def test_a_wait_goes_on_over_its_tries(life: Life, outcome: Outcome, interval: float) -> None:
    """A password that the service refuses in a way that nobody can read: one line, and no flapping."""
    life.provider.script = [outcome] * 40
    await life.use(account(interval=interval))
    await life.poll()
    await life.poll()
    polls = 2
    while len(life.provider.logins) < 8:
        assert life.state().blocked
        if wait(life) > 31:
            life.clock.advance(30)
            await life.roster.look_around()
            assert life.state().blocked
        await life.poll()
        polls += 1
    assert polls == 8, "each poll is a try: none is made only to be held"
    assert len(waits(life)) == 1


async def test_it_ends_with_an_answer_and_the_next_one_is_told_anew(life: Life) -> None:
    life.provider.script = [unreadable()] * 2
    await life.use(account())
    for _ in range(3):
        await life.poll()
    assert (life.state().blocked, life.state().up) == (False, True)
    assert wait(life) == pytest.approx(INTERVAL)
    life.provider.script = [unreadable()] * 4
    while not life.state().blocked:
        await life.poll()
    assert len(waits(life)) == 2


async def test_who_may_be_tried_sooner_than_that_does_not_wait(life: Life) -> None:
    """Open tries are left, or the next poll is due after one has lapsed: the guard holds nothing."""
    life.provider.script = [sent()] * 10
    await life.use(account(auth_attempts=3), account(RIGHT, "slow", username="slow", interval=2400.0))
    await life.poll()
    await life.poll()
    for _ in range(3):
        await life.poll("slow")
    assert not life.state("slow").blocked
    assert not life.state("acme").blocked
    assert waits(life) == []


@pytest.mark.parametrize("outcome", [unsent(), reading(500)], ids=["unsent", "neutral"])
async def test_what_leaves_no_try_open_makes_nobody_wait(life: Life, outcome: Outcome) -> None:
    life.provider.script = [outcome] * 6
    await life.use(account())
    for _ in range(6):
        await life.poll()
    assert not life.state().blocked
    assert waits(life) == []


async def test_looking_around_meanwhile_changes_nothing(life: Life) -> None:
    """It looks every half a minute whether the account may be tried sooner."""
    life.provider.script = [unreadable()] * 2
    await life.use(account())
    await life.poll()
    await life.poll()
    state, due = life.state(), life.agenda.due["acme"]
    for _ in range(5):
        life.clock.advance(30)
        await life.roster.look_around()
        assert life.state().blocked
        assert life.state().next_poll == state.next_poll
        assert life.agenda.due["acme"] == pytest.approx(due)
    assert len(waits(life)) == 1


async def test_a_try_that_was_late_is_followed_by_none_that_is_too_early(life: Life) -> None:
    """The next open try lapses before another one may be sent: bringing it forward would have it held."""
    life.provider.script = [sent()] * 4
    await life.use(account())
    await life.poll()
    await life.poll()
    life.clock.advance(wait(life) + INTERVAL / 2)
    await life.poll()
    assert life.state().blocked
    assert wait(life) == pytest.approx(INTERVAL)
    while wait(life) > 31:
        life.clock.advance(30)
        await life.roster.look_around()
    await life.poll()
    assert len(life.provider.logins) == 4
    assert len(waits(life)) == 1


async def test_a_clock_that_was_ahead_makes_nobody_wait_for_longer(life: Life) -> None:
    """As the guard itself, which takes a try of the future for one of now."""
    life.provider.script = [sent()]
    await life.use(account(auth_attempts=1))
    life.provider.open.clear()
    poll = await life.begin_poll()
    life.clock.time_seconds -= 150 * 24 * HOUR
    life.provider.open.set()
    await poll
    assert life.state().blocked
    assert wait(life) <= HOUR


async def test_a_clock_that_jumps_ahead_lets_no_try_lapse(life: Life) -> None:
    """Asking when the login is free mustn't take the jump for time that has passed."""
    life.provider.script = [unreadable()] * 3
    await life.use(account())
    await life.poll()
    life.provider.open.clear()
    poll = await life.begin_poll()
    life.clock.time_seconds += 2 * HOUR
    life.provider.open.set()
    await poll
    assert life.state().blocked
    life.clock.advance(INTERVAL)
    await life.poller.poll("acme")
    assert len(life.provider.logins) == 2


async def test_where_the_storage_can_t_tell_the_guard_does_at_the_next_poll(life: Life) -> None:
    life.provider.script = [sent()] * 2
    await life.use(account())
    await life.poll()

    def broken(_login: object) -> None:
        life.storage.before = fails()

    life.provider.on_login = broken
    await life.poll()
    assert not life.state().blocked
    assert life.storage_errors
    life.storage.before = lambda _number: None
    await life.poll()
    assert life.state().blocked
    assert len(life.provider.logins) == 2


async def test_a_reload_meanwhile_keeps_the_wait(life: Life) -> None:
    """Renamed while the guard was asked: the account waits under its new name."""
    life.provider.script = [sent()] * 2
    await life.use(account())
    await life.poll()
    life.provider.open.clear()
    poll = await life.begin_poll()
    await life.use(account(name="renamed"))
    life.provider.open.set()
    await poll
    assert life.state("renamed").blocked
    assert wait(life, "renamed") == pytest.approx(HOUR - INTERVAL)


async def test_polls_are_counted_for_their_environment(life: Life) -> None:
    """Once each, as the account's own are; what the guard holds is none."""
    life.provider.script = [reading(500), sent(), sent()]
    await life.use(account())
    for _ in range(3):
        await life.poll()

    def counted(name: str, **labels: str) -> float | None:
        return life.metrics.registry.get_sample_value(name, {"pac_environment": "testing", **labels})

    assert counted("cfdi_provider_responses_total", code="500") == 1
    assert counted("cfdi_provider_responses_total", code="200") == 0
    assert counted("cfdi_provider_poll_failures_total", reason="timeout") == 2
    assert [(count.label, count.times) for count in life.state().responses] == [("200", 0), ("500", 1)]
    assert [(count.label, count.times) for count in life.state().failures] == [("timeout", 2)]
    life.clock.advance(60)
    assert await life.poller.poll("acme") is not None
    assert counted("cfdi_provider_poll_failures_total", reason="timeout") == 2


async def test_counts_go_on_where_an_account_is_renamed_or_comes_back(life: Life) -> None:
    """They were counted once: born at 0 again they would be counted twice. Environments come and go."""
    life.provider.script = [reading(500), reading(500)]
    await life.use(account())
    for _ in range(3):
        await life.poll()
    known = life.state().responses
    assert [(count.label, count.times) for count in known] == [("200", 1), ("500", 2)]
    await life.use(account(name="renamed"))
    assert life.state("renamed").responses == known
    await life.use()
    assert b"pac_environment" not in life.metrics.lines(openmetrics=False)
    await life.use(account())
    assert life.state().responses == known
    value = life.metrics.registry.get_sample_value
    labels = {"pac_environment": "testing", "code": "500"}
    assert value("cfdi_provider_responses_total", labels) == 0
