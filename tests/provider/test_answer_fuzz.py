"""The reader of answers against bytes that nobody thought of: it never raises, and never invents a figure.

What fuzzing found worth keeping is in tests/data/answers/fuzz, each with its outcome below.
"""

import re
import time
import tracemalloc
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.account.outcome import Failure, Outcome, Reading, Reason, Verdict
from exporter.config.model import LARGEST_COUNT
from exporter.provider.solucion_factible import answer
from exporter.provider.solucion_factible.charset import in_utf8
from exporter.provider.solucion_factible.codes import code
from tests.support.places import DATA

ANSWERS = DATA / "answers"
MIB = 1024 * 1024
REFUSALS = (Verdict.REFUSED, Verdict.STOP)
FIELDS = {"contratados": "contracted", "usados": "used", "disponibles": "available"}
GOOD = Reading(code(200), 5000, 3760, 1240)


def read(body: bytes, content_type: str = "", status: int = 200, whole: bool = True) -> Outcome:
    return answer.read(status, content_type, body, whole=whole, now=0.0)


def invalid(detail: str, verdict: Verdict = Verdict.UNKNOWN_FROM_SERVICE) -> Failure:
    return Failure(Reason.INVALID, detail, verdict=verdict)


CHARSET = invalid("the answer's charset is not known, or another one than it says")
NO_INTEGER = invalid("the answer's usados is not an integer", Verdict.ACCEPTED)

FOUND: dict[str, Outcome] = {
    "body-twice.xml": invalid("the answer has no return value, or several"),
    "brace-in-a-namespace.xml": GOOD,
    "charset-never-heard-of.xml": CHARSET,
    "charset-of-escapes.xml": CHARSET,
    "charset-utf-16.xml": GOOD,
    "envelope-in-a-namespace.xml": invalid("the answer is not a SOAP envelope"),
    "fault-behind-an-answer.xml": Failure(
        Reason.FAULT, "the service answered with a SOAP fault", verdict=Verdict.UNKNOWN_FROM_SERVICE
    ),
    "figure-in-pieces.xml": NO_INTEGER,
    "figure-of-5000-digits.xml": NO_INTEGER,
    "figure-of-arabic-references.xml": NO_INTEGER,
    "figure-of-references.xml": NO_INTEGER,
    "long-namespace.xml": invalid("the answer has too many attributes"),
    "names-of-many-colons.xml": GOOD,
    "nil-of-two-prefixes.xml": Reading(code(200), 5000, None, 1240),
    "nil-redeclared.xml": Reading(code(200), 5000, None, 1240),
    "prefix-undeclared.xml": GOOD,
    "refusal-with-junk-figures.xml": Reading(code(601)),
    "return-in-a-return.xml": invalid("the answer has no status"),
}


@pytest.mark.parametrize(("name", "expected"), FOUND.items())
def test_what_fuzzing_found(name: str, expected: Outcome) -> None:
    assert read((ANSWERS / "fuzz" / name).read_bytes()) == expected


def test_all_that_fuzzing_found_is_tested() -> None:
    assert {path.name for path in (ANSWERS / "fuzz").iterdir()} == set(FOUND)


# The oracle


class Tree:
    """Fields of a return value as another reader finds them: it keeps a tree and knows no limits."""

    def __init__(self, text: str) -> None:
        self.name = ""
        self.text = ""
        self.children: list[Tree] = []
        path = [self]

        def start(tag: str, _attributes: dict[str, str]) -> None:
            child = Tree.__new__(Tree)
            child.name, child.text, child.children = tag.rpartition(":")[2], "", []
            path[-1].children.append(child)
            path.append(child)

        def characters(text: str) -> None:
            path[-1].text += text

        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = start
        parser.EndElementHandler = lambda _tag: path.pop()
        parser.CharacterDataHandler = characters
        parser.Parse(text.encode(), True)

    def fields(self, name: str) -> list[str]:
        """The texts of all fields of this name, wherever a return value may be."""
        responses = [
            one for part in self.children[0].children if part.name == "Body" for one in part.children
        ]
        returns = [one for response in responses for one in response.children if one.name == "return"]
        return [field.text for one in returns for field in one.children if field.name == name]


def assert_sound(body: bytes) -> None:
    """What is read of a body must be an outcome, and each figure must stand there, literally."""
    outcome = read(body)
    if isinstance(outcome, Failure):
        assert outcome.reason in (Reason.FAULT, Reason.INVALID)
        return
    if outcome.verdict in REFUSALS:
        # It is taken from what is damaged, too.
        assert re.search(rb">\s*\+?0*%d\s*</" % outcome.code.number, body.translate(None, b"\0"))
        return
    text = in_utf8(body, None).decode("utf-8", "replace")
    tree = Tree(text)
    figures = {"status": outcome.code.number} | {name: getattr(outcome, one) for name, one in FIELDS.items()}
    for name, figure in figures.items():
        if figure is None:
            continue
        (found,) = tree.fields(name)
        assert re.fullmatch(rf"[ \t\r\n]*[+-]?0*{abs(figure)}[ \t\r\n]*", found, re.ASCII)
        assert name == "status" or 0 <= figure <= LARGEST_COUNT
        assert re.search(rf">[ \t\r\n]*[+-]?0*{abs(figure)}[ \t\r\n]*</", text)


# Bytes

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NAMES = [
    "status",
    "mensaje",
    *FIELDS,
    "return",
    "Body",
    "Fault",
    "Envelope",
    "x",
    "e:Body",
    "e:Fault",
    "x:y:z",
]
NUMBERS = [
    "200",
    "601",
    "630",
    "0",
    "-1",
    "+7",
    "007",
    "1e5",
    "NaN",
    "9" * 17,
    "9" * 40,
    str(2**53),
    " 5 ",
    "5 5",
]
TEXTS = st.sampled_from(
    [
        *NUMBERS,
        "",
        "&#49;",
        "&#x661;",
        "&lt;",
        "<!-- 1 -->",
        "<![CDATA[1]]>",
        "<?x 1?>",
        "١",
        "１",
        "&x;",
        "\r",
    ]
) | st.text(max_size=5)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["xmlns", "xmlns:xsi", "xmlns:e", "xsi:nil", "e:nil", "nil", "a"]),
    st.sampled_from([XSI, SOAP, "true", "1", "false", "urn:x", "", "x" * 2000]),
    max_size=3,
)


def element(name: str, attributes: dict[str, str], content: str) -> str:
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>"


ELEMENTS = st.recursive(
    TEXTS,
    lambda inner: st.builds(
        element, st.sampled_from(NAMES), ATTRIBUTES, st.lists(inner, max_size=4).map("".join)
    ),
    max_leaves=12,
)
FIELD = st.builds(
    element, st.sampled_from(["status", *FIELDS]), ATTRIBUTES, st.sampled_from(NUMBERS) | ELEMENTS
)
RETURNS = st.lists(FIELD | ELEMENTS, max_size=6).map("".join)
CHARSETS = st.sampled_from(
    ["utf-8", "utf-16", "utf-16-le", "utf-7", "latin-1", "cp037", "utf-32", "windows-1252"]
)


def envelope(returned: str) -> str:
    return (
        f'<e:Envelope xmlns:e="{SOAP}" xmlns:xsi="{XSI}"><e:Body><r><return>{returned}</return></r></e:Body>'
        "</e:Envelope>"
    )


TEMPLATES = [envelope("<status>200</status><usados>3</usados>").encode()] + [
    path.read_bytes() for path in sorted(ANSWERS.rglob("*.xml"))
]
TOKENS = [
    *(f"<{name}>".encode() for name in NAMES),
    *(f"</{name}>".encode() for name in NAMES),
    *(
        b"<!DOCTYPE a>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?xml version='1.0'?>",
        b"&#50;",
        b"\0",
        b"\xff",
    ),
    *(
        b' xsi:nil="1"',
        b"xmlns",
        b'="',
        b'">',
        b"/>",
        b"<",
        b">",
        b"&",
        b"9" * 17,
        b"-",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
]


@settings(max_examples=500)
@given(RETURNS, CHARSETS, st.none() | CHARSETS)
def test_structures(returned: str, encoding: str, declared: str | None) -> None:
    """Well-formed answers, mostly, of the wrong things in the right places."""
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    assert_sound((declaration + envelope(returned)).encode(encoding, "replace"))


@settings(max_examples=500)
@given(st.lists(st.sampled_from(TOKENS) | st.binary(max_size=4), max_size=60).map(b"".join))
def test_soups_of_tokens(body: bytes) -> None:
    assert_sound(body)
    assert_sound(envelope("@").encode().replace(b"@", body))


@settings(max_examples=500)
@given(
    st.sampled_from(TEMPLATES),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(TOKENS) | st.binary(max_size=3)),
        max_size=5,
    ),
)
def test_damage_to_answers(body: bytes, damages: list[tuple[float, int, bytes]]) -> None:
    for where, length, piece in damages:
        place = int(where * len(body))
        body = body[:place] + piece + body[place + length :]
    assert_sound(body)


REFUSED = envelope("<contratados>0</contratados><mensaje>no</mensaje><status>601</status>").encode()
DAMAGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(TOKENS) | st.binary(max_size=3)),
    max_size=5,
)
HOW = {
    "content_type": st.sampled_from(
        ["", "text/xml; charset=utf-8", "text/xml; charset=utf-16", "text/html", "text/xml; charset=klingon"]
    ),
    "status": st.sampled_from([200, 202, 302, 401, 403, 429, 500, 502, 503]),
    "whole": st.booleans(),
}


@settings(max_examples=300)
@given(damages=DAMAGES, cut=st.floats(0, 1), **HOW)
def test_a_refusal_stays_one_whatever_comes_behind_it(
    damages: list[tuple[float, int, bytes]], cut: float, content_type: str, status: int, whole: bool
) -> None:
    head, end, tail = REFUSED.partition(b"</status>")
    for where, length, piece in damages:
        place = int(where * len(tail))
        tail = tail[:place] + piece + tail[place + length :]
    outcome = read(head + end + tail[: int(cut * len(tail))], content_type, status, whole)
    assert isinstance(outcome, Reading)
    assert outcome.verdict in REFUSALS


@settings(max_examples=500)
@given(damages=DAMAGES, **HOW)
def test_no_damage_turns_a_refusal_into_an_acceptance(
    damages: list[tuple[float, int, bytes]], content_type: str, status: int, whole: bool
) -> None:
    body = REFUSED
    for where, length, piece in damages:
        place = int(where * len(body))
        body = body[:place] + piece + body[place + length :]
    assert read(body, content_type, status, whole).verdict is not Verdict.ACCEPTED


@settings(max_examples=60)
@given(
    st.sampled_from(
        ["", "<status>200</status>", "<a ", f'<a xmlns:u="{"u" * (MIB // 2)}" ', "<mensaje>", "<usados>"]
    ),
    st.lists(
        st.sampled_from(TOKENS)
        | st.sampled_from([b' a%d=""', b' u:a%d=""', b' xmlns:a%d="x"', b"<a%d/>", b"<a%d>", b"&#%d;"]),
        min_size=1,
        max_size=3,
    ).map(b"".join),
)
def test_a_mebibyte_of_anything_takes_little_memory_and_time(before: str, token: bytes) -> None:
    """Patterns repeated to the greatest length that is read, each time with another number in them."""
    head = envelope("@").partition("@")[0] + before
    count = (MIB - len(head)) // (len(token) + 5)
    numbered = token.count(b"%d")
    body = head.encode() + b"".join(token % ((number,) * numbered) for number in range(count))
    began = time.process_time()
    read(body)
    took = time.process_time() - began
    tracemalloc.start()
    try:
        outcome = read(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Failure), "it is cut"
    assert peak < 32 * MIB
    assert took < 0.2, "12 ms at most, on a machine that does nothing else"
