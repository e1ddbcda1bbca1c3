"""What an answer says of the credential: a refusal wherever it can be read, an acceptance never by guess."""

from itertools import product

import pytest

from exporter.account.outcome import Effect, Failure, Outcome, Reading, Reason, Verdict
from exporter.provider.solucion_factible import answer
from exporter.provider.solucion_factible.answer import MAX_BYTES
from exporter.provider.solucion_factible.codes import CODES, code
from tests.support.envelopes import SOAP11, envelope, fields
from tests.support.places import DATA

AXIS2 = (DATA / "answers" / "axis2-200.xml").read_bytes().rstrip()
FAULT = (DATA / "answers" / "fault-soap11.xml").read_bytes()
GOOD = fields(status=200, contratados=5000, usados=3760, disponibles=1240)
REFUSED = envelope(fields(contratados=0, disponibles=0, mensaje="Usuario", status=601, usados=0))
PAGE = b"<!doctype html><html><body>Mantenimiento</body></html>"
REFUSALS = [601, 602, 603, 604, 605, 633]
NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


def read(
    body: bytes,
    status: int = 200,
    content_type: str = "text/xml; charset=utf-8",
    whole: bool = True,
    retry_after: str | None = None,
) -> Outcome:
    return answer.read(status, content_type, body, now=NOW, whole=whole, retry_after=retry_after)


def number(outcome: Outcome) -> int | None:
    return outcome.code.number if isinstance(outcome, Reading) else None


def in_fault(detail: str) -> bytes:
    return (
        f'<e:Envelope xmlns:e="{SOAP11}"><e:Body><e:Fault><faultcode>e:Client.Authentication</faultcode>'
        f"<faultstring>x</faultstring><detail>{detail}</detail></e:Fault></e:Body></e:Envelope>"
    ).encode()


# A refusal wherever it can be read


@pytest.mark.parametrize(
    "status", [100, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 502, 503, 504, 999]
)
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("whole", [True, False])
def test_a_refusal_is_one_under_any_http_status(status: int, refusal: int, whole: bool) -> None:
    body = envelope(fields(mensaje="no", status=refusal))
    assert number(read(body, status, whole=whole)) == refusal
    assert number(read(body, status, "text/html", whole=whole)) == refusal


LATIN = envelope(fields(mensaje="contraseña", status=601)).decode().encode("latin-1")
DAMAGED = {
    "latin-1 that nobody names": LATIN,
    "latin-1 declared UTF-8": b'<?xml version="1.0" encoding="UTF-8"?>' + LATIN,
    "an unknown charset": b'<?xml version="1.0" encoding="klingon"?>' + REFUSED,
    "declared UTF-16, sent UTF-8": b'<?xml version="1.0" encoding="UTF-16"?>' + REFUSED,
    "UTF-16 that nobody names": REFUSED.decode().encode("utf-16-le"),
    "UTF-32": REFUSED.decode().encode("utf-32"),
    "markup in the message": envelope("<mensaje>a <b>c</b></mensaje>", fields(status=601)),
    "markup in a figure": envelope("<contratados><b>1</b></contratados>", fields(status=601)),
    "HTML in the message": envelope("<mensaje>a<br>&nbsp;c</mensaje>", fields(status=601)),
    "an ampersand in the message": envelope("<mensaje>a & b</mensaje>", fields(status=601)),
    "a control character": envelope("<mensaje>\x08</mensaje>", fields(status=601)),
    "unknown elements": envelope("<a><b/></a>", fields(estado="x", status=601, otro=1)),
    "in another element": envelope(f"<resultado>{fields(status=601)}</resultado>"),
    "in a return of another name": REFUSED.replace(b"r:return", b"r:resultado"),
    "in the message": envelope("<mensaje>x<status>601</status></mensaje>"),
    "in a fault's detail": in_fault(fields(status=601)),
    "in a fault's detail, qualified": in_fault('<x:status xmlns:x="urn:x">601</x:status>'),
    "with attributes": envelope('<status xsi:type="xs:int" a=">">601</status>'),
    "with attributes, damaged": envelope('<x:status xsi:type="xs:int">601</x:status><'),
    "with blanks": envelope("<status>\r\n\t 601 \n</status>"),
    "with blanks, damaged": envelope("<status>\r\n\t 601 \n</status ><"),
    "with a sign and zeros": envelope(fields(status="+0601")),
    "twice": envelope(fields(status=601), fields(status=601)),
    "after another": envelope(fields(status=200), fields(status=601)),
    "before another": envelope(fields(status=601), GOOD),
    "in a second return value": envelope(GOOD, "</r:return><r:return>", fields(status=601)),
    "after a DTD": b"<!DOCTYPE x>" + REFUSED,
    "with too many elements after it": envelope(fields(status=601), "<x/>" * 5000),
    "with too many elements before it": envelope("<x/>" * 5000, fields(status=601)),
    "with too many attributes": envelope(
        "<x " + " ".join(f'a{n}=""' for n in range(3000)) + "/>", fields(status=601)
    ),
    "after junk": b"Warning: x in y.php\n" + REFUSED,
    "before junk": REFUSED + b"junk",
    "nil beside it": envelope('<status xsi:nil="true"/>', fields(status=601)),
    "no end of the envelope": REFUSED.partition(b"</r:return>")[0],
}  # fmt: skip


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("status", [200, 500])
def test_a_refusal_is_one_in_whatever_is_around_it(body: bytes, status: int) -> None:
    assert number(read(body, status, content_type="")) == 601
    assert number(read(body, status, content_type="", whole=False)) == 601


def test_a_refusal_is_one_from_its_end_tag_on_wherever_the_answer_is_cut() -> None:
    complete = REFUSED.index(b"601") + len(b"601</")
    for whole in (True, False):
        for length in range(len(REFUSED) + 1):
            found = number(read(REFUSED[:length], whole=whole))
            assert found == (601 if length >= complete else None), length


def test_a_refusal_in_a_whole_answer_is_one_however_long_its_element_is() -> None:
    body = envelope(f'<status a="{"x" * 5000}">{" " * 2000}601</status>')
    assert [number(read(body, status)) for status in (200, 401, 500)] == [601] * 3


def test_what_is_cut_is_never_an_acceptance() -> None:
    for length in range(len(AXIS2)):
        assert isinstance(read(AXIS2[:length]), Failure)
    for length in range(len(AXIS2) + 1):
        outcome = read(AXIS2[:length], whole=False)
        assert isinstance(outcome, Failure)
        assert (outcome.reason, outcome.verdict) == (Reason.CONNECTION, Verdict.UNKNOWN_ON_THE_WAY)


@pytest.mark.parametrize("text", [
    "601.0", "601,0", "６０１", "٦٠١", "0x259", "6 01", "601x", "6&#48;1", "<![CDATA[601]]>", "60<!-- -->1",
    "<!-- -->601", "601<?x?>", "<b>601</b>", "", "&#8203;601", "6.01e2", "\xa0601", "601" + "0" * 30,
])  # fmt: skip
def test_a_status_that_is_no_integer_is_unknown(text: str) -> None:
    for other in ("", fields(disponibles=7)):
        outcome = read(envelope(f"<status>{text}</status>", other))
        assert isinstance(outcome, Failure)
        assert outcome.verdict is Verdict.UNKNOWN_FROM_SERVICE


@pytest.mark.parametrize(("one", "other"), list(product(REFUSALS, [200, 500, 606, 630, *REFUSALS])))
def test_of_two_statuses_the_worse_counts(one: int, other: int) -> None:
    worst = max((one, other), key=lambda each: (code(each).verdict is Verdict.STOP, each in REFUSALS))
    for body in (
        envelope(fields(status=one), fields(status=other)),
        envelope(fields(status=other), fields(status=one)),
    ):
        for damage in (b"", b"<"):
            outcome = read(body + damage)
            assert isinstance(outcome, Reading)
            assert outcome.verdict is code(worst).verdict


@pytest.mark.parametrize(("one", "other"), list(product([200, 500, 630, 799], repeat=2)))
def test_two_statuses_of_which_none_is_a_refusal_are_unknown(one: int, other: int) -> None:
    outcome = read(envelope(fields(status=one), fields(status=other), fields(disponibles=7)))
    assert outcome == Failure(
        Reason.INVALID, "the answer has status more than once", verdict=Verdict.UNKNOWN_FROM_SERVICE
    )


NO_REFUSALS = {
    "an answer in no envelope": b"<status><Body><r><return>"
    + GOOD.encode()
    + b"</return></r></Body></status>",
    "a page that says so": b"<html><status>601</status></html>",
    "text that says so": b"<status>601</status>",
    "a comment in an answer": envelope(GOOD, "<!-- <status>601</status> -->"),
    "a message with a quotation": envelope(GOOD, "<mensaje>&lt;status&gt;601&lt;/status&gt;</mensaje>"),
    "a message with CDATA": envelope(GOOD, "<mensaje><![CDATA[<status>601</status>]]></mensaje>"),
    "another name": envelope(GOOD, fields(estatus=601, xstatus=601, statusx=601)),
    "an attribute": envelope(GOOD, '<x status="601"/>'),
    "a figure": envelope(fields(status=200, contratados=601, usados=601, disponibles=601)),
}


@pytest.mark.parametrize("body", NO_REFUSALS.values(), ids=NO_REFUSALS)
def test_what_only_looks_like_a_refusal_is_none(body: bytes) -> None:
    assert number(read(body)) == (200 if body.startswith(b"<e:") else None)


# What else there is


@pytest.mark.parametrize("number_", [one for one in CODES if one not in REFUSALS])
@pytest.mark.parametrize("status", [201, 206, 302, 400, 401, 403, 429, 500, 502, 503])
def test_no_other_code_is_trusted_under_another_http_status(number_: int, status: int) -> None:
    outcome = read(envelope(fields(status=number_, disponibles=7)), status)
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.detail) == (Reason.HTTP, f"HTTP status {status}")


FROM_SERVICE, ON_THE_WAY = Verdict.UNKNOWN_FROM_SERVICE, Verdict.UNKNOWN_ON_THE_WAY

HTTP = [
    *((status, FROM_SERVICE) for status in (400, 401, 402, 403, 404, 405, 407, 408, 418, 451, 499)),
    *((status, Verdict.NEUTRAL) for status in (429, 502, 503, 504)),
    *((status, ON_THE_WAY) for status in (500, 501, 505, 507, 520, 522, 599)),
    # A redirect to a page for logging in is a refusal, too.
    *((status, FROM_SERVICE) for status in (301, 302, 303, 307, 308, 300, 304)),
    *((status, FROM_SERVICE) for status in (101, 201, 202, 204, 206, 600, 999)),
]


@pytest.mark.parametrize(("status", "verdict"), HTTP)
@pytest.mark.parametrize("body", [b"", b"junk", AXIS2, AXIS2[:99]])
@pytest.mark.parametrize("whole", [True, False])
def test_each_http_status_says_something_of_the_credential(
    status: int, verdict: Verdict, body: bytes, whole: bool
) -> None:
    effect = Effect.SLOW_DOWN if status == 429 else Effect.RETRY
    expected = Failure(Reason.HTTP, f"HTTP status {status}", verdict=verdict, effect=effect)
    assert read(body, status, whole=whole) == expected
    if status >= 300:
        assert read(PAGE, status, "text/html", whole) == expected


def test_a_web_page_under_another_status_of_success_is_lost_on_the_way() -> None:
    outcome = read(PAGE, 203, "text/html")
    assert outcome == Failure(Reason.HTTP, "HTTP status 203", verdict=ON_THE_WAY)


@pytest.mark.parametrize(
    ("status", "slows"), [(429, True), (503, True), (502, False), (500, False), (200, False)]
)
def test_retry_after_is_heeded_where_we_ask_too_much(status: int, slows: bool) -> None:
    for header, wait in (("3600", 3600.0), ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0), ("99999999", 86400.0)):
        for body in (b"", FAULT):
            outcome = read(body, status, retry_after=header)
            assert isinstance(outcome, Failure)
            assert (outcome.effect, outcome.retry_after) == (
                (Effect.SLOW_DOWN, wait) if slows else (Effect.RETRY, None)
            )


def test_503_without_retry_after_is_trouble_and_429_asks_too_much_however_it_says_so() -> None:
    for status, header, effect in (
        (503, None, Effect.RETRY),
        (429, None, Effect.SLOW_DOWN),
        (429, "soon", Effect.SLOW_DOWN),
    ):
        outcome = read(b"", status, retry_after=header)
        assert isinstance(outcome, Failure)
        assert (outcome.effect, outcome.retry_after) == (effect, None)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500, 502, 503])
@pytest.mark.parametrize(
    "body", [FAULT, in_fault(""), in_fault(fields(status=500)), in_fault(fields(status=200))]
)
def test_a_fault_is_unknown_under_any_status(status: int, body: bytes) -> None:
    assert read(body, status) == Failure(
        Reason.FAULT, "the service answered with a SOAP fault", verdict=FROM_SERVICE
    )


PAGES = {
    "doctype": (PAGE, ""),
    "capitals": (b"\r\n<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><HTML>", "text/xml"),
    "comment first": (b"<!-- x > --><!-- y --> <html>", "text/xml"),
    "declaration first": (b'<?xml version="1.0"?>\n<!DOCTYPE html><html/>', ""),
    "byte order mark": (b"\xef\xbb\xbf<html lang='es'>", ""),
    "UTF-16": (PAGE.decode().encode("utf-16"), ""),
    "text first": (b"upstream <html>", ""),
    "by its type alone": (b"Mantenimiento", "text/html; charset=utf-8"),
    "XHTML": (b"<x/>", "application/xhtml+xml"),
    "head": (b"<head><title>x</title></head>", ""),
}


@pytest.mark.parametrize(("body", "content_type"), PAGES.values(), ids=PAGES)
def test_a_web_page_comes_from_what_stands_in_front_of_the_service(body: bytes, content_type: str) -> None:
    assert read(body, content_type=content_type) == Failure(
        Reason.INVALID, "the answer is a web page", verdict=ON_THE_WAY
    )


NO_PAGES = [
    b"",
    b" ",
    b"Service unavailable",
    b'{"html": 1}',
    b"<htmlx/>",
    b"<!DOCTYPE htmlx>",
    b"\xff" * 9,
    b"<a/>",
    AXIS2[:-5],
    AXIS2.replace("completó".encode(), b"<html>"),
    b"<!--" * 1000 + b"<html",
    b"<" * 4096,
]


@pytest.mark.parametrize("body", NO_PAGES)
def test_what_is_neither_an_answer_nor_a_page_is_unknown(body: bytes) -> None:
    outcome = read(body)
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.verdict) == (Reason.INVALID, FROM_SERVICE)


def test_an_answer_whose_type_is_a_page_s_is_an_answer() -> None:
    assert number(read(AXIS2, content_type="text/html")) == 200


@pytest.mark.parametrize("status", [200, 630, 631])
def test_figures_that_cannot_be_used_do_not_take_back_that_the_login_was_let_in(status: int) -> None:
    for bad in ("-1", "1&#x31;0", "1<!-- -->0", "NaN", "", "9" * 30):
        outcome = read(envelope(fields(status=status, disponibles=bad)))
        assert isinstance(outcome, Failure)
        assert (outcome.reason, outcome.verdict) == (Reason.INVALID, Verdict.ACCEPTED)


def test_what_is_larger_than_what_is_read_is_invalid_and_a_refusal_in_it_is_one() -> None:
    body = envelope(GOOD).ljust(MAX_BYTES)
    assert read(body, whole=False) == Failure(
        Reason.INVALID, "the answer is larger than 1 MiB", verdict=FROM_SERVICE
    )
    assert number(read(REFUSED.ljust(MAX_BYTES), whole=False)) == 601


def test_of_a_whole_answer_in_which_the_codes_are_many_the_first_thousand_are_looked_at() -> None:
    assert number(read(envelope("<status>200</status>" * 900, fields(status=601)) + b"<")) is None
    assert number(read(envelope("<status>200</status>" * 400, fields(status=601)) + b"<")) == 601
