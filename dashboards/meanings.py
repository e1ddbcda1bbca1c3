"""What numbers mean: words, colours and thresholds, the same on every dashboard."""

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from dashboards.standing import CRITICAL_DAYS, WARNING_DAYS, Polls, Stamps
from exporter.account.outcome import Code, Effect, Verdict
from exporter.provider.solucion_factible.codes import CODES

RED: Final = "red"
ORANGE: Final = "orange"
GREEN: Final = "green"
BLUE: Final = "blue"
GREY: Final = "#8e8e8e"

STAMPS_UNIT: Final = "locale"
"""24,000: stamps are bought by the piece, so they are not rounded to thousands."""

DAYS_UNIT: Final = "suffix: days"
"""Grafana's own unit for days turns 12 of them into 1.71 weeks."""

STAGE_COLOURS: Final[Mapping[Stamps, str]] = {
    Stamps.EXHAUSTED: RED,
    Stamps.CRITICAL: RED,
    Stamps.UNKNOWN: GREY,
    Stamps.LOW: ORANGE,
    Stamps.ENOUGH: GREEN,
}

_POLL_COLOURS: Final[Mapping[Polls, str]] = {
    Polls.FAILING: ORANGE,
    Polls.ANSWERED: GREEN,
    Polls.SUSPENDED: RED,
    Polls.NO_EXPORTER: RED,
}


def steps(base: str, *above: tuple[float, str]) -> build.ThresholdsConfig:
    """Return thresholds: a colour, and others from a value on."""
    all_steps = [model.Threshold(None, base), *(model.Threshold(value, colour) for value, colour in above)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(all_steps)


def plain(colour: str = BLUE) -> build.ThresholdsConfig:
    """Return thresholds for what is neither good nor bad."""
    return steps(colour)


def none_is_good(otherwise: str) -> build.ThresholdsConfig:
    """Return thresholds for a number of things that should not be."""
    return steps(GREEN, (1, otherwise))


def days_left() -> build.ThresholdsConfig:
    """Return the thresholds at which ``CfdiStampsRunningOut`` fires, but for the calendar."""
    return steps(RED, (CRITICAL_DAYS, ORANGE), (WARNING_DAYS, GREEN))


def stages() -> list[model.ValueMapping]:
    """Return the words for numbers of ``Stamps``."""
    return _words({stage: (stage.name.lower(), colour) for stage, colour in STAGE_COLOURS.items()})


def polls() -> list[model.ValueMapping]:
    """Return the words for numbers of ``Polls``."""
    return _words({state: (_phrase(state.name), colour) for state, colour in _POLL_COLOURS.items()})


def codes() -> list[model.ValueMapping]:
    """Return the words for the provider's codes."""
    return _words({number: (f"{number} {code.meaning}", _colour(code)) for number, code in CODES.items()})


def _colour(code: Code) -> str:
    if code.exhausted or code.verdict in (Verdict.REFUSED, Verdict.STOP):
        return RED
    return GREEN if code.effect is Effect.BALANCE else ORANGE


def yes_or_no(yes: str = "yes", no: str = "no", *, no_colour: str = RED) -> list[model.ValueMapping]:
    """Return the words for 1 and 0."""
    return _words({1: (yes, GREEN), 0: (no, no_colour)})


def _phrase(name: str) -> str:
    return name.lower().replace("_", " ")


def _words(meanings: Mapping[int, tuple[str, str]]) -> list[model.ValueMapping]:
    return [
        model.ValueMap(
            {
                str(int(value)): model.ValueMappingResult(text, colour, index=index)
                for index, (value, (text, colour)) in enumerate(meanings.items())
            }
        )
    ]
