"""The pages for people without a server: accounts in each state, a page of them, and the page taken apart."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from exporter.account.login import Login
from exporter.account.outcome import Failure, Reason
from exporter.account.state import Figure, State, Suspension
from exporter.page import Site
from exporter.page.board import board, find
from exporter.page.document import document
from exporter.page.english import ENGLISH
from exporter.page.overview import texts_for
from exporter.page.query import Query
from exporter.page.texts import Texts
from exporter.page.view import View
from exporter.polling.accounts import Monitored
from exporter.provider.solucion_factible.codes import code
from tests.support.peers import FakeClock
from tests.support.rig import account, reading

if TYPE_CHECKING:
    from exporter.config import Account

SITE = Site("1.2.3", "/metrics")
NOW = FakeClock().time()
EARLIER = NOW - 120.0
LONG_AGO = NOW - 10 * 900.0

WELL = State(
    contracted=Figure(5000, EARLIER),
    used=Figure(1000, EARLIER),
    available=Figure(4000, EARLIER),
    up=True,
    last_outcome=reading(200, 5000, 1000, 4000),
    last_code=code(200),
    last_poll=EARLIER,
    last_success=EARLIER,
    next_poll=NOW + 780.0,
)
TIMEOUT = Failure(Reason.TIMEOUT, "no complete answer within 60 s")
FAILING = replace(WELL, up=False, last_outcome=TIMEOUT)
OLD = replace(WELL, available=Figure(4000, LONG_AGO), contracted=Figure(5000, LONG_AGO))
SUSPENDED = replace(
    WELL,
    up=False,
    last_outcome=reading(602),
    last_code=code(602),
    suspension=Suspension(code(602), EARLIER),
    next_poll=None,
)
BLOCKED = replace(WELL, up=False, last_outcome=TIMEOUT, next_poll=NOW + 3000.0, blocked=True)


def left(stamps: int, state: State = WELL) -> State:
    return replace(state, available=Figure(stamps, EARLIER))


def monitored(name: str = "acme", state: State = WELL, **changes: object) -> Monitored:
    """An account with thresholds of 500 and 100 stamps."""
    known: Account = replace(account(name=name), **{"warning": 500, "critical": 100, **changes})  # type: ignore[arg-type]
    return Monitored(known, Login(known.guard_key, known.password, known), state)


class Document(HTMLParser):
    """A page taken apart: its elements with their attributes, and its texts with the elements they are in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.source = page
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.names: list[str] = []  # of the accounts, in their order
        self.within: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.within.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.within and self.within[-1] != "style":
            self.texts.append((self.within[-1], data))
        if "h3" in self.within:
            self.names.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(text for _, text in self.texts).split())

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of all elements that have these."""
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]


def shown(
    accounts: Iterable[Monitored], languages: Sequence[tuple[str, float]] = (), **parameters: str
) -> Document:
    """The page of these accounts."""
    query = Query.read(parameters)
    return Document(drawn(accounts, query, texts_for(query, languages)))


def drawn(
    accounts: Iterable[Monitored],
    query: Query | None = None,
    texts: Texts = ENGLISH,
    site: Site = SITE,
    business_day_end: float = 0.0,
) -> str:
    """The page of these accounts, as HTML."""
    whole = board(accounts, NOW, business_day_end=business_day_end)
    page = find(whole, query := query or Query())
    view = View(whole.moment, texts, replace(query, page=page.number), site)
    return document(whole, page, view)
