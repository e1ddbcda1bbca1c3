"""Reads an answer: takes what came over HTTP, returns what it says of the balance and of the credential.

It is strict where a wrong balance could come of it: the answer is whole, HTTP's status is 200, an integer is
an integer and stands there literally, a field that stands twice has no value, and nothing is ever guessed to
be 0. A refusal of the credential is taken wherever it can be read, also from what is cut, damaged or comes
under another status: a refusal that is overlooked is followed by another one.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from exporter.account.outcome import Code, Effect, Failure, Outcome, Reading, Reason, Verdict
from exporter.config.model import LARGEST_COUNT
from exporter.provider.solucion_factible.charset import CharsetError, in_utf8
from exporter.provider.solucion_factible.codes import code, issuer_code
from exporter.provider.solucion_factible.envelope import Envelope, EnvelopeError, statuses_in
from exporter.provider.solucion_factible.media_type import MediaType, media_type
from exporter.provider.solucion_factible.multipart import is_multipart, root_part
from exporter.provider.solucion_factible.retry_after import seconds

MAX_BYTES: Final = 1024 * 1024
"""Bytes of an answer that are read. It has about a thousand."""


_SPACE: Final = " \t\r\n"  # XML's white space, which xs:int allows around the digits
# Seventeen digits hold 2^53; a longer run of digits is rejected before Python is asked to convert it.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,17}")
_WEB_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_STARTS_AS_WEB_PAGE: Final = re.compile(
    rb"(?:[^<]++|<\?[^<>]*+>|<!--(?:(?!-->).)*+-->)*+<(?:!doctype\s+html|html|head|title|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_WORST_FIRST: Final = (Verdict.STOP, Verdict.REFUSED)
# Statuses of what stands in front of the service: it wasn't asked, or had no time for the question.
_NOT_THE_SERVICE: Final = frozenset({429, 502, 503, 504})

_media_type = lru_cache(maxsize=8)(media_type)  # it is the same in nearly every answer


class _UnusableError(Exception):
    """An answer can't be used; the message is safe to show."""

    def __init__(self, detail: str, verdict: Verdict = Verdict.UNKNOWN_FROM_SERVICE) -> None:
        super().__init__(detail)
        self.verdict = verdict


def _unusable(detail: str, verdict: Verdict = Verdict.UNKNOWN_FROM_SERVICE) -> Failure:
    return Failure(Reason.INVALID, detail, verdict=verdict)


_NO_ROOT_PART: Final = _unusable("the answer has no root part, or not all of it")
_WEB_PAGE: Final = _unusable("the answer is a web page", Verdict.UNKNOWN_ON_THE_WAY)


def read(
    status: int,
    content_type: str,
    body: bytes,
    *,
    now: float,
    whole: bool = True,
    retry_after: str | None = None,
    of_issuer: bool = False,
) -> Outcome:
    """Return what an answer says, or why it can't be used. It never raises, whatever came.

    ``status``, ``content_type`` and ``retry_after`` are HTTP's, ``now`` is Unix time, for a date in the last
    one. ``body`` is not ``whole`` where the answer was cut short, or is larger than ``MAX_BYTES``.
    ``of_issuer`` says that an issuer's balance was asked for, for which some codes mean something else.
    """
    media = _media_type(content_type)
    charset = media.charset
    readable = whole
    if is_multipart(media):
        part = root_part(media, body)
        readable = whole and part is not None and part.whole
        if part:
            body, charset = part.content, part.charset
    meaning = issuer_code if of_issuer else code
    outcome = _understood(body, charset, meaning) if readable else _NO_ROOT_PART
    if isinstance(outcome, Reading):
        if status == 200 or _is_refusal(outcome.code):
            return outcome
    elif outcome.reason is Reason.FAULT:
        return _slowed(outcome, status, retry_after, now)
    elif status == 200 and outcome.verdict is Verdict.ACCEPTED:
        return outcome
    refusal = _refusal(statuses_in(body))
    if refusal:
        return Reading(refusal)
    if status != 200:
        return _slowed(_of_http(status, media, body), status, retry_after, now)
    if not whole:
        return _cut(body)
    return _WEB_PAGE if _is_web_page(media, body) else outcome


def _understood(body: bytes, charset: str | None, meaning: Callable[[int], Code]) -> Outcome:
    """What a whole SOAP message says: its code, a fault, or why it can't be used."""
    try:
        return _said(Envelope(in_utf8(body, charset)), meaning)
    except CharsetError:
        return _unusable("the answer's charset is not known, or another one than it says")
    except EnvelopeError as error:
        return _unusable(str(error))
    except _UnusableError as error:
        return _unusable(str(error), error.verdict)


def _said(envelope: Envelope, meaning: Callable[[int], Code]) -> Outcome:
    refusal = _refusal(envelope.statuses)
    if refusal:
        # Its figures mean nothing, and must not get in the way of it.
        return Reading(refusal, message=envelope.fields.get("mensaje"))
    if envelope.fault:
        verdict = Verdict.UNKNOWN_FROM_SERVICE
        return Failure(Reason.FAULT, "the service answered with a SOAP fault", verdict=verdict)
    if envelope.returns != 1:
        raise _UnusableError("the answer has no return value, or several")
    return _reading(envelope.fields, envelope.repeated, meaning)


def _reading(fields: dict[str, str | None], repeated: set[str], meaning: Callable[[int], Code]) -> Reading:
    status = _integer(fields, "status", Verdict.UNKNOWN_FROM_SERVICE)
    if status is None:
        raise _UnusableError("the answer has no status")
    if "status" in repeated:
        raise _UnusableError("the answer has status more than once")
    meant = meaning(status)
    message = fields.get("mensaje")
    if meant.effect is not Effect.BALANCE:
        return Reading(meant, message=message)
    for name in repeated:
        raise _UnusableError(f"the answer has {name} more than once", Verdict.ACCEPTED)
    contracted = _figure(fields, "contratados")
    used = _figure(fields, "usados")
    available = _figure(fields, "disponibles")
    if not meant.exhausted and contracted is None and used is None and available is None:
        raise _UnusableError(f"the answer says {status} without figures", Verdict.ACCEPTED)
    if meant.exhausted and not contracted and not used and not available:
        # A service whose figures are primitive ints answers 0 where it has none. Taken as figures they
        # would say that nothing was ever bought, and the next real answer would count as consumption.
        contracted = used = available = None
    return Reading(meant, contracted, used, available, message)


def _figure(fields: dict[str, str | None], name: str) -> int | None:
    value = _integer(fields, name, Verdict.ACCEPTED)
    if value is not None and not 0 <= value <= LARGEST_COUNT:
        raise _UnusableError(f"the answer's {name} is negative or too large", Verdict.ACCEPTED)
    return value


def _integer(fields: dict[str, str | None], name: str, verdict: Verdict) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    text = text.strip(_SPACE)
    if not _INTEGER.fullmatch(text):
        raise _UnusableError(f"the answer's {name} is not an integer", verdict)
    return int(text)


def _refusal(statuses: list[str]) -> Code | None:
    """The worst of the statuses that are refusals of the credential."""
    texts = (text.strip(_SPACE) for text in statuses)
    codes = [code(int(text)) for text in texts if _INTEGER.fullmatch(text)]
    return next((one for verdict in _WORST_FIRST for one in codes if one.verdict is verdict), None)


def _is_refusal(meant: Code) -> bool:
    return meant.verdict in _WORST_FIRST


def _of_http(status: int, media: MediaType, body: bytes) -> Failure:
    """What a status other than 200 says, where the body says nothing.

    Redirects count as the service's: one to a page for logging in is a refusal, too.
    """
    if status in _NOT_THE_SERVICE:
        verdict = Verdict.NEUTRAL
    elif 500 <= status < 600 or (200 <= status < 300 and _is_web_page(media, body)):
        verdict = Verdict.UNKNOWN_ON_THE_WAY
    else:
        verdict = Verdict.UNKNOWN_FROM_SERVICE
    return Failure(Reason.HTTP, f"HTTP status {status}", verdict=verdict)


def _slowed(failure: Failure, status: int, retry_after: str | None, now: float) -> Failure:
    """Add that we ask too much, where HTTP says so."""
    if status == 429 or (status == 503 and retry_after is not None):
        return replace(failure, effect=Effect.SLOW_DOWN, retry_after=seconds(retry_after, now))
    return failure


def _cut(body: bytes) -> Failure:
    if len(body) >= MAX_BYTES:
        return _unusable("the answer is larger than 1 MiB")
    detail = "the connection was lost before the answer was complete"
    return Failure(Reason.CONNECTION, detail, verdict=Verdict.UNKNOWN_ON_THE_WAY)


def _is_web_page(media: MediaType, body: bytes) -> bool:
    return media.name in _WEB_PAGES or bool(_STARTS_AS_WEB_PAGE.match(body[:4096].replace(b"\0", b"")))
