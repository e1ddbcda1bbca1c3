"""The pages of the accounts as they are now: of all, of one, and all as a table."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Final

from exporter.account.use import RecentUse
from exporter.clock import Clock
from exporter.page.board import Board, board, choose, find
from exporter.page.detail import detail, missing
from exporter.page.document import document
from exporter.page.english import ENGLISH
from exporter.page.query import Query, preferred
from exporter.page.spanish import SPANISH
from exporter.page.standing import Monitored, Standing
from exporter.page.table import table
from exporter.page.texts import Texts
from exporter.page.view import Site, View

FRESH: Final = 1.0
"""Seconds for which the order and the totals of the accounts are kept: with thousands they take a while."""

_TEXTS: Final = {texts.language: texts for texts in (ENGLISH, SPANISH)}

Languages = Sequence[tuple[str, float]]
"""What a browser prefers, with qualities."""

Use = Callable[[Sequence[Monitored]], Awaitable[Mapping[str, RecentUse]]]
"""Returns the recent use of accounts by ``Account.guard_key``, as far as it can be read."""


async def _no_use(_accounts: Sequence[Monitored]) -> Mapping[str, RecentUse]:
    return {}


class Overview:
    """Renders pages, in another thread. It reads the accounts' states and causes nothing.

    ``zone`` returns the zone of the times on them, ``business_day_end`` when the next business day ends (Unix
    time, 0 where that isn't known), ``use`` the recent use of a few accounts.
    """

    def __init__(
        self,
        accounts: Iterable[Monitored],
        clock: Clock,
        site: Site,
        *,
        zone: Callable[[], tzinfo] = lambda: UTC,
        business_day_end: Callable[[], float] = lambda: 0.0,
        use: Use = _no_use,
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._site = site
        self._zone = zone
        self._business_day_end = business_day_end
        self._use = use
        self._board: Board | None = None
        self._made = 0.0
        # One page at a time: however many people look, scrapes and polls go on.
        self._rendering = asyncio.Lock()

    async def __call__(self, parameters: Mapping[str, str], languages: Languages) -> str:
        """Return the page of all accounts for an address' parameters and a browser's languages."""
        query = Query.read(parameters)
        async with self._rendering:
            whole = await self._now()
            page = await asyncio.to_thread(find, whole, query)
            query = replace(query, page=page.number)
            view = await self._view(whole, page.standings, query, languages)
            return await asyncio.to_thread(document, whole, page, view)

    async def account(
        self, name: str, parameters: Mapping[str, str], languages: Languages
    ) -> tuple[bool, str]:
        """Return whether there is an account of this name, and its page; or one that says there is none."""
        query = Query.read(parameters)
        async with self._rendering:
            whole = await self._now()
            found = [one for one in whole.standings if one.account.name == name]
            view = await self._view(whole, found, query, languages, root="..")
            if not found:
                return False, missing(name, view)
            return True, await asyncio.to_thread(detail, found[0], view, simulated=whole.simulated)

    async def table(self, parameters: Mapping[str, str]) -> str:
        """Return the accounts that an address' parameters ask for as CSV, all pages of them."""
        query = Query.read(parameters)
        async with self._rendering:
            whole = await self._now()
            return await asyncio.to_thread(lambda: table(choose(whole, query), whole.moment))

    async def _view(
        self, whole: Board, shown: Sequence[Standing], query: Query, languages: Languages, root: str = "."
    ) -> View:
        use = await self._use(shown)
        return View(whole.moment, texts_for(query, languages), query, self._site, use, root)

    async def _now(self) -> Board:
        now = self._clock.monotonic()
        if self._board is None or now - self._made >= FRESH:
            accounts = list(self._accounts)  # taken here, where nothing changes them meanwhile
            self._board = await asyncio.to_thread(
                board, accounts, self._clock.time(), self._zone(), self._business_day_end()
            )
            self._made = now
        return self._board


def texts_for(query: Query, languages: Languages) -> Texts:
    """Return the words in the language of the address, else of the browser."""
    return _TEXTS[query.language or preferred(languages)]
