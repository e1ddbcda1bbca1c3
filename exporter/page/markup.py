"""PURE: HTML. The one place that escapes: whatever isn't `Html` already is text and is written as such."""

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Final

_VOID: Final = frozenset({"input", "meta"})
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that a document can't carry, or that parsers don't agree on."""


_SPECIAL: Final = re.compile(f"[&<>\"']|{_NO_TEXT.pattern}")
"""What can't stand as it is; most texts have none of it."""


class Html(str):
    """A piece of a document: text that is markup already."""

    __slots__ = ()


def html(content: str) -> Html:
    """Return text as HTML, and HTML as it is."""
    return content if isinstance(content, Html) else Html(_escaped(content))


def element(tag: str, /, *content: str | None, **attributes: str | None) -> Html:
    """Return an element; ``None`` leaves a piece of content or an attribute out.

    ``class_`` is the attribute ``class``, ``aria_label`` is ``aria-label``.
    """
    written = "".join(
        f' {_attribute(key)}="{_escaped(value)}"' for key, value in attributes.items() if value is not None
    )
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{joined(content)}</{tag}>")


@cache
def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def joined(content: Iterable[str | None], separator: str = "") -> Html:
    """Return pieces of content one after the other."""
    pieces = [piece if isinstance(piece, Html) else _escaped(piece) for piece in content if piece is not None]
    return Html(_escaped(separator).join(pieces))


def sentence(template: str, **fields: str) -> Html:
    """Return a sentence whose ``{fields}`` may be text or HTML."""
    return Html(_escaped(template).format_map({name: html(value) for name, value in fields.items()}))


def name(text: str, class_: str | None = None) -> Html:
    """Return a name from outside: whichever direction it is written in, the text around it isn't affected."""
    return element("bdi", text, class_=class_)


def _escaped(text: str) -> str:
    return escape(_NO_TEXT.sub("\ufffd", text)) if _SPECIAL.search(text) else text
