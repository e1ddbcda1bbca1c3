"""What ``/metrics`` serves: an account's lines are rendered when its state changes, a scrape joins them.

The bytes are those that prometheus_client would write for the same state (the tests hold them together); it
renders everything at every scrape, which takes long with thousands of accounts.
"""

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from exporter.config import Account
from exporter.metrics import ACCOUNT_FAMILIES, Family, Labels
from exporter.policy import State

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


BLOCK: Final = 512
"""Accounts whose lines are joined at once: an account that changes costs the joining of its block."""


class _Rendered:
    """An account with its state and its lines, one string for each family."""

    __slots__ = ("account", "block", "lines", "prefixes", "stale_at", "state")

    def __init__(self, account: Account, block: "_Block") -> None:
        self.account = account
        self.block = block
        self.prefixes = tuple(_prefixes(family, account) for family in ACCOUNT_FAMILIES)
        self.state = State()
        self.lines: tuple[str, ...] = ()
        self.stale_at: float | None = None  # when it is to be rendered anew without a poll


class _Block:
    """Accounts that stand beside each other, with their lines joined, one piece of bytes for each family.

    The bytes are never changed, only replaced: a client that reads slowly keeps those that it was given.
    """

    __slots__ = ("accounts", "joined", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.accounts: dict[str, _Rendered] = {}
        self.joined: tuple[bytes, ...] | None = None

    def families(self) -> tuple[bytes, ...]:
        if self.joined is None:
            shown = [self.accounts[name].lines for name in self.names if name in self.accounts]
            self.joined = tuple(
                "".join([lines[place] for lines in shown]).encode() for place in range(len(ACCOUNT_FAMILIES))
            )
        return self.joined


class Exposition:
    """The metrics of all accounts and of the exporter itself, ready to serve.

    ``now`` returns Unix time: figures leave the exposition when they get stale, without a poll.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float]) -> None:
        self._registry = registry
        self._now = now
        self._blocks: dict[str, _Block] = {}  # by the name of each account that may be shown
        self._stale_at: list[tuple[float, int, _Rendered]] = []
        self._order = itertools.count()

    def arrange(self, names: Sequence[str]) -> None:
        """Show these accounts in this order, once they have a state, and no others."""
        before, self._blocks = self._blocks, {}
        for batch in (names[place : place + BLOCK] for place in range(0, len(names), BLOCK)):
            block = _Block(batch)
            for name in batch:
                self._blocks[name] = block
                if name in before and (shown := before[name].accounts.get(name)):
                    shown.block = block
                    block.accounts[name] = shown

    def show(self, account: Account, state: State) -> None:
        """Show an account with a state, new or changed; nothing happens where it wasn't arranged."""
        block = self._blocks.get(account.name)
        if block is None:
            return
        shown = block.accounts.get(account.name)
        if shown is None or shown.account is not account:
            shown = block.accounts[account.name] = _Rendered(account, block)
        shown.state = state
        self._render(shown, self._now())

    def shown(self, name: str) -> State | None:
        """Return the state that an account is shown with."""
        block = self._blocks.get(name)
        shown = block.accounts.get(name) if block else None
        return shown.state if shown else None

    def text(self) -> list[bytes]:
        """Return everything in the text format 0.0.4, in pieces."""
        return [*self._account_pieces(openmetrics=False), generate_latest(self._registry)]

    def openmetrics(self) -> list[bytes]:
        """Return everything in OpenMetrics 1.0, in pieces."""
        return [*self._account_pieces(openmetrics=True), generate_openmetrics(self._registry)]

    def _account_pieces(self, *, openmetrics: bool) -> Iterator[bytes]:
        self._drop_stale()
        blocks = [block.families() for block in dict.fromkeys(self._blocks.values())]
        for place, family in enumerate(ACCOUNT_FAMILIES):
            yield _header(family, openmetrics=openmetrics).encode()
            for families in blocks:
                yield families[place]

    def _render(self, shown: _Rendered, now: float) -> None:
        account, state = shown.account, shown.state
        shown.block.joined = None
        shown.lines = tuple(
            "".join(
                f"{prefix}{floatToGoString(value)}\n"
                for prefix, value in zip(prefixes, family.values(account, state, now), strict=True)
                if value is not None
            )
            for family, prefixes in zip(ACCOUNT_FAMILIES, shown.prefixes, strict=True)
        )
        figures = (state.contracted, state.used, state.available)
        stale_at = [one.at + account.stale_after for one in figures if one]
        due = min((at for at in stale_at if at >= now), default=None)
        # One entry for each account, however often it is polled between two scrapes: a later time is found
        # when the earlier one has come.
        if due is not None and (shown.stale_at is None or due < shown.stale_at):
            shown.stale_at = due
            heapq.heappush(self._stale_at, (due, next(self._order), shown))

    def _drop_stale(self) -> None:
        """Render the accounts anew of which a figure has become stale since the last scrape."""
        now = self._now()
        while self._stale_at and self._stale_at[0][0] < now:
            due, _, shown = heapq.heappop(self._stale_at)
            if shown.stale_at == due:
                shown.stale_at = None
                self._render(shown, now)


def _header(family: Family, *, openmetrics: bool) -> str:
    name = family.name.removesuffix("_total") if openmetrics else family.name
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"


def _prefixes(family: Family, account: Account) -> tuple[str, ...]:
    return tuple(
        f"{family.name}{{{_labels((('account', account.name), *extra))}}} "
        for extra in family.series(account)
    )


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
