"""A secret shows itself nowhere by accident."""

import copy
import json
import pickle
from dataclasses import dataclass

import pytest

from exporter.secret import REDACTED, Secret

VALUE = "hunter2 ñ$"


@dataclass(frozen=True)
class Holder:
    """Stands for any object with a secret in it."""

    password: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(VALUE)),
        str(Secret(VALUE)),
        f"{Secret(VALUE)}",
        f"{Secret(VALUE):>4.2}",
        f"{Secret(VALUE)!r}",
        "%s" % Secret(VALUE),  # noqa: UP031  # logging formats this way
    ],
)
def test_every_text_is_redacted(shown: str) -> None:
    """Whatever turns it into text, widths and precisions included."""
    assert shown == REDACTED == "<secret>"


def test_redacted_inside_other_objects() -> None:
    """A dataclass or a list that holds one can be logged."""
    assert VALUE not in repr([Holder(Secret(VALUE))])


def test_reveal() -> None:
    """The one way out."""
    assert Secret(VALUE).reveal() == VALUE


def test_equality_by_value() -> None:
    """A reload compares credentials; a secret is never equal to its text."""
    assert Secret(VALUE) == Secret("".join(VALUE))
    assert Secret(VALUE) != Secret("other")
    assert Secret("\ud800") != Secret("\ud801")
    assert Secret(VALUE) != VALUE
    assert Holder(Secret(VALUE)) == Holder(Secret(VALUE))


def test_no_hash() -> None:
    """A hash would make the value guessable."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(VALUE))


def test_no_copies() -> None:
    """Pickles and JSON texts end in files and on the wire."""
    with pytest.raises(TypeError, match="pickled or copied"):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError, match="pickled or copied"):
        copy.copy(Secret(VALUE))
    with pytest.raises(TypeError, match="pickled or copied"):
        copy.deepcopy(Holder(Secret(VALUE)))
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(Secret(VALUE))


def test_no_attributes() -> None:
    """`vars()`, on which many a dumper relies, finds nothing."""
    with pytest.raises(TypeError, match="__dict__"):
        vars(Secret(VALUE))
