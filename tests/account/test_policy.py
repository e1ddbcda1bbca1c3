"""What follows from a poll: a table for every code and reason, and the counters that come of readings."""

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.codes import CODES, RESPONSE_LABELS
from exporter.account.outcome import Failure, Outcome, Reading, Reason
from exporter.account.policy import first_poll, postponed, renewed, step, suspended, suspends
from exporter.account.state import Figure, Rise, State, Suspension, figure

STARTED, NOW = 1_000.0, 1_007.0
BALANCES = (200, 630, 631)
TROUBLE = (500, 501, 502, 611, 612, 624, 0, -1, 299, 606, 999_999)
TOO_MUCH = (503, 632)
STOPS = (602, 603, 604, 605, 633)


@dataclass(frozen=True)
class Terms:
    """An account's settings, as far as the policy knows them."""

    interval: float = 900.0
    auth_attempts: int = 2


PROVEN = State(proven=True)
UNPROVEN = State()


def after(
    outcome: Outcome,
    state: State = PROVEN,
    *,
    interval: float = 900.0,
    auth_attempts: int = 2,
    refusals: int = 0,
    jitter: float = 0.0,
) -> State:
    return step(
        state,
        outcome,
        Terms(interval, auth_attempts),
        refusals=refusals,
        started=STARTED,
        now=NOW,
        jitter=jitter,
    )


def test_the_groups_hold_every_documented_code() -> None:
    """So that no code is left out below."""
    assert set(CODES) <= {*BALANCES, *TROUBLE, *TOO_MUCH, *STOPS, 601}
    assert len(CODES) == 17


class TestNextPoll:
    @pytest.mark.parametrize("state", [PROVEN, UNPROVEN], ids=["proven", "unproven"])
    @pytest.mark.parametrize("code", BALANCES)
    def test_a_balance_is_asked_for_again_an_interval_after_the_start(self, code: int, state: State) -> None:
        """From the start, not the end: slow answers don't make an account drift. All back-off is over."""
        backing_off = replace(state, retries=5, slow_downs=5)
        found = after(reading(code, available=3), backing_off)
        assert (found.next_poll, found.retries, found.slow_downs) == (STARTED + 900, 0, 0)
        assert (found.up, found.proven, found.suspension) == (True, True, None)
        assert found.last_success == found.last_poll == NOW

    @pytest.mark.parametrize("state", [PROVEN, UNPROVEN], ids=["proven", "unproven"])
    @pytest.mark.parametrize("code", TOO_MUCH)
    def test_asking_too_much_leads_to_longer_and_longer_gaps(self, code: int, state: State) -> None:
        """Twice the interval, four times, then eight times for as long as it lasts."""
        gaps = []
        for _ in range(6):
            state = after(reading(code), state)
            assert state.next_poll is not None
            gaps.append((state.next_poll - STARTED) / 900)
        assert gaps == [2, 4, 8, 8, 8, 8]
        assert (state.slow_downs, state.retries, state.up, state.suspension) == (6, 0, False, None)

    @pytest.mark.parametrize(
        "outcome",
        [reading(code) for code in TROUBLE]
        + [Failure(reason, "why", sent=sent) for reason in Reason for sent in (True, False)],
        ids=str,
    )
    def test_trouble_is_tried_again_soon_with_a_proven_credential(self, outcome: Outcome) -> None:
        """After 30 s, then twice that and so on, up to the interval; counted from the end of the poll."""
        state, gaps = PROVEN, []
        for _ in range(7):
            state = after(outcome, state)
            assert state.next_poll is not None
            gaps.append(state.next_poll - NOW)
        assert gaps == [30, 60, 120, 240, 480, 900, 900]
        assert (state.retries, state.slow_downs, state.up) == (7, 0, False)
        assert (state.proven, state.suspension) == (True, None)

    @pytest.mark.parametrize(
        "outcome",
        [reading(code) for code in TROUBLE] + [Failure(reason, "why") for reason in Reason],
        ids=str,
    )
    def test_no_quick_retry_with_an_unproven_credential_that_was_sent(self, outcome: Outcome) -> None:
        """It may be wrong, and the try may have counted."""
        state = after(outcome, UNPROVEN)
        assert (state.next_poll, state.retries, state.proven) == (STARTED + 900, 1, False)

    def test_a_retry_that_is_later_than_the_interval_anyway_stays_later(self) -> None:
        """At least the interval: the guard never shortens a back-off."""
        state = step(
            UNPROVEN,
            Failure(Reason.TIMEOUT, "late"),
            Terms(interval=10.0),
            refusals=0,
            started=STARTED,
            now=STARTED + 240,
            jitter=0,
        )
        assert state.next_poll == STARTED + 240 + 10

    @pytest.mark.parametrize("reason", Reason)
    def test_what_was_not_sent_is_tried_again_soon_whatever_the_credential(self, reason: Reason) -> None:
        """The provider hasn't seen it, so it can't have counted it."""
        assert after(Failure(reason, "why", sent=False), UNPROVEN).next_poll == NOW + 30

    @pytest.mark.parametrize("interval", [1.0, 20.0])
    def test_a_retry_never_waits_longer_than_a_short_interval(self, interval: float) -> None:
        """Where the interval is under 30 s."""
        assert after(reading(500), interval=interval).next_poll == NOW + interval

    def test_jitter_adds_a_tenth_at_most(self) -> None:
        """Accounts that failed together don't come back together."""
        assert after(reading(500), jitter=1.0).next_poll == NOW + 33
        assert after(reading(500), jitter=0.5).next_poll == NOW + 31.5
        assert after(reading(500), replace(PROVEN, retries=10), jitter=1.0).next_poll == NOW + 990

    def test_failing_for_years_overflows_nothing(self) -> None:
        """2ⁿ as a float would."""
        assert after(reading(500), replace(PROVEN, retries=10**6)).next_poll == NOW + 900
        assert after(reading(503), replace(PROVEN, slow_downs=10**5)).next_poll == STARTED + 7200


class TestSuspension:
    @pytest.mark.parametrize(
        ("auth_attempts", "refusals", "stops"),
        [(1, 1, True), (2, 1, False), (2, 2, True), (3, 2, False), (3, 3, True), (2, 3, True)],
    )
    def test_601_suspends_once_the_tries_are_used_up(
        self, auth_attempts: int, refusals: int, stops: bool
    ) -> None:
        """Until then the next try is an interval after the last; the credential isn't proven any more."""
        state = after(reading(601), auth_attempts=auth_attempts, refusals=refusals)
        assert state.suspension == (Suspension(601, NOW) if stops else None)
        assert state.next_poll == (None if stops else STARTED + 900)
        assert (state.proven, state.up, state.last_code) == (False, False, 601)

    @pytest.mark.parametrize("state", [PROVEN, UNPROVEN], ids=["proven", "unproven"])
    @pytest.mark.parametrize("code", STOPS)
    def test_a_stop_suspends_at_once(self, code: int, state: State) -> None:
        """However many tries are left."""
        found = after(reading(code), state, auth_attempts=3, refusals=0)
        assert found.suspension == Suspension(code, NOW)
        assert (found.next_poll, found.proven, found.up, found.last_code) == (None, False, False, code)

    @pytest.mark.parametrize("code", [*BALANCES, *TOO_MUCH, *TROUBLE])
    def test_nothing_else_suspends(self, code: int) -> None:
        """However often it was refused before."""
        assert not suspends(code, refusals=99, auth_attempts=1)
        assert after(reading(code), refusals=99, auth_attempts=1).suspension is None

    def test_a_suspended_account_keeps_what_is_known_of_it(self) -> None:
        """Only the future changes."""
        known = after(reading(200, 10, 4, 6))
        stopped = suspended(known, Suspension(602, 5.0))
        assert (stopped.available, stopped.next_poll, stopped.proven) == (known.available, None, False)

    def test_a_renewed_credential_is_unproven(self) -> None:
        """After a start, another credential or a resumption."""
        state = renewed(suspended(PROVEN, Suspension(601, 5.0)), due=77.0)
        assert (state.suspension, state.proven, state.next_poll) == (None, False, 77.0)

    def test_a_postponed_poll_changes_nothing_else(self) -> None:
        """The guard held it back: nothing was asked, so nothing is known."""
        known = after(reading(200, 10, 4, 6))
        assert postponed(known, 77.0, blocked=False) == replace(known, next_poll=77.0)
        assert postponed(known, 77.0, blocked=True) == replace(known, next_poll=77.0, blocked=True)


class TestFigures:
    def test_each_is_of_the_latest_answer_that_had_it(self) -> None:
        """An answer that lacks a figure leaves the former one, with its time."""
        state = after(reading(200, 10, 4, 6))
        later = step(state, reading(200, available=5), Terms(), refusals=0, started=2000, now=2001, jitter=0)
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

    def test_200_without_a_balance_proves_the_credential_but_is_not_up(self) -> None:
        """`up` is about the balance; the login was accepted all the same."""
        state = after(reading(200, used=4), UNPROVEN)
        assert (state.up, state.proven, state.last_success, state.available) == (False, True, None, None)
        assert state.next_poll == STARTED + 900

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


class TestCounts:
    @pytest.mark.parametrize("code", [*CODES, 299])
    def test_every_answer_is_counted_once(self, code: int) -> None:
        """Under its code, or as other."""
        state = after(reading(code, available=1))
        label = str(code) if code in CODES else "other"
        assert dict(zip(RESPONSE_LABELS, state.responses, strict=True)) == {
            one: int(one == label) for one in RESPONSE_LABELS
        }
        assert sum(state.failures) == 0
        assert (state.last_code, state.last_poll) == (code, NOW)

    @pytest.mark.parametrize("reason", Reason)
    def test_every_failure_is_counted_once(self, reason: Reason) -> None:
        """Under its reason; the last code stays."""
        state = after(Failure(reason, "why"), replace(PROVEN, last_code=200))
        counted = dict(zip(Reason, state.failures, strict=True))
        assert counted == {one: int(one is reason) for one in Reason}
        assert sum(state.responses) == 0
        assert (state.up, state.last_code, state.last_poll) == (False, 200, NOW)

    @pytest.mark.parametrize(
        ("readings", "total", "baseline"),
        [
            ([], 0, None),
            ([500], 0, 500),
            ([500, 500], 0, 500),
            ([500, 510], 10, 510),
            ([500, None, 510], 10, 510),
            ([500, 510, 3, 5], 12, 5),
            ([500, 0, 500], 500, 500),
            ([0, 1], 1, 1),
        ],
    )
    def test_a_counter_is_the_sum_of_rises(
        self, readings: list[int | None], total: int, baseline: int | None
    ) -> None:
        """The first reading counts nothing; a fall adds nothing and moves the baseline."""
        rise = Rise()
        for reading in readings:
            rise = rise.seen(reading)
        assert rise == Rise(total, baseline)

    @given(st.lists(st.none() | st.integers(0, 2**53)))
    def test_a_counter_never_goes_back(self, readings: list[int | None]) -> None:
        """Whatever the provider says."""
        rise = Rise()
        for reading in readings:
            before, rise = rise, rise.seen(reading)
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
    st.builds(Failure, st.sampled_from(list(Reason)), st.just("why"), st.booleans()),
    st.builds(
        Reading, st.sampled_from([*CODES, 299]), *[st.none() | st.integers(0, 2**53) for _ in range(3)]
    ),
)


@given(
    st.lists(st.tuples(OUTCOMES, st.integers(0, 4), st.floats(0, 1), st.floats(0, 240)), max_size=30),
    st.floats(1, 1e6),
    st.integers(1, 3),
)
def test_whatever_happens(
    polls: list[tuple[Outcome, int, float, float]], interval: float, auth_attempts: int
) -> None:
    """Suspended or due within eight intervals; counters only rise; every poll is counted once."""
    state, now = State(), 1.7e9
    for number, (outcome, refusals, jitter, took) in enumerate(polls, 1):
        before = state
        state = step(
            state,
            outcome,
            Terms(interval, auth_attempts),
            refusals=refusals,
            started=now,
            now=now + took,
            jitter=jitter,
        )
        now += took
        assert sum(state.responses) + sum(state.failures) == number
        assert state.consumed.total >= before.consumed.total
        assert state.purchased.total >= before.purchased.total
        assert (state.next_poll is None) == (state.suspension is not None)
        if state.suspension:
            assert isinstance(outcome, Reading)
            assert outcome.status in (*STOPS, 601)
            return
        assert state.next_poll is not None
        assert state.next_poll - now <= max(8 * interval, 1.1 * interval) + 1e-3
