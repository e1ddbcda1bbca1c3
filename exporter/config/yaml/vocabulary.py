"""Which keys a message may name: what YAML takes for a key can be a piece of a secret."""

import re
from dataclasses import dataclass
from typing import Final

from exporter.suggestion import closest

_SECRET_WORD: Final = re.compile(r"pass|pwd|pw\b|secret|contrase|clave|token|cred", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The keys that a file may have."""

    known: frozenset[str]
    """None of them can be a piece of a secret: they may be named whatever they hold."""
    secret: frozenset[str] = frozenset()
    """Those whose value is a secret, or where some put one."""

    def guards(self, key: str) -> bool:
        """Return whether a key's value may be a secret, also where the key itself is misspelled.

        ``password: abc,Zebra: Tiger`` in braces has the piece Zebra as its next key.
        """
        if key in self.known:
            return key in self.secret
        return bool(self.secret) and bool(closest(key, self.secret) or _SECRET_WORD.search(key))
