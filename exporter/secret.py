"""A string whose value never shows: not in logs, not in tracebacks, not in a rendered configuration."""

import hmac
from typing import NoReturn

REDACTED = "<secret>"


class Secret:
    """A password or an address that holds one.

    Everything that turns an object into text gives `<secret>`; only `reveal()` gives the value, so that a
    search for that one word finds every place where a secret leaves. Not hashable: a hash by value would
    make the value guessable where hashes are shown, and one by identity would contradict `==`.
    """

    __hash__ = None  # type: ignore[assignment]  # Python's own way to say "not hashable"
    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the wire and for fingerprints, never for a text that people read."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED  # whatever the spec: a width or precision would act on the value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret.reveal().encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse pickling and copying, which both come through here."""
        raise TypeError("a secret can't be pickled or copied")
