"""PURE: what is drawn: the balance, the days that it lasts, the use of the last days."""

import math
from datetime import date
from typing import Final

from exporter.account.use import RecentUse
from exporter.page.markup import Html, element
from exporter.page.standing import DAY, SOON, VERY_SOON, Account, Standing
from exporter.page.texts import Texts, counted

AHEAD: Final = 35
"""Days that a bar of days can show: one that is full means as many or more."""

_WIDTH, _HEIGHT, _GAP = 4, 24, 1


def number(stamps: int) -> str:
    """Return a number as it is written in the United States and in Mexico alike."""
    return f"{stamps:,}"


def balance_bar(one: Standing, texts: Texts) -> Html | None:
    """Return the balance drawn against what was contracted, with the thresholds; the words are its label."""
    if one.available is None:
        track = element("rect", class_="nothing", x="0.5", y="3.5", width="99.5%", height="7", rx="3.5")
        return _bar(texts.bar_unknown, track)
    if one.share is None:
        return None
    words = [template.format(stamps=number(stamps)) for _, template, stamps in limits(one.account, texts)]
    if one.contracted is None:
        label = f"{number(one.available)} {texts.stamps}"
    else:
        label = texts.bar.format(
            available=number(one.available), contracted=number(one.contracted), percent=percent(one)
        )
    marks = [
        element("line", class_=kind, x1=at, x2=at, y1="0", y2="14")
        for kind, _, stamps in limits(one.account, texts)
        if one.contracted and stamps <= one.contracted and (at := f"{100 * stamps / one.contracted:.2f}%")
    ]
    return _bar("; ".join((label, *words)), _track(), _left(one.share), *marks)


def days_bar(one: Standing, now: float, texts: Texts) -> Html | None:
    """Return the days until the stamps run out drawn to a scale that is the same for all accounts."""
    if one.runs_out is None or one.available is None:
        return None
    days = max(0.0, (one.runs_out - now) / DAY)
    left = counted(texts.days_left, int(days)).format(number=number(int(days)))
    marks = [
        element("line", class_=kind, x1=at, x2=at, y1="0", y2="14")
        for kind, limit in (("warning", SOON), ("critical", VERY_SOON))
        if (at := f"{100 * limit / AHEAD:.2f}%")
    ]
    label = texts.days_bar.format(days=left, scale=AHEAD)
    return _bar(label, _track(), _left(min(1.0, days / AHEAD)), *marks)


def use_drawing(use: RecentUse, texts: Texts) -> Html | None:
    """Return the use of each day as columns, the last one today's; nothing where no day is known.

    The columns are two paths, as a hundred accounts on a page have thousands of them.
    """
    known = [stamps for stamps in use.days if stamps is not None]
    if not known:
        return None
    most = max(1, *known)
    columns = [
        _column(place, max(1, math.ceil(stamps * _HEIGHT / most))) if stamps else ""
        for place, stamps in enumerate(use.days)
    ]
    width = len(use.days) * _WIDTH
    return element(
        "svg",
        element("path", class_="ground", d=f"M0 {_HEIGHT}.5h{width}"),
        element("path", class_="past", d="".join(columns[:-1])),
        element("path", class_="today", d=columns[-1]) if columns[-1] else None,
        class_="use",
        role="img",
        aria_label=texts.use_drawing.format(days=len(use.days), most=number(max(known))),
        viewBox=f"0 0 {width} {_HEIGHT + 1}",
        preserveAspectRatio="none",
    )


def _column(place: int, height: int) -> str:
    return f"M{place * _WIDTH} {_HEIGHT}v-{height}h{_WIDTH - _GAP}V{_HEIGHT}z"


def days_of(use: RecentUse) -> list[tuple[date, int | None]]:
    """Return the days with their use, today first."""
    return [
        (date.fromordinal(use.today - ago), stamps) for ago, stamps in enumerate(reversed(list(use.days)))
    ]


def limits(account: Account, texts: Texts) -> list[tuple[str, str, int]]:
    """Return an account's thresholds: which one it is, the words for it, its stamps."""
    both = (
        ("warning", texts.threshold_warning, account.warning),
        ("critical", texts.threshold_critical, account.critical),
    )
    return [(kind, template, stamps) for kind, template, stamps in both if stamps is not None]


def percent(one: Standing) -> str:
    """Return the share that is left, rounded down: there is never less than it says."""
    whole = int(100 * (one.share or 0.0))
    return "<1" if one.available and not whole else str(whole)


def _track() -> Html:
    return element("rect", class_="track", y="3", width="100%", height="8", rx="4")


def _left(share: float) -> Html:
    return element("rect", class_="left", y="3", width=f"{100 * share:.2f}%", height="8", rx="4")


def _bar(label: str, *content: Html) -> Html:
    return element("svg", *content, class_="bar", role="img", aria_label=label, width="100%", height="14")
