"""The HTTP API of a Prometheus, as far as ``history import`` asks it: bounded in time, bytes and destination.

No redirect is followed, no variable of the environment names a proxy, and a credential goes out in clear to
this machine alone. https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import json
import os
import ssl
from collections.abc import Iterable, Mapping
from math import isfinite
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp

from exporter import __version__
from exporter.cli.http_config import HttpConfig
from exporter.config.environments import is_loopback
from exporter.provider.http.tls import tls_context, tls_detail

SECONDS: Final = 120.0
"""For one query, from the connection to the last byte: a Prometheus gives up after as many."""

CONNECT_SECONDS: Final = 10.0

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of one answer."""

Labels = frozenset[tuple[str, str]]
Points = dict[int, float]
"""Values by their times (Unix seconds)."""

_STATUS: Final = {
    401: "say who asks in --http.config.file",
    403: "say who asks in --http.config.file",
    404: "the URL must be the one under which its /api/v1 is",
    405: "the URL must be the one under which its /api/v1 is",
    429: "try again later",
    502: "try again later",
    503: "try again later",
    504: "try again later",
}
"""What to do about a status; of a redirect and others something is said where they are met."""


class PrometheusError(Exception):
    """It can't be asked, or what it answers can't be used; the text says why, ``remedy`` what to do."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


class Prometheus:
    """A Prometheus under a URL that has passed the command line's checks. To be used in ``async with``."""

    def __init__(self, url: str, access: HttpConfig) -> None:
        """Raise PrometheusError where a credential would travel in clear."""
        self.url = url.rstrip("/")
        if access.authorization and urlsplit(url).scheme == "http" and not is_loopback(url):
            raise self._error("http:// would send the credential in clear", "use https://")
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Raise OSError where what is trusted can't be read."""
        secure = urlsplit(self.url).scheme == "https"
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"cfdi-stamps-exporter/{__version__}",
        }
        if self._access.authorization:
            headers["Authorization"] = self._access.authorization.reveal()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls_context(self._access.tls) if secure else True),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SECONDS, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def query_range(self, query: str, start: int, end: int, step: int) -> dict[Labels, Points]:
        """Return the series that a query gives from a time to another (Unix seconds), by their labels.

        Raises PrometheusError.
        """
        form = {"query": query, "start": str(start), "end": str(end), "step": str(step)}
        status, body = await self._post("/api/v1/query_range", form)
        if 300 <= status < 400:
            text = f"it redirects (HTTP status {status}), which isn't followed"
            raise self._error(text, "name the URL that this leads to")
        content = _content(body)
        if status != 200:
            said = content.get("error") if isinstance(content, dict) else None
            text = f"HTTP status {status}" + (f": {said[:300]!r}" if isinstance(said, str) else "")
            raise self._error(text, _STATUS.get(status, ""))
        try:
            return _series(content)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            text = "the answer isn't that of a Prometheus"
            raise self._error(text, "the URL must be the one under which its /api/v1 is") from None

    async def _post(self, path: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        assert self._session  # noqa: S101 - for the type checker: it is there once this is entered
        try:
            async with self._session.post(self.url + path, data=form, allow_redirects=False) as answer:
                if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise self._error("the answer is compressed, which was not asked for")
                return answer.status, await self._body(answer)
        except aiohttp.ClientSSLError as error:
            cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
            text = tls_detail(cause) if isinstance(cause, ssl.SSLError) else "no secure connection"
            remedy = "name its authority as ca_file, in tls_config of --http.config.file"
            raise self._error(text, remedy if "certificate" in text else "") from None
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno or 0
            reason = os.strerror(number) if number > 0 else "no such host"  # the lookup's own numbers
            raise self._error(f"no connection: {reason}") from None
        except TimeoutError:
            raise self._error(f"no whole answer within {SECONDS:g} s", "try again later") from None
        except (aiohttp.ClientError, OSError):  # its text may quote what the server sent
            raise self._error("the connection was lost, or what came isn't HTTP") from None

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > MOST_BYTES:
                text = f"an answer has more than {MOST_BYTES // 1024 // 1024} MB"
                raise self._error(text, "take fewer series, with --match")
        return bytes(body)

    def _error(self, text: str, remedy: str = "") -> PrometheusError:
        return PrometheusError(f"{self.url}: {text}", remedy)


def selector(names: Iterable[str], label: str, values: Iterable[str], matchers: str) -> str:
    """Return the PromQL of all series of some metrics in which a label has one of some values."""
    wanted = "|".join(map(_literal, values))
    others = f",{matchers}" if matchers else ""
    return f'{{__name__=~"{"|".join(names)}",{label}=~{json.dumps(wanted, ensure_ascii=False)}{others}}}'


def _literal(text: str) -> str:
    """Return a regular expression (RE2) that matches a text alone."""
    return "".join(f"\\{one}" if one in "\\.+*?()|[]{}^$" else one for one in text)


def _content(body: bytes) -> Any:
    """Return what the JSON of an answer says; ``None`` where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _series(content: Any) -> dict[Labels, Points]:
    """Raise an error of Python's where the content isn't a matrix."""
    if content["status"] != "success" or content["data"]["resultType"] != "matrix":
        raise ValueError
    return {
        frozenset((str(name), str(value)) for name, value in one["metric"].items()): {
            int(at): number for at, value in one["values"] if isfinite(number := float(value))
        }
        for one in content["data"]["result"]
    }
