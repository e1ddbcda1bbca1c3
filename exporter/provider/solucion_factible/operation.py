"""The operation that asks for a balance: where, and with which envelope."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True)
class Operation:
    """How to ask for a balance: ``path`` on the provider's host, the SOAPAction and the envelope.

    ``template`` are the envelope's bytes before, between and after the two parts of the credential.
    """

    path: str
    soap_action: str
    template: tuple[bytes, bytes, bytes] = field(repr=False)
    username_first: bool = True

    def envelope(self, username: str, password: str) -> bytes:
        """Return the SOAP 1.1 envelope, UTF-8, that asks for the balance with this credential."""
        first, second = (username, password) if self.username_first else (password, username)
        before, between, after = self.template
        return before + _text(first) + between + _text(second) + after


def _text(value: str) -> bytes:
    # A carriage return that isn't written as a reference reaches the other side as a line feed.
    return escape(value, {"\r": "&#13;"}).encode()
