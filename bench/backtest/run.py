"""One run of the backtest: every kind, every seed, every way to tell."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.backtest.company import Kind
from bench.backtest.life import Life, lives
from bench.backtest.rivals import RIVALS, forget
from bench.backtest.score import Score, score

SEEDS: Final = (0, 1, 2)
SEEDS_APART: Final = (2,)
"""Not looked at while the forecast was tuned."""

ENDS: Final = 100
"""Moments in which stamps run out, for each kind and seed."""

Scores = dict[str, Score]
"""Scores by the kind's name."""


@dataclass(slots=True)
class Results:
    """What came of a run, by the way to tell: what was tuned on, and what was kept apart."""

    tuned: dict[str, Scores] = field(default_factory=lambda: {name: {} for name in RIVALS})
    kinds_apart: dict[str, Scores] = field(default_factory=lambda: {name: {} for name in RIVALS})
    seeds_apart: dict[str, Scores] = field(default_factory=lambda: {name: {} for name in RIVALS})

    def all(self, rival: str) -> Scores:
        """Return the scores of all kinds with all seeds."""
        together: Scores = {}
        for part in (self.tuned, self.kinds_apart, self.seeds_apart):
            for kind, of_kind in part[rival].items():
                together.setdefault(kind, Score()).add(of_kind)
        return together


def run(kinds: Sequence[Kind], seeds: Sequence[int], ends: int) -> Results:
    """Play all kinds with all seeds."""
    results = Results()
    for seed in seeds:
        forget()
        for kind in kinds:
            began = time.monotonic()
            for life in lives(kind, seed):
                _play(life, max(2, round(ends / kind.lives)), results)
            sys.stderr.write(f"seed {seed}, {kind.name}: {time.monotonic() - began:.0f} s\n")
    return results


def _play(life: Life, ends: int, results: Results) -> None:
    apart = results.seeds_apart if life.seed in SEEDS_APART else results.tuned
    part = results.kinds_apart if life.kind.apart else apart
    for name, rival in RIVALS.items():
        part[name].setdefault(life.kind.name, Score()).add(score(life, rival(life), ends))
