"""What ``/metrics`` serves: an account's lines are rendered when its state changes, a scrape joins them.

The bytes are those that prometheus_client would write for the same state (tests compare them); it renders
everything at every scrape, which takes long with thousands of accounts.
"""

import asyncio
import heapq
import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from exporter.account.state import State
from exporter.clock import Clock, Moment
from exporter.config import Account
from exporter.exposition.blocks import SIZE, Block, Families
from exporter.exposition.deflate import Deflated, deflated
from exporter.exposition.families import ACCOUNT_FAMILIES, changes_at
from exporter.exposition.lines import Writer, header
from exporter.metrics import OPENMETRICS_END, ExporterMetrics

Form = Literal["text", "openmetrics"]

CONTENT_TYPES: Final[dict[Form, str]] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

TURN: Final = 64
"""Accounts that are rendered before others have their turn on the loop: a millisecond or two."""

STEPS: Final = 3
"""Steps of the loop that others get in a turn: a small request needs as many from its bytes to its answer."""

LONGEST_TURN: Final = 0.002
"""Seconds after which no further step of such a turn begins: on a busy loop a scrape mustn't starve."""

_END: Final[dict[Form, bytes]] = {"text": b"", "openmetrics": OPENMETRICS_END}
_SMALL: Final = 64 * 1024  # bytes: less is compressed without a thread

_HEADERS: Final[dict[Form, Families]] = {
    form: tuple(header(family, openmetrics=form == "openmetrics") for family in ACCOUNT_FAMILIES)
    for form in CONTENT_TYPES
}
_DEFLATED_HEADERS: Final[dict[Form, Families]] = {
    form: tuple(map(deflated, headers)) for form, headers in _HEADERS.items()
}


class _Shown:
    """An account that is shown: its state, and where its lines are."""

    __slots__ = ("at", "block", "due", "place", "state", "writer")

    def __init__(self, block: Block, place: int) -> None:
        self.block = block
        self.place = place
        self.writer: Writer | None = None  # until it has a state
        self.state = State()
        self.at: Moment | None = None  # when its lines were last rendered
        self.due: float | None = None  # when it is to be rendered anew without a poll (Unix time)


@dataclass(frozen=True, slots=True)
class _Compressed:
    """The lines of all accounts, compressed, and what they were compressed from."""

    joined: Sequence[Families]
    deflated: Deflated

    def is_of(self, joined: Sequence[Families]) -> bool:
        return len(joined) == len(self.joined) and all(map(operator.is_, joined, self.joined))


class Exposition:
    """The metrics of all accounts and of the exporter itself, ready to serve.

    ``metrics`` are the exporter's own, ``None`` for none. By the ``clock``, without a poll, figures leave the
    exposition when they get stale, and new counts go from 0 to their value.
    """

    def __init__(self, metrics: ExporterMetrics | None, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._accounts: dict[str, _Shown] = {}  # in the order in which they are exposed
        self._blocks: list[Block] = []
        self._due: list[tuple[float, int, _Shown]] = []
        self._order = itertools.count()
        self._compressing = asyncio.Lock()
        self._compressed: dict[Form, _Compressed] = {}

    def arrange(self, names: Sequence[str]) -> None:
        """Show these accounts in this order, once they have a state, and no others."""
        if list(names) == list(self._accounts):
            return
        lines = itertools.chain.from_iterable(block.split() for block in self._blocks)
        before = dict(zip(self._accounts, zip(self._accounts.values(), lines, strict=True), strict=True))
        self._accounts, self._blocks = {}, []
        for batch in (names[start : start + SIZE] for start in range(0, len(names), SIZE)):
            self._blocks.append(block := Block(len(batch), len(ACCOUNT_FAMILIES)))
            for place, name in enumerate(batch):
                if name in before:
                    shown, kept = before[name]
                    shown.block, shown.place = block, place
                    block.put(place, kept)
                else:
                    shown = _Shown(block, place)
                self._accounts[name] = shown

    def show(self, account: Account, state: State) -> None:
        """Show an account with a state, new or changed; nothing happens where it wasn't arranged."""
        shown = self._accounts.get(account.name)
        if shown is None:
            return
        if shown.writer is None or shown.writer.account is not account:
            shown.writer = Writer(account)
            shown.at = None
        self._render(shown, shown.writer, state)

    def shown(self, name: str) -> State | None:
        """Return the state that an account is shown with."""
        shown = self._accounts.get(name)
        return shown.state if shown and shown.writer else None

    async def settle(self) -> None:
        """Do a scrape's work beforehand, in turns with everything else on the loop."""
        for _ in range(0, len(self._due), TURN):
            if self._render_due(TURN):
                break
            await _turn_of_others()
        for block in self._blocks:
            if not block.settled:
                block.joined()
                await _turn_of_others()

    def pieces(self, form: Form) -> list[bytes]:
        """Return everything, in pieces."""
        return [*_in_order(_HEADERS[form], self._joined()), self._own(form)]

    async def gzipped(self, form: Form) -> list[bytes]:
        """Return everything as a gzip file, in pieces. What hasn't changed is not compressed again."""
        async with self._compressing:  # those who come together need it once
            joined = self._joined()
            compressed = self._compressed.get(form)
            if compressed is None or not compressed.is_of(joined):
                blocks = self._blocks
                kept = [block.deflated for block in blocks]
                size = sum(len(piece) for families in joined for piece in families)
                if size < _SMALL:
                    pieces, all_of_it = _compress(form, joined, kept)
                else:
                    pieces, all_of_it = await asyncio.to_thread(_compress, form, joined, kept)
                for block, lines, compressed_lines in zip(blocks, joined, pieces, strict=True):
                    block.keep_deflated(lines, compressed_lines)
                self._compressed[form] = compressed = _Compressed(joined, all_of_it)
            return compressed.deflated.gzip(self._own(form))

    def _joined(self) -> list[Families]:
        self._render_due(len(self._due))
        return [block.joined() for block in self._blocks]

    def _own(self, form: Form) -> bytes:
        own = self._metrics.lines(openmetrics=form == "openmetrics") if self._metrics else b""
        return own + _END[form]

    def _render(self, shown: _Shown, writer: Writer, state: State) -> None:
        at = Moment(self._clock.time(), self._clock.monotonic())
        before = None if shown.at is None else (shown.state, shown.at)
        shown.block.put(shown.place, writer.lines(state, at, before))
        shown.state, shown.at = state, at
        due = changes_at(writer.account, state, at)
        # One entry for each account, however often it is polled between two scrapes: a later time is found
        # when the earlier one has come.
        if due is not None and (shown.due is None or due < shown.due):
            shown.due = due
            heapq.heappush(self._due, (due, next(self._order), shown))

    def _render_due(self, limit: int) -> bool:
        """Render accounts anew whose time has come, at most so many; tell whether that was all."""
        now = self._clock.time()
        for _ in range(limit):
            if not self._due or self._due[0][0] >= now:
                return True
            due, _, shown = heapq.heappop(self._due)
            if shown.due == due and shown.writer:
                shown.due = None
                self._render(shown, shown.writer, shown.state)
        return False


async def _turn_of_others() -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_TURN
    for _ in range(STEPS):
        await asyncio.sleep(0)
        if loop.time() > end:
            break


def _in_order(headers: Families, blocks: Sequence[Families]) -> Iterator[bytes]:
    """Yield each family's header and then its lines, block by block."""
    for place, of_family in enumerate(headers):
        yield of_family
        for families in blocks:
            yield families[place]


def _compress(
    form: Form, joined: Sequence[Families], kept: Sequence[Sequence[bytes | None]]
) -> tuple[list[Families], Deflated]:
    """Return the blocks compressed, those anew that aren't yet, and all of it. Takes long: for a thread."""
    pieces = [
        tuple(
            deflated(piece) if before is None else before
            for piece, before in zip(families, of_block, strict=True)
        )
        for families, of_block in zip(joined, kept, strict=True)
    ]
    plain = _in_order(_HEADERS[form], joined)
    return pieces, Deflated.of(plain, list(_in_order(_DEFLATED_HEADERS[form], pieces)))
