"""The state of an account or issuer as lines of the text format. Pure: no clock, no network, no storage.

The lines of samples are the same in the text format 0.0.4 and in OpenMetrics 1.0; only the headers of the
families differ.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client.utils import floatToGoString

from exporter.account.state import State
from exporter.clock import Moment
from exporter.config import Account, Issuer
from exporter.exposition.families import (
    ACCOUNT_FAMILIES,
    ISSUER_FAMILIES,
    CountFamily,
    Family,
    Labels,
    Times,
    Values,
)

_MILLION: Final = 1_000_000  # from here on Go, and so Prometheus, writes an exponent


def header(family: Family | CountFamily, *, openmetrics: bool) -> bytes:
    """Return a family's HELP and TYPE lines."""
    name = family.name.removesuffix("_total") if openmetrics else family.name
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n".encode()


class Writer:
    """Writes the lines of one account, or of an ``issuer`` under it.

    What never changes about them is written once, for all accounts and issuers. ``of`` is what the
    configuration says of it.
    """

    __slots__ = ("_families", "_name", "_templates", "account", "of")

    def __init__(self, account: Account, issuer: Issuer | None = None) -> None:
        self.account = account
        self.of: Account | Issuer = issuer or account
        self._families = ISSUER_FAMILIES if issuer else ACCOUNT_FAMILIES
        shared = _SHARED_OF_ISSUERS if issuer else _SHARED
        names = {"account": account.name} | ({"issuer": issuer.name} if issuer else {})
        self._name = '",issuer="'.join(map(_escaped, names.values()))
        self._templates = tuple(
            (_own_template(family, (*family.own_labels(self.of), *names.items())),)
            if isinstance(family, Family) and family.own_labels
            else templates
            for family, templates in zip(self._families, shared, strict=True)
        )

    def lines(
        self, state: State, at: Moment, before: tuple[State, Moment] | None = None
    ) -> list[bytes | None]:
        """Return the lines for a state at a moment, in one piece for each of the families.

        ``before`` is what they were last written for: those that are still the same are ``None``.
        """
        of, name = self.of, self._name
        lines: list[bytes | None] = []
        for family, templates in zip(self._families, self._templates, strict=True):
            if isinstance(family, CountFamily):
                times = family.times(state, at)
                same = before and times == family.times(*before)
                lines.append(None if same else _count_lines(templates[0], name, times))
            else:
                values = family.values(of, state, at)
                same = before and values == family.values(of, *before)
                lines.append(None if same else _lines(templates, name, values))
        return lines


def _lines(templates: Sequence[str], name: str, values: Values) -> bytes:
    if len(templates) == 1:
        value = values[0]
        return b"" if value is None else (templates[0] % (name, _number(value))).encode()
    lines = [
        template % (name, _number(value))
        for template, value in zip(templates, values, strict=True)
        if value is not None
    ]
    return "".join(lines).encode()


def _count_lines(template: str, name: str, times: Times) -> bytes:
    return "".join([template % (name, _escaped(label), _number(value)) for label, value in times]).encode()


def _number(value: float) -> str:
    # Most values are small whole numbers, for which prometheus_client's way takes five times as long.
    if type(value) is int and -_MILLION < value < _MILLION:
        return f"{value}.0"
    return str(floatToGoString(value))


def _template(family: Family, labels: Labels) -> str:
    """Return a line with a place for the names, of account and issuer, and one for the value."""
    # prometheus_client sorts the labels, too: nothing comes between `account` and `issuer`, where both are.
    shown = "".join(f',{key}="{value}"' for key, value in sorted(labels))
    return f'{family.name}{{account="%s"{shown}}} %s\n'


def _own_template(family: Family, labels: Labels) -> str:
    """Return a line with all labels and a place for the value. That for the names takes them and is empty."""
    shown = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels))
    return f"{family.name}%.0s{{{shown.replace('%', '%%')}}} %s\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _shared(families: Sequence[Family | CountFamily]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        # `account` sorts before the label of a count.
        (f'{family.name}{{account="%s",{family.label}="%s"}} %s\n',)
        if isinstance(family, CountFamily)
        else tuple(_template(family, labels) for labels in family.labels)
        for family in families
    )


_SHARED: Final = _shared(ACCOUNT_FAMILIES)
_SHARED_OF_ISSUERS: Final = _shared(ISSUER_FAMILIES)
