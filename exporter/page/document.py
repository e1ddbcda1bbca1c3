"""PURE: the page of all accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from exporter.page.board import Board, Page, Total, total
from exporter.page.drawing import number
from exporter.page.entry import entry, icon, told, tone
from exporter.page.frame import frame
from exporter.page.markup import Html, element, joined, name, sentence
from exporter.page.query import LONGEST_SEARCH, Order, Query
from exporter.page.standing import ATTENTION, Condition, Standing
from exporter.page.texts import Texts, counted
from exporter.page.view import View

SEARCHABLE: Final = 10
"""Accounts that are easily overlooked; where there are more the page can be searched."""

TOTALS: Final = 20
"""Values of a label whose totals are shown, those first that need stamps first."""


def document(whole: Board, page: Page, view: View) -> str:
    """Return the page of the accounts that were found."""
    texts, troubled = view.texts, whole.troubled
    attention = f"{counted(texts.attention, troubled).format(number=number(troubled))} – " if troubled else ""
    top = joined((element("h1", texts.title), _headline(whole, texts)))
    main = joined((_summary(whole, view), _totals(whole, view), _accounts(whole, page, view)))
    return frame(
        attention + texts.title, top, main, view, lambda query: query.href, simulated=whole.simulated
    )


def _headline(whole: Board, texts: Texts) -> Html:
    """Say in one sentence whether a person has to do something."""
    if not whole.standings:
        return element("p", texts.headline_none, class_="headline dim")
    worst = whole.worst
    if worst in ATTENTION:
        text = counted(texts.headline_attention, whole.troubled).format(number=number(whole.troubled))
        return element("p", icon(worst), text, class_=f"headline {tone(worst)}")
    if worst is Condition.PENDING:
        text = f"{texts.conditions[worst]}: {number(whole.counts[worst])}"
        return element("p", icon(worst), text, class_="headline dim")
    return element("p", icon(worst), texts.headline_well, class_="headline good")


def _summary(whole: Board, view: View) -> Html:
    query, texts = view.query, view.texts
    everything = len(whole.standings)
    known = texts.accounts_known.format(known=number(whole.known), number=number(everything))
    total = element(
        "p",
        element("b", number(whole.available) if whole.known else texts.unknown),
        element("span", texts.stamps_in_all),
        element("small", known),
        class_="total",
    )
    choices = [_choice(None, everything, query, texts)]
    choices += [
        _choice(condition, whole.counts[condition], query, texts)
        for condition in Condition
        if whole.counts[condition] or condition is query.condition
    ]
    return element(
        "section",
        element("h2", texts.summary, class_="unseen"),
        total,
        element("nav", element("ul", *choices, role="list"), aria_label=texts.accounts),
        class_="summary",
    )


def _choice(condition: Condition | None, count: int, query: Query, texts: Texts) -> Html:
    word = texts.all_accounts if condition is None else texts.conditions[condition]
    link = element(
        "a",
        element("b", number(count)),
        " ",
        element("span", None if condition is None else icon(condition), word),
        href=replace(query, condition=condition, page=1).href,
        aria_current="true" if condition is query.condition else None,
        class_=None if condition is None else tone(condition),
    )
    return element("li", link)


def _totals(whole: Board, view: View) -> Html | None:
    """Return what the accounts of each team and each owner have together."""
    tables = [
        element(
            "details",
            element("summary", view.texts.totals_by.format(label=label)),
            _table(label, members, view),
            class_="totals",
        )
        for label, members in whole.groups.items()
    ]
    return joined(tables) if tables else None


def _table(label: str, members: Mapping[str, Sequence[Standing]], view: View) -> Html:
    texts = view.texts
    heads = (label, texts.accounts, texts.available, texts.with_trouble, texts.first_runs_out)
    rows = [_total((label, value), total(some), view) for value, some in islice(members.items(), TOTALS)]
    more = len(members) - TOTALS
    return joined(
        (
            element(
                "table",
                element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
                element("tbody", *rows),
            ),
            element("p", counted(texts.more, more).format(number=number(more))) if more > 0 else None,
        )
    )


def _total(label: tuple[str, str], together: Total, view: View) -> Html:
    texts, first = view.texts, together.first
    chosen = Query(label=label, language=view.query.language, refresh=view.query.refresh)
    if first.available == 0:
        when = texts.conditions[Condition.EXHAUSTED]
    else:
        expectation = told(first, view)
        when = texts.day(expectation.until) if expectation else texts.unknown
    return element(
        "tr",
        element("th", element("a", name(label[1]), href=chosen.href), scope="row"),
        element("td", number(together.accounts)),
        element("td", number(together.available) if together.known else texts.unknown),
        element("td", number(together.attention)),
        element("td", when),
    )


def _accounts(whole: Board, page: Page, view: View) -> Html:
    query, texts = view.query, view.texts
    entries = [entry(one, view) for one in page.standings]
    searchable = len(whole.standings) > SEARCHABLE or query.search
    return element(
        "section",
        element(
            "div",
            element("h2", texts.accounts, class_="unseen"),
            _search(query, texts) if searchable else None,
            _found(page, query, texts),
            _orders(query, texts) if len(whole.standings) > 1 else None,
            class_="finding",
        ),
        element("ol", *entries, class_="accounts", role="list") if entries else None,
        None if entries or not whole.standings else element("p", texts.nothing_found, class_="nothing-found"),
        _paging(page, query, texts) if page.pages > 1 else None,
    )


def _orders(query: Query, texts: Texts) -> Html:
    """Return the choice of the order, and what is shown as a table for a spreadsheet."""
    links = [
        element(
            "a",
            texts.orders[order],
            href=replace(query, order=order, page=1).href,
            aria_current="true" if order is query.order else None,
        )
        for order in Order
    ]
    table = "./accounts.csv" + replace(query, page=1, language=None, refresh=True).href.rstrip("?")
    return element(
        "nav",
        element("span", f"{texts.order}:"),
        *links,
        element("a", texts.as_csv, href=table),
        class_="orders",
        aria_label=texts.order,
    )


def _search(query: Query, texts: Texts) -> Html:
    kept = replace(query, search="", page=1).parameters()
    hidden = [element("input", type="hidden", name=key, value=value) for key, value in kept.items()]
    words = element(
        "input",
        type="search",
        id="q",
        name="q",
        value=query.search,
        placeholder=texts.search_hint,
        maxlength=str(LONGEST_SEARCH),
        autocomplete="off",
        dir="auto",
    )
    label = element("label", texts.search, for_="q", class_="unseen")
    clear = element("a", texts.search_clear, href=replace(query, search="", page=1).href)
    return element(
        "form",
        *hidden,
        label,
        words,
        element("button", texts.search),
        clear if query.search else None,
        role="search",
        method="get",
    )


def _found(page: Page, query: Query, texts: Texts) -> Html | None:
    if not (query.search or query.condition is not None or query.label or page.pages > 1):
        return None
    parts: list[str] = [counted(texts.found, page.found).format(number=number(page.found))]
    if query.condition is not None:
        parts.append(f"· {texts.conditions[query.condition]}")
    if query.label:
        everything = element("a", texts.all_accounts, href=replace(query, label=None, page=1).href)
        parts.append(joined(("· ", name("=".join(query.label)), " (", everything, ")")))
    if query.search:
        parts.append(sentence(texts.found_for, search=element("q", name(query.search))))
    if page.pages > 1:
        parts.append(f"· {texts.page_of.format(page=number(page.number), pages=number(page.pages))}")
    return element("p", joined(parts, " "), class_="found")


def _paging(page: Page, query: Query, texts: Texts) -> Html:
    def link(text: str, to: int, rel: str) -> Html | None:
        if not 1 <= to <= page.pages:
            return None
        return element("a", text, href=replace(query, page=to).href, rel=rel)

    position = texts.page_of.format(page=number(page.number), pages=number(page.pages))
    return element(
        "nav",
        link(texts.previous, page.number - 1, "prev"),
        element("span", position, aria_current="page"),
        link(texts.next, page.number + 1, "next"),
        class_="paging",
        aria_label=texts.pages,
    )
