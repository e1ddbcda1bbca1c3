"""PURE: what all pages have around their content: the head, the languages, the refresh, the links."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from exporter.page.markup import Html, element, sentence
from exporter.page.moments import clock
from exporter.page.query import LANGUAGES, Query
from exporter.page.style import SIGNS, STYLE
from exporter.page.view import View

REFRESH: Final = 30
"""Seconds after which a browser loads the page anew."""

Address = Callable[[Query], str]
"""Returns the address at which a page shows what a query asks for, relative to the page's."""


def frame(title: str, top: Html, main: Html, view: View, address: Address, *, simulated: bool) -> str:
    """Return a whole page; ``title`` is the window's, ``top`` what stands beside time and languages."""
    banner = element("p", view.texts.simulated, class_="banner", role="note") if simulated else None
    body = element(
        "body",
        SIGNS,
        element("header", element("div", top), _meta(view, address)),
        element("main", banner, main),
        _footer(view),
    )
    return f"<!doctype html>\n{element('html', _head(title, view), body, lang=view.texts.language)}\n"


def _head(title: str, view: View) -> Html:
    refresh = element("meta", http_equiv="refresh", content=str(REFRESH)) if view.query.refresh else None
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("title", title),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex, nofollow"),
        refresh,
        element("style", Html(STYLE)),
    )


def _meta(view: View, address: Address) -> Html:
    query, texts = view.query, view.texts
    if query.refresh:
        words, link = texts.refreshes.format(seconds=REFRESH), texts.refresh_stop
    else:
        words, link = texts.refresh_stopped, texts.refresh_start
    other = LANGUAGES[1] if texts.language == LANGUAGES[0] else LANGUAGES[0]
    return element(
        "div",
        element("p", sentence(texts.as_of, time=clock(view.now))),
        element(
            "p",
            f"{words} (",
            element("a", link, href=address(replace(query, refresh=not query.refresh))),
            ")",
        ),
        element(
            "p",
            element(
                "a",
                texts.other_language,
                href=address(replace(query, language=other)),
                lang=other,
                hreflang=other,
            ),
        ),
        class_="meta",
    )


def _footer(view: View) -> Html:
    texts = view.texts
    links = (
        (view.site.telemetry_path, texts.metrics),
        ("/config", texts.configuration),
        ("/-/healthy", texts.health),
        ("/-/ready", texts.readiness),
    )
    # Relative to the page, which a reverse proxy may show at another path.
    items = [element("li", element("a", text, href=f"{view.root}{path}")) for path, text in links]
    return element(
        "footer",
        element("p", texts.footer),
        element("nav", element("ul", *items, role="list"), aria_label=texts.links),
        element("p", f"cfdi-stamps-exporter {view.site.version}"),
    )
