"""What a hostile or broken provider does instead of answering, and what the exporter must make of it."""

import asyncio
import base64
import gzip
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from exporter.account.outcome import Reason
from exporter.provider.http.response import MAX_BODY
from tests.support.peers.hostile import NAMESPACE, Call, Respond, http, wsdl

GOOD = {"status": 200, "contratados": 5000, "usados": 3760, "disponibles": 1240}
WRONG = {"status": 200, "contratados": 999_999, "usados": 888_888, "disponibles": 111_111}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"
BLOCK = b"<a>" * 21_845
XSI = "http://www.w3.org/2001/XMLSchema-instance"

Says = bytes | Callable[[Call], bytes]


@dataclass(frozen=True)
class Case:
    """One row of the table: `expected` is the reason of the failure, or the code where it is an answer."""

    name: str
    expected: Reason | int
    respond: Respond


def envelope(*returned: str, **fields: object) -> str:
    """An answer with these fields, and these elements after them, in its return value."""
    named = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return (
        f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="{XSI}"><e:Body>'
        f'<t:getTimbresImplementacionResponse xmlns:t="{NAMESPACE}"><t:return>{named}{"".join(returned)}'
        "</t:return></t:getTimbresImplementacionResponse></e:Body></e:Envelope>"
    )


def fault(text: str) -> str:
    """A SOAP fault with this text."""
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        f"<faultcode>e:Server</faultcode><faultstring>{text}</faultstring></e:Fault></e:Body></e:Envelope>"
    )


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def xml(text: str, *headers: str, keep: bool = False) -> bytes:
    """A complete HTTP answer of 200 with this body."""
    return http("200 OK", text.encode(), "Content-Type: text/xml; charset=utf-8", *headers, keep=keep)


def says(*pieces: Says) -> Respond:
    """Send these pieces, then hang up."""

    async def respond(call: Call) -> None:
        for piece in pieces:
            await call.send(piece(call) if callable(piece) else piece)
        call.close()

    return respond


def answers(**fields: object) -> Respond:
    """Answer as a provider does that does no harm, and keep the connection."""

    async def respond(call: Call) -> None:
        await call.send(xml(envelope(**fields), keep=True))

    return respond


def returns(*returned: str, **fields: object) -> Respond:
    """Answer with this return value."""
    return says(xml(envelope(*returned, **fields)))


def goes_on(head: bytes, piece: bytes, every: float = 0.0) -> Respond:
    """Send the head, then the piece over and over again."""

    async def respond(call: Call) -> None:
        await call.send(head)
        while True:
            await call.send(piece)
            if every:
                await asyncio.sleep(every)

    return respond


def drips(head: bytes, piece: bytes) -> Respond:
    """Send a piece a second, each in time, for ever."""
    return goes_on(head, piece, every=1.0)


async def hangs(call: Call) -> None:
    """Say nothing until the other side hangs up."""
    await call.reader.read()


def resets(*pieces: bytes) -> Respond:
    """Send these pieces, and let them arrive, then hang up with a RST."""

    async def respond(call: Call) -> None:
        for piece in pieces:
            await call.send(piece)
        await asyncio.sleep(0.1)
        call.reset()

    return respond


def says_more(more: bytes, after: float = 0.0, again: bool = False) -> Respond:
    """Answer, and `after` seconds later say more on the same connection, `again` and again."""

    async def respond(call: Call) -> None:
        answer = xml(envelope(**GOOD), keep=True)
        await call.send(answer if after else answer + more)
        if after:
            await asyncio.sleep(after)
            await call.send(more)
        while again:
            await call.send(more)

    return respond


def packed(coding: str, data: bytes) -> Respond:
    """Send compressed data under the name of a coding."""
    return says(http("200 OK", data, "Content-Type: text/xml", f"Content-Encoding: {coding}"))


def redirects(status: str, to: Callable[[Call], str] = lambda call: f"{call.other}/") -> Respond:
    """Redirect, by default to the other host."""
    return says(lambda call: http(status, b"", f"Location: {to(call)}"))


def echoes(answer: Callable[[str], bytes]) -> Respond:
    """Put the password that was sent into the answer."""
    return says(lambda call: answer(call.password))


def _page(status: str, text: str = "Mantenimiento") -> bytes:
    body = f"<!doctype html><html><head><title>{text}</title></head><body><hr>&nbsp;{text}</body></html>"
    return http(status, body.encode(), "Content-Type: text/html")


def _dtd(declarations: str, value: str = "&x;") -> Respond:
    body = envelope(**{**GOOD, "disponibles": value})
    return says(xml(f'<?xml version="1.0"?><!DOCTYPE e:Envelope [{declarations}]>{body}'))


def _external(call: Call) -> bytes:
    body = envelope(**{**GOOD, "disponibles": "&x;"})
    return xml(f'<!DOCTYPE e:Envelope [<!ENTITY x SYSTEM "{call.other}/x">]>{body}')


def _external_dtd(call: Call) -> bytes:
    return xml(f'<!DOCTYPE e:Envelope SYSTEM "{call.other}/x.dtd">{envelope(**GOOD)}')


def _declared(charset: str, encoding: str, text: str = "contraseña") -> bytes:
    """A body in an encoding which declares a charset."""
    return f'<?xml version="1.0" encoding="{charset}"?>{envelope(**GOOD, mensaje=text)}'.encode(encoding)


def _numbered(template: str, count: int) -> str:
    return "".join(template % number for number in range(count))


def _line(text: str) -> str:
    """A password as it can stand in a header."""
    return text.replace("\r", "").replace("\n", "")


def _mtom(content: bytes) -> bytes:
    part = (
        b'Content-Type: application/xop+xml; charset=utf-8; type="text/xml"\r\nContent-ID: <root@x>\r\n\r\n'
    )
    return http(
        "200 OK",
        b"--b1\r\n" + part + content + b"\r\n--b1--\r\n",
        'Content-Type: multipart/related; boundary=b1; type="application/xop+xml"; start="<root@x>"',
    )


_REFUSED = envelope(contratados=0, mensaje="no", status=601, usados=0).encode()
_LAUGHS = '<!ENTITY l0 "lol">' + "".join(
    f'<!ENTITY l{depth} "{f"&l{depth - 1};" * 10}">' for depth in range(1, 10)
)
_MIB = MAX_BODY - 2000  # of junk: the reader gets to see it

ANSWERS = (
    # Too large
    Case("large-by-its-length", Reason.INVALID, says(http("200 OK", b"x" * 2 * MAX_BODY))),
    Case("large-in-chunks", Reason.INVALID,
         says(CHUNKED + b"\r\n", *[chunk(b"x" * 65_536)] * 32, b"0\r\n\r\n")),
    Case("large-until-closed", Reason.INVALID, says(ENDLESS, *[b"x" * 65_536] * 32)),
    Case("endless", Reason.INVALID, goes_on(ENDLESS, BLOCK)),
    Case("endless-in-chunks", Reason.INVALID, goes_on(CHUNKED + b"\r\n", chunk(BLOCK))),
    Case("endless-by-its-length", Reason.INVALID,
         goes_on(b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", BLOCK)),
    Case("endless-error-page", Reason.HTTP,
         goes_on(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", BLOCK)),
    Case("endless-trailers", Reason.INVALID,
         goes_on(CHUNKED + b"\r\n0\r\n" + b"X-Trailer: junk\r\n" * 1000, b"X-Trailer: junk\r\n" * 1000)),
    Case("endless-chunk-extension", Reason.TIMEOUT,
         goes_on(CHUNKED + b"\r\n1;", b"x" * 65_536)),
    Case("endless-empty-lines", Reason.TIMEOUT, goes_on(b"", b"\r\n" * 1000)),
    # Entities
    Case("dtd", Reason.INVALID, _dtd("")),
    Case("entity-bomb", Reason.INVALID, _dtd(_LAUGHS, "&l9;")),
    Case("entity-bomb-of-one-level", Reason.INVALID,
         _dtd(f'<!ENTITY x "{"x" * 300_000}">', "&x;" * 200_000)),
    Case("entity-of-parameters", Reason.INVALID,
         _dtd(f'<!ENTITY % x "{"x" * 9000}">' + "%x;" * 200_000)),
    Case("entity-of-a-file", Reason.INVALID, _dtd('<!ENTITY x SYSTEM "file:///etc/passwd">')),
    Case("entity-of-another-host", Reason.INVALID, says(_external)),
    Case("dtd-of-another-host", Reason.INVALID, says(_external_dtd)),
    # Dripping
    Case("silent", Reason.TIMEOUT, hangs),
    Case("drips-status", Reason.TIMEOUT, drips(b"HTTP/1.1 200 O", b"K")),
    Case("drips-headers", Reason.TIMEOUT, drips(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n")),
    Case("drips-one-header", Reason.TIMEOUT, drips(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"1")),
    Case("drips-body", Reason.TIMEOUT, drips(ENDLESS, b"<")),
    Case("drips-within-its-length", Reason.TIMEOUT,
         drips(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"<")),
    Case("drips-chunks", Reason.TIMEOUT, drips(CHUNKED + b"\r\n", chunk(b"<"))),
    Case("drips-chunk-size", Reason.TIMEOUT, drips(CHUNKED + b"\r\n", b"0")),
    Case("drips-100-continue", Reason.TIMEOUT, drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    # Cut short
    Case("hangs-up", Reason.CONNECTION, says()),
    Case("resets", Reason.CONNECTION, resets()),
    Case("resets-in-the-headers", Reason.CONNECTION, resets(b"HTTP/1.1 200 OK\r\nContent-")),
    Case("resets-in-the-body", Reason.CONNECTION,
         resets(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<")),
    Case("resets-in-a-body-without-length", Reason.CONNECTION,
         resets(ENDLESS, envelope(**GOOD).encode()[:-9])),
    Case("cut-in-the-status", Reason.CONNECTION, says(b"HTTP/1.1 2")),
    Case("cut-in-the-headers", Reason.CONNECTION, says(b"HTTP/1.1 200 OK\r\nContent-")),
    Case("cut-within-its-length", Reason.CONNECTION,
         says(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", envelope(**GOOD).encode())),
    Case("cut-in-a-chunk", Reason.CONNECTION,
         says(CHUNKED + b"\r\n2328\r\n", envelope(**GOOD).encode())),
    Case("cut-before-the-last-chunk", Reason.CONNECTION,
         says(CHUNKED + b"\r\n", chunk(envelope(**GOOD).encode()))),
    Case("cut-in-the-xml", Reason.INVALID, says(ENDLESS, envelope(**GOOD).encode()[:-9])),
    # Not the service but what stands in front of it
    Case("html", Reason.INVALID, says(_page("200 OK"))),
    Case("xhtml", Reason.INVALID, says(xml('<html xmlns="http://www.w3.org/1999/xhtml"/>'))),
    Case("empty", Reason.INVALID, says(http("200 OK", b""))),
    Case("json", Reason.INVALID, says(http("200 OK", b'{"status":200,"disponibles":1240}'))),
    Case("status-500-of-a-proxy", Reason.HTTP, says(_page("500 Internal Server Error"))),
    Case("status-502", Reason.HTTP, says(_page("502 Bad Gateway"))),
    Case("status-503", Reason.HTTP, says(_page("503 Service Unavailable"))),
    Case("status-504", Reason.HTTP, says(_page("504 Gateway Timeout"))),
    Case("status-204", Reason.HTTP, says(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")),
    Case("status-206", Reason.HTTP, says(http("206 Partial Content", envelope(**GOOD).encode()))),
    Case("status-401", Reason.HTTP, says(http("401 No", b"", 'WWW-Authenticate: Basic realm="x"'))),
    Case("status-502-compressed", Reason.HTTP,
         says(http("502 Bad Gateway", gzip.compress(b"x"), "Content-Encoding: gzip"))),
    Case("fault", Reason.FAULT, says(http("500 Internal Server Error", fault("x").encode()))),
    Case("fault-with-200", Reason.FAULT, says(xml(fault("x")))),
    # Redirects
    *(
        Case(f"redirect-{status[:3]}", Reason.HTTP, redirects(status))
        for status in ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect",
               "308 Permanent Redirect")
    ),
    Case("redirect-to-itself", Reason.HTTP, redirects("307 Temporary Redirect", lambda call: call.path)),
    Case("refresh-header", 200, says(lambda call: xml(envelope(**GOOD), f"Refresh: 0; url={call.other}/"))),
    # Compressed
    Case("gzip-bomb", Reason.INVALID, packed("gzip", gzip.compress(bytes(100 * MAX_BODY), 9))),
    Case("deflate-bomb", Reason.INVALID, packed("deflate", zlib.compress(bytes(100 * MAX_BODY), 9))),
    Case("brotli", Reason.INVALID, packed("br", b"\x8b\x07\x80junk\x03")),
    Case("zstd", Reason.INVALID, packed("zstd", b"\x28\xb5\x2f\xfdjunk")),
    Case("gzip-in-capitals", Reason.INVALID, packed("GZIP", gzip.compress(b"x"))),
    Case("gzip-of-a-good-answer", Reason.INVALID,
         packed("x-gzip", gzip.compress(envelope(**GOOD).encode()))),
    Case("gzip-undeclared", Reason.INVALID,
         says(http("200 OK", gzip.compress(envelope(**GOOD).encode())))),
    Case("gzip-as-transfer-encoding", Reason.INVALID,
         says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
              chunk(gzip.compress(envelope(**GOOD).encode())), b"0\r\n\r\n")),
    # Charsets
    Case("latin-1-as-utf-8", 200, says(http("200 OK", _declared("UTF-8", "latin-1")))),
    Case("utf-16-without-bom", Reason.INVALID, says(http("200 OK", _declared("UTF-8", "utf-16-le")))),
    Case("utf-16-that-is-none", Reason.INVALID, says(http("200 OK", _declared("UTF-16", "utf-8")))),
    Case("utf-7", Reason.INVALID, says(http("200 OK", _declared("UTF-7", "utf-7")))),
    Case("charset-that-is-none", Reason.INVALID, says(http("200 OK", _declared("klingon", "utf-8")))),
    Case("charset-ever-new", Reason.INVALID,
         says(lambda _: http("200 OK", _declared("x" + os.urandom(40).hex(), "utf-8")))),
    Case("charset-contradicted", 200,
         says(http("200 OK", _declared("UTF-8", "utf-8"), "Content-Type: text/xml; charset=utf-16"))),
    Case("latin-1-named-by-http", 200,
         says(http("200 OK", envelope(**GOOD, mensaje="contraseña").encode("latin-1"),
                   "Content-Type: text/xml; charset=ISO8859-1"))),
    Case("cp1252-after-a-blank-line", 200, says(http("200 OK", b"\n" + _declared("Cp1252", "cp1252")))),
    Case("mtom", 200, says(_mtom(envelope(**GOOD).encode()))),
    # Refusals: each is one, in whatever it comes
    Case("refusal-with-401", 601, says(http("401 Unauthorized", _REFUSED))),
    Case("refusal-with-403", 601, says(http("403 Forbidden", _REFUSED))),
    Case("refusal-with-500", 601, says(http("500 Internal Server Error", _REFUSED))),
    Case("refusal-with-503", 601, says(http("503 Service Unavailable", _REFUSED, "Retry-After: 3600"))),
    Case("refusal-in-latin-1", 601,
         says(http("200 OK", envelope(mensaje="contraseña", status=601).encode("latin-1")))),
    Case("refusal-in-mtom", 601, says(_mtom(_REFUSED))),
    Case("refusal-with-markup", 601, returns("<mensaje>no<br>&nbsp;</mensaje><status>601</status>")),
    Case("refusal-in-a-fault", 601,
         says(http("500 Internal Server Error", fault("x</faultstring><detail><status>601</status></detail>"
                                                      "<faultstring>").encode()))),
    Case("refusal-cut", 601, says(ENDLESS, _REFUSED[: _REFUSED.index(b"</t:return>")])),
    Case("status-of-a-fraction", Reason.INVALID, returns(status="601.0")),
    # A mebibyte of junk
    Case("junk-nested", Reason.INVALID, returns("<a>" * (_MIB // 7) + "</a>" * (_MIB // 7))),
    Case("junk-repeated", Reason.INVALID, returns("<status/>" * (_MIB // 9))),
    Case("junk-after-the-figures", Reason.INVALID, returns("<a/>" * (_MIB // 4), **GOOD)),
    Case("junk-attributes", Reason.INVALID,
         returns("<a" + _numbered(' a%d=""', _MIB // 11) + "/>", **GOOD)),
    Case("junk-attributes-with-signs", Reason.INVALID,
         returns("<a" + _numbered(' a%d=">"', _MIB // 12) + "/>", **GOOD)),
    Case("junk-lines", Reason.INVALID, returns("\n" * (_MIB - 2000), **GOOD)),
    Case("junk-namespaces", Reason.INVALID,
         returns("<a" + _numbered(' xmlns:a%d="u"', _MIB // 18) + "/>", **GOOD)),
    Case("junk-names-in-a-long-namespace", Reason.INVALID,
         returns(f'<a xmlns:u="{"u" * (_MIB // 2)}"' + _numbered(' u:a%d=""', _MIB // 30) + "/>", **GOOD)),
    Case("junk-text", 200, returns(mensaje="ñ" * (_MIB // 2), **GOOD)),
    Case("junk-name", Reason.INVALID, returns("<" + "a" * _MIB)),
    Case("junk-comments", 200, returns("<!---->" * (_MIB // 7), **GOOD)),
    Case("junk-references", 200, returns(mensaje="&#241;" * (_MIB // 6), **GOOD)),
    # Figures
    *(
        Case(f"figure-{name}", Reason.INVALID, returns(**{**GOOD, "disponibles": figure}))
        for name, figure in (("nan", "NaN"), ("inf", "INF"), ("exponent", "1e9"), ("40-digits", "9" * 40),
                     ("negative", "-1"), ("hexadecimal", "0x4d8"), ("fraction", "1240.0"),
                     ("arabic", "١٢٤٠"), ("grouped", "1,240"), ("of-elements", "<b>1240</b>"),
                             ("of-references", "12&#x34;0"), ("of-cdata", "<![CDATA[1240]]>"),
                             ("with-a-comment", "1<!-- -->240"))
    ),
    Case("figure-twice", Reason.INVALID, returns("<disponibles>1</disponibles>", **GOOD)),
    Case("status-missing", Reason.INVALID, returns(contratados=5000, usados=3760, disponibles=1240)),
    Case("status-nil", Reason.INVALID, returns('<status xsi:nil="true"/>', disponibles=1240)),
    Case("status-not-a-number", Reason.INVALID, returns(status="OK", disponibles=1240)),
    Case("status-twice", 601, returns("<status>601</status>", **GOOD)),
    Case("status-of-40-digits", Reason.INVALID, returns(status="2" * 40, disponibles=1240)),
    Case("200-without-figures", Reason.INVALID, returns(status=200, mensaje="OK")),
    Case("two-return-values", Reason.INVALID, returns("</t:return><t:return>", **GOOD)),
    # HTTP
    Case("header-of-100-kb", Reason.INVALID,
         says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")),
    Case("header-endless", Reason.INVALID, goes_on(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65_536)),
    Case("headers-100-000", Reason.INVALID, says(xml(envelope(**GOOD), *["X-Junk: 1"] * 100_000))),
    Case("headers-endless", Reason.INVALID, goes_on(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n" * 1000)),
    Case("reason-phrase-endless", Reason.INVALID, goes_on(b"HTTP/1.1 200 ", b"x" * 65_536)),
    Case("not-http", Reason.INVALID, says(b"220 mail.example ESMTP\r\n")),
    Case("http-0.9", Reason.INVALID, says(envelope(**GOOD).encode())),
    Case("http-2", Reason.INVALID, says(b"\0\0\0\x04\0\0\0\0\0" * 4)),
    Case("status-no-number", Reason.INVALID, says(b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n")),
    Case("length-negative", Reason.INVALID, says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")),
    Case("length-twice", Reason.INVALID,
         says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")),
    Case("length-and-chunks", Reason.INVALID,
         says(CHUNKED + b"Content-Length: 5\r\n\r\n" + chunk(envelope(**GOOD).encode()) + b"0\r\n\r\n")),
    Case("chunk-size-no-number", Reason.INVALID, says(CHUNKED + b"\r\nxyz\r\n")),
    Case("chunk-size-too-large", Reason.INVALID, says(CHUNKED + b"\r\n" + b"F" * 40 + b"\r\n")),
    Case("flood-of-100-continue", Reason.INVALID, goes_on(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
    Case("switches-protocols", Reason.HTTP,
         goes_on(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", BLOCK)),
    Case("sets-cookies", 200, says(xml(envelope(**GOOD), "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/"))),
    # Echoes of the password
    Case("echo-in-a-fault", Reason.FAULT,
         echoes(lambda secret: http("500 Error", fault(escape(secret)).encode()))),
    Case("echo-in-mensaje", 500, echoes(lambda secret: xml(envelope(status=500, mensaje=escape(secret))))),
    Case("echo-as-status", Reason.INVALID,
         echoes(lambda secret: xml(envelope(status=escape(secret), disponibles=1)))),
    Case("echo-as-figure", Reason.INVALID,
         echoes(lambda secret: xml(envelope(status=200, disponibles=escape(secret))))),
    Case("echo-as-element", Reason.INVALID,
         echoes(lambda secret: xml(envelope(f"<a{secret.encode().hex()}>")))),
    Case("echo-as-charset", Reason.INVALID,
         echoes(lambda secret: xml(f'<?xml version="1.0" encoding="x{secret.encode().hex()[:60]}"?><a/>'))),
    Case("echo-in-html", Reason.HTTP,
         echoes(lambda secret: _page("502 Bad Gateway", escape(secret)))),
    Case("echo-in-html-with-200", Reason.INVALID, echoes(lambda secret: _page("200 OK", secret))),
    Case("echo-in-the-location", Reason.HTTP,
         says(lambda call: http("307 Redirect", b"", f"Location: {call.other}/{quote(call.password)}"))),
    Case("echo-in-the-reason-phrase", Reason.HTTP,
         echoes(lambda secret: http(f"418 {_line(secret)}", b""))),
    Case("echo-in-headers", Reason.INVALID,
         echoes(lambda secret: http("200 OK", b"", f"X-Password: {_line(secret)}",
                                    f"Content-Encoding: {base64.b64encode(secret.encode()).decode()}"))),
    Case("echo-as-http", Reason.INVALID, echoes(lambda secret: secret.encode() + b"\r\n\r\n")),
    Case("echo-as-status-line", Reason.INVALID,
         echoes(lambda secret: b"HTTP/1.1 " + _line(secret).encode() + b"\r\n\r\n")),
    Case("echo-as-length", Reason.INVALID,
         echoes(lambda secret: f"HTTP/1.1 200 OK\r\nContent-Length: {_line(secret)}\r\n\r\n".encode())),
    Case("echo-as-chunk-size", Reason.INVALID,
         echoes(lambda secret: CHUNKED + b"\r\n" + _line(secret).encode() + b"\r\n")),
)  # fmt: skip
"""Of accounts: what comes instead of an answer to the login."""

_UNASKED = xml(envelope(**WRONG), keep=True)

UNASKED = (
    Case("answers-twice-at-once", 200, says_more(_UNASKED)),
    Case("answers-twice", 200, says_more(_UNASKED, after=0.1)),
    Case("answers-on-and-on", 200, says_more(_UNASKED * 100, after=0.1, again=True)),
    Case("says-junk-later", 200, says_more(b"junk", after=0.1)),
)
"""Of accounts: what comes after an answer, on a connection that the next call could use."""


def _imports(location: Callable[[Call], str]) -> Respond:
    return says(
        lambda call: http(
            "200 OK", wsdl(call.other, f'<w:import namespace="urn:x" location="{location(call)}"/>')
        )
    )


def _describes(extra: str = "", types: str = "", fields: str = "") -> Respond:
    return says(lambda call: http("200 OK", wsdl(call.other, extra, types, fields)))


async def _describes_at_length(call: Call) -> None:
    """Import ten schemas of 200 kB each."""
    if "xsd" in call.path:
        number = call.path.rpartition("=")[2]
        schema = (
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:{number}">'
            f"<!--{'x' * 200_000}--></xs:schema>"
        )
        await call.send(http("200 OK", schema.encode()))
        return
    path = call.path.partition("?")[0]
    imports = "".join(
        f'<xs:import namespace="urn:{number}" schemaLocation="{path}?xsd={number}"/>' for number in range(10)
    )
    await call.send(http("200 OK", wsdl(call.other, types=imports)))


def _group(number: int, content: str) -> str:
    return f'<xs:group name="g{number}"><xs:sequence>{content}</xs:sequence></xs:group>'


_GROUPS = "".join(_group(number, f'<xs:group ref="t:g{number + 1}"/>' * 2) for number in range(32)) + _group(
    32, '<xs:element name="x" type="xs:string"/>'
)

WSDLS = (
    Case("wsdl-good", 200, says(lambda call: http("200 OK", wsdl(call.other)))),
    Case("wsdl-dtd", Reason.INVALID,
         says(lambda call: http("200 OK", b"<!DOCTYPE definitions []>" + wsdl(call.other)))),
    Case("wsdl-entity-bomb", Reason.INVALID,
         says(lambda call: http("200 OK", f"<!DOCTYPE x [{_LAUGHS}]>".encode()
                                + wsdl(call.other, "<w:documentation>&l9;</w:documentation>")))),
    Case("wsdl-external-entity", Reason.INVALID,
         says(lambda call: http("200 OK", f'<!DOCTYPE x SYSTEM "{call.other}/x">'.encode()
                                + wsdl(call.other)))),
    Case("wsdl-of-5-mib", Reason.INVALID, says(http("200 OK", b"<!--" + b"x" * 5 * MAX_BODY + b"-->"))),
    Case("wsdl-endless", Reason.INVALID, goes_on(ENDLESS, BLOCK)),
    Case("wsdl-drips", Reason.TIMEOUT, drips(ENDLESS, b"<")),
    Case("wsdl-html", Reason.INVALID, says(_page("200 OK"))),
    Case("wsdl-503", Reason.HTTP, says(_page("503 Service Unavailable"))),
    Case("wsdl-redirect", Reason.HTTP, redirects("302 Found")),
    Case("wsdl-compressed", Reason.INVALID, packed("gzip", gzip.compress(bytes(100 * MAX_BODY), 9))),
    Case("wsdl-imports-another-host", 200, _imports(lambda call: f"{call.other}/x.wsdl")),
    Case("wsdl-imports-a-file", Reason.INVALID, _imports(lambda _: "file:///etc/passwd")),
    Case("wsdl-schema-of-another-host", Reason.INVALID,
         says(lambda call: http("200 OK", wsdl(
             call.other, types=f'<xs:import namespace="urn:x" schemaLocation="{call.other}/x.xsd"/>')))),
    Case("wsdl-of-many-large-documents", Reason.INVALID, _describes_at_length),
    Case("wsdl-junk-namespaces", 200,
         _describes("<w:documentation" + _numbered(' xmlns:a%d="urn:x"', 5000) + "/>")),
    Case("wsdl-junk-types", 200,
         _describes(types=_numbered('<xs:element name="a%d" type="xs:int"/>', 5000))),
    Case("wsdl-type-cycle", Reason.INVALID,
         _describes(types=_group(1, '<xs:group ref="t:g1"/>'), fields='<xs:group ref="t:g1"/>')),
)  # fmt: skip
"""Of whole environments: what comes instead of the WSDL. Its address is always on the other host."""


def _many(template: str) -> Respond:
    """A mebibyte of types, of which one may refer to the one before."""
    count = _MIB // (len(template) + 8)
    return _describes(types="".join(template.format(number, number - 1) for number in range(1, count)))


WSDL_BOMBS = (
    Case("wsdl-restrictions", 200,
         _many('<xs:simpleType name="r{0}"><xs:restriction base="xs:string"/></xs:simpleType>')),
    Case("wsdl-heirs", Reason.INVALID,
         _many('<xs:complexType name="r{0}"><xs:complexContent><xs:restriction base="t:r{1}">'
               '<xs:attribute name="a{0}"/></xs:restriction></xs:complexContent></xs:complexType>')),
    Case("wsdl-attributes", 200,
         _many('<xs:complexType name="r{0}"><xs:attribute name="a" type="xs:int"/></xs:complexType>')),
    Case("wsdl-of-elements", 200, _many('<xs:element name="r{0}" type="xs:int"/>')),
)  # fmt: skip
"""Of whole environments: a mebibyte that takes much to read; each process that reads one is limited."""

WSDL_OF_GROUPS = Case(
    "wsdl-of-groups", Reason.INVALID, _describes(types=_GROUPS, fields='<xs:group ref="t:g0"/>')
)
"""A WSDL of 4 kB that takes hours: each group stands twice in the one before it."""


async def _answers_in_plain_http(call: Call) -> None:
    await call.send(http("400 Bad Request", b"This is the plain HTTP port"))
    call.close()


# Record: handshake; ServerHello: TLS 1.0, a random number, no session, a cipher of that time.
_TLS_1_0 = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + bytes(32) + b"\x00\x00\x2f\x00"

HANDSHAKES = (
    Case("tls-port-without-tls", Reason.TLS, _answers_in_plain_http),
    Case("tls-hangs-up", Reason.CONNECTION, says()),
    Case("tls-resets", Reason.CONNECTION, resets()),
    Case("tls-silent", Reason.TIMEOUT, hangs),
    Case("tls-drips", Reason.TIMEOUT, drips(b"\x16\x03\x03\x40\x00", b"\x02")),
    Case("tls-1.0", Reason.TLS, says(_TLS_1_0)),
    Case("tls-refused-as-too-new", Reason.TLS, says(b"\x15\x03\x02\x00\x02\x02\x46")),
    Case("tls-junk", Reason.TLS, says(b"\x16\x03\x03\x00\x04junk")),
)
"""Of whole environments: what comes instead of a TLS handshake."""
