"""What follows from a poll of an issuer: as from one of an account, with what only issuers have. Pure.

What the provider answers about an issuer that has no contract of its own was never seen: it is shown as that
only where it can be nothing else, and never as a balance of 0.
"""

from dataclasses import replace
from math import ceil
from typing import Final

from exporter.account.calendar import LocalDay
from exporter.account.outcome import Effect, Outcome, Reading, Verdict
from exporter.account.policy import Terms, counted, step
from exporter.account.state import State

SOONEST: Final = 0.1
"""Intervals between two polls of an issuer, at least, when it is moved to its own moment in the interval."""


def issuer_step(
    state: State,
    outcome: Outcome,
    terms: Terms,
    *,
    attempts: int,
    moment: float,
    started: float,
    now: float,
    monotonic: float,
    today: LocalDay | None = None,
) -> State:
    """Return an issuer's state after a poll.

    After ``attempts`` answers in a row of which nobody knows what they mean it is given up. ``moment`` (0 to
    1) is its own in each interval. The rest is as in ``policy.step``; what is wrong with the login is no part
    of an issuer's state.
    """
    due = next_poll(started, terms.interval, moment)
    if isinstance(outcome, Reading) and outcome.effect is Effect.BALANCE and is_without(state, outcome):
        after = counted(state, outcome, now, monotonic)
        return replace(after, up=True, last_success=now, next_poll=due, retries=0, slow_downs=0, unknown=0)
    unknown = state.unknown + 1 if outcome.verdict is Verdict.UNKNOWN_FROM_SERVICE else state.unknown
    if outcome.effect is Effect.GIVE_UP or unknown >= attempts:
        after = counted(state, outcome, now, monotonic)
        return replace(after, next_poll=None, unknown=unknown, given_up=True)
    after = step(
        state,
        outcome,
        terms,
        proven=True,
        suspension=None,
        started=started,
        now=now,
        monotonic=monotonic,
        jitter=0.0,
        today=today,
    )
    if outcome.effect is Effect.BALANCE:
        asked_again = after.next_poll is not None and after.next_poll < started + terms.interval
        return replace(after, next_poll=after.next_poll if asked_again else due, unknown=0)
    if outcome.effect is Effect.SLOW_DOWN:
        return replace(after, unknown=unknown)
    return replace(after, next_poll=due, unknown=unknown)  # no quick retries: there can be thousands


def is_without(state: State, reading: Reading) -> bool:
    """Return whether an answer about a balance, or that it has run out, gives none to an issuer.

    ``state`` is from before: one that never had stamps hasn't run out of them.
    """
    figures = {reading.contracted, reading.used, reading.available} - {None}
    if any(figures) or _had_figures(state):
        return False
    return reading.code.exhausted or figures == {0}


def has_no_contract(state: State) -> bool:
    """Return whether an issuer's last answer means that it has no contract of its own.

    A code that says that its stamps have run out doesn't.
    """
    last = state.last_outcome
    if not isinstance(last, Reading) or last.code.exhausted:
        return False
    return last.effect is Effect.BALANCE and is_without(state, last)


def stops_others(outcome: Outcome) -> bool:
    """Return whether the login's other issuers wait for their account's own poll after such an outcome.

    They do where it may count against the login, the provider wants fewer calls, or it can't be reached.
    """
    if outcome.verdict is Verdict.ACCEPTED or outcome.effect is Effect.GIVE_UP:
        return False
    trouble_of_this_one = isinstance(outcome, Reading) and outcome.verdict is Verdict.NEUTRAL
    return not trouble_of_this_one or outcome.effect is Effect.SLOW_DOWN


def next_poll(started: float, interval: float, moment: float) -> float:
    """Return when an issuer is due after a poll that ``started`` then: at its own moment in an interval.

    So issuers whose first polls came together, or that waited together, are spread over the interval again.
    """
    offset = moment * interval
    return ceil((started + SOONEST * interval - offset) / interval) * interval + offset


def _had_figures(state: State) -> bool:
    counters = (state.consumed, state.purchased)  # they remember it where a clock was wrong
    return any((state.contracted, state.used, state.available)) or any(
        counter.baseline is not None for counter in counters
    )
