"""A clock that doesn't jump by itself."""

import pytest

from exporter.clock import Clock, SteadyClock, since_boot
from tests.support.peers import FakeClock


def steady(clock: FakeClock) -> SteadyClock:
    return SteadyClock(clock, clock.monotonic)


def test_it_goes_with_the_system_s(clock: FakeClock) -> None:
    """While that doesn't jump."""
    one = steady(clock)
    for _ in range(3):
        clock.advance(1e6)
        assert one.time() == pytest.approx(clock.time(), abs=1e-6)
        assert one.monotonic() == clock.monotonic()
        assert one.catch_up() == 0


@pytest.mark.parametrize("seconds", [-400 * 86_400, -2, 2, 400 * 86_400])
def test_a_jump_counts_once_it_is_taken_up(clock: FakeClock, seconds: float) -> None:
    """Until then time goes on as if there had been none."""
    one = steady(clock)
    before = clock.time()
    clock.time_seconds += seconds
    clock.advance(5)
    assert one.time() == before + 5
    assert one.catch_up() == seconds
    assert one.time() == clock.time()
    assert one.catch_up() == 0


def test_a_jump_for_a_moment_is_never_seen(clock: FakeClock) -> None:
    """Where nobody looks meanwhile."""
    one = steady(clock)
    clock.time_seconds += 1e6
    seen = one.time()
    clock.time_seconds -= 1e6
    assert one.catch_up() == 0
    assert one.time() == seen


def test_small_steps_add_up(clock: FakeClock) -> None:
    """It is never further from the system's than a second."""
    one = steady(clock)
    for _ in range(20):
        clock.time_seconds += 0.4
        one.catch_up()
        assert abs(one.time() - clock.time()) <= 1


def test_a_pause_between_two_looks_is_no_jump(clock: FakeClock) -> None:
    """The process may be stopped at any place: it looks again later."""
    one = steady(clock)

    class Paused(FakeClock):
        def time(self) -> float:
            clock.advance(65)
            return clock.time()

    one._clock = Paused()
    assert one.catch_up() == 0
    one._clock = clock
    assert one.catch_up() == 0
    assert one.time() == pytest.approx(clock.time())


def test_what_passes_is_measured_over_a_sleep_of_the_machine() -> None:
    """Which the monotonic clock of Linux doesn't see: balances are older after it."""
    system: Clock = SteadyClock()
    assert since_boot() >= system.monotonic() - 1
    assert SteadyClock().catch_up() == 0
