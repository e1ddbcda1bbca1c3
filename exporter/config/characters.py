"""Characters that people don't see, and texts without them."""

import unicodedata
from typing import Final

_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, formats, surrogates and separators of lines and paragraphs."""

# What else nothing is drawn for: joiners, fillers and selectors that Unicode counts as marks and letters
# (Default_Ignorable_Code_Point of its DerivedCoreProperties.txt), and the braille pattern without a dot.
_OTHERS: Final = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))

_NAMES: Final = {
    " ": "a blank",
    "\t": "a tab",
    "\n": "a line end",
    "\r": "a carriage return",
    "\ufeff": "a byte order mark",
}


def is_invisible(character: str) -> bool:
    """Return whether nothing is drawn for a character; blanks of every kind are not among these."""
    return unicodedata.category(character) in _CATEGORIES or character in _OTHERS


def is_blank(character: str) -> bool:
    """Return whether a character is white space of any kind, line ends included."""
    return character.isspace() or unicodedata.category(character).startswith("Z")


def described(character: str) -> str:
    """Return what a character is called, with its code point: ``a zero width space (U+200B)``."""
    code = f"U+{ord(character):04X}"
    if character in _NAMES:
        return _NAMES[character] if character in " \t\n" else f"{_NAMES[character]} ({code})"
    name = unicodedata.name(character, "control character" if character < "\xa0" else "unknown character")
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name.lower()} ({code})"


def folded(text: str) -> str:
    """Return a text for comparing: two that look alike to people become the same.

    In Unicode's NFKC, case folded, without invisible characters and without white space around it. Folding
    a second time changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text.casefold().strip()
    while text != (once := _folded_once(text)):
        text = once
    return text


def _folded_once(text: str) -> str:
    # Blanks first: a line end at either end goes as one, wherever else it goes as an invisible character.
    text = unicodedata.normalize("NFKC", text).casefold().strip()
    visible = "".join(character for character in text if not is_invisible(character))
    return unicodedata.normalize("NFKC", visible).strip()
