"""PURE: points in time as people read them: how far off, and exactly."""

from datetime import UTC, datetime

from exporter.page.markup import Html, element, sentence
from exporter.page.texts import Texts

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def past(at: float, now: float, texts: Texts) -> Html:
    """Return a past Unix time, such as "3 min ago (14:05:31 UTC)"."""
    return _time(at, texts.ago.format(span=span(now - at)), _exact(at, now))


def since(at: float, now: float, texts: Texts) -> Html:
    """Return the past Unix time that something began at, such as "14:05:31 UTC (3 min ago)"."""
    return _time(at, _exact(at, now), texts.ago.format(span=span(now - at)))


def due(at: float, now: float, texts: Texts) -> Html:
    """Return the Unix time of what is to happen, which may be late."""
    late = now - at
    if late >= _MINUTE:
        relative = texts.overdue.format(span=span(late))
    else:
        relative = texts.now if late >= 0 else texts.ahead.format(span=span(-late))
    return _time(at, relative, _exact(at, now))


def clock(at: float) -> Html:
    """Return a Unix time with its date, such as "2026-01-31 14:05:31 UTC"."""
    return element("time", f"{_moment(at):%Y-%m-%d %H:%M:%S} UTC", datetime=_machine_readable(at))


def span(seconds: float) -> str:
    """Return a duration in one or two units, such as "1 h 20 min"; it reads the same in both languages."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def _two(number: int, unit: str, rest: int, smaller: str) -> str:
    return f"{number} {unit} {rest} {smaller}" if rest else f"{number} {unit}"


def _time(at: float, first: str, then: str) -> Html:
    text = sentence("{first} {then}", first=first, then=element("small", f"({then})"))
    return element("time", text, datetime=_machine_readable(at))


def _exact(at: float, now: float) -> str:
    moment = _moment(at)
    return (
        f"{moment:%H:%M:%S} UTC" if moment.date() == _moment(now).date() else f"{moment:%Y-%m-%d %H:%M} UTC"
    )


def _machine_readable(at: float) -> str:
    return f"{_moment(at):%Y-%m-%dT%H:%M:%SZ}"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)
