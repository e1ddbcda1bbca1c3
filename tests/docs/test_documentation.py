"""What the documents name is there: links and anchors, flags, make targets, files, tests, metrics, alerts."""

import re
from pathlib import Path

import pytest

import exporter
from tests.support.alerts import RECORDED, SEVERITIES, rules
from tests.support.documents import SITE, Page, pages, slug
from tests.support.interface import exposed_names, parser_flags
from tests.support.places import ROOT

PAGES = pages()
every_page = pytest.mark.parametrize("page", PAGES, ids=repr)

LANGUAGES = {"sh", "yaml", "promql", "metrics", "json", "toml", "alloy", "jsonnet", "mermaid", "text"}
"""Of fenced blocks: tests look at what is in each, but for `text`, which is what a program prints."""

FOLDERS = "alerts|bench|dashboards|deploy|docs|exporter|mixin|scripts|tests"
OTHERS_FLAGS = {"--storage.tsdb.retention.time"}
"""Flags of Prometheus' own programs that look like ours."""


def test_there_are_documents() -> None:
    """The tests below look at what they should."""
    names = {page.name for page in PAGES}
    assert {"README.md", "README.es.md", "docs/alerts.md", "docs/runbooks/CfdiStampsLow.md"} <= names


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What it means", "what-it-means"),
        ("`/config` and C++", "config-and-c"),
        ("Alertas y tableros, más", "alertas-y-tableros-más"),
        ("[a_b](c.md)", "a_b"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


@every_page
def test_no_link_is_dead(page: Page) -> None:
    """Files, folders and anchors; what lies elsewhere in the web can't be reached from a test."""
    dead = [link for link in page.links if not _alive(page, link)]
    assert not dead, page


def _alive(page: Page, link: str) -> bool:
    published = link.startswith(SITE)
    if not published and re.match("[a-z]+:", link):
        return True
    target, _, anchor = link.removeprefix(SITE).partition("#")
    path = page.path if not target else (ROOT if published else page.path.parent) / target
    if not path.exists() or ROOT not in (path.resolve(), *path.resolve().parents):
        return False
    return not anchor or (path.suffix == ".md" and anchor in Page(path.resolve()).anchors)


@every_page
def test_a_block_says_what_it_is(page: Page) -> None:
    """So that none is left unchecked."""
    assert {block.language for block in page.blocks} <= LANGUAGES, page
    assert "```" not in page.prose, "a block that has no end"


@every_page
def test_flags_exist(page: Page) -> None:
    named = re.findall(r"(?<![\w-])--(?:config|web|storage|log|simulator)\.[a-z.-]*[a-z]", page.text)
    assert set(named) <= parser_flags() | OTHERS_FLAGS


@every_page
def test_make_targets_exist(page: Page) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [*page.spans, *page.command_lines]
    calls = [line.split("#")[0].split()[1:] for line in lines if re.match("make( |$)", line)]
    named = {word for words in calls for word in words if re.fullmatch("[a-z-]+", word)}
    assert named <= targets


@every_page
def test_files_of_the_repository_exist(page: Page) -> None:
    """Those that stand in code; * matches names."""
    words = {word for span in page.spans for word in span.split()}
    words |= {word for line in page.command_lines for word in line.split()}
    named = {word for word in words if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", word)}
    package = Path(exporter.__file__).parents[1]  # which isn't here where the tests run against the wheel
    places = (ROOT, page.path.parent, package)
    assert not {name for name in named if not any(list(place.glob(name)) for place in places)}


def test_tests_that_are_named_exist() -> None:
    """docs/safety.md above all: it names the test that shows a promise."""
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    there = set(re.findall(r"def (test_\w+)", sources))
    for page in PAGES:
        named = {span for span in page.spans if re.fullmatch(r"test_\w+", span)}
        assert named <= there, page


@every_page
def test_metrics_exist(page: Page) -> None:
    """Of the exporter, and what the rules record; the changelog also names what they did before."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    levels = "|".join({name.partition(":")[0] for name in recorded})
    seeming = set(re.findall(rf"(?<![\w:])(?:{levels}):\w*[a-z]+_[\w:]+", page.text))
    assert seeming <= recorded or page.path.name == "CHANGELOG.md"
    text = RECORDED.sub(lambda name: "" if name[0] in recorded else name[0], page.text)
    named = set(
        re.findall(r"(?<![\w:-])cfdi_(?:stamps|account|poll|responses|exporter)_[a-z_]*[a-z]\b", text)
    )
    assert named <= exposed_names()


@every_page
def test_alerts_exist(page: Page) -> None:
    named = set(re.findall(r"\bCfdi(?:Stamps|Account|Balance|Consumption|Provider|Exporter)\w+", page.text))
    assert named <= SEVERITIES.keys()


def test_the_documentation_can_be_reached_from_the_readme() -> None:
    """Whatever lies under docs/ is linked from the README, or from a page that is."""
    ahead, reached = {ROOT / "README.md"}, {ROOT / "README.md"}
    while ahead:
        path = ahead.pop()
        links = [link.partition("#")[0] for link in Page(path).links if ":" not in link]
        found = {(path.parent / link).resolve() for link in links if link.endswith(".md")}
        new = {path for path in found - reached if path.exists()}
        ahead |= new
        reached |= new
    lost = {page.name for page in PAGES if page.name.startswith("docs/") and page.path not in reached}
    assert not lost
