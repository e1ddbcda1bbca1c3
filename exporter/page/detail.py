"""PURE: the page of one account: its history, what is expected and why, its answers, what to do.

What belongs to an account's issuers goes below its balance.
"""

from collections.abc import Iterable

from exporter.page.drawing import days_of, number, use_drawing
from exporter.page.entry import answer, balance, lasting, polls, state, to_do, told, tone, where
from exporter.page.frame import frame
from exporter.page.markup import Html, element, joined, name
from exporter.page.moments import span
from exporter.page.query import Query
from exporter.page.standing import Standing
from exporter.page.texts import counted
from exporter.page.view import View


def detail(one: Standing, view: View, *, simulated: bool) -> str:
    """Return the page of an account."""
    texts = view.texts
    kept = Query(language=view.query.language, refresh=view.query.refresh)
    back = element("p", element("a", f"← {texts.back}", href=f"{view.root}/{kept.href}"), class_="back")
    top = joined((back, element("h1", name(one.account.name)), where(one.account, view)))
    main = element(
        "div",
        _section(texts.condition, (*state(one, view), *to_do(one, view))),
        _section(texts.forecast, (*lasting(one, view, drawn=False), _by_days(one, view))),
        _section(texts.balance, balance(one, view)),
        _section(texts.history, _history(one, view)),
        _section(texts.answers, (*answer(one, view), polls(one, view), *_counts(one, view))),
        class_=f"detail {tone(one.condition)}",
    )
    title = f"{texts.conditions[one.condition]}: {one.account.name} – {texts.title}"
    return frame(
        title,
        top,
        main,
        view,
        lambda query: f"..{query.account(one.account.name)[1:]}",
        simulated=simulated,
    )


def missing(asked: str, view: View) -> str:
    """Return the page that says that there is no account of this name."""
    texts = view.texts
    top = joined((element("h1", texts.title),))
    back = element("a", f"← {texts.back}", href=f"{view.root}/{Query(language=view.query.language).href}")
    main = joined((element("p", texts.no_account, " ", element("q", name(asked))), element("p", back)))
    return frame(texts.title, top, main, view, lambda query: f"..{query.account(asked)[1:]}", simulated=False)


def _section(title: str, content: Iterable[Html | None]) -> Html:
    return element("section", element("h2", title), *content)


def _by_days(one: Standing, view: View) -> Html | None:
    expectation = told(one, view)
    if expectation is None:
        return None
    days = expectation.history_days
    return element("p", counted(view.texts.by_days, days).format(number=number(days)), class_="why")


def _history(one: Standing, view: View) -> list[Html | None]:
    texts = view.texts
    use = view.use.get(one.account.guard_key)
    drawing = use_drawing(use, texts) if use else None
    if use is None or drawing is None:
        return [element("p", texts.no_history)]
    rows = [
        element(
            "tr",
            element("th", texts.day(day), scope="row"),
            element("td", texts.unknown if stamps is None else number(stamps)),
        )
        for day, stamps in days_of(use)
    ]
    heads = element(
        "tr", element("th", texts.day_heading, scope="col"), element("th", texts.stamps_used, scope="col")
    )
    table = element("table", element("thead", heads), element("tbody", *rows))
    summary = element("summary", texts.day_by_day)
    return [drawing, element("details", summary, table)]


def _counts(one: Standing, view: View) -> list[Html]:
    """Return how often each answer and each failure has come since the start, and how often is asked."""
    texts, known = view.texts, one.state
    counts = [(count.label, count.times) for count in (*known.responses, *known.failures) if count.times]
    asked = texts.asked_every.format(time=span(one.account.interval))
    if not counts:
        return [element("p", asked, class_="why")]
    items = [element("li", f"{label}: {number(times)}") for label, times in counts]
    return [
        element("p", asked, class_="why"),
        element("p", f"{texts.since_start}:", class_="why"),
        element("ul", *items, class_="counts", role="list"),
    ]
