"""PURE: points in time as people read them: how far off, and exactly, in the zone of the present moment."""

from datetime import UTC, datetime

from exporter.page.markup import Html, element, sentence
from exporter.page.texts import Texts

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def past(at: float, now: datetime, texts: Texts) -> Html:
    """Return a past Unix time, such as "3 min ago (14:05:31 CST)"."""
    return _time(at, texts.ago.format(span=span(now.timestamp() - at)), _exact(at, now))


def since(at: float, now: datetime, texts: Texts) -> Html:
    """Return the past Unix time that something began at, such as "14:05:31 CST (3 min ago)"."""
    return _time(at, _exact(at, now), texts.ago.format(span=span(now.timestamp() - at)))


def due(at: float, now: datetime, texts: Texts) -> Html:
    """Return the Unix time of what is to happen, which may be late."""
    late = now.timestamp() - at
    if late >= _MINUTE:
        relative = texts.overdue.format(span=span(late))
    else:
        relative = texts.now if late >= 0 else texts.ahead.format(span=span(-late))
    return _time(at, relative, _exact(at, now))


def clock(now: datetime) -> Html:
    """Return a moment with its date, such as "2026-01-31 14:05:31 CST"."""
    text = f"{now:%Y-%m-%d %H:%M:%S} {_zone(now)}"
    return element("time", text, datetime=_machine_readable(now.timestamp()))


def local(at: float, now: datetime) -> datetime:
    """Return a Unix time in the zone of the present moment."""
    return datetime.fromtimestamp(int(at), now.tzinfo)


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


def _exact(at: float, now: datetime) -> str:
    moment = local(at, now)
    form = "%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M"
    return f"{moment:{form}} {_zone(moment)}"


def _zone(moment: datetime) -> str:
    """Return the zone's usual name; of those that have none, how far it is from UTC."""
    name = moment.tzname() or ""
    return name if name.isalpha() else f"UTC{moment.isoformat()[-6:]}"


def _machine_readable(at: float) -> str:
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"
