"""The runbooks, in English and Spanish: a page for each alert, and one for the codes, that say the same."""

import re

import pytest

from exporter.account.outcome import Reason
from exporter.provider.solucion_factible.codes import CODES, ISSUER_CODES
from tests.support.alerts import RUNBOOKS, SEVERITIES

LANGUAGES = {"en": RUNBOOKS, "es": RUNBOOKS / "es"}
PAGES = [*SEVERITIES, "response-codes"]
SECTIONS = {
    "en": ["What it means", "How urgent it is", "What to check", "What to do", "How to silence it"],
    "es": ["Qué significa", "Qué tan urgente es", "Qué revisar", "Qué hacer", "Cómo silenciarla"],
}
"""What someone who is woken up looks for."""


def text(language: str, name: str) -> str:
    """A page."""
    return (LANGUAGES[language] / f"{name}.md").read_text()


def blocks(page: str) -> list[str]:
    """The blocks of commands."""
    return re.findall(r"^```.+?^```$", page, re.MULTILINE | re.DOTALL)


def code_spans(page: str) -> list[str]:
    """What stands in backticks in the text: metrics, settings, commands."""
    prose = re.sub(r"^```.+?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return sorted(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose))


def rows(page: str, first: str) -> list[list[str]]:
    """The cells of each row of the tables whose first cell is of this kind."""
    lines = re.findall(rf"^\| {first} \|.*$", page, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_belongs_to_an_alert_or_explains_the_codes(language: str) -> None:
    assert {page.stem for page in LANGUAGES[language].glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SEVERITIES)
def test_a_page_has_the_name_of_its_alert_and_all_sections(name: str, language: str) -> None:
    page = text(language, name)
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS[language]


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_link_to_each_other(name: str) -> None:
    assert text("en", name).splitlines()[2] == f"[Español](es/{name}.md)"
    assert text("es", name).splitlines()[2] == f"[English](../{name}.md)"


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_have_the_same_commands_names_and_lists(name: str) -> None:
    """A translation that lacks a step, a metric or a setting, or has another command, is a wrong one."""
    english, translated = text("en", name), text("es", name)
    assert blocks(english) == blocks(translated)
    assert code_spans(english) == code_spans(translated)
    items = r"^(\d+\.|-|\|) "
    assert re.findall(items, english, re.MULTILINE) == re.findall(items, translated, re.MULTILINE)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere_and_stay_in_the_language(name: str, language: str) -> None:
    page = LANGUAGES[language] / f"{name}.md"
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert (page.parent / target).is_file(), target
    linked = set(re.findall(r"\]\((Cfdi\w+|response-codes)\.md", page.read_text()))
    assert linked == set(re.findall(r"\]\((Cfdi\w+|response-codes)\.md", text("en", name)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_codes_page_explains_every_code_and_reason(language: str) -> None:
    page = text(language, "response-codes")
    explained = rows(page, r"\d+")
    # A second table has what is another matter about an issuer.
    assert [int(number) for number, *_ in explained[: len(CODES)]] == list(CODES)
    assert {int(number) for number, *_ in explained[len(CODES) :]} >= ISSUER_CODES.keys() - CODES.keys()
    assert all(all(row) and len(row) == 4 for row in explained)
    assert [name for name, _ in rows(page, r"`\w+`")] == [f"`{reason.value}`" for reason in Reason]


def test_the_spanish_codes_page_has_the_words_of_the_page() -> None:
    """Who reads both is to recognise what is meant."""
    explained = rows(text("es", "response-codes"), r"\d+")
    meanings = [(int(number), meaning) for number, meaning, *_ in explained]
    assert dict(meanings[: len(CODES)]) == {number: code.spanish[0] for number, code in CODES.items()}
    assert (
        dict(meanings[len(CODES) :]).items()
        <= {number: code.spanish[0] for number, code in ISSUER_CODES.items()}.items()
    )
