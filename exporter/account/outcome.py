"""What a poll ends in: a reading of the provider's answer, or a failure to get one.

An outcome says its own meaning: what follows for the next poll (``Effect``) and what it says of the
credential that it was sent with (``Verdict``). Which code means what, a provider's package says.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Effect(Enum):
    """What an outcome means for the time of the next poll."""

    BALANCE = auto()
    """It gives the balance: ask again after the interval."""
    SLOW_DOWN = auto()
    """The provider wants fewer calls: wait longer and longer between polls."""
    RETRY = auto()
    """No balance: try again soon, then less and less often, where the verdict allows it."""
    GIVE_UP = auto()
    """This balance can't be asked for, and no other answer is to come until a person has acted."""


class Verdict(Enum):
    """What an outcome says of the credential that it was sent with."""

    ACCEPTED = auto()
    """The provider has let it in."""
    NEUTRAL = auto()
    """It says nothing: the provider didn't look at the credential, or it wasn't sent."""
    REFUSED = auto()
    """It is wrong. Every further try counts against the account at the provider."""
    STOP = auto()
    """Asking again can only do harm until a person has acted."""
    UNKNOWN_FROM_SERVICE = auto()
    """The service answered, and what that means isn't known: it may have been a refusal."""
    UNKNOWN_ON_THE_WAY = auto()
    """The try was sent, and its answer got lost: an outage is likelier than a refusal."""


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
class Code:
    """One of a provider's codes, and what it means.

    ``label`` is the value of the label ``code``, which is bounded: undocumented codes share one. ``meaning``
    is a part of a sentence, ``advice`` are sentences on what a person can do; ``spanish`` are both in
    Spanish. ``exhausted`` says that no stamp is left, with or without figures.
    """

    number: int
    label: str
    effect: Effect
    verdict: Verdict
    meaning: str
    advice: str
    spanish: tuple[str, str]
    documented: bool = True
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A poll without an answer that can be used.

    ``detail`` is this project's own text, never the provider's: an answer can echo the password. ``sent`` is
    false where the credential didn't leave the process. ``retry_after`` is how many seconds the provider
    wants us to wait, where it says so.
    """

    reason: Reason
    detail: str
    sent: bool = True
    verdict: Verdict = Verdict.UNKNOWN_ON_THE_WAY
    effect: Effect = Effect.RETRY
    retry_after: float | None = None

    @property
    def answered(self) -> bool:
        """Whether the service itself has answered, whatever it said."""
        return self.verdict not in (Verdict.NEUTRAL, Verdict.UNKNOWN_ON_THE_WAY)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer says; ``None`` where it doesn't say it.

    ``contracted``, ``used`` and ``available`` are stamps. ``message`` is the provider's text for people and
    not to be trusted.
    """

    code: Code
    contracted: int | None = None
    used: int | None = None
    available: int | None = None
    message: str | None = None

    @property
    def effect(self) -> Effect:
        """What follows for the next poll."""
        return self.code.effect

    @property
    def verdict(self) -> Verdict:
        """What it says of the credential."""
        return self.code.verdict

    @property
    def answered(self) -> bool:
        """Whether the service itself has answered: always."""
        return True


Outcome = Reading | Failure


def unsent(reason: Reason, detail: str) -> Failure:
    """Return the failure of a poll whose credential did not leave the process."""
    return Failure(reason, detail, sent=False, verdict=Verdict.NEUTRAL)
