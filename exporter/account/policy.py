"""What follows from a poll: account state + outcome + now → next account state.

Here is all the thinking about when an account is asked again, and none of the doing: no clock, no network,
no storage. The rules are those of "How an account is treated" in docs/design.md.
"""

import hashlib
from dataclasses import replace
from typing import Final, Protocol

from exporter.account.calendar import LocalDay
from exporter.account.expectation import depletion_after
from exporter.account.outcome import Effect, Failure, Outcome, Reading, Verdict
from exporter.account.state import Figure, State, Suspension, one_more

RETRY_FIRST: Final = 30.0
"""Seconds before the first retry where no balance came; each further one waits twice as long."""

RETRY_JITTER: Final = 0.1
"""How much longer than that a retry may wait, so that accounts that failed together don't come together."""

SLOW_DOWN_LIMIT: Final = 8
"""Times the interval: the longest wait where the provider wants fewer calls."""

RETRY_AFTER_LIMIT: Final = 86_400.0
"""Seconds: the longest that a provider's Retry-After is heeded."""

ASK_AGAIN: Final = 60.0
"""Seconds after which a balance that is suddenly 0 is asked for again, where the interval isn't shorter."""

ASK_AGAIN_DISTANCE: Final = 86_400.0
"""Seconds between two such polls of an account, so that a provider that flaps can't make us ask often."""

FIRST_POLLS: Final = 30.0
"""Seconds over which first polls are spread, beside 0.1 s for each account."""


class Terms(Protocol):
    """What the configuration says about polling an account."""

    @property
    def interval(self) -> float: ...  # seconds


def step(
    state: State,
    outcome: Outcome,
    terms: Terms,
    *,
    proven: bool,
    suspension: Suspension | None,
    started: float,
    now: float,
    monotonic: float,
    jitter: float,
    today: LocalDay | None = None,
) -> State:
    """Return the state after a poll.

    ``proven`` and ``suspension`` are the login's after the poll. ``started`` is when the poll was sent
    and ``now`` when it ended (Unix time), ``monotonic`` likewise; ``jitter`` is a number from 0 to 1 that
    differs between polls. ``today`` is the local day of ``now``; without it no use is counted by days.
    """
    if isinstance(outcome, Reading) and outcome.effect is Effect.BALANCE and not suspension:
        # Most polls end here: with what is counted in one go, as to make a state anew takes a while.
        return _after_balance(
            state, outcome, terms, started=started, now=now, monotonic=monotonic, today=today
        )
    after = counted(state, outcome, now, monotonic)
    if suspension:
        return suspended(after, suspension)
    if outcome.effect is Effect.SLOW_DOWN:
        return _slow_down(after, outcome, terms, started=started, now=now)
    if outcome.verdict is Verdict.REFUSED:
        return replace(after, next_poll=started + terms.interval)
    sent = isinstance(outcome, Reading) or outcome.sent
    return _retry(after, terms, cautious=sent and not proven, started=started, now=now, jitter=jitter)


def suspended(state: State, suspension: Suspension) -> State:
    """Return the state of an account that is not asked for any more."""
    return replace(state, suspension=suspension, blocked=False, next_poll=None)


def renewed(state: State, due: float) -> State:
    """Return the state of an account that may be asked for again, due at a Unix time.

    So it is after a start, after the credential was changed and after a suspension was lifted.
    """
    return replace(state, suspension=None, blocked=False, next_poll=due)


def postponed(state: State, due: float, *, blocked: bool) -> State:
    """Return the state after a poll that the guard held back."""
    return replace(state, next_poll=due, blocked=blocked)


def counted(state: State, outcome: Outcome, now: float, monotonic: float) -> State:
    """Return the state with an outcome counted that tells no balance."""
    if isinstance(outcome, Failure):
        failures = one_more(state.failures, outcome.reason.value, monotonic)
        return replace(state, failures=failures, up=False, last_outcome=outcome, last_poll=now, blocked=False)
    return replace(
        state,
        responses=one_more(state.responses, outcome.code.label, monotonic),
        up=False,
        last_outcome=outcome,
        last_code=outcome.code,
        last_poll=now,
        blocked=False,
    )


def _after_balance(
    state: State,
    reading: Reading,
    terms: Terms,
    *,
    started: float,
    now: float,
    monotonic: float,
    today: LocalDay | None,
) -> State:
    available = balance(reading)
    # 200 that tells what was used but not what is left is an answer, yet none about the balance.
    up = available is not None
    doubted = available == 0 and _is_doubtful(state, reading)
    ask_again = doubted and (state.asked_again is None or started - state.asked_again >= ASK_AGAIN_DISTANCE)
    consumed, use = state.consumed.seen(reading.used), state.use
    purchased = state.purchased.seen(reading.contracted)
    bought = purchased.total - state.purchased.total
    if today and reading.used is not None:
        before = state.used.at if state.used else None
        use = use.seen(consumed.total - state.consumed.total, before, now, today)
    left = _latest(state.available, None if doubted else available, now)
    return replace(
        state,
        contracted=_latest(state.contracted, reading.contracted, now),
        used=_latest(state.used, reading.used, now),
        available=left,
        consumed=consumed,
        use=use,
        depletion=state.depletion if left is state.available else depletion_after(state, left, use, today),
        purchased=purchased,
        topped_up=Figure(bought, now) if bought else state.topped_up,
        responses=one_more(state.responses, reading.code.label, monotonic),
        up=up,
        last_outcome=reading,
        last_code=reading.code,
        last_poll=now,
        blocked=False,
        last_success=now if up else state.last_success,
        next_poll=started + (min(terms.interval, ASK_AGAIN) if ask_again else terms.interval),
        retries=0,
        slow_downs=0,
        doubted=doubted if up else state.doubted,
        asked_again=started if ask_again else state.asked_again,
    )


def _is_doubtful(state: State, reading: Reading) -> bool:
    """Return whether a 0 may be wrong: there were stamps, and no code says that they have run out."""
    known = state.available
    return not (state.doubted or reading.code.exhausted) and known is not None and known.stamps > 0


def _slow_down(state: State, outcome: Outcome, terms: Terms, *, started: float, now: float) -> State:
    factor = min(2 ** (state.slow_downs + 1), SLOW_DOWN_LIMIT)
    due = started + factor * terms.interval
    if isinstance(outcome, Failure) and outcome.retry_after is not None:
        due = max(due, now + min(outcome.retry_after, RETRY_AFTER_LIMIT))
    return replace(state, slow_downs=min(state.slow_downs + 1, SLOW_DOWN_LIMIT), next_poll=due)


def _retry(state: State, terms: Terms, *, cautious: bool, started: float, now: float, jitter: float) -> State:
    delay = min(terms.interval, RETRY_FIRST * 2 ** min(state.retries, 32)) * (1 + RETRY_JITTER * jitter)
    due = now + delay
    if cautious:
        # The credential may be wrong, and this try may have counted: no quick retries with it.
        due = max(due, started + terms.interval)
    return replace(state, retries=state.retries + 1, next_poll=due)


def _latest(before: Figure | None, stamps: int | None, now: float) -> Figure | None:
    return before if stamps is None else Figure(stamps, now)


def balance(reading: Reading) -> int | None:
    """Return the stamps available by an answer; a code that says that none is left stands for 0."""
    return 0 if reading.available is None and reading.code.exhausted else reading.available


def first_poll(name: str, interval: float, accounts: int, over: float = FIRST_POLLS) -> float:
    """Return after how many seconds an account is first polled, of so many ``accounts``.

    The polls are spread evenly and always alike, so that a restart is no burst for the provider.
    """
    return spread(fraction(name), interval, accounts, over)


def fraction(name: str) -> float:
    """Return a number from 0 to 1 that is always the same for a name, and spread evenly over all names."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def spread(fraction: float, interval: float, accounts: int, over: float = FIRST_POLLS) -> float:
    """Return after how many seconds an account is polled that is so far (0 to 1) among ``accounts``.

    That is ``over`` seconds and a tenth of one for each account, within an interval.
    """
    return fraction * min(interval, over + 0.1 * accounts)
