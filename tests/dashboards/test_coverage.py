"""Every metric that the exporter exposes is used by a panel or a rule, or it is said here why not."""

import re

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.dashboards.backfill import RULE_FILES
from tests.support.dashboards.files import queries
from tests.support.dashboards.monitored import Monitored

UNUSED = {
    "cfdi_exporter_connections_dropped": "somebody's clients hang: they look for it, we needn't",
    "cfdi_exporter_log_lines_dropped": "a gap in the log: looked up when there is one",
    "cfdi_exporter_requests_rejected": "the scraper that is rejected sees it as a target that is down",
    "process_virtual_memory_bytes": "address space that is reserved; memory that is used is shown",
}
NAME = re.compile(r"(?<![\w:])[a-z]\w+(?![\w:])")
SUFFIX = re.compile(r"_(?:total|bucket|count|sum)$")


def used_names() -> set[str]:
    """All words of all expressions of the panels and the rules that could be a metric's name."""
    expressions = [query.expression for query in queries()]
    for file in RULE_FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            expressions += [rule["expr"] for rule in group["rules"]]
    return {SUFFIX.sub("", name) for expression in expressions for name in NAME.findall(expression)}


@pytest.mark.peer("prometheus")
@pytest.mark.xdist_group("monitored")
def test_every_metric_is_used_or_has_a_reason_not_to_be(monitored: Monitored) -> None:
    """By family: of a histogram its buckets may be enough."""
    exposed = {
        SUFFIX.sub("", family.name)
        for family in text_string_to_metric_families(monitored.exporter.get("/metrics").text)
    }
    assert len(exposed) > 20
    assert exposed - used_names() == UNUSED.keys()
