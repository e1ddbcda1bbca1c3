"""What a way to tell is worth: of the moments in which stamps ran out, how many it told of in time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean, median
from typing import Final

from bench.backtest.life import Life, hour_of
from bench.backtest.rivals import Levels

DAY: Final = 24
WEEK: Final = 7 * DAY
"""Hours before the end in which an alert has to be on to count as told."""

GAP: Final = DAY
"""Hours that an alert may be off and is still the same one."""

FAR: Final = 14 * DAY
FURTHEST: Final = 45 * DAY
"""Hours before the end, from which on the balance is looked at: as after a purchase for that long."""

BUSINESS_DAY: Final = 9
"""Hours in which stamps can be bought: a whole business day."""

PACKAGE: Final = 45
"""Days of average use that a buyer buys at once."""

REACTION: Final = 9
"""Hours of business time from an alert to a purchase."""


@dataclass(slots=True)
class Score:
    """What came of it, for one kind and one way."""

    ends: int = 0
    day_before: int = 0
    business_day_before: int = 0
    warned: int = 0
    leads: list[int] = field(default_factory=list)
    far: int = 0
    far_critical: int = 0
    months: float = 0.0
    needless_warnings: int = 0
    needless_criticals: int = 0
    ran_out: int = 0

    def add(self, other: "Score") -> None:
        """Add what came of other lives."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def share_day_before(self) -> float:
        return 100 * self.day_before / max(1, self.ends)

    @property
    def share_business_day_before(self) -> float:
        return 100 * self.business_day_before / max(1, self.ends)

    @property
    def share_far(self) -> float:
        return 100 * self.far_critical / max(1, self.far)

    @property
    def lead(self) -> float:
        """Hours."""
        return median(self.leads) if self.leads else 0.0


def score(life: Life, levels: Levels, ends: int) -> Score:
    """Score this many moments in which the stamps run out, and one pass with a buyer."""
    result = Score()
    for stamps in moments(life, ends):
        _end(life, levels, stamps, result)
    if life.kind.lives == 1:
        _buyer(life, levels, result)
    return result


def moments(life: Life, ends: int) -> Sequence[int]:
    """Return after how many stamps they run out: evenly over all, so mostly when many are used."""
    dice = Random(f"ends {life.kind.name} {life.seed} {life.first}")
    first, last = life.used[life.midnights[life.kind.warm] + DAY], life.used[-1]
    if last <= first:
        return []
    return sorted(dice.randrange(first + 1, last + 1) for _ in range(ends))


def _end(life: Life, levels: Levels, stamps: int, result: Score) -> None:
    used, critical = life.used, levels.critical
    # During the hour before this one the last stamp goes.
    end = hour_of(life, stamps) - 1
    result.ends += 1

    def on(hour: int) -> bool:
        return 0 < stamps - used[hour] <= critical[hour]

    week = range(max(0, end - WEEK), end - DAY + 1)
    first = next((hour for hour in week if on(hour)), None)
    result.day_before += first is not None
    earlier = range(max(0, end - WEEK - 3 * DAY), end)
    latest = next((hour for hour in earlier if on(hour)), None)
    result.business_day_before += (
        latest is not None and life.buying[end] - life.buying[latest] >= BUSINESS_DAY
    )
    result.warned += any(0 < stamps - used[hour] <= levels.warning[hour] for hour in week)
    if (lead := _lead(end, on)) is not None:
        result.leads.append(lead)
    for hour in range(max(life.midnights[life.kind.warm], end - FURTHEST), end - FAR, 3):
        result.far += 1
        result.far_critical += on(hour)


def _lead(end: int, on: Callable[[int], bool]) -> int | None:
    """Return how many hours before the end the alert came that was on then, bridging gaps."""
    start, last = None, end
    for hour in range(end, max(-1, end - FURTHEST), -1):
        if on(hour):
            start = last = hour
        elif last - hour > GAP:
            break
    return None if start is None else end - start


def _buyer(life: Life, levels: Levels, result: Score) -> None:
    """Somebody buys a business day after an alert; alerts are needless that speak long before the end."""
    used = life.used
    first = life.midnights[life.kind.warm]
    package = max(1, round(PACKAGE * used[-1] / len(life.told)))
    until, told_at = used[first] + package, None
    warning_on = critical_on = False
    for hour in range(first, len(used) - 1 - FURTHEST):
        balance = until - used[hour]
        if balance <= 0:
            result.ran_out += 1
            until, told_at = used[hour] + package, None
            continue
        critical, warning = balance <= levels.critical[hour], balance <= levels.warning[hour]
        if critical and not critical_on:
            result.needless_criticals += hour_of(life, until) - hour > FAR
        if warning and not warning_on:
            result.needless_warnings += hour_of(life, until) - hour > FAR
        critical_on, warning_on = critical, warning
        if (critical or warning) and told_at is None:
            told_at = life.buying[hour]
        if told_at is not None and life.buying[hour] - told_at >= REACTION:
            until, told_at = until + package, None
    result.months += (len(used) - 1 - FURTHEST - first) / DAY / 30


@dataclass(frozen=True, slots=True)
class Summary:
    """The marks of one way over several kinds."""

    day_before: float
    business_day_before: float
    worst: float
    worst_kind: str
    far: float
    lead: float
    lead_kind: str
    needless_warnings: float
    needless_criticals: float


def summary(scores: dict[str, Score], counted: Sequence[str]) -> Summary:
    """Sum up scores by kind; in the means and for the worst those only that are counted."""
    of = {name: scores[name] for name in counted if name in scores}
    worst = min(of, key=lambda name: of[name].share_day_before)
    longest = max(scores, key=lambda name: scores[name].lead)
    played = [one for one in scores.values() if one.months]
    return Summary(
        fmean(one.share_day_before for one in of.values()),
        fmean(one.share_business_day_before for one in of.values()),
        of[worst].share_day_before,
        worst,
        fmean([one.share_far for one in scores.values() if one.far] or [0.0]),
        scores[longest].lead,
        longest,
        fmean(one.needless_warnings / one.months for one in played) if played else 0.0,
        fmean(one.needless_criticals / one.months for one in played) if played else 0.0,
    )
