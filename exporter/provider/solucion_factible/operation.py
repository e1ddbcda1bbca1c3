"""The operations that ask for balances: where, and with which envelope."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from exporter.account.outcome import Failure


@dataclass(frozen=True, slots=True)
class Operation:
    """How to ask for a balance: ``path`` on the provider's host, the SOAPAction and the envelope.

    ``template`` are the envelope's bytes around its parameters, one piece more than there are of these.
    ``order`` tells which parameter stands where: username (0), password (1) and, for an issuer, its RFC (2).
    """

    path: str
    soap_action: str
    template: tuple[bytes, ...] = field(repr=False)
    order: tuple[int, ...] = (0, 1)

    def envelope(self, *parameters: str) -> bytes:
        """Return the SOAP 1.1 envelope, UTF-8, that asks for a balance with these parameters."""
        pieces = [self.template[0]]
        for index, after in zip(self.order, self.template[1:], strict=True):
            pieces += _text(parameters[index]), after
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Operations:
    """The service's operations: that for accounts, and that for issuers or why there is none."""

    account: Operation
    issuer: Operation | Failure


def _text(value: str) -> bytes:
    # A carriage return that isn't written as a reference reaches the other side as a line feed.
    return escape(value, {"\r": "&#13;"}).encode()
