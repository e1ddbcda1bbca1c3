"""PURE: what the address of the page asks for, and addresses that ask for something else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self
from urllib.parse import quote

from exporter.page.standing import Condition

LANGUAGES: Final = ("en", "es")
"""The languages of the page, the first for those who ask for neither."""

LONGEST_SEARCH: Final = 200
"""Characters of a search that count: as long as the longest name of an account."""


class Order(Enum):
    """In which order accounts are shown; the values are those of the address."""

    RUNS_OUT = "runs-out"
    """Those first that need stamps first."""
    BALANCE = "balance"
    """The fewest stamps first."""
    NAME = "name"


_CONDITIONS: Final = {condition.name.lower(): condition for condition in Condition}
_ORDERS: Final = {order.value: order for order in Order}


@dataclass(frozen=True, slots=True)
class Query:
    """What is to be shown, in which order. ``language`` is ``None`` where the browser's counts."""

    search: str = ""
    condition: Condition | None = None
    label: tuple[str, str] | None = None
    order: Order = Order.RUNS_OUT
    page: int = 1
    language: str | None = None
    refresh: bool = True

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Self:
        """Return what the parameters of an address ask for; what makes no sense doesn't count."""
        page, language = parameters.get("page", ""), parameters.get("lang")
        label, equals, value = parameters.get("label", "").partition("=")
        return cls(
            search=" ".join(parameters.get("q", "")[:LONGEST_SEARCH].split()),
            condition=_CONDITIONS.get(parameters.get("state", "")),
            label=(label, value) if equals else None,
            order=_ORDERS.get(parameters.get("order", ""), Order.RUNS_OUT),
            page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 10 else 1,
            language=language if language in LANGUAGES else None,
            refresh=parameters.get("refresh") != "off",
        )

    def parameters(self) -> dict[str, str]:
        """Return the parameters of this query; those that ask for nothing special aren't there."""
        given = {
            "q": self.search,
            "state": "" if self.condition is None else self.condition.name.lower(),
            "label": "=".join(self.label) if self.label else "",
            "order": "" if self.order is Order.RUNS_OUT else self.order.value,
            "page": str(self.page) if self.page > 1 else "",
            "lang": self.language or "",
            "refresh": "" if self.refresh else "off",
        }
        return {name: value for name, value in given.items() if value}

    @property
    def href(self) -> str:
        """The address of what this asks for, relative to the page's."""
        return "?" + "&".join(f"{name}={encoded(value)}" for name, value in self.parameters().items())

    def account(self, name: str) -> str:
        """Return the address of an account's own page, relative to the list's."""
        kept = Query(language=self.language, refresh=self.refresh).parameters()
        if name.strip(".") or len(name) > 2:
            path = encoded(name)
        else:  # "." and "..": a browser would leave them out of a path
            path, kept = "", {"name": name, **kept}
        return (
            f"./account/{path}"
            + ("?" if kept else "")
            + "&".join(f"{k}={encoded(v)}" for k, v in kept.items())
        )


def preferred(languages: Sequence[tuple[str, float]]) -> str:
    """Return the language of the page for a browser's preferences, with their qualities.

    Of equal ones the first counts.
    """
    best, quality = LANGUAGES[0], 0.0
    for tag, q in languages:
        language = LANGUAGES[0] if tag == "*" else tag.partition("-")[0]
        if language in LANGUAGES and q > quality:
            best, quality = language, q
    return best


def encoded(text: str) -> str:
    """Return text as it stands in an address; a lone surrogate, which has no UTF-8, becomes "?"."""
    return quote(text.encode("utf-8", "replace"), safe="")
