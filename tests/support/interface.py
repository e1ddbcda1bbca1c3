"""What the exporter offers to whoever runs it: the names of its metrics and of its flags."""

import argparse
from functools import cache

from prometheus_client.parser import text_string_to_metric_families

from exporter.account.outcome import Reason
from exporter.cli.flags import parser
from exporter.exposition.families import ACCOUNT_FAMILIES, ISSUER_FAMILIES
from exporter.metrics import ExporterMetrics
from exporter.provider.solucion_factible import codes


@cache
def exporter_text() -> str:
    """The exporter's own metrics, each with a sample."""
    metrics = ExporterMetrics("unknown")
    metrics.use_environments({"production": codes.LABELS}, tuple(Reason))
    metrics.poll_ended("production", 1.0)
    metrics.day_turned(0.0, business_day=False)
    return metrics.lines(openmetrics=False).decode()


@cache
def families() -> dict[str, str]:
    """All families by their exposed names, with their types."""
    own = {
        f"{family.name}_total" if family.type == "counter" else family.name: family.type
        for family in text_string_to_metric_families(exporter_text())
    }
    return {family.name: family.kind for family in (*ACCOUNT_FAMILIES, *ISSUER_FAMILIES)} | own


@cache
def exposed_names() -> set[str]:
    """What may stand in a query: the families, and the parts of histograms."""
    histograms = [name for name, kind in families().items() if kind == "histogram"]
    return families().keys() | {
        f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")
    }


@cache
def parsers() -> list[argparse.ArgumentParser]:
    """The parser of the command line, then those of its commands."""
    top = parser(*[lambda _options, _log: 0] * 4)
    inner = [action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    return [top, *(each for choices in inner for each in choices.values())]


@cache
def parser_flags() -> set[str]:
    """All flags, of all commands."""
    return {flag for each in parsers() for flag in each._option_string_actions}
