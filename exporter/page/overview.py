"""The page of all accounts as they are now."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from exporter.clock import Clock
from exporter.page.board import Board, board
from exporter.page.document import Site, document
from exporter.page.english import ENGLISH
from exporter.page.query import Query, preferred
from exporter.page.spanish import SPANISH
from exporter.page.standing import Monitored
from exporter.page.texts import Texts

FRESH: Final = 1.0
"""Seconds for which the order and the totals of the accounts are kept: with thousands they take a while."""

_TEXTS: Final = {texts.language: texts for texts in (ENGLISH, SPANISH)}


class Overview:
    """Renders the page, in another thread. It reads the accounts' states and causes nothing."""

    def __init__(self, accounts: Iterable[Monitored], clock: Clock, site: Site) -> None:
        self._accounts = accounts
        self._clock = clock
        self._site = site
        self._board: Board | None = None
        self._made = 0.0
        # One page at a time: however many people look, scrapes and polls go on.
        self._rendering = asyncio.Lock()

    async def __call__(self, parameters: Mapping[str, str], languages: Sequence[tuple[str, float]]) -> str:
        """Return the page for an address' parameters and a browser's languages with their qualities."""
        query = Query.read(parameters)
        async with self._rendering:
            whole = await self._now()
            return await asyncio.to_thread(document, whole, query, texts_for(query, languages), self._site)

    async def _now(self) -> Board:
        now = self._clock.monotonic()
        if self._board is None or now - self._made >= FRESH:
            accounts = list(self._accounts)  # taken here, where nothing changes them meanwhile
            self._board = await asyncio.to_thread(board, accounts, self._clock.time())
            self._made = now
        return self._board


def texts_for(query: Query, languages: Sequence[tuple[str, float]]) -> Texts:
    """Return the words in the language of the address, else of the browser."""
    return _TEXTS[query.language or preferred(languages)]
