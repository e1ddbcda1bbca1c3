"""Rounds: everything is measured once in each, and compared within it."""

from collections.abc import Callable, Mapping

Measurements = Mapping[str, list[float]]
"""By what was measured, a value for each round."""


def interleaved(rounds: int, measure: Mapping[str, Callable[[], float]]) -> Measurements:
    """Measure everything once in each round.

    Every second round goes backwards, so that what changes with time (heat, other programs) favours nobody.
    """
    found: dict[str, list[float]] = {name: [] for name in measure}
    for number in range(rounds):
        for name in list(measure) if number % 2 == 0 else reversed(list(measure)):
            found[name].append(measure[name]())
    return found
