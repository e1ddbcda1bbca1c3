"""PURE: what is expected of an account, in a line of words."""

from typing import Final

from exporter.account.expectation import Expected
from exporter.page.texts import Texts, counted

FEW_DAYS: Final = 28
"""Days of use of which it is told that they aren't more."""


def in_words(told: Expected, texts: Texts) -> str:
    """Return such as "until Friday 4 December, about 4,800 a day (30 Nov, as on 31 Oct)"."""
    until, usual = texts.until.format(day=texts.day(told.until)), usual_day(told, texts)
    return f"{until}, {usual}"


def usual_day(told: Expected, texts: Texts) -> str:
    """Return such as "about 4,800 a day (30 Nov, as on 31 Oct)"."""
    usual = texts.usual.format(stamps=about(told.usual_day))
    remarks = []
    if told.why.day and told.why.as_on:
        day, as_on = texts.short_day(told.why.day), texts.short_day(told.why.as_on)
        remarks.append(texts.because.format(day=day, as_on=as_on))
    if told.history_days < FEW_DAYS:
        remarks.append(counted(texts.by_few_days, told.history_days).format(number=told.history_days))
    return f"{usual} ({'; '.join(remarks)})" if remarks else usual


def about(stamps: float) -> str:
    """Return a number of stamps with two digits that count, 1 at least."""
    whole = max(1, round(stamps))
    step = 10 ** max(0, len(str(whole)) - 2)
    return f"{(whole + step // 2) // step * step:,}"
