"""PURE: the accounts that the simulated provider starts with. docs/simulator.md describes each for users."""

from collections.abc import Iterator
from typing import Final

from exporter.simulator.accounts import PASSWORD, Account
from exporter.simulator.answers import CODES
from exporter.simulator.issuers import Issuer, made_up_rfc
from exporter.simulator.life import Life, Refill
from exporter.simulator.rhythm import ROUND_THE_CLOCK

CHANGED_PASSWORD: Final = "changed-by-its-owner"  # noqa: S105 - it protects nothing, and nobody is to log in with it
SLOW_SECONDS: Final = 3.0
INTEGRATOR: Final = "integrator@demo.example"
"""The account that has issuers."""
_FIRST_OF_LOAD: Final = 10_000  # of the numbers of made-up RFCs


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
    issuers = {issuer.rfc: issuer for issuer in _issuers(now)}
    yield Account(INTEGRATOR, _healthy(now), issuers=issuers)
    for code in CODES:
        life = _exhausted(now) if code in {630, 631} else _healthy(now)
        yield Account(f"code-{code}@demo.example", life, code=code)


def _issuers(now: float) -> Iterator[Issuer]:
    """One for each state that users meet; the last two have no contract of their own."""
    lives = (
        Life(now, contracted=4_000, used=1_000, per_day=20, refill=Refill(below=1_000, package=2_000)),
        Life(now, contracted=300, used=260, per_day=1, refill=Refill(below=30, package=20)),
        Life(now, contracted=2_000, used=1_700, per_day=200, rhythm=ROUND_THE_CLOCK),
        Life(now, contracted=500, used=500, per_day=10),
        None,
        None,
    )
    for number, life in enumerate(lives, 1):
        yield Issuer(made_up_rfc(number), life)


def load_issuers(count: int, now: float) -> Iterator[Issuer]:
    """Healthy issuers in any number, of sizes that differ; every tenth has no contract of its own."""
    for number in range(1, count + 1):
        per_day = 1 + number * 7 % 30
        refill = Refill(below=28 * per_day, package=60 * per_day)
        life = Life(now, contracted=200 * per_day, used=150 * per_day, per_day=per_day, refill=refill)
        yield Issuer(made_up_rfc(_FIRST_OF_LOAD + number), life if number % 10 else None)


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
