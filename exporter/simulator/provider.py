"""The simulated provider without HTTP and SOAP: simulated time, its accounts, and who answers a call."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from exporter.simulator.accounts import UNLOCKED, Lockout
from exporter.simulator.answers import Answer
from exporter.simulator.catalogue import INTEGRATOR, load, load_issuers, ready_made
from exporter.simulator.soap import Call

FASTEST: Final = 86_400.0
"""Highest speed: a simulated day every second."""

_STRANGERS_KEPT: Final = 1_000
_END_OF_TIME: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()  # the calendar's last days


class SimulatedTime:
    """Time that begins with the clock's and goes `speed` times as fast."""

    def __init__(self, clock: Callable[[], float], speed: float) -> None:
        """Raise ValueError where the speed isn't above 0 and at most `FASTEST`."""
        if not 0 < speed <= FASTEST:
            raise ValueError(f"speed: must be above 0 and at most {FASTEST:.0f} simulated seconds a second")
        self._clock = clock
        self._speed = speed
        self._began = self._latest = clock()

    def now(self) -> float:
        """Simulated Unix time. It never goes back, even where the clock is set back: stamps stay used."""
        simulated = self._began + (self._clock() - self._began) * self._speed
        self._latest = max(self._latest, min(simulated, _END_OF_TIME))
        return self._latest


class Provider:
    """All accounts of the simulated provider, as of simulated time."""

    def __init__(self, time: SimulatedTime, extra_accounts: int = 0, extra_issuers: int = 0) -> None:
        now = time.now()
        self.accounts = {
            account.username: account for account in chain(ready_made(now), load(extra_accounts, now))
        }
        issuers = self.accounts[INTEGRATOR].issuers
        issuers |= {issuer.rfc: issuer for issuer in load_issuers(extra_issuers, now)}
        self._time = time
        self._strangers: dict[str, Lockout] = {}

    def now(self) -> float:
        """Simulated Unix time."""
        return self._time.now()

    def answer(self, call: Call) -> Answer:
        """Count and answer a call."""
        account = self.accounts.get(call.username)
        if not call.is_complete:
            if account is not None:
                account.calls += 1
            return Answer(611)
        if account is None:
            return Answer(self._refuse(call.username))
        return account.call(call.password, self.now(), rfc=call.issuer)

    def delay(self, call: Call) -> float:
        """Real seconds that the answer to a call takes."""
        account = self.accounts.get(call.username)
        return 0.0 if account is None else account.delay

    def _refuse(self, username: str) -> int:
        """Treat an unknown username like a wrong password, so that the answer doesn't tell which it was."""
        lockout, code = self._strangers.pop(username, UNLOCKED).attempt(correct=False)
        self._strangers[username] = lockout
        if (
            len(self._strangers) > _STRANGERS_KEPT
        ):  # the one longest unheard of is forgotten: memory is bounded
            del self._strangers[next(iter(self._strangers))]
        return code or 601  # a wrong login always has a code
