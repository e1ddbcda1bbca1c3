"""What the provider may answer to a login, and what the guard's contract says that it means."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Says(Enum):
    """What an answer that was heard says about the credential."""

    ACCEPTED = "accepted"
    NEUTRAL = "neutral"
    REFUSED = "refused"
    STOP = "stop"
    SERVICE = "unknown, from the service"
    UNKNOWN = "unknown"  # its try stays open; whether it counts as from the service is the reader's matter
    REFUSED_OR_UNKNOWN = "refused, where it is readable"


class End(Enum):
    """How the connection goes on after what is sent."""

    KEPT = "kept"
    CUT = "cut"  # closed before the last byte that was promised
    RESET = "reset"


@dataclass(frozen=True)
class Answer:
    """An answer on the wire."""

    name: str
    says: Says
    status: int = 200
    body: bytes = b""
    content_type: str = "text/xml; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    end: End = End.KEPT
    delay: float = 0.0
    """In timeouts of the account; from 1 on the caller has given up."""
    silent: bool = field(default=False)
    """Nothing at all is sent."""


def envelope(status: str, message: str = "mensaje", figures: str = "") -> str:
    """An answer of the service."""
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<ns:getTimbresImplementacionResponse xmlns:ns="urn:utilerias"><ns:return>'
        f"{figures}<ns:mensaje>{message}</ns:mensaje><ns:status>{status}</ns:status>"
        "</ns:return></ns:getTimbresImplementacionResponse></soapenv:Body></soapenv:Envelope>"
    )


FIGURES = (
    "<ns:contratados>1000</ns:contratados><ns:disponibles>600</ns:disponibles><ns:usados>400</ns:usados>"
)
FAULT = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><soapenv:Fault>'
    "<faultcode>{code}</faultcode><faultstring>error</faultstring>"
    "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)
HTML = b"<!DOCTYPE html><html><head><title>error</title></head><body><p>error</body></html>"
EMPTY_FOLDER = "text/html; charset=iso-8859-1"
BOUNDARY = "MIMEBoundary_0a1b"


def accepted() -> Answer:
    """What a right password gets."""
    return Answer("200", Says.ACCEPTED, body=envelope("200", figures=FIGURES).encode())


def coded(code: int, says: Says) -> Answer:
    """A code of the service in an ordinary answer."""
    return Answer(str(code), says, body=envelope(str(code)).encode())


def _refusal(name: str, says: Says = Says.REFUSED, text: str = envelope("601"), **wire: object) -> Answer:
    return Answer(name, says, **{"body": text.encode(), **wire})  # type: ignore[arg-type]


def _multipart(text: str) -> bytes:
    return (
        f"--{BOUNDARY}\r\n"
        'Content-Type: application/xop+xml; charset=UTF-8; type="text/xml"\r\n'
        "Content-Transfer-Encoding: binary\r\nContent-ID: <root@utilerias>\r\n\r\n"
        f"{text}\r\n--{BOUNDARY}--\r\n"
    ).encode()


_ACCENTS = envelope("601", "Autenticación inválida")

REFUSALS: dict[str, Answer] = {
    one.name: one
    for one in (
        _refusal("601"),
        _refusal("601 under HTTP 401", status=401),
        _refusal("601 under HTTP 403", status=403),
        _refusal("601 under HTTP 500", status=500),
        _refusal(
            "601 in ISO-8859-1 that HTTP alone names",
            body=_ACCENTS.encode("iso-8859-1"),
            content_type="text/xml; charset=ISO-8859-1",
        ),
        _refusal(
            "601 in windows-1252 that XML names",
            body=('<?xml version="1.0" encoding="Cp1252"?>' + _ACCENTS).encode("cp1252"),
            content_type="text/xml",
        ),
        _refusal(
            "601 in MTOM",
            body=_multipart(_ACCENTS),
            content_type=(
                f'multipart/related; boundary="{BOUNDARY}"; type="application/xop+xml"; '
                'start="<root@utilerias>"; start-info="text/xml"'
            ),
        ),
        _refusal(
            "601 with markup in mensaje", Says.REFUSED_OR_UNKNOWN, envelope("601", "<b>mal</b> &lt;b&gt;")
        ),
        _refusal("601.0", Says.REFUSED_OR_UNKNOWN, envelope("601.0")),
        _refusal(
            "601 cut after </status>",
            Says.REFUSED_OR_UNKNOWN,
            envelope("601").partition("</ns:return>")[0],
            end=End.CUT,
        ),
        _refusal(
            "fault Client.Authentication",
            Says.REFUSED_OR_UNKNOWN,
            FAULT.format(code="soapenv:Client.Authentication"),
            status=500,
        ),
        _refusal("601, slow but in time", delay=0.4),
    )
}
"""How a wrong password may be told that it is wrong, so that it can be read (or perhaps can)."""

SERVICE = Says.SERVICE
TROUBLE: dict[str, Answer] = {
    one.name: one
    for one in (
        *(coded(code, Says.NEUTRAL) for code in (500, 501, 502, 503, 611, 612, 624, 632)),
        *(coded(code, Says.STOP) for code in (602, 603, 604, 605, 633)),
        coded(699, SERVICE),
        coded(640, SERVICE),
        Answer("fault", SERVICE, status=500, body=FAULT.format(code="soapenv:Server").encode()),
        Answer("garbage", SERVICE, body=b"\x00\x01 not a word of XML \xff"),
        Answer("nothing, under HTTP 401", SERVICE, status=401, headers=(("WWW-Authenticate", "Basic"),)),
        Answer("nothing, under HTTP 403", SERVICE, status=403),
        Answer("nothing, under HTTP 404", SERVICE, status=404),
        Answer("HTML under HTTP 401", Says.UNKNOWN, status=401, body=HTML, content_type=EMPTY_FOLDER),
        Answer("HTML under HTTP 200", Says.UNKNOWN, body=HTML, content_type=EMPTY_FOLDER),
        Answer("HTML under HTTP 500", Says.UNKNOWN, status=500, body=HTML, content_type=EMPTY_FOLDER),
        *(
            Answer(
                f"HTML under HTTP {status}", Says.NEUTRAL, status=status, body=HTML, content_type=EMPTY_FOLDER
            )
            for status in (429, 502, 503, 504)
        ),
        Answer("nothing, under HTTP 503", Says.NEUTRAL, status=503),
        Answer("reset", Says.UNKNOWN, end=End.RESET, silent=True),
        Answer("closed without a byte", Says.UNKNOWN, end=End.CUT, silent=True),
        Answer("no answer", Says.UNKNOWN, end=End.CUT, silent=True, delay=2.0),
    )
}
"""What anybody may get, whatever the password."""

SLOW = ("200 or 601, slow but in time", "200 or 601, too late")
HONEST = "200 or 601"
NAMES: tuple[str, ...] = (HONEST, *SLOW, *REFUSALS, *TROUBLE)


def choose(name: str) -> Callable[[bool], Answer]:
    """What the answer of this name is to a password that is right, or wrong.

    A refusal of any form goes to a wrong password alone; a right one is accepted.
    """
    if name in TROUBLE:
        return lambda _: TROUBLE[name]
    refusal = REFUSALS.get(name, REFUSALS["601"])
    delay = {SLOW[0]: 0.4, SLOW[1]: 1.6}.get(name, refusal.delay)

    def judge(right: bool) -> Answer:
        answer = accepted() if right else refusal
        return Answer(**{**vars(answer), "delay": delay})

    return judge
