"""Signs that a username or a password isn't what was meant: polling with a wrong one costs failed logins.

No remark holds a piece of what it is about: it says what kind of character or form was found, and where.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from exporter.config.characters import described, is_blank, is_invisible

_QUOTES: Final = ("''", '""', "``")
_TYPOGRAPHIC: Final = frozenset("“”„‟‘’‚‛«»‹›–—…")
"""What word processors and chats put in the place of quotes, hyphens and dots."""

_SETTING: Final = r"pass|pwd|secret|contrase|clave|token"
"""Words in the name of a setting that holds a password."""

_TEMPLATE: Final = "a template that was never filled in"
_PLACEHOLDER: Final = "a placeholder"
_LINE: Final = "a line with the name of a setting before its value"
_FORMS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), text)
    for pattern, text in (
        (r"\$\{[^}]*\}|\$\([^)]+\)|\{\{.*\}\}|\{%.*%\}|<%.*%>|#\{[^}]+\}", _TEMPLATE),
        (r"\A(%\w|%\(\w+\)\w?|%\w+%|@\w+@|__\w+__|\{\w*\})\Z", _TEMPLATE),
        (rf"\A\$([A-Z_]*({_SETTING})\w*|(?-i:[A-Z_][A-Z0-9_]*))\Z", "the name of a variable after a $"),
        (r"\A(<[^<>%][^<>]*>|\[[^][]*\])\Z", _PLACEHOLDER),
        (r"\A([*•●∙·x.?_-])\1{2,}\Z", _PLACEHOLDER),
        (r"\A(change[ _-]?(me|it)|cambia(me|r)?|replace[ _-]?(me|this)|todo|tbd|fixme)\W*\Z", _PLACEHOLDER),
        (r"\A(vault:|op://|arn:aws:|projects/[^/]+/secrets/)", "the address of a secret"),
        (r"\A(ENC\[|\$ANSIBLE_VAULT|-----BEGIN|age-encryption)", "a secret that is still encrypted"),
        (rf"\A(export\s+)?[A-Z_]*({_SETTING})[A-Z_ñ]*\s*[=:]", _LINE),
        (r"\A(export\s+)?(?-i:[A-Z][A-Z0-9_]*)=\S", _LINE),
        (r"&(amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);", "text that is escaped for HTML or XML"),
        (r"\\r?\\?n\Z", "text with a line end that is spelled out"),
    )
)


_PLAIN: Final = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
"""What most usernames are, and nothing is odd about."""


def remarks(text: str, *, from_outside: bool) -> list[str]:
    """Return the signs that a username or password isn't what was meant, each as the rest of a sentence.

    ``from_outside`` tells whether it comes from a file or a variable, where nothing takes off quotes and
    comments.
    """
    if _PLAIN.fullmatch(text):
        return []
    start, end = _core(text)
    core = text[start:end]
    found = [] if text.isascii() and text.isprintable() and core == text else _characters(text, start, end)
    found += [f"looks like {form}" for form in dict.fromkeys(_forms(core))]
    if core[:1] + core[-1:] in _QUOTES and len(core) > 1:
        found.append("stands in quotes, which belong to it")
    if from_outside and re.search(r"\s#", core):
        found.append("holds a # after a blank: there are no comments here")
    return found


def is_empty(text: str) -> bool:
    """Return whether a text has nothing but blanks and invisible characters."""
    return _core(text)[0] == len(text)


def _characters(text: str, start: int, end: int) -> list[str]:
    """Return what is odd about single characters; what isn't blank or invisible is from start to end."""
    core = text[start:end]
    found = [
        f"{verb} {listed}"
        for verb, listed in (
            ("begins with", _listed(text[:start])),
            ("ends with", _listed(text[end:])),
            ("holds", _listed(c for c in core if is_invisible(c) or (is_blank(c) and c != " "))),
        )
        if listed
    ]
    if typographic := _listed(c for c in core if c in _TYPOGRAPHIC):
        found.append(f"holds {typographic}, which programs put in the place of what was typed")
    if "\ufffd" in core or _was_misread(core):
        found.append("looks like text that was read in another encoding than it was written in")
    elif unicodedata.normalize("NFC", core) != core:
        found.append("has a letter that is written as two characters (it isn't in Unicode's NFC)")
    return found


def _core(text: str) -> tuple[int, int]:
    """Return where a text begins and ends without the blanks and invisible characters around it."""
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return start, end


def _is_unseen(character: str) -> bool:
    return is_blank(character) or is_invisible(character)


def _listed(characters: Iterable[str]) -> str:
    each = dict.fromkeys("".join(characters).replace("\r\n", "\n"))
    return " and ".join(described(character) for character in each)


def _forms(core: str) -> Iterator[str]:
    for pattern, text in _FORMS:
        if pattern.search(core):
            yield text
    if core[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            json.loads(core)
            yield "JSON"


def _was_misread(text: str) -> bool:
    """Return whether UTF-8 was taken for Windows' or ISO's Western charset, as in ``Ã±``."""
    for charset in ("cp1252", "latin-1"):
        with suppress(UnicodeError):
            if text.encode(charset).decode("utf-8") != text:
                return True
    return False
