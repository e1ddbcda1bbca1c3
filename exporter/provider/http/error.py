"""Why an answer could not be had."""

from exporter.account.outcome import Reason


class TransportError(Exception):
    """There is no answer, or not all of one; `detail` is safe to show.

    `sent` is false only where certainly no byte of the body has left this process.
    """

    def __init__(self, reason: Reason, detail: str, *, sent: bool = True) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.sent = sent
