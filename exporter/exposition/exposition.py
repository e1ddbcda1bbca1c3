"""What ``/metrics`` serves: the lines of an account or issuer are rendered when its state changes.

A scrape joins them: those of all accounts, then those of all issuers, where there are any.

The bytes are those that prometheus_client would write for the same state (tests compare them); it renders
everything at every scrape, which takes long with thousands of accounts.
"""

import asyncio
import heapq
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final, Literal

from exporter.account.state import State
from exporter.clock import Clock, Moment
from exporter.config import Account, Issuer
from exporter.exposition.blocks import SIZE, Block, Families
from exporter.exposition.deflate import Deflated, deflated
from exporter.exposition.families import ACCOUNT_FAMILIES, ISSUER_FAMILIES, CountFamily, Family, changes_at
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

_Headers = dict[Form, Families]
_Blocks = Sequence[Families]


def _headers(families: Sequence[Family | CountFamily]) -> _Headers:
    return {
        form: tuple(header(family, openmetrics=form == "openmetrics") for family in families)
        for form in CONTENT_TYPES
    }


def _deflated(headers: _Headers) -> _Headers:
    return {form: tuple(map(deflated, of_form)) for form, of_form in headers.items()}


_HEADERS: Final = _headers(ACCOUNT_FAMILIES)
_DEFLATED_HEADERS: Final = _deflated(_HEADERS)
_ISSUER_HEADERS: Final = _headers(ISSUER_FAMILIES)
_DEFLATED_ISSUER_HEADERS: Final = _deflated(_ISSUER_HEADERS)


class _Shown:
    """An account or issuer that is shown: its state, and where its lines are."""

    __slots__ = ("at", "block", "due", "place", "state", "writer")

    def __init__(self, block: Block, place: int) -> None:
        self.block = block
        self.place = place
        self.writer: Writer | None = None  # until it has a state
        self.state = State()
        self.at: Moment | None = None  # when its lines were last rendered
        self.due: float | None = None  # when it is to be rendered anew without a poll (Unix time)


class _Section:
    """The accounts, or the issuers, that are shown, in the order in which they are exposed."""

    __slots__ = ("blocks", "deflated_headers", "headers", "shown")

    def __init__(self, headers: _Headers, deflated_headers: _Headers) -> None:
        self.headers = headers
        self.deflated_headers = deflated_headers
        self.shown: dict[str, _Shown] = {}
        self.blocks: list[Block] = []

    def arrange(self, ids: Sequence[str]) -> None:
        """Have these in this order and no others; those that stay keep their lines."""
        if list(ids) == list(self.shown):
            return
        families = len(self.headers["text"])
        lines = chain.from_iterable(block.split() for block in self.blocks)
        before = dict(zip(self.shown, zip(self.shown.values(), lines, strict=True), strict=True))
        self.shown, self.blocks = {}, []
        for batch in (ids[start : start + SIZE] for start in range(0, len(ids), SIZE)):
            self.blocks.append(block := Block(len(batch), families))
            for place, one in enumerate(batch):
                if one in before:
                    shown, kept = before[one]
                    shown.block, shown.place = block, place
                    block.put(place, kept)
                else:
                    shown = _Shown(block, place)
                self.shown[one] = shown


@dataclass(frozen=True, slots=True)
class _Compressed:
    """The lines of all accounts and issuers, compressed, and what they were compressed from."""

    joined: Sequence[_Blocks]
    deflated: Deflated

    def is_of(self, joined: Sequence[_Blocks]) -> bool:
        return list(map(len, joined)) == list(map(len, self.joined)) and all(
            map(operator.is_, chain.from_iterable(joined), chain.from_iterable(self.joined))
        )


class Exposition:
    """The metrics of all accounts, their issuers and the exporter itself, ready to serve.

    ``metrics`` are the exporter's own, ``None`` for none. By the ``clock``, without a poll, figures leave the
    exposition when they get stale, and new counts go from 0 to their value.
    """

    def __init__(self, metrics: ExporterMetrics | None, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._accounts = _Section(_HEADERS, _DEFLATED_HEADERS)
        self._issuers = _Section(_ISSUER_HEADERS, _DEFLATED_ISSUER_HEADERS)
        self._due: list[tuple[float, int, _Shown]] = []
        self._order = itertools.count()
        self._compressing = asyncio.Lock()
        self._compressed: dict[Form, _Compressed] = {}

    def arrange(self, names: Sequence[str], issuers: Sequence[str] = ()) -> None:
        """Show these accounts, and issuers by their keys, in this order, and no others.

        Each is shown once it has a state.
        """
        self._accounts.arrange(names)
        self._issuers.arrange(issuers)

    def show(self, account: Account, state: State, issuer: Issuer | None = None, key: str = "") -> None:
        """Show an account with a state, or an issuer under it, new or changed.

        Nothing happens where it wasn't arranged.
        """
        shown = self._issuers.shown.get(key) if issuer else self._accounts.shown.get(account.name)
        if shown is None:
            return
        writer = shown.writer
        if writer is None or writer.account is not account or writer.of is not (issuer or account):
            writer = shown.writer = Writer(account, issuer)
            shown.at = None
        self._render(shown, writer, state)

    def shown(self, one: str) -> State | None:
        """Return the state that an account (by its name) or issuer (by its key) is shown with."""
        shown = self._accounts.shown.get(one) or self._issuers.shown.get(one)
        return shown.state if shown and shown.writer else None

    async def settle(self) -> None:
        """Do a scrape's work beforehand, in turns with everything else on the loop."""
        for _ in range(0, len(self._due), TURN):
            if self._render_due(TURN):
                break
            await _turn_of_others()
        for section in self._sections():
            for block in section.blocks:
                if not block.settled:
                    block.joined()
                    await _turn_of_others()

    def pieces(self, form: Form) -> list[bytes]:
        """Return everything, in pieces."""
        joined = self._joined()
        return [*_in_order([one.headers[form] for one in self._sections()], joined), self._own(form)]

    async def gzipped(self, form: Form) -> list[bytes]:
        """Return everything as a gzip file, in pieces. What hasn't changed is not compressed again."""
        async with self._compressing:  # those who come together need it once
            joined = self._joined()
            compressed = self._compressed.get(form)
            if compressed is None or not compressed.is_of(joined):
                sections = self._sections()
                blocks = [block for section in sections for block in section.blocks]
                work = partial(
                    _compress,
                    [section.headers[form] for section in sections],
                    [section.deflated_headers[form] for section in sections],
                    joined,
                    [[block.deflated for block in section.blocks] for section in sections],
                )
                size = sum(len(piece) for families in chain.from_iterable(joined) for piece in families)
                if size < _SMALL:
                    pieces, all_of_it = work()
                else:
                    pieces, all_of_it = await asyncio.to_thread(work)
                every = (blocks, chain.from_iterable(joined), chain.from_iterable(pieces))
                for block, lines, compressed_lines in zip(*every, strict=True):
                    block.keep_deflated(lines, compressed_lines)
                self._compressed[form] = compressed = _Compressed(joined, all_of_it)
            return compressed.deflated.gzip(self._own(form))

    def _sections(self) -> list[_Section]:
        """Return what is shown: without issuers nothing is said of them."""
        return [self._accounts, *([self._issuers] if self._issuers.blocks else [])]

    def _joined(self) -> list[_Blocks]:
        """Return the lines of each section."""
        self._render_due(len(self._due))
        return [[block.joined() for block in section.blocks] for section in self._sections()]

    def _own(self, form: Form) -> bytes:
        own = self._metrics.lines(openmetrics=form == "openmetrics") if self._metrics else b""
        return own + _END[form]

    def _render(self, shown: _Shown, writer: Writer, state: State) -> None:
        at = Moment(self._clock.time(), self._clock.monotonic())
        before = None if shown.at is None else (shown.state, shown.at)
        shown.block.put(shown.place, writer.lines(state, at, before))
        shown.state, shown.at = state, at
        due = changes_at(writer.of, state, at)
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


def _in_order(headers: Iterable[Families], sections: Iterable[_Blocks]) -> Iterator[bytes]:
    """Yield each family's header and then its lines, block by block, section by section."""
    for of_section, blocks in zip(headers, sections, strict=True):
        for place, of_family in enumerate(of_section):
            yield of_family
            for families in blocks:
                yield families[place]


def _compress(
    headers: Sequence[Families],
    deflated_headers: Sequence[Families],
    joined: Sequence[_Blocks],
    kept: Sequence[Sequence[Sequence[bytes | None]]],
) -> tuple[list[_Blocks], Deflated]:
    """Return the blocks compressed, those anew that aren't yet, and all of it. Takes long: for a thread."""
    pieces: list[_Blocks] = [
        [
            tuple(
                deflated(piece) if before is None else before
                for piece, before in zip(families, of_block, strict=True)
            )
            for families, of_block in zip(blocks, kept_of_section, strict=True)
        ]
        for blocks, kept_of_section in zip(joined, kept, strict=True)
    ]
    plain = _in_order(headers, joined)
    return pieces, Deflated.of(plain, list(_in_order(deflated_headers, pieces)))
