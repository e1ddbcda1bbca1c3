"""The charset of an answer: HTTP's, the document's own, under any usual name."""

import encodings
import pkgutil

import pytest

from exporter.account.outcome import Failure, Outcome, Reading, Verdict
from exporter.provider.solucion_factible.answer import read
from exporter.provider.solucion_factible.codes import code
from tests.support.envelopes import envelope, fields

TEXT = envelope(fields(status=200, disponibles=7, mensaje="contraseña")).decode()
READ = Reading(code(200), available=7, message="contraseña")
GARBLED = Reading(code(200), available=7, message="contrase\ufffda")


def declared(name: str) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>{TEXT}'


def answer(body: bytes, charset: str | None = None) -> Outcome:
    return read(200, f"text/xml; charset={charset}" if charset else "text/xml", body, now=0.0)


NAMES = [
    *(("utf-8", name) for name in ("utf-8", "UTF-8", "utf8", "UTF8", "Utf_8")),
    *(
        ("latin-1", name)
        for name in ("latin1", "ISO-8859-1", "ISO8859-1", "iso_8859-1", "ISO8859_1", "8859_1")
    ),
    *(("latin-1", name) for name in ("ISO_8859-1:1987", "l1", "cp819", "IBM819", "latin-1")),
    *(("cp1252", name) for name in ("windows-1252", "Windows-1252", "Cp1252", "CP1252", "x-cp1252", "1252")),
    *(("iso8859-15", name) for name in ("ISO-8859-15", "latin9", "ISO8859-15")),
    *(("cp850", name) for name in ("cp850", "IBM850")),
    ("mac-roman", "macintosh"),
    ("utf-8", "us-ascii"),
    ("utf-8", "ASCII"),
]


@pytest.mark.parametrize(("encoding", "name"), NAMES)
def test_http_s_charset_counts_where_the_document_names_none(encoding: str, name: str) -> None:
    assert answer(TEXT.encode(encoding), name) == READ


@pytest.mark.parametrize(("encoding", "name"), NAMES)
def test_the_document_s_own_counts_where_http_names_none(encoding: str, name: str) -> None:
    assert answer(declared(name).encode(encoding)) == READ


@pytest.mark.parametrize(
    "header",
    [
        'text/xml; charset="windows-1252"',
        "text/xml;charset=windows-1252",
        "text/xml; Charset = windows-1252 ",
        "text/xml; charset='windows-1252'",
        'application/soap+xml; action="a;charset=utf-8"; charset=windows-1252; x=1',
        "TEXT/XML ; CHARSET=WINDOWS-1252",
        "text/xml; charset=windows-1252; charset=utf-8",
    ],
)
def test_however_the_header_is_written(header: str) -> None:
    assert read(200, header, TEXT.encode("cp1252"), now=0.0) == READ


def test_http_s_charset_counts_more_than_the_declaration() -> None:
    """RFC 7303: a proxy that recodes a document does not change what stands in it."""
    assert answer(declared("utf-8").encode("cp1252"), "windows-1252") == READ
    assert answer(declared("utf-16").encode(), "utf-8") == READ


def test_a_byte_order_mark_counts_most() -> None:
    assert answer(TEXT.encode("utf-8-sig"), "iso-8859-1") == READ
    assert answer(declared("iso-8859-1").encode("utf-8-sig")) == READ
    assert answer(TEXT.encode("utf-16"), "utf-8") == READ
    assert answer(TEXT.encode("utf-32"), "utf-8") == READ
    assert answer(b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-8") == READ


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_without_a_mark_have_to_be_named(encoding: str) -> None:
    assert answer(TEXT.encode(encoding), encoding) == READ
    assert answer(declared(encoding[:6]).encode(encoding)) == READ
    assert isinstance(answer(TEXT.encode(encoding)), Failure)
    assert isinstance(answer(declared("utf-8").encode(encoding)), Failure)


@pytest.mark.parametrize("name", ["klingon", "utf-8x", "", '""', "utf-16", "x" * 3000, "=", "cp037", "utf-7"])
def test_a_name_in_the_header_that_is_not_known_or_cannot_be_true_counts_as_none(name: str) -> None:
    assert answer(TEXT.encode(), name) == READ
    assert answer(declared("latin1").encode("latin-1"), name) == READ


@pytest.mark.parametrize("before", ["\n", "\r\n\r\n", "  \t", "\ufeff\n", "\ufeff"])
def test_blanks_before_the_declaration_do_no_harm(before: str) -> None:
    assert answer((before + declared("utf-8")).encode()) == READ
    assert answer((before.lstrip("\ufeff") + declared("latin1")).encode("latin-1")) == READ


def test_bytes_that_mean_nothing_cost_the_text_that_they_stand_in_and_nothing_else() -> None:
    latin = TEXT.encode("latin-1")
    assert answer(latin) == GARBLED
    assert answer(latin, "utf-8") == GARBLED
    assert answer(declared("utf-8").encode("latin-1")) == GARBLED
    assert answer(TEXT.encode("latin-1"), "us-ascii") == GARBLED


@pytest.mark.parametrize(
    "junk", [b"\xff", b"\xc3", b"\xc0\xb1", b"\xed\xa0\x80", b"\xe2\x80\x8b", b"\xc2\xa0"]
)
@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_a_figure_with_anything_but_digits_is_none(junk: bytes, charset: str) -> None:
    body = TEXT.encode().replace(b">7<", b">1" + junk + b"0<")
    outcome = answer(body, charset)
    assert isinstance(outcome, Failure)
    assert outcome.verdict is Verdict.ACCEPTED, "it says 200"
    assert isinstance(answer(body.replace(b"disponibles", b"dispo" + junk + b"nibles")), Failure)


def test_no_codec_that_is_not_a_charset_is_used() -> None:
    """Among Python's are some that unpack, that decode escapes, and that keep a state."""
    known = {
        name
        for name in sorted(module.name for module in pkgutil.iter_modules(encodings.__path__))
        if answer(declared(name).encode()) == Reading(code(200), available=7, message="contraseña")
        or isinstance(answer(declared(name).encode()), Reading)
    }
    assert known.isdisjoint(
        {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot_13", "base64_codec", "zlib_codec"}
        | {
            "utf_7",
            "hz",
            "iso2022_jp",
            "cp037",
            "cp500",
            "undefined",
            "mbcs",
            "oem",
            "bz2_codec",
            "hex_codec",
        }
    )
    assert {"utf_8", "latin_1", "cp1252", "iso8859_15"} <= known
