"""A string whose value never shows: not in logs, not in tracebacks, not in a rendered configuration."""

import hmac
from base64 import b64encode
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus

REDACTED = "<secret>"

_SHORTEST: Final = 4


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

    def stands_in(self, text: str) -> bool:
        """Tell whether the value stands in a text, in any case and in any of the forms that it travels in.

        Of less than four characters only the whole text counts: they stand in too many.
        """
        folded = text.casefold()
        forms = _forms(self._value)
        return folded in forms or any(form in folded for form in forms if len(form) >= _SHORTEST)

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


def _forms(value: str) -> set[str]:
    """Return a value as it is and as URLs, XML, basic auth and a dump of bytes have it, without its case."""
    octets = value.encode("utf-8", "surrogatepass")
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    forms = {value, escaped, quote(octets), quote(octets, safe=""), quote_plus(octets)}
    forms |= {b64encode(octets).decode().rstrip("="), octets.hex()}
    return {form.casefold() for form in forms} - {""}
