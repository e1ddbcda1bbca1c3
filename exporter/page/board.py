"""PURE: all accounts in the order in which people should see them, with totals; finding and paging."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.page.standing import Account, Condition, Monitored, Standing, standing

PAGE: Final = 100
"""Accounts on a page."""


@dataclass(frozen=True, slots=True)
class Board:
    """All accounts at a Unix time, the worst first, of equal ones that with the smallest share left.

    ``available`` is the sum of the ``known`` balances.
    """

    at: float
    standings: Sequence[Standing]
    counts: Mapping[Condition, int]
    available: int
    known: int


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the accounts that were found; ``number`` counts from 1, as ``pages`` does."""

    standings: Sequence[Standing]
    number: int
    pages: int
    found: int


def board(accounts: Iterable[Monitored], now: float) -> Board:
    """Return all accounts as they stand at a Unix time."""
    standings = sorted((standing(monitored, now) for monitored in accounts), key=_rank)
    conditions = [one.condition for one in standings]
    balances = [one.available for one in standings if one.available is not None]
    return Board(
        at=now,
        standings=standings,
        counts={condition: conditions.count(condition) for condition in Condition},
        available=sum(balances),
        known=len(balances),
    )


def find(whole: Board, search: str, condition: Condition | None, number: int) -> Page:
    """Return a page of the accounts that have a condition, if it is given, and every word of a search.

    A word is found in the name, the environment and the labels (``team=billing``), whatever its case or
    accents. A page that isn't there is the last one.
    """
    found: Sequence[Standing] = whole.standings
    if condition is not None:
        found = [one for one in found if one.condition is condition]
    if words := _folded(search).split():
        found = [one for one in found if _has(one.account, words)]
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(1, number), pages)
    return Page(found[(number - 1) * PAGE : number * PAGE], number, pages, len(found))


def _rank(one: Standing) -> tuple[Condition, float, str]:
    return one.condition, 2.0 if one.share is None else one.share, one.account.name


def _has(account: Account, words: Sequence[str]) -> bool:
    labels = (f"{name}={value}" for name, value in account.labels)
    text = _folded("\n".join((account.name, account.environment.name, *labels)))
    return all(word in text for word in words)


def _folded(text: str) -> str:
    """Return text without differences of case and accents."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
