"""What follows from a poll: a table for every code and reason, and the counters that come of readings."""

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.outcome import Effect, Failure, Outcome, Reading, Reason, Verdict, unsent
from exporter.account.policy import balance, first_poll, postponed, renewed, step, suspended
from exporter.account.state import Count, Counts, Figure, Rise, State, Suspension, figure, one_more
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.codes import CODES
from tests.support.rig import reading

STARTED, NOW = 1_000.0, 1_007.0
MONOTONIC = 70.0
DAY = 86_400.0
BALANCES = (200, 630, 631)
TROUBLE = (500, 501, 502, 611, 612, 624, 0, -1, 299, 606, 999_999)
TOO_MUCH = (503, 632)
STOPS = (602, 603, 604, 605, 633)
FAILURES = [
    Failure(reason, "why", verdict=verdict)
    for reason in Reason
    for verdict in (Verdict.NEUTRAL, Verdict.UNKNOWN_FROM_SERVICE, Verdict.UNKNOWN_ON_THE_WAY)
]
NEW = State()
SUSPENSION = Suspension(codes.code(602), 5.0)


def too_much(retry_after: float | None = None) -> Failure:
    """HTTP 429, or 503 with Retry-After: whatever it is, the provider wants to be left alone."""
    return Failure(
        Reason.HTTP,
        "HTTP status 429",
        verdict=Verdict.NEUTRAL,
        effect=Effect.SLOW_DOWN,
        retry_after=retry_after,
    )


@dataclass(frozen=True)
class Terms:
    """An account's settings, as far as the policy knows them."""

    interval: float = 900.0


def after(
    outcome: Outcome,
    state: State = NEW,
    *,
    interval: float = 900.0,
    proven: bool = True,
    suspension: Suspension | None = None,
    started: float = STARTED,
    now: float = NOW,
    jitter: float = 0.0,
) -> State:
    return step(
        state,
        outcome,
        Terms(interval),
        proven=proven,
        suspension=suspension,
        started=started,
        now=now,
        monotonic=MONOTONIC,
        jitter=jitter,
    )


def test_the_groups_hold_every_documented_code() -> None:
    """So that no code is left out below."""
    assert set(CODES) <= {*BALANCES, *TROUBLE, *TOO_MUCH, *STOPS, 601}
    assert len(CODES) == 17


class TestNextPoll:
    @pytest.mark.parametrize("proven", [True, False])
    @pytest.mark.parametrize("code", BALANCES)
    def test_a_balance_is_asked_for_again_an_interval_after_the_start(self, code: int, proven: bool) -> None:
        """From the start, not the end: slow answers don't make an account drift. All back-off is over."""
        found = after(reading(code, available=3), State(retries=5, slow_downs=5), proven=proven)
        assert (found.next_poll, found.retries, found.slow_downs) == (STARTED + 900, 0, 0)
        assert (found.up, found.suspension) == (True, None)
        assert found.last_success == found.last_poll == NOW

    @pytest.mark.parametrize("proven", [True, False])
    @pytest.mark.parametrize("outcome", [*map(reading, TOO_MUCH), too_much(), too_much(60.0)], ids=str)
    def test_asking_too_much_leads_to_longer_and_longer_gaps(self, outcome: Outcome, proven: bool) -> None:
        """Twice the interval, four times, then eight times for as long as it lasts."""
        state, gaps = State(), []
        for _ in range(10):
            state = after(outcome, state, proven=proven)
            assert state.next_poll is not None
            gaps.append((state.next_poll - STARTED) / 900)
        assert gaps == [2, 4, 8, 8, 8, 8, 8, 8, 8, 8]
        assert (state.retries, state.up, state.suspension) == (0, False, None)

    @pytest.mark.parametrize(
        ("retry_after", "slow_downs", "due"),
        [
            (0.0, 0, STARTED + 2 * 900),
            (1_000.0, 0, STARTED + 2 * 900),
            (1_793.0, 0, STARTED + 2 * 900),
            (1_794.0, 0, NOW + 1_794),
            (5_000.0, 0, NOW + 5_000),
            (5_000.0, 1, NOW + 5_000),
            (5_000.0, 2, STARTED + 8 * 900),
            (DAY, 0, NOW + DAY),
            (DAY + 1, 0, NOW + DAY),
            (1e9, 7, NOW + DAY),
            (math.inf, 0, NOW + DAY),
        ],
    )
    def test_not_before_the_provider_wants_to_be_asked(
        self, retry_after: float, slow_downs: int, due: float
    ) -> None:
        """Retry-After counts from the answer, lengthens the gap and never shortens it, for a day at most."""
        assert after(too_much(retry_after), State(slow_downs=slow_downs)).next_poll == due

    def test_a_day_is_the_most_that_retry_after_gets_and_not_the_most_that_there_is(self) -> None:
        """An interval of a day leads to gaps of eight."""
        state = after(too_much(1e9), State(slow_downs=2), interval=DAY)
        assert state.next_poll == STARTED + 8 * DAY

    @pytest.mark.parametrize(
        "outcome", [*map(reading, TROUBLE), *FAILURES, *(unsent(reason, "why") for reason in Reason)], ids=str
    )
    def test_trouble_is_tried_again_soon_with_a_proven_credential(self, outcome: Outcome) -> None:
        """After 30 s, then twice that and so on, up to the interval; counted from the end of the poll."""
        state, gaps = State(), []
        for _ in range(7):
            state = after(outcome, state)
            assert state.next_poll is not None
            gaps.append(state.next_poll - NOW)
        assert gaps == [30, 60, 120, 240, 480, 900, 900]
        assert (state.retries, state.slow_downs, state.up) == (7, 0, False)
        assert state.suspension is None

    @pytest.mark.parametrize("outcome", [*map(reading, TROUBLE), *FAILURES], ids=str)
    def test_no_quick_retry_with_an_unproven_credential_that_was_sent(self, outcome: Outcome) -> None:
        """It may be wrong, and the try may have counted."""
        state = after(outcome, proven=False)
        assert (state.next_poll, state.retries) == (STARTED + 900, 1)

    def test_a_retry_that_is_later_than_the_interval_anyway_stays_later(self) -> None:
        """At least the interval: the guard never shortens a back-off."""
        late = Failure(Reason.TIMEOUT, "late")
        assert after(late, interval=10, proven=False, now=STARTED + 240).next_poll == STARTED + 240 + 10

    @pytest.mark.parametrize("reason", Reason)
    def test_what_was_not_sent_is_tried_again_soon_whatever_the_credential(self, reason: Reason) -> None:
        """The provider hasn't seen it, so it can't have counted it."""
        assert after(unsent(reason, "why"), proven=False).next_poll == NOW + 30

    @pytest.mark.parametrize("proven", [True, False])
    def test_a_refusal_is_followed_by_the_next_try_an_interval_later(self, proven: bool) -> None:
        """While the guard leaves it any: never sooner, however the account was doing."""
        state = after(reading(601), State(retries=0, slow_downs=3), proven=proven)
        assert (state.next_poll, state.up, state.suspension) == (STARTED + 900, False, None)

    @pytest.mark.parametrize("interval", [1.0, 20.0])
    def test_a_retry_never_waits_longer_than_a_short_interval(self, interval: float) -> None:
        """Where the interval is under 30 s."""
        assert after(reading(500), interval=interval).next_poll == NOW + interval

    def test_jitter_adds_a_tenth_at_most(self) -> None:
        """Accounts that failed together don't come back together."""
        assert after(reading(500), jitter=1.0).next_poll == NOW + 33
        assert after(reading(500), jitter=0.5).next_poll == NOW + 31.5
        assert after(reading(500), State(retries=10), jitter=1.0).next_poll == NOW + 990

    def test_failing_for_years_overflows_nothing(self) -> None:
        """2ⁿ as a float would."""
        assert after(reading(500), State(retries=10**6)).next_poll == NOW + 900
        assert after(reading(503), State(slow_downs=10**5)).next_poll == STARTED + 7200


class TestSuspension:
    @pytest.mark.parametrize("code", [601, *STOPS, *BALANCES, *TOO_MUCH, *TROUBLE])
    def test_a_login_that_is_suspended_after_the_poll_is_not_asked_for_any_more(self, code: int) -> None:
        """Whatever this poll said: another process may have had it suspended meanwhile."""
        state = after(reading(code, 10, 4, 6), State(blocked=True), suspension=SUSPENSION, proven=False)
        assert (state.suspension, state.next_poll, state.blocked) == (SUSPENSION, None, False)
        assert (state.up, state.last_code, state.last_poll) == (False, codes.code(code), NOW)

    @pytest.mark.parametrize(
        "outcome", [*map(reading, [*BALANCES, *TOO_MUCH, *TROUBLE, *STOPS, 601]), *FAILURES], ids=str
    )
    def test_nothing_else_suspends(self, outcome: Outcome) -> None:
        """Whether a login is suspended is the guard's decision, and only its."""
        state = after(outcome, proven=False)
        assert state.suspension is None
        assert state.next_poll is not None

    def test_a_suspended_account_keeps_what_is_known_of_it(self) -> None:
        """Only the future changes."""
        known = after(reading(200, 10, 4, 6))
        assert suspended(known, SUSPENSION) == replace(known, suspension=SUSPENSION, next_poll=None)

    @pytest.mark.parametrize("held", [suspended(State(), SUSPENSION), postponed(State(), 99.0, blocked=True)])
    def test_a_renewed_account_is_due(self, held: State) -> None:
        """After a start, another credential or a resumption."""
        assert renewed(held, due=77.0) == State(next_poll=77.0)

    def test_a_postponed_poll_changes_nothing_else(self) -> None:
        """The guard held it back: nothing was asked, so nothing is known."""
        known = after(reading(200, 10, 4, 6))
        assert postponed(known, 77.0, blocked=False) == replace(known, next_poll=77.0)
        assert postponed(known, 77.0, blocked=True) == replace(known, next_poll=77.0, blocked=True)

    @pytest.mark.parametrize("outcome", [reading(200, 10, 4, 6), reading(500), unsent(Reason.TLS, "why")])
    def test_a_poll_ends_the_wait_for_an_open_try(self, outcome: Outcome) -> None:
        """The guard has let it through."""
        assert not after(outcome, State(blocked=True)).blocked


class TestFigures:
    def test_each_is_of_the_latest_answer_that_had_it(self) -> None:
        """An answer that lacks a figure leaves the former one, with its time."""
        state = after(reading(200, 10, 4, 6))
        later = after(reading(200, available=5), state, started=2000, now=2001)
        assert (later.contracted, later.used) == (Figure(10, NOW), Figure(4, NOW))
        assert later.available == Figure(5, 2001)

    @pytest.mark.parametrize("code", [630, 631])
    def test_run_out_without_figures_is_a_balance_of_0(self, code: int) -> None:
        """And says nothing of the other two."""
        state = after(reading(code), after(reading(200, 10, 4, 6)))
        assert (state.available, state.contracted) == (Figure(0, NOW), Figure(10, NOW))
        assert state.used == Figure(4, NOW)
        assert state.up is True

    def test_run_out_with_figures_has_those(self) -> None:
        """Even where the balance isn't 0: the provider's word counts."""
        assert after(reading(631, 10, 4, 6)).available == Figure(6, NOW)

    @pytest.mark.parametrize(
        ("outcome", "stamps"),
        [
            (reading(200, 10, 4, 6), 6),
            (reading(200, 10, 4), None),
            (reading(630), 0),
            (reading(631, available=7), 7),
        ],
    )
    def test_the_balance_of_an_answer(self, outcome: Reading, stamps: int | None) -> None:
        """What the page, `check` and the metrics all take for it."""
        assert balance(outcome) == stamps

    def test_200_without_a_balance_is_not_up(self) -> None:
        """`up` is about the balance; the login was accepted all the same: no quick retries."""
        state = after(reading(200, used=4))
        assert (state.up, state.last_success, state.available) == (False, None, None)
        assert state.next_poll == STARTED + 900

    def test_a_balance_that_is_suddenly_0_is_asked_for_again(self) -> None:
        """It isn't shown before a second answer confirms it, and counts as the answer that it is."""
        before = after(reading(200, 10, 4, 6))
        doubted = after(reading(200, 10, 10, 0), before, started=2000, now=2001)
        assert (doubted.available, doubted.used) == (Figure(6, NOW), Figure(10, 2001))
        assert (doubted.up, doubted.last_success, doubted.next_poll) == (True, 2001, 2060)
        confirmed = after(reading(200, 10, 10, 0), doubted, started=2060, now=2061)
        assert (confirmed.available, confirmed.doubted) == (Figure(0, 2061), False)
        assert confirmed.next_poll == 2060 + 900
        again = after(reading(200, 10, 10, 0), confirmed, started=2960, now=2961)
        assert (again.available, again.next_poll) == (Figure(0, 2961), 2960 + 900)

    def test_a_wrong_0_is_never_shown(self) -> None:
        """Whatever comes between it and the next balance."""
        state = after(reading(200, 10, 0, 0), after(reading(200, 10, 4, 6)))
        for outcome in (reading(500), reading(503), unsent(Reason.TLS, "why"), reading(200, used=4)):
            state = after(outcome, state)
            assert (state.available, state.doubted) == (Figure(6, NOW), True)
        state = after(reading(200, 10, 5, 5), state, now=2001)
        assert (state.available, state.doubted) == (Figure(5, 2001), False)

    @pytest.mark.parametrize("code", [630, 631])
    @pytest.mark.parametrize("available", [None, 0])
    def test_a_code_that_says_so_counts_at_once(self, code: int, available: int | None) -> None:
        """The provider means it."""
        state = after(reading(code, available=available), after(reading(200, 10, 4, 6)), started=2000)
        assert (state.available, state.doubted, state.next_poll) == (Figure(0, NOW), False, 2000 + 900)

    def test_a_first_0_counts_at_once(self) -> None:
        """Nothing contradicts it."""
        assert after(reading(200, 10, 10, 0)).available == Figure(0, NOW)

    def test_a_short_interval_isn_t_lengthened(self) -> None:
        """By a minute."""
        state = after(reading(200, available=0), after(reading(200, available=6)), interval=5.0)
        assert state.next_poll == STARTED + 5

    @pytest.mark.parametrize(
        "balances", [(0, 6), (0, 0, 6), (0, 6, 6, 6)], ids=["by turns", "twice", "now and then"]
    )
    def test_a_provider_that_flaps_cannot_make_us_ask_often(self, balances: Sequence[int]) -> None:
        """One poll more a day, at the most."""
        state, polls, now = after(reading(200, available=6), started=0.0, now=0.0), 0, 0.0
        for available in itertools.cycle(balances):
            assert state.next_poll is not None
            now = state.next_poll
            if now > 10 * DAY:
                break
            state = after(reading(200, available=available), state, started=now, now=now)
            polls += 1
        assert polls <= 10 * DAY / 900 + 11

    @pytest.mark.parametrize("code", [*TROUBLE, *TOO_MUCH, *STOPS, 601])
    def test_an_answer_that_is_none_about_the_balance_has_no_figures(self, code: int) -> None:
        """Whatever stands in it."""
        state = after(reading(code, 1, 1, 0))
        assert (state.contracted, state.used, state.available) == (None, None, None)
        assert state.consumed == state.purchased == Rise()

    def test_a_figure_goes_once_it_is_older_than_allowed(self) -> None:
        """At the boundary it still stands."""
        assert figure(Figure(6, 100.0), 50.0, 150.0) == 6
        assert figure(Figure(6, 100.0), 50.0, math.nextafter(150.0, math.inf)) is None
        assert figure(Figure(0, 100.0), 50.0, 100.0) == 0
        assert figure(None, 50.0, 100.0) is None


def times(counts: Counts) -> dict[str, int]:
    return {count.label: count.times for count in counts}


class TestCounts:
    @pytest.mark.parametrize("code", [*CODES, 299])
    def test_every_answer_is_counted_once(self, code: int) -> None:
        """Under its code, or as other."""
        state = after(reading(code, available=1), State(responses=(Count("other", 3, 5.0), Count("200", 5))))
        label = str(code) if code in CODES else "other"
        counted = {"other": 3, "200": 5}
        assert times(state.responses) == {**counted, label: counted.get(label, 0) + 1}
        assert state.failures == ()
        assert (state.last_code, state.last_poll) == (codes.code(code), NOW)

    @pytest.mark.parametrize("reason", Reason)
    def test_every_failure_is_counted_once(self, reason: Reason) -> None:
        """Under its reason; the last code stays."""
        known = State(failures=(Count("tls", 2),), last_code=codes.code(200))
        state = after(Failure(reason, "why"), known)
        assert times(state.failures) == {"tls": 2, reason: 3 if reason is Reason.TLS else 1}
        assert state.responses == ()
        assert (state.up, state.last_code, state.last_poll) == (False, codes.code(200), NOW)

    def test_counts_stay_in_the_order_in_which_they_came_up(self) -> None:
        """A series keeps its place, and the time since when it is there."""
        counts = one_more(one_more(one_more((), "b", 5.0), "a", 6.0), "b", 7.0)
        assert counts == (Count("b", 2, 5.0), Count("a", 1, 6.0))

    def test_a_poll_s_label_is_there_since_its_end(self) -> None:
        assert after(reading(500)).responses == (Count("500", 1, MONOTONIC),)
        assert after(Failure(Reason.TLS, "why")).failures == (Count("tls", 1, MONOTONIC),)

    @pytest.mark.parametrize(
        ("readings", "total", "baseline"),
        [
            ([], 0, None),
            ([500], 0, 500),
            ([500, 500], 0, 500),
            ([500, 510], 10, 510),
            ([500, None, 510], 10, 510),
            ([0, 1], 1, 1),
            ([5000, 5010, 0, 5020], 20, 5020),
            ([5000, 5010, 0, 0, 5020], 20, 5020),
            ([5000, 5010, 0, 4990, 5020], 20, 5020),
            ([5000, 5010, 4990, 0, 5020], 20, 5020),
            ([5000, 4998] * 50, 0, 5000),
            ([5000, 4990, 4990] * 50, 0, 5000),
            ([5000, 4990, 4990, 4998, 4992] * 50 + [5000], 0, 5000),
            ([5000, 4990, 4992, 5004], 4, 5004),
        ],
    )
    def test_a_counter_is_the_sum_of_rises(
        self, readings: list[int | None], total: int, baseline: int | None
    ) -> None:
        """The first reading counts nothing. An answer that was wrong, replicas that differ, a figure that
        is corrected little by little: only what is above the highest figure is a rise."""
        rise = Rise()
        for stamps in readings:
            rise = rise.seen(stamps)
        assert (rise.total, rise.baseline) == (total, baseline)

    @pytest.mark.parametrize(
        ("readings", "total"),
        [
            ([500, 510, 3], 10),
            ([500, 510, 3, 5], 12),
            ([500, 510, 3, None, 5], 12),
            ([5000, 3, 3, 3], 0),
            ([5000, 3, 7, 12], 9),
            ([5000, 3, 7, 12, 4990], 9),
            ([5000, 7, 3, 12], 5),
            ([5000, 4990, 3, 7, 12], 9),
            ([5000, 4000, 4010, 4030], 30),
            ([*range(5000, 4000, -1)], 0),
            ([5000, 3, 7, 12, 5003], 9),
            ([5000, 3, 7, 12, 5020], 20),
            ([5000, *range(3, 203, 10), 0, 203], 200),
            ([5000, *range(3, 203, 10), 5020], 190 + 4827),
        ],
    )
    def test_a_fall_counts_once_a_second_answer_confirms_it(
        self, readings: list[int | None], total: int
    ) -> None:
        """A contract starts anew: the rises since the fall count, those of the confirming answer too. Until
        it has settled a figure that comes back to the one from before was there all the time."""
        rise = Rise()
        for stamps in readings:
            rise = rise.seen(stamps)
        assert rise.total == total

    @pytest.mark.parametrize("apart", [1, 2, 10, 300])
    @pytest.mark.parametrize("use", [0, 1, 7, 50])
    @pytest.mark.parametrize("replicas", [2, 3])
    def test_replicas_that_differ_make_no_use(self, apart: int, use: int, replicas: int) -> None:
        """Whichever of them answers, and whatever is used meanwhile, that is what is counted."""
        dice = random.Random(f"{apart} {use} {replicas}")  # noqa: S311 - the same in each run
        used = first = 5000
        rise = Rise().seen(used)
        for _ in range(2000):
            used += dice.randint(0, 2 * use)
            rise = rise.seen(used - apart * dice.randrange(replicas))
        rise = rise.seen(used)
        assert 0.98 * (used - first) <= rise.total <= 1.05 * (used - first)

    @given(st.lists(st.none() | st.integers(0, 2**53) | st.integers(0, 20), max_size=60))
    def test_a_counter_never_goes_back(self, readings: list[int | None]) -> None:
        """Whatever the provider says."""
        rise = Rise()
        for stamps in readings:
            before, rise = rise, rise.seen(stamps)
            assert rise.total >= before.total

    def test_a_counter_stands_still_where_it_can_be_no_longer_exact(self) -> None:
        """A provider that says 0 and 2^53 by turns must not make a number that can't be stored."""
        rise = Rise()
        for _ in range(1100):
            rise = rise.seen(0).seen(2**53)
        assert rise.total == 2**53

    def test_consumption_and_purchases_come_of_used_and_contracted(self) -> None:
        """Each of its own figure."""
        state = after(reading(200, 110, 47, 63), after(reading(200, 100, 40, 60)))
        assert (state.consumed, state.purchased) == (Rise(7, 47), Rise(10, 110))


class TestFirstPoll:
    def test_always_the_same_for_an_account(self) -> None:
        """A restart is no new draw."""
        assert first_poll("acme", 900, 10) == first_poll("acme", 900, 10)
        assert first_poll("acme", 900, 10) != first_poll("acme2", 900, 10)

    @pytest.mark.parametrize(
        ("interval", "accounts", "bound"),
        [(900, 1, 30.1), (900, 100, 40), (5, 100, 5), (900, 100_000, 900), (86_400, 10_000, 1030)],
    )
    def test_spread_evenly_up_to_the_bound(self, interval: float, accounts: int, bound: float) -> None:
        """In each tenth of the time there is about a tenth of the accounts."""
        delays = [first_poll(f"account {number}", interval, accounts) / bound for number in range(5000)]
        assert 0 <= min(delays) < 0.01
        assert 0.99 < max(delays) < 1
        tenths = [sum(int(delay * 10) == tenth for delay in delays) for tenth in range(10)]
        assert min(tenths) > 400
        assert max(tenths) < 600


OUTCOMES = st.one_of(
    st.builds(
        Failure,
        st.sampled_from(list(Reason)),
        st.just("why"),
        st.booleans(),
        st.sampled_from(list(Verdict)),
        st.sampled_from([Effect.RETRY, Effect.SLOW_DOWN]),
        st.none() | st.floats(0, allow_nan=False),
    ),
    st.builds(
        reading, st.sampled_from([*CODES, 299]), *[st.none() | st.integers(0, 2**53) for _ in range(3)]
    ),
)
LOGINS = st.tuples(st.booleans(), st.sampled_from([None, None, None, SUSPENSION]))


@given(
    st.lists(st.tuples(OUTCOMES, LOGINS, st.floats(0, 1), st.floats(0, 240)), max_size=30),
    st.floats(1, 1e6),
)
def test_whatever_happens(
    polls: list[tuple[Outcome, tuple[bool, Suspension | None], float, float]], interval: float
) -> None:
    """Suspended or due within eight intervals, or a day where the provider wants it; counters only rise;
    every poll is counted once."""
    state, now = State(), 1.7e9
    for number, (outcome, (proven, suspension), jitter, took) in enumerate(polls, 1):
        before = state
        state = after(
            outcome,
            state,
            interval=interval,
            proven=proven,
            suspension=suspension,
            started=now,
            now=now + took,
            jitter=jitter,
        )
        now += took
        assert sum(count.times for count in (*state.responses, *state.failures)) == number
        assert state.consumed.total >= before.consumed.total
        assert state.purchased.total >= before.purchased.total
        assert (state.next_poll is None) == (state.suspension is not None)
        if state.suspension:
            return
        assert state.next_poll is not None
        longest = DAY if isinstance(outcome, Failure) and outcome.retry_after is not None else 0
        assert 0 < state.next_poll - (now - took) <= max(8 * interval, longest) + took + 1e-3
