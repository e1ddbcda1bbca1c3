"""What a mark comes to: rows of a table, made of rounds by medians and ratios."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `reached` is None where there is no mark, or nothing could be measured."""

    what: str
    measured: str
    beside: str = ""
    ratio: str = ""
    mark: str = ""
    reached: bool | None = None


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The peer must cost so many times what the exporter costs."""

    times: float
    word: str
    """What the exporter is by so many times: cheaper, faster."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """The exporter may cost so many times what the peer costs."""

    times: float


def compared(
    what: str,
    ours: Sequence[float],
    peer: str,
    theirs: Sequence[float],
    mark: AtLeast | AtMost,
    *,
    unit: str,
    better: Literal["less", "more"] = "less",
) -> Row:
    """Compare the rounds of the exporter with those of a peer: the ratio is the median of the rounds' ratios.

    `better` says whether less of the unit is better, as of time, or more, as of requests a second.
    """
    costs = [
        (mine, other) if better == "less" else (other, mine) for mine, other in zip(ours, theirs, strict=True)
    ]
    if isinstance(mark, AtLeast):
        ratios = [other / mine for mine, other in costs]
        word, rule, reached = (
            f" {mark.word}",
            f"at least {mark.times:g} × {mark.word}",
            median(ratios) >= mark.times,
        )
    else:
        ratios = [mine / other for mine, other in costs]
        word, rule, reached = "", f"at most {mark.times:g} ×", median(ratios) <= mark.times
    return Row(
        what,
        shown(median(ours), unit),
        f"{peer}: {shown(median(theirs), unit)}",
        f"{figure(median(ratios))} ×{word} ({figure(min(ratios))} to {figure(max(ratios))})",
        rule,
        reached,
    )


def beside(what: str, ours: Sequence[float], peer: str, theirs: Sequence[float], *, unit: str) -> Row:
    """Show the exporter beside a peer for which no mark is set; of both less is better."""
    ratios = [other / mine for mine, other in zip(ours, theirs, strict=True)]
    return Row(
        what,
        shown(median(ours), unit),
        f"{peer}: {shown(median(theirs), unit)}",
        f"{figure(median(ratios))} × ({figure(min(ratios))} to {figure(max(ratios))})",
    )


def limited(
    what: str,
    values: Sequence[float],
    unit: str,
    *,
    at_most: float = float("inf"),
    at_least: float = 0.0,
    beside: str = "",
) -> Row:
    """Judge the median of the rounds by itself, by one of the two limits."""
    value = median(values)
    spread = f" ({figure(min(values))} to {figure(max(values))})" if len(values) > 1 else ""
    rule = f"at least {shown(at_least, unit)}" if at_least else f"at most {shown(at_most, unit)}"
    reached = at_least <= value <= at_most
    return Row(what, shown(value, unit) + spread, beside, mark=rule, reached=reached)


def shown(value: float, unit: str) -> str:
    """Return a value with its unit, as a person reads it."""
    return f"{figure(value)} {unit}".rstrip()


def figure(value: float) -> str:
    """Return a number with three significant digits, and whole from a hundred on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
