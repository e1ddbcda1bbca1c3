"""The ways to tell that are compared. Each says for every hour of a life below which balance it speaks.

None of them depends on how large the balance is, so that one pass over a life answers for all the moments
in which stamps might run out.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.backtest.life import Life
from exporter.account.forecast import expected, profile
from exporter.account.resemblance import Timetable, timetable

CRITICAL_DAYS: Final = 2
WARNING_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Levels:
    """For each hour the balance at or below which there is an alert; 0 for none."""

    critical: list[float]
    warning: list[float]


Rival = Callable[[Life], Levels]


def forecast(life: Life) -> Levels:
    """The exporter's forecast: critical before the end of the next business day, or under two days."""
    critical, warning = [0.0] * len(life.used), [0.0] * len(life.used)
    use: list[int | None] = []
    start, two, seven = life.start, CRITICAL_DAYS * 24, WARNING_DAYS * 24
    table = [0.0] * 24
    for day, told in enumerate(life.told):
        first, last = life.midnights[day], life.midnights[day + 1]
        today = timetable_of(life, day)
        made = profile(use, today, table)
        if made.history_days:
            for hour in range(first, last):
                now, today_used = start + hour * 3600, life.used[hour] - life.used[first]
                critical[hour] = expected(made, now, start + max(told, hour + two) * 3600, today_used)
                warning[hour] = expected(made, now, now + seven * 3600, today_used)
        use.append(life.of_day(day))
        table = [share * 27 / 28 for share in table]
        for hour in range(first, min(first + 24, last)):
            table[hour - first] += life.used[hour + 1] - life.used[hour]
    return Levels(critical, warning)


_timetables: dict[object, Timetable] = {}


def timetable_of(life: Life, day: int) -> Timetable:
    """Return the timetable of a life's day; all lives with the same calendar share it."""
    ordinal = life.first.toordinal() + day
    key = (id(life.calendar), ordinal)
    if key not in _timetables:
        _timetables[key] = timetable(life.calendar, life.first.fromordinal(ordinal))
    return _timetables[key]


def forget() -> None:
    """Forget the timetables: those of other years aren't asked for again."""
    _timetables.clear()


def earlier_rules(retention: int = 36) -> Rival:
    """The rules before the forecast: 7- and 28-day averages of 24 hours, and the busiest of 35 days."""

    def levels(life: Life) -> Levels:
        used = life.used
        day = [0.0] * 24 + [float(used[hour] - used[hour - 24]) for hour in range(24, len(used))]
        week = _mean(day, 24, min(7, retention) * 24)
        month = _mean(day, 24, min(28, retention) * 24)
        per_day = list(map(max, week, month))
        busiest = _largest(day, min(35, retention) * 24)
        return Levels(
            [max(CRITICAL_DAYS * pace, most) for pace, most in zip(per_day, busiest, strict=True)],
            [WARNING_DAYS * pace for pace in per_day],
        )

    return levels


def thresholds(life: Life) -> Levels:
    """Fixed thresholds that somebody set once: seven and two days of the company's true average."""
    mean = life.used[-1] / (len(life.told) or 1)
    return Levels([CRITICAL_DAYS * mean] * len(life.used), [WARNING_DAYS * mean] * len(life.used))


def predict_linear(life: Life) -> Levels:
    """`predict_linear(cfdi_stamps_available[7d], …) < 0`: a line through the balances of seven days."""
    used, span = life.used, 7 * 24
    critical, warning = [0.0] * len(used), [0.0] * len(used)
    total = weighted = 0.0
    middle = (span - 1) / 2
    squares = span * (span * span - 1) / 12
    for hour in range(len(used)):
        # The last `span` samples, x from 0 to span - 1: when they move on each x falls by one.
        if hour >= span:
            weighted += used[hour - span] - total
            total -= used[hour - span]
            weighted += (span - 1) * used[hour] + used[hour - span] * 0
            total += used[hour]
            slope = (weighted - middle * total) / squares
            now = total / span + slope * (span - 1 - middle)
            critical[hour] = now - used[hour] + slope * CRITICAL_DAYS * 24
            warning[hour] = now - used[hour] + slope * WARNING_DAYS * 24
        else:
            weighted += hour * used[hour]
            total += used[hour]
    return Levels(critical, warning)


def last_28_days(life: Life) -> Levels:
    """The last 28 days once more, hour by hour."""
    used, back = life.used, 28 * 24

    def replayed(days: int) -> list[float]:
        hours = range(back, len(used))
        return [0.0] * back + [float(used[hour - back + days * 24] - used[hour - back]) for hour in hours]

    return Levels(replayed(CRITICAL_DAYS), replayed(WARNING_DAYS))


def _mean(values: Sequence[float], first: int, span: int) -> list[float]:
    """Return the means of the last ``span`` values, of those only that there were from ``first`` on."""
    means, total = [], 0.0
    for number, value in enumerate(values):
        total += value
        if number - span >= first:
            total -= values[number - span]
        count = min(number - first + 1, span)
        means.append(total / count if count > 0 else 0.0)
    return means


def _largest(values: Sequence[float], span: int) -> list[float]:
    largest: list[float] = []
    candidates: deque[int] = deque()
    for number, value in enumerate(values):
        while candidates and values[candidates[-1]] <= value:
            candidates.pop()
        candidates.append(number)
        if candidates[0] <= number - span:
            candidates.popleft()
        largest.append(values[candidates[0]])
    return largest


RIVALS: Final[dict[str, Rival]] = {
    "forecast": forecast,
    "earlier rules": earlier_rules(),
    "earlier, 15 days kept": earlier_rules(retention=15),
    "thresholds": thresholds,
    "predict_linear": predict_linear,
    "28 days replayed": last_28_days,
}
"""All ways by the name that the report has for them."""
