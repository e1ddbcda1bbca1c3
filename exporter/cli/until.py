"""Until when a balance lasts, by the days of use that the daemon has kept: for ``check``."""

from array import array

from exporter.account.expectation import expected, with_profile
from exporter.account.forecast import profile
from exporter.account.outcome import Outcome, Reading
from exporter.account.policy import balance
from exporter.account.state import Figure, State
from exporter.clock import Clock
from exporter.config import CalendarConfig
from exporter.page.english import ENGLISH
from exporter.page.expectation import in_words
from exporter.polling.almanac import Almanac
from exporter.storage import days, states
from exporter.storage.days import History
from exporter.storage.engine import Storage


class Until:
    """Tells until when an account's balance lasts; its record is the one with ``key``."""

    def __init__(self, storage: Storage, key: str, calendar: CalendarConfig, clock: Clock) -> None:
        self._storage = storage
        self._key = key
        self._calendar = calendar
        self._clock = clock

    async def told(self, outcome: Outcome) -> list[str]:
        """Return a line about the balance of an answer; none where nobody knows. Raises StorageError."""
        left = balance(outcome) if isinstance(outcome, Reading) else None
        if not left:
            return []
        key = self._key
        use = await self._storage.transact(lambda db: states.use_of(db, key), durable=False)
        histories = await self._storage.transact(lambda db: days.load(db, [key]), durable=False)
        history = histories.get(key, History())
        now, almanac = self._clock.time(), Almanac(self._calendar)
        today = almanac.today(now)
        known = history.until(today.ordinal)
        if not any(stamps is not None for stamps in known):
            return []
        made = profile(known, await almanac.timetable(now), array("f", history.hours))
        state = with_profile(State(available=Figure(left, now), use=use), made, today)
        told = expected(state)
        words = in_words(told, ENGLISH) if told else ""
        return [f"{words[0].upper()}{words[1:]}."] if words else []
