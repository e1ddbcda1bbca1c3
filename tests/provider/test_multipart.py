"""MTOM and SOAP with attachments: the root part of a multipart answer is the answer."""

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.outcome import Failure, Outcome, Reading, Reason, Verdict
from exporter.provider.solucion_factible.answer import read
from exporter.provider.solucion_factible.codes import code
from tests.support.envelopes import envelope, fields

GOOD = envelope(fields(status=200, disponibles=7, mensaje="contraseña"))
READ = Reading(code(200), available=7, message="contraseña")
REFUSED = envelope(fields(mensaje="contraseña", status=601))
XOP = 'application/xop+xml; charset=UTF-8; type="text/xml"'
MTOM = (
    'multipart/related; boundary="MIMEBoundary_1"; type="application/xop+xml"; start="<0.root@apache.org>"; '
    'start-info="text/xml"'
)


def part(content: bytes, *headers: str, line: bytes = b"\r\n") -> bytes:
    return line.join((b"--MIMEBoundary_1", *(header.encode() for header in headers), b"", content, b""))


def multipart(*parts: bytes, end: bytes = b"--MIMEBoundary_1--\r\n") -> bytes:
    return b"".join(parts) + end


def root(content: bytes, *headers: str) -> bytes:
    return part(content, f"Content-Type: {XOP}", "Content-ID: <0.root@apache.org>", *headers)


ATTACHMENT = part(b"\x89PNG--", "Content-Type: image/png", "Content-ID: <1.a@apache.org>")


def answer(body: bytes, content_type: str = MTOM, **how: object) -> Outcome:
    return read(200, content_type, body, now=0.0, **how)  # type: ignore[arg-type]


READABLE = {
    "axis2": (MTOM, multipart(root(GOOD, "Content-Transfer-Encoding: binary"))),
    "with an attachment": (MTOM, multipart(root(GOOD), ATTACHMENT)),
    "root not first": (MTOM, multipart(ATTACHMENT, root(GOOD))),
    "no start": (
        "multipart/related; boundary=MIMEBoundary_1",
        multipart(part(GOOD, "Content-Type: text/xml"), ATTACHMENT),
    ),
    "a line end and a preamble in front": (MTOM, b"\r\npreamble\r\n" + multipart(root(GOOD))),
    "an epilogue": (MTOM, multipart(root(GOOD)) + b"epilogue"),
    "line feeds": (
        "multipart/related; boundary=MIMEBoundary_1",
        multipart(part(GOOD, "Content-Type: text/xml", line=b"\n")),
    ),
    "no headers": ("multipart/related; boundary=MIMEBoundary_1", multipart(part(GOOD))),
    "mixed": ("Multipart/Mixed; Boundary=MIMEBoundary_1", multipart(part(GOOD))),
    "its own charset": (
        "multipart/related; boundary=MIMEBoundary_1; charset=utf-8",
        multipart(part(GOOD.decode().encode("cp1252"), "Content-Type: text/xml; charset=windows-1252")),
    ),
    "folded header": (
        "multipart/related; boundary=MIMEBoundary_1",
        multipart(
            part(GOOD.decode().encode("latin-1"), "content-type: application/xop+xml;", "\tcharset=latin1")
        ),
    ),
    "base64": (MTOM, multipart(root(base64.encodebytes(GOOD), "Content-Transfer-Encoding: base64"))),
    "quoted-printable": (
        MTOM,
        multipart(root(quopri.encodestring(GOOD), "Content-Transfer-Encoding: Quoted-Printable")),
    ),
    "8bit": (MTOM, multipart(root(GOOD, "Content-Transfer-Encoding: 8bit"))),
}


@pytest.mark.parametrize(("content_type", "body"), READABLE.values(), ids=READABLE)
def test_the_root_part_is_read_as_any_other_answer(content_type: str, body: bytes) -> None:
    assert answer(body, content_type) == READ


NO_ROOT = Failure(
    Reason.INVALID,
    "the answer has no root part, or not all of it",
    verdict=Verdict.UNKNOWN_FROM_SERVICE,
)
UNREADABLE = {
    "empty": (MTOM, b""),
    "no boundary": ("multipart/related", multipart(root(GOOD))),
    "another boundary": ("multipart/related; boundary=x", multipart(root(GOOD))),
    "a boundary without end": ("multipart/related; boundary=" + "x" * 3000, multipart(root(GOOD))),
    "no such start": (MTOM, multipart(ATTACHMENT, part(GOOD))),
    "no parts": (MTOM, multipart()),
    "not closed": (MTOM, multipart(root(GOOD), end=b"")),
    "cut in the root part": (MTOM, root(GOOD)[:-9]),
    "too many parts before it": (MTOM, multipart(*[ATTACHMENT] * 16, root(GOOD))),
    "unknown encoding": (MTOM, multipart(root(GOOD, "Content-Transfer-Encoding: x-uuencode"))),
    "broken base64": (MTOM, multipart(root(b"PGE+A", "Content-Transfer-Encoding: base64"))),
}


@pytest.mark.parametrize(("content_type", "body"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_malformed_is_unknown(content_type: str, body: bytes) -> None:
    assert answer(body, content_type) == NO_ROOT


def test_a_root_part_that_is_no_envelope_is_unknown() -> None:
    outcome = answer(multipart(part(b"", "Content-ID: <0.root@apache.org>"), root(GOOD)))
    assert isinstance(outcome, Failure)
    assert outcome.verdict is Verdict.UNKNOWN_FROM_SERVICE


BASE64 = "Content-Transfer-Encoding: base64"
REFUSALS = {
    "whole": multipart(root(REFUSED)),
    "base64": multipart(root(base64.encodebytes(REFUSED), BASE64)),
    "not closed": multipart(root(REFUSED), end=b""),
    "base64, cut": root(base64.encodebytes(REFUSED), BASE64)[:-30],
    "cut": root(REFUSED)[:-30],
    "no such start": multipart(part(REFUSED)),
}


@pytest.mark.parametrize("body", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("whole", [True, False])
def test_a_refusal_is_one_however_little_of_it_is_there(body: bytes, whole: bool) -> None:
    outcome = answer(body, whole=whole)
    assert isinstance(outcome, Reading)
    assert outcome.code.number == 601


@given(
    st.lists(
        st.sampled_from(
            [
                b"--MIMEBoundary_1",
                b"\r\n",
                b"\n",
                b"--",
                b"Content-ID: <0.root@apache.org>",
                b"Content-Transfer-Encoding: base64",
                b"Content-Transfer-Encoding: quoted-printable",
                b": ",
                b"=",
                b"\xff",
                GOOD,
            ]
        )
        | st.binary(max_size=5),
        max_size=20,
    ).map(b"".join)
)
def test_no_parts_make_the_reader_raise(body: bytes) -> None:
    for content_type in (MTOM, "multipart/related; boundary=MIMEBoundary_1"):
        outcome = answer(body, content_type)
        assert isinstance(outcome, Failure) or outcome == READ
