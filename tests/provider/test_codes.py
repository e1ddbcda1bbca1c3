"""The provider's documented codes, against the table in docs/design.md of what follows from each."""

import pytest

from exporter.account.outcome import Effect, Verdict
from exporter.provider.solucion_factible.codes import CODES, LABELS, OTHER, REQUEST_DOUBTED, code

BALANCE = (Effect.BALANCE, Verdict.ACCEPTED)
TROUBLE = (Effect.RETRY, Verdict.NEUTRAL)
BUSY = (Effect.SLOW_DOWN, Verdict.NEUTRAL)
REFUSED = (Effect.RETRY, Verdict.REFUSED)
STOP = (Effect.RETRY, Verdict.STOP)

# "How an account is treated" in docs/design.md.
KINDS = {
    200: BALANCE,
    500: TROUBLE,
    501: TROUBLE,
    502: TROUBLE,
    503: BUSY,
    601: REFUSED,
    602: STOP,
    603: STOP,
    604: STOP,
    605: STOP,
    611: TROUBLE,
    612: TROUBLE,
    624: TROUBLE,
    630: BALANCE,
    631: BALANCE,
    632: BUSY,
    633: STOP,
}


def test_the_17_documented_codes_are_known() -> None:
    assert list(CODES) == list(KINDS)
    assert [one.number for one in CODES.values()] == list(KINDS)
    assert all(one.documented for one in CODES.values())


@pytest.mark.parametrize(("number", "kind"), KINDS.items())
def test_each_code_means_what_the_design_says(number: int, kind: tuple[Effect, Verdict]) -> None:
    assert (code(number).effect, code(number).verdict) == kind
    assert code(number) is CODES[number]


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        *((number, Verdict.NEUTRAL) for number in (0, -1, 1, 199, 201, 504, 599, -(2**63))),
        *((number, Verdict.UNKNOWN_FROM_SERVICE) for number in (600, 606, 620, 629, 634, 699, 700, 2**63)),
    ],
)
def test_an_undocumented_code_from_600_on_may_be_about_the_login(number: int, verdict: Verdict) -> None:
    found = code(number)
    assert (found.number, found.label, found.effect, found.verdict) == (
        number,
        OTHER,
        Effect.RETRY,
        verdict,
    )
    assert not found.documented
    assert not found.exhausted
    assert found.meaning == "a code that the provider doesn't document"
    assert found.advice == "Ask the provider what it means; the exporter tries again."


def test_labels_are_the_codes_in_ascending_order_then_other() -> None:
    assert (*map(str, sorted(KINDS)), "other") == LABELS
    assert [one.label for one in CODES.values()] == list(LABELS[:-1])


def test_630_and_631_say_that_no_stamp_is_left() -> None:
    assert {one.number for one in CODES.values() if one.exhausted} == {630, 631}


def test_611_and_612_doubt_the_request() -> None:
    assert {611, 612} == REQUEST_DOUBTED


@pytest.mark.parametrize("number", KINDS)
def test_each_code_has_a_meaning_and_an_advice_for_people(number: int) -> None:
    """The meaning is a part of a sentence, the advice is sentences."""
    meant = code(number)
    assert meant.meaning[0].islower()
    assert not meant.meaning.endswith(".")
    assert meant.advice[0].isupper()
    assert meant.advice.endswith(".")
