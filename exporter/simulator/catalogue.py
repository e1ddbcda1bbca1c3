"""PURE: the accounts that the simulated provider starts with. docs/simulator.md describes each for users."""

from collections.abc import Iterator
from typing import Final

from exporter.simulator.accounts import MESSAGES, PASSWORD, Account, Life, Refill
from exporter.simulator.rhythm import ROUND_THE_CLOCK

CHANGED_PASSWORD: Final = "changed-by-its-owner"  # noqa: S105 - it protects nothing, and nobody is to log in with it
SLOW_SECONDS: Final = 3.0


def ready_made(now: float) -> Iterator[Account]:
    """One account for each state that users meet, then one for each code; their history ends at `now`."""
    yield Account("healthy@demo.example", _healthy(now))
    # Buys so few stamps at a time that it never gets out of the low range, nor ever runs dry.
    low = Life(now, contracted=2_000, used=1_910, per_day=2, refill=Refill(below=40, package=50))
    yield Account("low@demo.example", low)
    # The rhythm without nights and weekends makes "a day and a half" true whenever the simulator is started.
    running_out = Life(now, contracted=50_000, used=42_800, per_day=4_800, rhythm=ROUND_THE_CLOCK)
    yield Account("running-out@demo.example", running_out)
    yield Account("exhausted@demo.example", _exhausted(now))
    yield Account("wrong-password@demo.example", _healthy(now), password=CHANGED_PASSWORD)
    yield Account("flaky@demo.example", _healthy(now), busy_every=3)
    yield Account("slow@demo.example", _healthy(now), delay=SLOW_SECONDS)
    topped_up = Life(
        now, contracted=40_000, used=19_985, per_day=200, refill=Refill(below=15_000, package=20_000)
    )
    yield Account("topped-up@demo.example", topped_up)
    for code in MESSAGES:
        life = _exhausted(now) if code in {630, 631} else _healthy(now)
        yield Account(f"code-{code}@demo.example", life, code=code)


def load(count: int, now: float) -> Iterator[Account]:
    """Healthy accounts in any number, of sizes that differ: `load-00001@demo.example` and so on."""
    for number in range(1, count + 1):
        per_day = 20 + number * 37 % 480
        days_left = 30 + number % 40
        life = Life(
            now,
            contracted=200 * per_day,
            used=(200 - days_left) * per_day,
            per_day=per_day,
            refill=Refill(below=28 * per_day, package=60 * per_day),
        )
        yield Account(f"load-{number:05}@demo.example", life, password=PASSWORD)


def _healthy(now: float) -> Life:
    """Enough for more than a week even at the pace of a payday's busiest hour, so that no forecast alerts."""
    return Life(now, contracted=80_000, used=56_000, per_day=300, refill=Refill(below=20_000, package=20_000))


def _exhausted(now: float) -> Life:
    return Life(now, contracted=5_000, used=5_000, per_day=100)
