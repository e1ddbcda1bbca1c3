"""The results as a table for the terminal and as docs/performance.md."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.mark import Mark
from bench.result import Row

_HEAD = ("what", "exporter", "beside", "ratio", "mark", "reached")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its time (UTC), the machine, the versions and the rows of each mark."""

    date: str
    minutes: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    rows: Sequence[tuple[Mark, Sequence[Row]]]


def table(rows: Sequence[Row]) -> str:
    """Return rows as aligned columns."""
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def document(run: Run) -> str:
    """Return the whole report in Markdown."""
    rows = [row for _, of_mark in run.rows for row in of_mark]
    parts = [_introduction(rows), _markdown(_HEAD, map(_cells, rows)), _MEANING, "## How each was measured"]
    parts += [f"### {mark.title}\n\n{mark.method}" for mark, _ in run.rows]
    parts += [
        "## The machine",
        f"{run.date}, {run.minutes:.0f} minutes.",
        _markdown(("", ""), run.machine.items()),
        _markdown(("version of", ""), run.versions.items()),
    ]
    return "\n\n".join(map(_wrapped, "\n\n".join(parts).split("\n\n"))) + "\n"


def _introduction(rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.reached is not None]
    reached = sum(row.reached is True for row in judged)
    return f"""\
# Performance

Written by `make bench`, which measures the exporter beside its peers in one run: {reached} of {len(judged)}
marks reached. The times are this machine's at that time; the ratios say more. Nothing is compared across
runs.

To repeat it: `make bench` (Linux; as root it installs the Debian packages that it needs; a quarter of an
hour). One mark alone: `make bench ONLY=poll`. `make soak` polls and scrapes for ten minutes and prints the
memory each minute."""


_MEANING = """\
Figures are medians of rounds, in which the exporter and its peers are measured one after the other, every
second round backwards. A ratio is the median of the rounds' ratios, with the least and the greatest in
parentheses.

The exporter is the finished daemon in a process of its own with everything on: guard, storage on the disk
with durable writes, all series (about 40 an account). TLS is off everywhere. The provider is a small server
of this benchmark with the simulator's WSDL and answers, each sent in one write: the real provider takes no
part. All connections are loopback."""


def _wrapped(paragraph: str) -> str:
    """Break a paragraph anew, as what was filled in has another length; not tables and headings."""
    return paragraph if paragraph.startswith(("|", "#")) else textwrap.fill(paragraph, 110)


def _cells(row: Row) -> tuple[str, ...]:
    reached = {None: "", True: "yes", False: "NO"}[row.reached]
    return (row.what, row.measured, row.beside, row.ratio, row.mark, reached)


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
