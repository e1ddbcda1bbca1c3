"""What a poll ends in: a reading of the provider's answer, or a failure to get one."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a poll got no answer. Values of the label ``reason``, in the order of the failure counters."""

    TIMEOUT = "timeout"
    """No complete answer within the account's time limit."""
    CONNECTION = "connection"
    """No connection, or it was lost before the answer was complete."""
    TLS = "tls"
    """The provider's certificate isn't valid for it, or no secure connection could be agreed on."""
    HTTP = "http"
    """An HTTP status other than 200, redirects included."""
    FAULT = "fault"
    """The service answered with a SOAP fault."""
    INVALID = "invalid"
    """An answer that can't be read, is too large, or lacks what it must have."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A poll without an answer.

    ``detail`` is this project's own text, never the provider's: an answer can echo the password.
    ``sent`` is false where the credential didn't leave the process.
    """

    reason: Reason
    detail: str
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer says; ``None`` where it doesn't say it.

    ``contracted``, ``used`` and ``available`` are stamps (the provider's ``contratados``, ``usados`` and
    ``disponibles``). ``message`` is the provider's text for people and not to be trusted.
    """

    status: int
    contracted: int | None = None
    used: int | None = None
    available: int | None = None
    message: str | None = None


Outcome = Reading | Failure
