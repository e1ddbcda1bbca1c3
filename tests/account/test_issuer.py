"""What follows from a poll of an issuer, where that is another matter than for an account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.issuer import SOONEST, has_no_contract, issuer_step, next_poll
from exporter.account.outcome import Outcome, Reading
from exporter.account.state import Figure, State
from exporter.config import Issuer
from exporter.provider.solucion_factible.codes import issuer_code
from tests.support.rig import sent, unsent

NOW = 1_700_000_000.0
INTERVAL = 3600.0
ISSUER = Issuer("norte", "AAA010101AAA", INTERVAL, 3 * INTERVAL, None, None, ())


def after(outcome: Outcome, state: State | None = None) -> State:
    return issuer_step(
        state or State(), outcome, ISSUER, attempts=2, moment=0.25, started=NOW, now=NOW + 1, monotonic=1.0
    )


@given(st.floats(1.6e9, 2e9), st.floats(60, 86_400), st.floats(0, 1))
def test_it_is_due_at_its_own_moment_in_an_interval(started: float, interval: float, moment: float) -> None:
    """However long it waited; polls that start when they are due are an interval apart."""
    due = next_poll(started, interval, moment)
    assert SOONEST * interval - 1e-3 <= due - started <= (1 + SOONEST) * interval + 1e-3
    assert next_poll(due, interval, moment) == pytest.approx(due + interval)


@pytest.mark.parametrize("outcome", [Reading(issuer_code(500)), sent(), unsent(), Reading(issuer_code(624))])
def test_no_quick_retries(outcome: Outcome) -> None:
    """There can be thousands."""
    state = State()
    for _ in range(5):
        state = after(outcome, state)
        assert state.next_poll == next_poll(NOW, INTERVAL, 0.25)
    assert (state.up, state.given_up) == (False, False)


def test_it_is_asked_less_often_where_that_is_wanted() -> None:
    state = State()
    for factor in (2, 4, 8, 8):
        state = after(Reading(issuer_code(632)), state)
        assert state.next_poll == NOW + factor * INTERVAL


def test_a_sudden_0_is_asked_about_again() -> None:
    state = after(Reading(issuer_code(200), 100, 100, 0), State(available=Figure(60, NOW - INTERVAL)))
    assert state.next_poll == NOW + 60
    assert state.available == Figure(60, NOW - INTERVAL)


@pytest.mark.parametrize(
    ("figures", "none"),
    [
        ((0, 0, 0), True),
        ((None, None, 0), True),
        ((0, 0, None), True),
        ((None, None, None), False),
        ((10, 10, 0), False),
        ((0, 5, 0), False),
    ],
)
def test_no_contract_of_its_own(figures: tuple[int | None, int | None, int | None], none: bool) -> None:
    contracted, used, available = figures
    state = after(Reading(issuer_code(200), contracted, used, available))
    assert has_no_contract(state) is none
    if none:
        assert (state.contracted, state.used, state.available, state.up) == (None, None, None, True)
        assert state.consumed.baseline is None


@pytest.mark.parametrize("code", [630, 631])
def test_one_that_never_had_stamps_has_not_run_out_of_them(code: int) -> None:
    state = after(Reading(issuer_code(code)))
    assert (state.available, state.up, has_no_contract(state)) == (None, True, False)
    state = after(Reading(issuer_code(code)), after(Reading(issuer_code(200), 10, 4, 6), state))
    assert state.available == Figure(0, NOW + 1)


def test_answers_that_nobody_understands_are_counted_in_a_row() -> None:
    odd, good = Reading(issuer_code(699)), Reading(issuer_code(200), 10, 4, 6)
    assert not after(odd, after(good, after(odd))).given_up
    state = after(odd, after(sent(), after(odd)))
    assert (state.given_up, state.next_poll) == (True, None)
