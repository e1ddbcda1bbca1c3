"""PURE: all accounts in the order in which people should see them, with totals; choosing and paging."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from math import inf
from typing import Final, NamedTuple

from exporter.page.query import Order, Query
from exporter.page.standing import ATTENTION, SHORT, Account, Condition, Monitored, Standing, standing

PAGE: Final = 100
"""Accounts on a page."""

GROUPS: Final = ("team", "owner")
"""Labels by which there are totals: those that alerts carry and that name who has to act."""


class Total(NamedTuple):
    """What accounts have together, of which ``known`` have a balance; ``first`` is the first of them."""

    first: Standing
    accounts: int
    available: int
    known: int
    attention: int


@dataclass(frozen=True, slots=True)
class Board:
    """All accounts at a Unix time, those first that need stamps first.

    ``available`` is the sum of the ``known`` balances. ``groups`` are the accounts by each value of a label,
    in their order. ``simulated`` says that the provider of some is a simulated one.
    """

    at: float
    standings: Sequence[Standing]
    counts: Mapping[Condition, int]
    available: int
    known: int
    groups: Mapping[str, Mapping[str, Sequence[Standing]]] = field(default_factory=dict)
    simulated: bool = False
    zone: tzinfo = UTC

    @property
    def moment(self) -> datetime:
        """The time of the board, in the configured zone."""
        return datetime.fromtimestamp(self.at, self.zone)

    @property
    def worst(self) -> Condition:
        """The worst condition of any account."""
        return min((one for one, count in self.counts.items() if count), default=Condition.OK)

    @property
    def troubled(self) -> int:
        """How many accounts a person should look at."""
        return sum(self.counts[condition] for condition in ATTENTION)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the accounts that were found; ``number`` counts from 1, as ``pages`` does."""

    standings: Sequence[Standing]
    number: int
    pages: int
    found: int


def board(
    accounts: Iterable[Monitored], now: float, zone: tzinfo = UTC, business_day_end: float = 0.0
) -> Board:
    """Return all accounts as they stand at a Unix time."""
    standings = sorted(
        (standing(monitored, now, business_day_end) for monitored in accounts), key=_ranks_at(now)
    )
    conditions = [one.condition for one in standings]
    balances = [one.available for one in standings if one.available is not None]
    return Board(
        at=now,
        standings=standings,
        counts={condition: conditions.count(condition) for condition in Condition},
        available=sum(balances),
        known=len(balances),
        groups=_groups(standings),
        simulated=any(one.account.environment.name == SIMULATED for one in standings),
        zone=zone,
    )


SIMULATED: Final = "simulated"
"""The environment of the demonstration, and by convention of anybody's simulated provider."""


def choose(whole: Board, query: Query) -> Sequence[Standing]:
    """Return the accounts that a query asks for, in its order.

    Each has the condition and the label that are given, and every word of the search. A word is found in the
    name, the environment and the labels (``team=billing``), whatever its case or accents.
    """
    found: Sequence[Standing] = whole.standings
    if query.condition is not None:
        found = [one for one in found if one.condition is query.condition]
    if query.label is not None:
        found = [one for one in found if query.label in one.account.labels]
    if words := folded(query.search).split():
        found = [one for one in found if _has(one.account, words)]
    if query.order is not Order.RUNS_OUT:
        found = sorted(found, key=_by_name if query.order is Order.NAME else _by_balance)
    return found


def find(whole: Board, query: Query) -> Page:
    """Return a page of the accounts that a query asks for. One that isn't there is the last one."""
    found = choose(whole, query)
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(1, query.page), pages)
    return Page(found[(number - 1) * PAGE : number * PAGE], number, pages, len(found))


def _ranks_at(now: float) -> Callable[[Standing], tuple[float, Condition, float, str]]:
    """Return what sorts accounts: those that need stamps by when they run out, then those in trouble.

    Both are one number, as most of the time goes by in comparing.
    """
    unknown = [(now if one is Condition.CRITICAL else _NEVER) + _FIRST[one] for one in Condition]

    def rank(one: Standing) -> tuple[float, Condition, float, str]:
        account, _, condition, _, _, share, when = one
        urgency = unknown[condition] if when is None else _FIRST[condition] + when
        return urgency, condition, 2.0 if share is None else share, account.name

    return rank


_NEVER: Final = 1e11
"""Unix time after everything else: when those run out of which nobody knows, if they aren't critical."""

_FIRST: Final = [
    0.0 if one is Condition.EXHAUSTED else 1e12 if one in SHORT else 2e12 if one in ATTENTION else 3e12
    for one in Condition
]
"""What is added to the time at which an account runs out, by its condition: some come before all others."""


def _by_name(one: Standing) -> tuple[str, str]:
    return folded(one.account.name), one.account.name


def _by_balance(one: Standing) -> tuple[float, str]:
    return inf if one.available is None else one.available, one.account.name


def _groups(standings: Iterable[Standing]) -> Mapping[str, Mapping[str, Sequence[Standing]]]:
    groups: dict[str, dict[str, list[Standing]]] = {name: {} for name in GROUPS}
    for one in standings:
        for key, value in one.account.labels:
            if key in groups:
                groups[key].setdefault(value, []).append(one)
    return {name: found for name, found in groups.items() if found}


def total(standings: Sequence[Standing]) -> Total:
    """Return what accounts have together: one at least."""
    balances = [one.available for one in standings if one.available is not None]
    attention = sum(one.condition in ATTENTION for one in standings)
    return Total(standings[0], len(standings), sum(balances), len(balances), attention)


def _has(account: Account, words: Sequence[str]) -> bool:
    labels = (f"{name}={value}" for name, value in account.labels)
    text = folded("\n".join((account.name, account.environment.name, *labels)))
    return all(word in text for word in words)


def folded(text: str) -> str:
    """Return text without differences of case and accents."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
