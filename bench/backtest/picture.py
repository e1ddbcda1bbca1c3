"""`python -m bench.backtest.picture`: draws docs/images/forecast.svg, one company's forecast on one day."""

from datetime import date, timedelta
from pathlib import Path
from typing import Final

from bench.backtest.kinds import KINDS
from bench.backtest.life import lives
from exporter.account.calendar import Calendar
from exporter.account.forecast import Forecast, Profile, forecast, profile
from exporter.account.resemblance import timetable

PICTURE: Final = Path(__file__).parents[2] / "docs" / "images" / "forecast.svg"
KIND, TODAY, BALANCE, BACK, AHEAD = "office, payroll", date(2026, 11, 18), 450, 35, 21
DAY, LEFT, TOP, HEIGHT, SCALE = 14, 40, 60, 200, 200 / 240
"""Pixels: a day's width, the edges, the bars' height; and of one stamp."""


def picture() -> str:
    """Return the drawing."""
    life = next(lives(next(kind for kind in KINDS if kind.name == KIND), 0))
    now = life.calendar.midnight(TODAY) + 10 * 3600
    use: list[int | None] = [life.of_day(day) for day in range((TODAY - life.first).days)]
    made = profile(use, timetable(life.calendar, TODAY))
    told = forecast(made, BALANCE, now)
    sentence = _sentence(told, life.calendar)
    width = LEFT + DAY * (BACK + AHEAD) + 20
    bars = [_bar(day - BACK, float(used or 0), "used") for day, used in enumerate(use[-BACK:])]
    bars += [_bar(day, made.before[day + 1] - made.before[day], "expected") for day in range(AHEAD)]
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 56}" role="img"
 aria-label="Stamps used on the last {BACK} days, expected on the next {AHEAD}, and the balance">
<style>
 svg {{ background: #fff }}
 text {{ font: 11px sans-serif; fill: #222 }}
 .title {{ font-size: 13px; font-weight: bold }}
 .used {{ fill: #6b7a90 }}
 .expected {{ fill: #e8a33d }}
 .axis {{ stroke: #444 }}
 .now {{ stroke: #222; stroke-dasharray: 3 3 }}
 .balance {{ fill: none; stroke: #b3261e; stroke-width: 2 }}
</style>
<text class="title" x="{LEFT}" y="18">{BALANCE} stamps on {_day(TODAY)}: {sentence}</text>
<text x="{LEFT}" y="36">grey: used on a day; orange: expected; red: the balance, on a scale of its own</text>
{chr(10).join(bars)}
<line class="axis" x1="{LEFT}" y1="{TOP + HEIGHT}" x2="{width - 20}" y2="{TOP + HEIGHT}"/>
<line class="now" x1="{_x(0)}" y1="{TOP - 12}" x2="{_x(0)}" y2="{TOP + HEIGHT + 8}"/>
<polyline class="balance" points="{_balance(made)}"/>
{chr(10).join(_labels())}
</svg>
"""


def _sentence(told: Forecast, calendar: Calendar) -> str:
    if told.depletion is None:
        return "nobody knows until when"
    because = "at the usual pace"
    if told.why.day and told.why.as_on:
        because = f"{_day(told.why.day)} is expected to be like {_day(told.why.as_on)}"
    return f"until {_day(calendar.day(told.depletion))} ({because}); {told.usual_day:.0f} on a usual day"


def _bar(day: int, stamps: float, name: str) -> str:
    height = stamps * SCALE
    place = f'x="{_x(day) + 2}" y="{TOP + HEIGHT - height:.1f}" width="{DAY - 4}" height="{height:.1f}"'
    return f'<rect class="{name}" {place}/>'


def _balance(made: Profile) -> str:
    points = []
    for day in range(AHEAD + 1):
        left = max(0.0, BALANCE - made.reserve - made.before[day])
        points.append(f"{_x(day)},{TOP + HEIGHT - left / BALANCE * HEIGHT:.1f}")
        if not left:
            break
    return " ".join(points)


def _labels() -> list[str]:
    days = [TODAY + timedelta(days=day) for day in range(-BACK, AHEAD)]
    pay_days = [day for day in days if day.day in (1, 15) or day == TODAY]
    names = {TODAY: "today"}
    return [
        f'<text x="{_x((day - TODAY).days)}" y="{TOP + HEIGHT + 22}">{names.get(day, _day(day))}</text>'
        for day in pay_days
    ]


def _x(day: int) -> int:
    return LEFT + DAY * (BACK + day)


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
