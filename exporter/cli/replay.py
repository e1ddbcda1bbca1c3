"""What samples of an account's counter tell of its use, day by day, as if the exporter had polled. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from exporter.account.calendar import Calendar, LocalDay
from exporter.account.past import HISTORY
from exporter.account.use import NOTHING_SEEN, Ended

STEP: Final = 3600
"""Seconds between two samples: hours of the day are all that the forecast knows."""

AHEAD: Final = 3600.0
"""Seconds by which an answer may be later than its sample, as clocks differ. Beyond that one was wrong."""

HANDOVER: Final = 2
"""Samples in which two exporters may both have an account: one has just taken it over from the other."""


class Sample(NamedTuple):
    """How many stamps the counter had, and when the provider last answered (Unix time)."""

    consumed: int
    answered: float


Series = Mapping[int, Sample]
"""The samples of one exporter by their times (Unix seconds)."""


class AmbiguousError(Exception):
    """Several exporters have this account at the same time."""


class Period:
    """The local days that are looked at: the present one and those before it, ``HISTORY`` at most."""

    def __init__(self, calendar: Calendar, now: float) -> None:
        today = calendar.around(now)
        day = today.number(today.ordinal - HISTORY)
        self._days = [day]
        while day.ordinal < today.ordinal:
            start, end = day.end, calendar.midnight(date.fromordinal(day.ordinal + 2))
            day = LocalDay(day.ordinal + 1, start, end, calendar)
            self._days.append(day)
        self._starts = [day.start for day in self._days]
        self.first = -(-int(self._days[0].start) // STEP) * STEP
        """The time of the first sample; the last one's is the latest full hour."""
        self.last = int(now) // STEP * STEP

    def day(self, moment: float) -> LocalDay | None:
        """Return the day of a moment; ``None`` outside of the period."""
        place = bisect_right(self._starts, moment) - 1
        return self._days[place] if place >= 0 and moment < self._days[-1].end else None


def use_of_days(series: Sequence[Series], period: Period) -> list[Ended]:
    """Return the use of the days that ended within the samples; only of known ones.

    Where there was no answer for a while, what the next one brings is spread over that time. Where the
    counter has begun anew nobody knows what was used in between. Raises AmbiguousError.
    """
    use, before = NOTHING_SEEN, Sample(0, 0.0)
    for sample in _in_turn(series):
        # An answer from before the latest one is what a restored file shows until the next poll.
        if sample.answered <= before.answered or not (today := period.day(sample.answered)):
            continue
        risen = sample.consumed - before.consumed
        known = before.answered > 0 and risen >= 0
        use = (
            use.seen(max(0, risen), before.answered, sample.answered, today)
            if known
            else use.seen(0, None, sample.answered, today)
        )
        before = sample
    return [one for one in use.ended if one.stamps is not None]


def _in_turn(series: Sequence[Series]) -> Iterable[Sample]:
    """Return the samples in the order of time, at each time the one with the latest answer.

    Several series of one exporter are those that two servers have scraped, or whose labels have changed.
    """
    series = [_plausible(one) for one in series]
    if len(series) == 1:
        return (series[0][at] for at in sorted(series[0]))
    several = [at for at, number in Counter(at for one in series for at in one).items() if number > 1]
    differing = sum(len({one[at].answered for one in series if at in one}) > 1 for at in several)
    if differing > max(HANDOVER, len(several) - differing):
        raise AmbiguousError
    return (
        max((one[at] for one in series if at in one), key=_answered)
        for at in sorted({at for one in series for at in one})
    )


def _plausible(series: Series) -> Series:
    return {at: sample for at, sample in series.items() if sample.answered <= at + AHEAD}


def _answered(sample: Sample) -> float:
    return sample.answered
