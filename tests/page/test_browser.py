"""The page for people in a real browser: Debian's chromium, on a daemon that polls the simulated provider."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from exporter.simulator import PASSWORD, Simulator
from tests.support.peers import Daemon, eventually
from tests.support.peers.requirement import CHROMIUM
from tests.support.simulation import running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
BACKWARDS = "\u202etxet\u202c"
LONG = "branch-office-with-a-very-long-name-" * 5
NAMES = {
    SCRIPT: "wrong-password@demo.example",
    IMAGE: "healthy@demo.example",
    BACKWARDS: "topped-up@demo.example",
    LONG: "code-602@demo.example",
    "two  spaces": "code-603@demo.example",
    "low": "low@demo.example",
    "exhausted": "exhausted@demo.example",
    "failing": "code-500@demo.example",
    **{f"load-{number}": f"load-0000{number}@demo.example" for number in range(1, 6)},
}

New = Callable[..., Page]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a running daemon that has polled each account."""
    simulator = Simulator(extra_accounts=5)
    with running(simulator):
        config = {
            "global": {"environment": "peer", "interval": "2s", "auth_attempts": 1},
            "environments": {"peer": {"wsdl": simulator.wsdl_url, "concurrency": 4}},
            "accounts": [
                {
                    "name": name,
                    "username": username,
                    "password": PASSWORD,
                    "thresholds": {"warning": 500, "critical": 100},
                    "labels": {"team": f"<b>{name[:20]}</b>"},
                }
                for name, username in NAMES.items()
            ],
        }
        # JSON is YAML.
        with Daemon(json.dumps(config), tmp_path_factory.mktemp("page")) as daemon:

            def all_polled() -> bool:
                metrics = daemon.metrics()
                return sum("last_poll_timestamp" in key for key in metrics) == len(NAMES)

            eventually(all_polled, timeout=60)
            yield f"{daemon.url}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, **settings: Any) -> Iterator[Page]:
    """A page on which nothing may go wrong: no dialog, no complaint in the console, no request elsewhere."""
    context: BrowserContext = browser.new_context(**{"viewport": {"width": 1100, "height": 800}, **settings})
    page = context.new_page()
    wrong: list[str] = []

    def dismiss(dialog: Any) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def names(page: Page) -> list[str]:
    return [heading.inner_text() for heading in page.get_by_role("heading", level=3).all()]


def test_names_are_text_whatever_they_look_like(browser: Browser, url: str) -> None:
    with watched(browser) as page:
        page.goto(url)
        shown = names(page)
        assert sorted(shown) == sorted(NAMES)
        assert page.locator("script").count() == 0
        assert page.locator("img").count() == 0
        assert page.locator(".account b", has_text="<b>").count() == 0
        assert page.get_by_text(f"team=<b>{SCRIPT[:20]}</b>", exact=True).count() == 1


def test_the_style_applies_and_the_policy_allows_nothing_else(browser: Browser, url: str) -> None:
    with watched(browser) as page:
        answer = page.goto(url)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert re.fullmatch(
            "default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'",
            policy,
        )
        assert answer.headers["vary"] == "Accept-Language, Accept-Encoding"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert page.locator(".account").first.evaluate("e => getComputedStyle(e).display") == "grid"
        bar = page.locator(".account.good .bar").first
        whole, left = (
            bar.locator(part).evaluate("e => e.getBoundingClientRect().width") for part in (".track", ".left")
        )
        assert 0 < left < whole


def test_a_script_that_got_in_nevertheless_would_not_run(browser: Browser, url: str) -> None:
    """The policy is the second line of defence behind the escaping: here the first one is taken away."""
    context = browser.new_context()
    page = context.new_page()
    told: list[str] = []
    dialogs: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))  # it stays open, and shows in the test

    def inject(route: Route) -> None:
        answer = route.fetch()
        evil = "<main><script>alert(1)</script><img src=x onerror=alert(2)><p style='color:red'>"
        route.fulfill(response=answer, body=answer.text().replace("<main>", evil))

    page.route(url, inject)
    page.goto(url)
    eventually(lambda: len(told) >= 3)
    assert dialogs == []
    assert all("Content Security Policy" in text for text in told)
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_searching_filtering_and_languages_need_no_script(browser: Browser, url: str, scripts: bool) -> None:
    with watched(browser, java_script_enabled=scripts, locale="en-US") as page:
        page.goto(url)
        page.get_by_role("searchbox", name="Search").fill("LOAD-")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/?q=LOAD-")
        assert names(page) == [f"load-{number}" for number in range(1, 6)]
        page.get_by_role("link", name="Español").click()
        page.wait_for_url("**/?q=LOAD-&lang=es")
        assert page.get_by_role("heading", level=1).inner_text() == "Timbres CFDI"
        page.get_by_role("link", name="Borrar").click()
        page.get_by_role("link", name=re.compile("En pausa")).click()
        page.wait_for_url("**/?state=suspended&lang=es")
        assert sorted(names(page)) == sorted([SCRIPT, LONG, "two  spaces"])


def test_the_command_that_lifts_a_suspension_can_be_copied(browser: Browser, url: str) -> None:
    """Each character counts: a name may have two spaces in a row."""
    with watched(browser) as page:
        page.goto(f"{url}?q=two+spaces")
        command = page.locator("code").inner_text()
        assert command.endswith(" --resume 'two  spaces'")


def test_a_search_for_markup_is_shown_as_text(browser: Browser, url: str) -> None:
    with watched(browser) as page:
        page.goto(url)
        page.get_by_role("searchbox").fill(SCRIPT)
        page.get_by_role("searchbox").press("Enter")
        page.wait_for_url("**/?q=*")
        assert names(page) == [SCRIPT]
        assert page.get_by_role("searchbox").input_value() == SCRIPT
        assert page.locator(".found q").inner_text() == SCRIPT


def test_the_browser_s_language_is_spoken(browser: Browser, url: str) -> None:
    for locale, language, title in (("es-MX", "es", "Timbres CFDI"), ("fr-FR", "en", "CFDI stamps")):
        with watched(browser, locale=locale) as page:
            page.goto(url)
            assert page.locator("html").get_attribute("lang") == language
            assert page.get_by_role("heading", level=1).inner_text() == title


def test_it_is_dark_where_people_want_it_dark(browser: Browser, url: str) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with watched(browser, color_scheme=scheme) as page:
            page.goto(url)
            colour = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
            grounds.append(sum(map(int, re.findall(r"\d+", colour))))
    light, dark = grounds
    assert light > 3 * 200
    assert dark < 3 * 50


OVERFLOWING = """() => [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.unseen, .signs') && e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.tagName + '.' + e.className)"""


@pytest.mark.parametrize("width", [320, 360, 768, 1100, 1920])
@pytest.mark.parametrize("language", ["en", "es"])
def test_nothing_reaches_beyond_the_screen(browser: Browser, url: str, width: int, language: str) -> None:
    """Names of 180 characters without a space and long labels included."""
    with watched(browser, viewport={"width": width, "height": 780}) as page:
        page.goto(f"{url}?lang={language}&q=")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []


TOO_NARROW = """() => [...document.querySelectorAll('.summary a, .state, .orders a')]
    .filter(e => [...e.children, e].some(c => c.scrollWidth > e.clientWidth + 1)).map(e => e.innerText)"""


@pytest.mark.parametrize("width", [320, 768, 1100, 1920])
@pytest.mark.parametrize("language", ["en", "es"])
def test_words_stay_in_their_boxes(browser: Browser, url: str, width: int, language: str) -> None:
    """The longest state among them: what doesn't fit would lie under the next box."""
    with watched(browser, viewport={"width": width, "height": 780}) as page:
        page.goto(f"{url}?lang={language}")
        assert page.evaluate(TOO_NARROW) == []


def test_an_account_s_page(browser: Browser, url: str) -> None:
    """By the link in the list, and back; whatever the name looks like, on a phone as well."""
    for name in (SCRIPT, IMAGE, "two  spaces", LONG, "low"):
        with watched(browser, viewport={"width": 360, "height": 780}, locale="en-US") as page:
            page.goto(url)
            page.get_by_role("link", name=name, exact=True).click()
            assert page.locator("h1 bdi").text_content() == name
            assert page.locator("script, img, form, button").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            assert page.evaluate(OVERFLOWING) == []
            assert page.evaluate(CONTRASTS) == []
            page.get_by_role("link", name="All accounts").click()
            assert len(names(page)) == len(NAMES)


def test_totals_orders_and_the_file_need_no_script(browser: Browser, url: str) -> None:
    with watched(browser, java_script_enabled=False, locale="en-US") as page:
        page.goto(url)
        page.get_by_text("Totals by team").click()
        page.get_by_role("row").get_by_role("link", name="<b>low</b>", exact=True).click()
        assert names(page) == ["low"]
        page.get_by_role("link", name="All", exact=True).last.click()
        page.get_by_role("link", name="Name", exact=True).click()
        page.wait_for_url("**/?order=name")
        href = page.get_by_role("link", name="CSV").get_attribute("href")
        answer = page.request.get(f"{url}{href}")  # a browser takes a download for a page that failed
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.text().count("\r\n") == len(NAMES) + 1


def test_it_can_be_read_at_twice_the_size(browser: Browser, url: str) -> None:
    """WCAG 1.4.4: text at 200 % on a phone."""
    with watched(browser, viewport={"width": 360, "height": 780}) as page:
        page.goto(url)
        page.evaluate("document.documentElement.style.setProperty('font-size', '32px')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_refresh_loads_what_is_shown_query_and_all(browser: Browser, url: str) -> None:
    """The page asks for itself after 30 s; the test has it do so after one."""
    with watched(browser) as page:
        asked: list[str] = []

        def hurry(route: Route) -> None:
            asked.append(route.request.url)
            answer = route.fetch()
            route.fulfill(response=answer, body=answer.text().replace('content="30"', 'content="1"'))

        page.route("**/*", hurry)
        wanted = f"{url}?q=load&state=ok&lang=es"
        page.goto(wanted)
        with page.expect_navigation(timeout=10_000):
            pass
        assert asked[:2] == [wanted, wanted]
        page.get_by_role("link", name="detener").click()
        page.wait_for_url("**/?q=load&state=ok&lang=es&refresh=off")
        before = len(asked)
        page.wait_for_timeout(1500)
        assert len(asked) == before


def test_screen_readers_find_their_way(browser: Browser, url: str) -> None:
    with watched(browser, locale="en-US") as page:
        page.goto(url)
        for role in ("banner", "main", "contentinfo", "search"):
            assert page.get_by_role(role).count() == 1
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("navigation", name="Accounts").count() == 1
        assert page.get_by_role("navigation", name="Order").count() == 1
        assert page.get_by_role("navigation", name="More pages").count() == 1
        entries = page.locator("ol.accounts").get_by_role("listitem")
        assert entries.count() == len(NAMES)
        low = entries.filter(has=page.get_by_role("heading", name="low", exact=True))
        label = low.locator(".balance").get_by_role("img").get_attribute("aria-label") or ""
        assert re.fullmatch(
            r"\d+ of 2,\d{3} stamps available, \d%; warning below 500; critical below 100", label
        )
        assert low.get_by_text("Critical balance", exact=True).count() == 1
        assert page.locator("a:not([href]), a[href='']").count() == 0


def test_the_keyboard_s_focus_is_seen(browser: Browser, url: str) -> None:
    with watched(browser) as page:
        page.goto(url)
        for _ in range(4):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"


CONTRASTS = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; }
    return [255, 255, 255]; };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walker.nextNode();) {
    if (!n.data.trim()) continue;
    const e = n.parentElement;
    const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${n.data.trim()}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_text_has_enough_contrast_where_it_stands(browser: Browser, url: str, scheme: str) -> None:
    """WCAG AA, on the page as it is drawn."""
    with watched(browser, color_scheme=scheme) as page:
        page.goto(url)
        assert page.evaluate(CONTRASTS) == []
