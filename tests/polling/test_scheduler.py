"""The scheduler, in simulated time: a loop that never waits but lets the time pass at once."""

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.polling.scheduler import CRASH_DELAY, Scheduler


class TimeJumps(selectors.DefaultSelector):
    """Where a loop would wait for its next timer, this lets the time pass at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing is scheduled, so the loop would wait for ever")
        self.now += timeout
        return super().select(0)


def in_simulated_time(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    def loop() -> asyncio.AbstractEventLoop:
        jumps = TimeJumps()
        simulated = asyncio.SelectorEventLoop(jumps)
        simulated.time = lambda: jumps.now  # type: ignore[method-assign]  # what a loop is made to have replaced
        return simulated

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())


class Polls:
    """Polls that take and return what a test says, and the record of when each started and ended."""

    def __init__(self, every: float | None = 10.0, takes: float = 0.0) -> None:
        self.every: dict[str, float | None] = {}
        self.takes: dict[str, float] = {}
        self.crashes: dict[str, Exception] = {}
        self.started: list[tuple[float, str]] = []
        self.ended: list[tuple[float, str]] = []
        self.cancelled: list[str] = []
        self.lags: list[float] = []
        self.crashed: list[tuple[str, Exception]] = []
        self.under_way: Counter[str] = Counter()
        self.most_under_way = 0
        self._defaults = every, takes
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self.crash_delay = CRASH_DELAY
        self.spread: list[Sequence[str]] = []
        self.scheduler = Scheduler(
            self._poll, late=self.lags.append, crashed=self._take_note, overdue=self._spread
        )

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return round(self._loop.time() - self._start, 6)

    def add(self, key: str, due: float, group: str = "group") -> None:
        self.scheduler.add(key, group, self._start + due)

    def _take_note(self, key: str, error: Exception) -> float:
        self.crashed.append((key, error))
        return self.crash_delay

    def stand_still(self, seconds: float) -> None:
        """Let time pass in which the process doesn't run."""
        self._loop._selector.now += seconds  # type: ignore[attr-defined]  # that of this module

    def _spread(self, keys: Sequence[str]) -> list[float]:
        """Spread overdue keys over 30 s."""
        self.spread.append(keys)
        return [self._loop.time() + 30 * place / len(keys) for place in range(len(keys))]

    async def _poll(self, key: str) -> float | None:
        every, takes = self._defaults
        self.started.append((self.now, key))
        self.under_way[key] += 1
        assert self.under_way[key] == 1, f"{key} is polled twice at once"
        self.most_under_way = max(self.most_under_way, self.under_way.total())
        begin = self._loop.time()
        try:
            await asyncio.sleep(self.takes.get(key, takes))
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        finally:
            self.under_way[key] -= 1
            self.ended.append((self.now, key))
        if key in self.crashes:
            raise self.crashes[key]
        again = self.every.get(key, every)
        return None if again is None else begin + again


def test_keys_are_polled_when_they_are_due_in_that_order() -> None:
    async def story() -> None:
        polls = Polls()
        polls.scheduler.limit("group", 10)
        for key, due in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("past", -5.0)):
            polls.add(key, due)
        await asyncio.sleep(14.5)
        assert polls.started == [
            (0.0, "past"),
            (1.0, "a"),
            (2.0, "b"),
            (3.0, "c"),
            (10.0, "past"),
            (11.0, "a"),
            (12.0, "b"),
            (13.0, "c"),
        ]
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_keys_that_are_due_at_once_start_in_the_order_in_which_they_were_added() -> None:
    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 2)
        for key in "dacb":
            polls.add(key, 1.0)
        await asyncio.sleep(2)
        assert [key for _, key in polls.started] == ["d", "a", "c", "b"]

    in_simulated_time(story)


def test_a_key_added_for_earlier_than_all_others_is_polled_earlier() -> None:
    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 1)
        polls.add("late", 100.0)
        await asyncio.sleep(1)
        polls.add("early", 2.0)
        await asyncio.sleep(200)
        assert polls.started == [(2.0, "early"), (100.0, "late")]

    in_simulated_time(story)


def test_a_poll_that_returns_none_has_no_next_one() -> None:
    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 1)
        polls.add("a", 1.0)
        await asyncio.sleep(1_000_000)
        assert polls.started == [(1.0, "a")]

    in_simulated_time(story)


@pytest.mark.parametrize("limit", [1, 4, 50])
def test_no_more_polls_of_a_group_are_under_way_than_its_limit(limit: int) -> None:
    async def story() -> None:
        polls = Polls(every=None, takes=1.0)
        polls.scheduler.limit("group", limit)
        for number in range(50):
            polls.add(str(number), 0.0)
        await asyncio.sleep(100)
        assert polls.most_under_way == limit
        assert [key for _, key in polls.started] == [str(number) for number in range(50)]
        assert polls.ended[-1][0] == -(-50 // limit)

    in_simulated_time(story)


def test_what_became_due_while_the_process_stood_still_is_spread() -> None:
    """The longest overdue first, each once; what was due anyway keeps its time."""

    async def story() -> None:
        polls = Polls(every=60.0)
        polls.scheduler.limit("group", 1000)
        for number in range(300):
            polls.add(str(number), number / 5)
        await asyncio.sleep(59.9)
        polls.started.clear()
        polls.stand_still(65)
        await asyncio.sleep(30)
        assert [key for _, key in polls.started] == [str(number) for number in range(300)]
        seconds = Counter(int(at - 124.9) for at, _ in polls.started)
        assert max(seconds.values()) <= 11
        assert len(polls.spread) == 1
        assert max(polls.lags) < 0.1
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_a_process_that_is_stopped_again_and_again_forgets_nobody() -> None:
    """However seldom it runs: those that wait for longest come first."""

    async def story() -> None:
        polls = Polls(every=60.0)
        polls.scheduler.limit("group", 1000)
        for number in range(300):
            polls.add(str(number), number / 5)
        for _ in range(60):
            polls.stand_still(65)
            await asyncio.sleep(2)
        counts = Counter(key for _, key in polls.started)
        assert len(counts) == 300
        assert max(counts.values()) - min(counts.values()) <= 2
        await polls.scheduler.stop(0)

    in_simulated_time(story)


@pytest.mark.parametrize(("keys", "seconds", "spread"), [(1, 65, 0), (50, 4, 0), (50, 6, 1), (2, 6, 1)])
def test_nothing_is_spread_for_less(keys: int, seconds: float, spread: int) -> None:
    """A single poll, or a loop that was busy for a moment."""

    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 1000)
        for number in range(keys):
            polls.add(str(number), 1.0)
        await asyncio.sleep(0.5)
        polls.stand_still(0.5 + seconds)
        await asyncio.sleep(0.5)
        assert len(polls.spread) == spread
        assert len(polls.started) == (1 if spread else keys)
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_what_is_due_in_the_past_when_it_is_added_is_not_overdue() -> None:
    """The process stood still for nothing there."""

    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 1000)
        for number in range(50):
            polls.add(str(number), -100.0)
        await asyncio.sleep(0.5)
        assert not polls.spread
        assert len(polls.started) == 50

    in_simulated_time(story)


def test_a_key_that_is_removed_after_it_was_spread_is_not_polled() -> None:
    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 1000)
        for key in "abc":
            polls.add(key, 1.0)
        await asyncio.sleep(0.5)
        polls.stand_still(65)
        await asyncio.sleep(0.5)
        polls.scheduler.remove("b")
        await asyncio.sleep(60)
        assert [key for _, key in polls.started] == ["a", "c"]

    in_simulated_time(story)


def test_groups_have_limits_of_their_own() -> None:
    async def story() -> None:
        polls = Polls(every=None, takes=5.0)
        polls.scheduler.limit("narrow", 1)
        polls.scheduler.limit("wide", 3)
        for number in range(3):
            polls.add(f"n{number}", 0.0, "narrow")
            polls.add(f"w{number}", 0.0, "wide")
        await asyncio.sleep(60)
        assert sorted(polls.started) == [
            (0.0, "n0"),
            (0.0, "w0"),
            (0.0, "w1"),
            (0.0, "w2"),
            (5.0, "n1"),
            (10.0, "n2"),
        ]

    in_simulated_time(story)


def test_a_limit_that_is_raised_starts_those_that_wait_and_one_that_is_lowered_holds() -> None:
    async def story() -> None:
        polls = Polls(every=None, takes=10.0)
        polls.scheduler.limit("group", 1)
        for number in range(6):
            polls.add(str(number), 0.0)
        await asyncio.sleep(1)
        polls.scheduler.limit("group", 3)
        await asyncio.sleep(1)
        assert [at for at, _ in polls.started] == [0.0, 1.0, 1.0]
        polls.scheduler.limit("group", 1)
        await asyncio.sleep(100)
        assert [at for at, _ in polls.started] == [0.0, 1.0, 1.0, 11.0, 21.0, 31.0]

    in_simulated_time(story)


def test_a_slow_key_among_many_delays_no_other() -> None:
    """One that answers after 30 s among 50 that answer at once, limit 4: the 50 keep their interval."""

    async def story() -> None:
        polls = Polls(every=10.0, takes=0.01)
        polls.takes["slow"] = 30.0
        polls.scheduler.limit("group", 4)
        polls.add("slow", 0.0)
        for number in range(50):
            polls.add(str(number), number / 5)
        await asyncio.sleep(99.99)
        counts = Counter(key for _, key in polls.started)
        assert counts.pop("slow") == 4
        assert set(counts.values()) == {10}
        assert max(polls.lags[:-1]) <= 20.0
        starts = [at for at, key in polls.started if key == "7"]
        assert starts == pytest.approx([1.4 + 10 * turn for turn in range(10)])
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_a_key_is_never_polled_twice_at_once_even_if_it_takes_longer_than_its_interval() -> None:
    async def story() -> None:
        polls = Polls(every=10.0, takes=25.0)
        polls.scheduler.limit("group", 10)
        polls.add("a", 0.0)
        await asyncio.sleep(99)
        assert [at for at, _ in polls.started] == [0.0, 25.0, 50.0, 75.0]
        assert polls.lags == pytest.approx([0.0, 15.0, 15.0, 15.0]), "late by what the last one took too long"
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_the_lag_is_the_time_from_due_to_start() -> None:
    async def story() -> None:
        polls = Polls(every=None, takes=3.0)
        polls.scheduler.limit("group", 1)
        for due, key in enumerate("abc"):
            polls.add(key, float(due))
        await asyncio.sleep(20)
        assert polls.lags == pytest.approx([0.0, 2.0, 4.0])

    in_simulated_time(story)


def test_a_key_removed_before_it_is_due_or_while_it_waits_is_not_polled() -> None:
    async def story() -> None:
        polls = Polls(every=None, takes=5.0)
        polls.scheduler.limit("group", 1)
        for key, due in (("first", 0.0), ("waiting", 0.0), ("later", 3.0), ("last", 4.0)):
            polls.add(key, due)
        await asyncio.sleep(1)
        polls.scheduler.remove("waiting")
        polls.scheduler.remove("later")
        polls.scheduler.remove("unknown")
        await asyncio.sleep(60)
        assert polls.started == [(0.0, "first"), (5.0, "last")]

    in_simulated_time(story)


def test_a_key_removed_while_under_way_ends_and_has_no_next_poll() -> None:
    async def story() -> None:
        polls = Polls(every=10.0, takes=5.0)
        polls.scheduler.limit("group", 1)
        polls.add("a", 0.0)
        await asyncio.sleep(1)
        polls.scheduler.remove("a")
        await asyncio.sleep(100)
        assert (polls.started, polls.ended, polls.cancelled) == ([(0.0, "a")], [(5.0, "a")], [])

    in_simulated_time(story)


def test_a_key_removed_and_added_again_is_polled_as_of_its_new_time_only() -> None:
    async def story() -> None:
        polls = Polls(every=None)
        polls.scheduler.limit("group", 1)
        polls.add("a", 10.0)
        polls.scheduler.remove("a")
        polls.add("a", 20.0)
        await asyncio.sleep(100)
        assert polls.started == [(20.0, "a")]

    in_simulated_time(story)


@pytest.mark.parametrize("group", ["group", "other"])
def test_a_key_added_again_while_under_way_waits_for_that_poll_to_end(group: str) -> None:
    """As a reload does it. Two logins of one account at once would count twice against it."""

    async def story() -> None:
        polls = Polls(every=10.0, takes=5.0)
        polls.scheduler.limit("group", 4)
        polls.scheduler.limit("other", 4)
        polls.add("a", 0.0)
        await asyncio.sleep(1)
        polls.scheduler.remove("a")
        polls.add("a", 2.0, group)
        await asyncio.sleep(30)
        assert polls.crashed == []
        starts = [at for at, _ in polls.started]
        assert starts[0] == 0.0
        assert starts[1] == 5.0
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_a_poll_that_crashes_is_told_and_repeated_while_the_others_go_on() -> None:
    async def story() -> None:
        polls = Polls(every=10.0)
        polls.crashes["bad"] = error = ValueError("a bug")
        polls.scheduler.limit("group", 1)
        polls.add("bad", 0.0)
        polls.add("good", 5.0)
        await asyncio.sleep(2 * CRASH_DELAY + 1)
        assert polls.crashed == [("bad", error)] * 3
        assert [at for at, key in polls.started if key == "bad"] == [0.0, CRASH_DELAY, 2 * CRASH_DELAY]
        assert [at for at, key in polls.started if key == "good"] == [5.0 + 10 * turn for turn in range(12)]
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_a_poll_that_crashes_late_is_due_again_only_after_the_delay() -> None:
    """Counted from the crash: one that takes longer would else be repeated at once, for ever."""

    async def story() -> None:
        polls = Polls(takes=100.0)
        polls.crashes["bad"] = ValueError("a bug")
        polls.scheduler.limit("group", 1)
        polls.add("bad", 0.0)
        await asyncio.sleep(200)
        assert [at for at, _ in polls.started] == [0.0, 100.0 + CRASH_DELAY]
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_a_poll_that_crashes_is_due_again_when_whoever_is_told_says() -> None:
    async def story() -> None:
        polls = Polls()
        polls.crash_delay = 900.0
        polls.crashes["bad"] = ValueError("a bug")
        polls.scheduler.limit("group", 1)
        polls.add("bad", 0.0)
        await asyncio.sleep(2000)
        assert [at for at, _ in polls.started] == [0.0, 900.0, 1800.0]
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_stop_waits_for_polls_under_way_then_cancels_them_and_starts_no_more() -> None:
    async def story() -> None:
        polls = Polls(every=1.0, takes=2.0)
        polls.takes["slow"] = 100.0
        polls.scheduler.limit("group", 2)
        for key, due in (("quick", 0.0), ("slow", 0.0), ("waiting", 0.0), ("later", 3.0)):
            polls.add(key, due)
        await asyncio.sleep(1)
        await polls.scheduler.stop(4.0)
        assert polls.now == 5.0
        assert polls.ended == [(2.0, "quick"), (5.0, "slow")]
        assert polls.cancelled == ["slow"]
        polls.add("new", 6.0)
        await asyncio.sleep(1_000)
        assert [key for _, key in polls.started] == ["quick", "slow"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_simulated_time(story)


def test_stop_returns_at_once_where_nothing_is_under_way() -> None:
    async def story() -> None:
        polls = Polls()
        polls.scheduler.limit("group", 1)
        polls.add("a", 5.0)
        await asyncio.sleep(1)
        await polls.scheduler.stop(4.0)
        assert polls.now == 1.0

    in_simulated_time(story)


def test_ten_thousand_keys_are_all_polled_on_time() -> None:
    async def story() -> None:
        polls = Polls(every=100.0, takes=0.001)
        polls.scheduler.limit("group", 64)
        for number in range(10_000):
            polls.add(str(number), number / 100)
        await asyncio.sleep(199.995)
        assert Counter(Counter(key for _, key in polls.started).values()) == {2: 10_000}
        assert max(polls.lags) < 0.01
        await polls.scheduler.stop(0)

    in_simulated_time(story)


SECONDS = st.integers(0, 20).map(float)
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "limit", "wait"]), st.sampled_from("abcde"), SECONDS),
    max_size=25,
)


@given(STEPS, st.dictionaries(st.sampled_from("abcde"), SECONDS), st.integers(1, 3))
def test_whatever_comes_and_goes_each_scheduled_key_is_polled_and_no_other(
    steps: list[tuple[str, str, float]], takes: dict[str, float], limit: int
) -> None:
    """Keys come back only once they are idle: what happens otherwise has a test of its own."""

    async def story() -> None:
        polls = Polls(every=10.0, takes=1.0)
        polls.takes = takes
        polls.scheduler.limit("group", limit)
        scheduled: set[str] = set()
        for step, key, seconds in steps:
            if step == "add" and key not in scheduled and not polls.under_way[key]:
                polls.add(key, polls.now + seconds + 0.25)  # so that nothing is removed as it starts
                scheduled.add(key)
            elif step == "remove":
                polls.scheduler.remove(key)
                scheduled.discard(key)
            elif step == "wait":
                await asyncio.sleep(seconds)
        seen = len(polls.started)
        await asyncio.sleep(300)
        assert polls.crashed == []
        assert {key for _, key in polls.started[seen:]} == scheduled
        assert polls.most_under_way <= limit
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_keys_that_are_added_anew_again_and_again_leave_nothing_behind() -> None:
    """As with each reload that changes the interval: their old places are due only in a day."""

    async def story() -> None:
        polls = Polls()
        polls.scheduler.limit("group", 1000)
        for round_ in range(50):
            for number in range(100):
                polls.add(str(number), 86_400.0 + round_)
        assert len(polls.scheduler._heap) < 300
        await asyncio.sleep(86_460.0)
        assert Counter(key for at, key in polls.started if at < 86_459.0) == {str(n): 1 for n in range(100)}
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_groups_within_another_leave_it_a_place() -> None:
    """They take turns, each within its own limit, and none goes before the outer one's own."""

    async def story() -> None:
        polls = Polls(every=None, takes=10.0)
        polls.scheduler.limit("group", 4)
        for guest, limit in (("x", 5), ("y", 1)):
            polls.scheduler.limit(guest, limit, "group")
            for number in range(3):
                polls.add(f"{guest}{number}", 0.0, guest)
        for number in range(3):
            polls.add(f"own{number}", 1.0)
        await asyncio.sleep(45)
        assert polls.started[:3] == [(0.0, "x0"), (0.0, "x1"), (0.0, "x2")]
        assert [key for at, key in polls.started if at == 1.0] == ["own0"]
        assert [key for at, key in polls.started if at == 10.0] == ["own1", "own2", "y0"]
        assert polls.started[-2:] == [(20.0, "y1"), (30.0, "y2")]
        assert polls.most_under_way == 4
        assert len(polls.started) == 9
        assert len(polls.lags) == 3, "who may have to wait tells nothing about overload"
        await polls.scheduler.stop(0)

    in_simulated_time(story)


def test_a_group_within_another_that_is_held_waits_and_goes_on() -> None:
    async def story() -> None:
        polls = Polls(every=10.0)
        polls.scheduler.limit("group", 1)
        polls.scheduler.limit("guest", 0, "group")
        polls.add("a", 1.0, "guest")
        polls.add("own", 2.0)
        await asyncio.sleep(5)
        assert polls.started == [(2.0, "own")]
        polls.scheduler.limit("guest", 1, "group")
        await asyncio.sleep(1)
        assert polls.started == [(2.0, "own"), (5.0, "a")]
        polls.scheduler.limit("guest", 0, "group")
        await asyncio.sleep(30)
        assert [key for _, key in polls.started].count("a") == 1
        await polls.scheduler.stop(0)

    in_simulated_time(story)
