"""The provider's codes, against the contract's tables of what each means for the next poll and the login."""

import pytest

from exporter.account.outcome import Effect, Reading, Verdict
from exporter.provider.solucion_factible import codes
from exporter.provider.solucion_factible.codes import CODES, LABELS, OTHER, code

# "How an account is treated" and "The guard" in the contract.
MEANINGS = {
    200: (Effect.BALANCE, Verdict.ACCEPTED),
    500: (Effect.RETRY, Verdict.NEUTRAL),
    501: (Effect.RETRY, Verdict.NEUTRAL),
    502: (Effect.RETRY, Verdict.NEUTRAL),
    503: (Effect.SLOW_DOWN, Verdict.NEUTRAL),
    601: (Effect.RETRY, Verdict.REFUSED),
    602: (Effect.RETRY, Verdict.STOP),
    603: (Effect.RETRY, Verdict.STOP),
    604: (Effect.RETRY, Verdict.STOP),
    605: (Effect.RETRY, Verdict.STOP),
    611: (Effect.RETRY, Verdict.NEUTRAL),
    612: (Effect.RETRY, Verdict.NEUTRAL),
    624: (Effect.RETRY, Verdict.NEUTRAL),
    630: (Effect.BALANCE, Verdict.ACCEPTED),
    631: (Effect.BALANCE, Verdict.ACCEPTED),
    632: (Effect.SLOW_DOWN, Verdict.NEUTRAL),
    633: (Effect.RETRY, Verdict.STOP),
}
UNDER_600 = [-(2**63), -601, -1, 0, 1, 60, 199, 201, 299, 504, 599]
FROM_600 = [600, 606, 607, 610, 613, 629, 634, 700, 6010, 2**63]


def test_the_17_documented_codes_are_known() -> None:
    assert list(CODES) == list(MEANINGS)
    assert [one.number for one in CODES.values()] == list(MEANINGS)
    assert all(one.documented for one in CODES.values())


@pytest.mark.parametrize(("number", "meaning"), MEANINGS.items())
def test_each_code_means_what_the_contract_says(number: int, meaning: tuple[Effect, Verdict]) -> None:
    """For the next poll and for the credential; an answer means what its code does."""
    assert (code(number).effect, code(number).verdict) == meaning
    answer = Reading(code(number), 10, 4, 6)
    assert (answer.effect, answer.verdict) == meaning
    assert answer.answered
    assert code(number) is CODES[number]


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        *((number, Verdict.NEUTRAL) for number in UNDER_600),
        *((number, Verdict.UNKNOWN_FROM_SERVICE) for number in FROM_600),
    ],
)
def test_an_undocumented_code_is_trouble_and_from_600_on_perhaps_a_refusal(
    number: int, verdict: Verdict
) -> None:
    """The codes about logins are there: what isn't understood is not harmless. Nobody knows of a balance."""
    found = code(number)
    assert (found.number, found.label, found.documented) == (number, OTHER, False)
    assert (found.effect, found.verdict, found.exhausted) == (Effect.RETRY, verdict, False)
    assert found.meaning == "a code that the provider doesn't document"
    assert found.advice == "Ask the provider what it means; the exporter tries again."
    assert found.spanish == (
        "un código que el proveedor no documenta",
        "Pregunte al proveedor qué significa; el exportador vuelve a intentarlo.",
    )


def test_labels_are_the_codes_in_ascending_order_then_other() -> None:
    assert (*map(str, sorted(MEANINGS)), "other") == LABELS


@pytest.mark.parametrize("number", MEANINGS)
def test_each_code_is_counted_under_its_number(number: int) -> None:
    assert code(number).label == str(number)


def test_630_and_631_say_that_no_stamp_is_left() -> None:
    assert {number for number, one in CODES.items() if one.exhausted} == {630, 631}


def test_the_code_of_a_refusal_and_those_that_doubt_our_request() -> None:
    """Named, so that nobody else has to know a number."""
    assert codes.REFUSED is CODES[601]
    assert {611, 612} == codes.REQUEST_DOUBTED


@pytest.mark.parametrize("number", [*MEANINGS, *UNDER_600, *FROM_600])
def test_each_code_has_a_meaning_and_an_advice_for_people_in_both_languages(number: int) -> None:
    """The meaning is a part of a sentence, the advice is sentences."""
    found = code(number)
    for meaning, advice in ((found.meaning, found.advice), found.spanish):
        assert meaning[0].islower()
        assert not meaning.endswith(".")
        assert advice[0].isupper()
        assert advice.endswith(".")
    assert found.spanish[0] != found.meaning
    assert found.spanish[1] != found.advice
