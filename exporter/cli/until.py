"""Until when a balance lasts, by the days of use that the daemon has kept: for ``check``."""

from array import array
from typing import Final, NamedTuple

from exporter.account.expectation import expected, with_profile
from exporter.account.forecast import profile
from exporter.account.outcome import Outcome, Reading
from exporter.account.policy import balance
from exporter.account.state import Figure, State
from exporter.clock import Clock
from exporter.config import CalendarConfig
from exporter.page.english import ENGLISH
from exporter.page.expectation import in_words
from exporter.page.standing import DAY, VERY_SOON
from exporter.polling.almanac import Almanac
from exporter.storage import days, states
from exporter.storage.days import History
from exporter.storage.engine import Storage


class Lasting(NamedTuple):
    """Until when a balance lasts, in ``words``; and how many days, ``None`` where that isn't known.

    It is ``critical`` where it lasts less than two days, or not to the end of the next business day.
    """

    words: str = ""
    days: float | None = None
    critical: bool = False


UNKNOWN: Final = Lasting()


class Until:
    """Tells until when balances last."""

    def __init__(self, storage: Storage, calendar: CalendarConfig, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._almanac = Almanac(calendar)

    async def lasts(self, outcome: Outcome, key: str) -> Lasting:
        """Return it for the balance of an answer; the account's record has ``key``. Raises StorageError."""
        left = balance(outcome) if isinstance(outcome, Reading) else None
        if not left:
            return UNKNOWN
        use = await self._storage.transact(lambda db: states.use_of(db, key), durable=False)
        histories = await self._storage.transact(lambda db: days.load(db, [key]), durable=False)
        history = histories.get(key, History())
        now, almanac = self._clock.time(), self._almanac
        today = almanac.today(now)
        known = history.until(today.ordinal)
        if not any(stamps is not None for stamps in known):
            return UNKNOWN
        made = profile(known, await almanac.timetable(now), array("f", history.hours))
        state = with_profile(State(available=Figure(left, now), use=use), made, today)
        told = expected(state)
        if told is None or state.depletion is None:
            return UNKNOWN
        business_day_end = (await almanac.calendar(now)).next_business_day_end(now)
        critical = state.depletion < max(now + VERY_SOON * DAY, business_day_end)
        return Lasting(in_words(told, ENGLISH), (state.depletion - now) / DAY, critical)
