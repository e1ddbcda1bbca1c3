"""The provider's documented codes, against the contract's table of what follows from each."""

import pytest

from exporter.account.codes import (
    CODES,
    EXHAUSTED,
    OTHER,
    RESPONSE_LABELS,
    Effect,
    advice,
    effect,
    meaning,
    slot,
)

# "How an account is treated" in the contract.
EFFECTS = {
    200: Effect.BALANCE,
    500: Effect.RETRY,
    501: Effect.RETRY,
    502: Effect.RETRY,
    503: Effect.SLOW_DOWN,
    601: Effect.REFUSED,
    602: Effect.STOP,
    603: Effect.STOP,
    604: Effect.STOP,
    605: Effect.STOP,
    611: Effect.RETRY,
    612: Effect.RETRY,
    624: Effect.RETRY,
    630: Effect.BALANCE,
    631: Effect.BALANCE,
    632: Effect.SLOW_DOWN,
    633: Effect.STOP,
}

UNDOCUMENTED = [0, -1, 1, 199, 201, 504, 600, 606, 629, 634, 2**63]


def test_the_17_documented_codes_are_known() -> None:
    assert list(CODES) == list(EFFECTS)
    assert [code.number for code in CODES.values()] == list(EFFECTS)


@pytest.mark.parametrize(("number", "expected"), EFFECTS.items())
def test_each_code_has_the_effect_of_the_contract(number: int, expected: Effect) -> None:
    assert effect(number) is expected
    assert CODES[number].effect is expected


@pytest.mark.parametrize("number", UNDOCUMENTED)
def test_an_undocumented_code_is_the_provider_s_trouble_and_counted_as_other(number: int) -> None:
    assert effect(number) is Effect.RETRY
    assert RESPONSE_LABELS[slot(number)] == OTHER
    assert meaning(number) == "a code that the provider doesn't document"
    assert advice(number) == "Ask the provider what it means; the exporter tries again."


def test_response_labels_are_the_codes_in_ascending_order_then_other() -> None:
    assert (*map(str, sorted(EFFECTS)), "other") == RESPONSE_LABELS


@pytest.mark.parametrize("number", EFFECTS)
def test_each_code_is_counted_in_the_slot_of_its_label(number: int) -> None:
    assert RESPONSE_LABELS[slot(number)] == str(number)


def test_630_and_631_say_that_no_stamp_is_left() -> None:
    assert {630, 631} == EXHAUSTED


@pytest.mark.parametrize("number", EFFECTS)
def test_each_code_has_a_meaning_and_an_advice_for_people(number: int) -> None:
    """The meaning is a part of a sentence, the advice is sentences."""
    assert meaning(number) == CODES[number].meaning
    assert meaning(number)[0].islower()
    assert not meaning(number).endswith(".")
    assert advice(number) == CODES[number].advice
    assert advice(number)[0].isupper()
    assert advice(number).endswith(".")
