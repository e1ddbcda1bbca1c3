"""PURE: the whole page."""

from dataclasses import dataclass, replace
from typing import Final

from exporter.page.board import Board, Page, find
from exporter.page.entry import entry, icon, number, tone
from exporter.page.markup import Html, element, joined, name, sentence
from exporter.page.moments import clock
from exporter.page.query import LANGUAGES, LONGEST_SEARCH, Query
from exporter.page.standing import ATTENTION, Condition
from exporter.page.style import SIGNS, STYLE
from exporter.page.texts import Texts, counted

REFRESH: Final = 30
"""Seconds after which a browser loads the page anew."""

SEARCHABLE: Final = 10
"""Accounts that are easily overlooked; where there are more the page can be searched."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the page says about the exporter itself."""

    version: str
    telemetry_path: str
    check: tuple[str, ...] = ("cfdi-stamps-exporter", "check")
    """The words of the command that asks for one account, as far as to the account's name."""


def document(whole: Board, query: Query, texts: Texts, site: Site) -> str:
    """Return the page for a query."""
    page = find(whole, query.search, query.condition, query.page)
    query = replace(query, page=page.number)
    body = element(
        "body",
        SIGNS,
        _header(whole, query, texts),
        element("main", _summary(whole, query, texts), _accounts(whole, page, query, texts, site)),
        _footer(texts, site),
    )
    return f"<!doctype html>\n{element('html', _head(whole, query, texts), body, lang=texts.language)}\n"


def _head(whole: Board, query: Query, texts: Texts) -> Html:
    troubled = _troubled(whole)
    attention = f"{counted(texts.attention, troubled).format(number=number(troubled))} – " if troubled else ""
    refresh = element("meta", http_equiv="refresh", content=str(REFRESH)) if query.refresh else None
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("title", attention + texts.title),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex, nofollow"),
        refresh,
        element("style", Html(STYLE)),
    )


def _header(whole: Board, query: Query, texts: Texts) -> Html:
    if query.refresh:
        words, link = texts.refreshes.format(seconds=REFRESH), texts.refresh_stop
    else:
        words, link = texts.refresh_stopped, texts.refresh_start
    other = LANGUAGES[1] if texts.language == LANGUAGES[0] else LANGUAGES[0]
    language = element(
        "a", texts.other_language, href=replace(query, language=other).href, lang=other, hreflang=other
    )
    return element(
        "header",
        element("div", element("h1", texts.title), _headline(whole, texts)),
        element(
            "div",
            element("p", sentence(texts.as_of, time=clock(whole.at))),
            element(
                "p",
                f"{words} (",
                element("a", link, href=replace(query, refresh=not query.refresh).href),
                ")",
            ),
            element("p", language),
            class_="meta",
        ),
    )


def _headline(whole: Board, texts: Texts) -> Html:
    """Say in one sentence whether a person has to do something."""
    if not whole.standings:
        return element("p", texts.headline_none, class_="headline dim")
    worst = whole.standings[0].condition
    if worst in ATTENTION:
        text = counted(texts.headline_attention, _troubled(whole)).format(number=number(_troubled(whole)))
        return element("p", icon(worst), text, class_=f"headline {tone(worst)}")
    if worst is Condition.PENDING:
        text = f"{texts.conditions[worst]}: {number(whole.counts[worst])}"
        return element("p", icon(worst), text, class_="headline dim")
    return element("p", icon(worst), texts.headline_well, class_="headline good")


def _troubled(whole: Board) -> int:
    return sum(whole.counts[condition] for condition in ATTENTION)


def _summary(whole: Board, query: Query, texts: Texts) -> Html:
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


def _accounts(whole: Board, page: Page, query: Query, texts: Texts, site: Site) -> Html:
    entries = [entry(one, whole.at, texts, site.check) for one in page.standings]
    return element(
        "section",
        element(
            "div",
            element("h2", texts.accounts, class_="unseen"),
            _search(query, texts) if len(whole.standings) > SEARCHABLE or query.search else None,
            _found(page, query, texts),
            class_="finding",
        ),
        element("ol", *entries, class_="accounts", role="list") if entries else None,
        None if entries or not whole.standings else element("p", texts.nothing_found, class_="nothing-found"),
        _paging(page, query, texts) if page.pages > 1 else None,
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
    if not (query.search or query.condition is not None or page.pages > 1):
        return None
    parts: list[str] = [counted(texts.found, page.found).format(number=number(page.found))]
    if query.condition is not None:
        parts.append(f"· {texts.conditions[query.condition]}")
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


def _footer(texts: Texts, site: Site) -> Html:
    links = (
        (site.telemetry_path, texts.metrics),
        ("/config", texts.configuration),
        ("/-/healthy", texts.health),
        ("/-/ready", texts.readiness),
    )
    # Relative to the page, which a reverse proxy may show at another path.
    items = [element("li", element("a", text, href=f".{path}")) for path, text in links]
    return element(
        "footer",
        element("p", texts.footer),
        element("nav", element("ul", *items, role="list"), aria_label=texts.links),
        element("p", f"cfdi-stamps-exporter {site.version}"),
    )
