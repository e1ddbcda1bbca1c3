"""An account is known by its name and the provider's environment: two exporters may each have an "acme"."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dashboards.asking import Viewer
from tests.support.dashboards.backfill import fill_with_samples
from tests.support.dashboards.files import queries
from tests.support.peers import Prometheus

MINUTES = 180
COUNTERS = (
    'cfdi_stamps_consumed_total{account="acme"}',
    'cfdi_stamps_purchased_total{account="acme"}',
    'cfdi_responses_total{account="acme",code="200"}',
    'cfdi_poll_failures_total{account="acme",reason="timeout"}',
    'cfdi_poll_duration_seconds_bucket{le="1.0",pac_environment="ENV"}',
    'cfdi_poll_duration_seconds_bucket{le="+Inf",pac_environment="ENV"}',
)
GAUGES = (
    'cfdi_stamps_contracted{account="acme"}',
    'cfdi_stamps_used{account="acme"}',
    'cfdi_stamps_available{account="acme"}',
    'cfdi_account_poll_interval_seconds{account="acme"}',
    'cfdi_account_last_poll_timestamp_seconds{account="acme"}',
    'cfdi_account_last_success_timestamp_seconds{account="acme"}',
    'cfdi_account_next_poll_timestamp_seconds{account="acme"}',
)


def scrapes(instance: str, environment: str, size: int, until: int) -> Iterator[str]:
    """What an exporter with one account shows for some hours; all its figures are of a `size`."""
    labels = f',instance="{instance}",job="cfdi-stamps"}}'
    info = f'cfdi_account_info{{account="acme",pac_environment="{environment}"'
    of = f'account="acme",pac_environment="{environment}"'
    known = f'exporter_account:cfdi_account_info:known{{instance="{instance}",{of}}}'
    for minute in range(MINUTES):
        at = until - 60 * (MINUTES - 1 - minute)
        yield f"{info}{labels} 1 {at}\n{known} 1 {at}\n"
        for series, value in [(one, size) for one in GAUGES] + [(one, size * minute) for one in COUNTERS]:
            yield f"{series.replace('ENV', environment)[:-1]}{labels} {value} {at}\n"


@pytest.mark.peer("prometheus")
def test_an_account_of_the_same_name_elsewhere_changes_nothing(tmp_path: Path) -> None:
    """Each query of the account's dashboard has the same answer with the other, whose figures are larger."""
    now = int(time.time())
    production = list(scrapes("e1", "production", 1, now))
    testing = list(scrapes("e2", "testing", 1000, now))
    answers = []
    for name, lines in {"alone": production, "both": production + testing}.items():
        directory = tmp_path / name
        directory.mkdir()
        fill_with_samples(directory, [*lines, "# EOF\n"])
        with Prometheus(directory, []) as server:
            viewer = Viewer(server, "cfdi-account", {"account": "acme", "environment": "production"}, at=now)
            answers.append([viewer.ask(query) for query in queries() if query.dashboard == viewer.dashboard])
    alone, both = ([_without_nan(rows) for rows in one] for one in answers)
    assert sum(bool(rows) for rows in alone) > 15
    assert both == alone


def _without_nan(rows: list[tuple[dict[str, str], list[tuple[float, float]]]]) -> list[object]:
    """NaN is not even equal to itself."""
    return [
        (labels, [(at, None if math.isnan(value) else value) for at, value in points])
        for labels, points in rows
    ]
