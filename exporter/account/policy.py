"""What follows from a poll: account state + outcome + now → next account state.

Here is all the thinking about when an account is asked again, and none of the doing: no clock, no network,
no storage. The rules are those of "How an account is treated" in docs/design.md.
"""

import hashlib
from dataclasses import replace
from typing import Final, Protocol

from exporter.account.codes import EXHAUSTED, Effect, effect, slot
from exporter.account.outcome import Failure, Outcome, Reading, Reason
from exporter.account.state import Figure, State, Suspension

RETRY_FIRST: Final = 30.0
"""Seconds before the first retry after the provider's trouble; each further one waits twice as long."""

RETRY_JITTER: Final = 0.1
"""How much longer than that a retry may wait, so that accounts that failed together don't come together."""

SLOW_DOWN_LIMIT: Final = 8
"""Times the interval: the longest gap that "we ask too much" leads to."""

FIRST_POLLS: Final = 30.0
"""Seconds over which first polls are spread, beside 0.1 s for each account."""

_REASONS: Final = tuple(Reason)


class Terms(Protocol):
    """What the configuration says about polling an account."""

    @property
    def interval(self) -> float: ...  # seconds
    @property
    def auth_attempts(self) -> int: ...  # tries with a wrong credential, then the account is suspended


def step(
    state: State,
    outcome: Outcome,
    terms: Terms,
    *,
    refusals: int,
    started: float,
    now: float,
    jitter: float,
) -> State:
    """Return the state after a poll.

    ``refusals`` is how often the provider has refused this credential since it last accepted it, this outcome
    included. ``started`` is when the poll was sent and ``now`` when it ended (Unix time); ``jitter`` is a
    number from 0 to 1 that differs between polls.
    """
    if isinstance(outcome, Failure):
        return _after_failure(state, outcome, terms, started=started, now=now, jitter=jitter)
    counted = replace(
        state,
        responses=_one_more(state.responses, slot(outcome.status)),
        up=False,
        last_outcome=outcome,
        last_code=outcome.status,
        last_poll=now,
        blocked=False,
    )
    match effect(outcome.status):
        case Effect.BALANCE:
            return _after_balance(counted, outcome, terms, started=started, now=now)
        case Effect.SLOW_DOWN:
            factor = min(2 ** (state.slow_downs + 1), SLOW_DOWN_LIMIT)
            return replace(
                counted, slow_downs=state.slow_downs + 1, next_poll=started + factor * terms.interval
            )
        case Effect.RETRY:
            return _retry(counted, terms, sent=True, started=started, now=now, jitter=jitter)
        case Effect.REFUSED | Effect.STOP:
            if suspends(outcome.status, refusals, terms.auth_attempts):
                return suspended(counted, Suspension(outcome.status, now))
            return replace(counted, proven=False, next_poll=started + terms.interval)


def suspends(code: int, refusals: int, auth_attempts: int) -> bool:
    """Tell whether an account is suspended after an answer, with so many refusals of its credential."""
    match effect(code):
        case Effect.REFUSED:
            return refusals >= auth_attempts
        case Effect.STOP:
            return True
    return False


def suspended(state: State, suspension: Suspension) -> State:
    """Return the state of an account that is not asked for any more."""
    return replace(state, proven=False, suspension=suspension, blocked=False, next_poll=None)


def renewed(state: State, due: float) -> State:
    """Return the state with a credential that is still to be proven, due at a Unix time.

    So it is after a start, after the credential was changed and after a suspension was lifted.
    """
    return replace(state, proven=False, suspension=None, blocked=False, next_poll=due)


def postponed(state: State, due: float, *, blocked: bool) -> State:
    """Return the state after a poll that the guard held back."""
    return replace(state, next_poll=due, blocked=blocked)


def _after_failure(
    state: State, failure: Failure, terms: Terms, *, started: float, now: float, jitter: float
) -> State:
    counted = replace(
        state,
        failures=_one_more(state.failures, _REASONS.index(failure.reason)),
        up=False,
        last_outcome=failure,
        last_poll=now,
        blocked=False,
    )
    return _retry(counted, terms, sent=failure.sent, started=started, now=now, jitter=jitter)


def _after_balance(state: State, reading: Reading, terms: Terms, *, started: float, now: float) -> State:
    available = reading.available
    if available is None and reading.status in EXHAUSTED:
        available = 0
    # 200 that tells what was used but not what is left is an answer, yet none about the balance.
    up = available is not None
    return replace(
        state,
        contracted=_latest(state.contracted, reading.contracted, now),
        used=_latest(state.used, reading.used, now),
        available=_latest(state.available, available, now),
        consumed=state.consumed.seen(reading.used),
        purchased=state.purchased.seen(reading.contracted),
        up=up,
        last_success=now if up else state.last_success,
        next_poll=started + terms.interval,
        retries=0,
        slow_downs=0,
        proven=True,
    )


def _retry(state: State, terms: Terms, *, sent: bool, started: float, now: float, jitter: float) -> State:
    delay = min(terms.interval, RETRY_FIRST * 2 ** min(state.retries, 32)) * (1 + RETRY_JITTER * jitter)
    due = now + delay
    if sent and not state.proven:
        # The credential may be wrong, and this try may have counted: no quick retries with it.
        due = max(due, started + terms.interval)
    return replace(state, retries=state.retries + 1, next_poll=due)


def _latest(before: Figure | None, stamps: int | None, now: float) -> Figure | None:
    return before if stamps is None else Figure(stamps, now)


def _one_more(counts: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*counts[:place], counts[place] + 1, *counts[place + 1 :])


def first_poll(name: str, interval: float, accounts: int, spread: float = FIRST_POLLS) -> float:
    """Return after how many seconds an account is first polled, of so many ``accounts``.

    The polls are spread evenly and always alike, so that a restart is no burst for the provider: over
    ``spread`` seconds and a tenth of one for each account, within an interval.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    fraction = int.from_bytes(digest, "big") / 2**64
    return fraction * min(interval, spread + 0.1 * accounts)
