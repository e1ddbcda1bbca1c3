"""The only way out: HTTP towards one provider, bounded in time, bytes and destination.

It speaks to the configured host alone (no redirects, no address that a document names), asks for uncompressed
answers and reads at most ``MAX_BODY`` bytes. Time limits are the caller's.
"""

import select
import ssl
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler

from exporter import __version__
from exporter.account.outcome import Reason
from exporter.config import Environment, TlsConfig
from exporter.provider.http.resolver import Resolver

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

MAX_BODY: Final = 1024 * 1024
"""Bytes. An answer has about a thousand, a WSDL some ten thousand."""


class TransportError(Exception):
    """No body could be had; ``sent`` is false where the request can't have reached the provider."""

    def __init__(self, reason: Reason, detail: str, *, sent: bool = True) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.sent = sent


KEPT: Final = 4.0
"""Seconds that an idle connection is kept: of the usual servers Apache closes first, after 5."""


class _Handler(ResponseHandler):
    """One connection. What comes on it while no call is under way closes it."""

    idle = False

    def data_received(self, data: bytes) -> None:
        if self.idle and data:  # aiohttp calls this without data, too
            self.close()
        else:
            super().data_received(data)


class _Connector(aiohttp.TCPConnector):
    """Keeps connections, and uses one again only where nothing has come on it since it was last used.

    What a server or a proxy sends unasked would else be taken for the answer to the next call, which is
    another account's; aiohttp keeps it and hands it on. And a call on a connection that was hung up meanwhile
    fails.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        # The scheduler limits the number of calls; the WSDL is fetched beside them.
        super().__init__(limit=0, keepalive_timeout=KEPT, resolver=Resolver(), ssl=tls or True)
        self._factory = cast("partial[ResponseHandler]", partial(_Handler, loop=self._loop))

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> "Connection":
        while True:
            connection = await super().connect(req, traces, timeout)
            handler = cast("_Handler", connection.protocol)
            if not handler.idle or _is_silent(handler):
                break
            connection.close()
        handler.idle = False
        connection.add_callback(partial(setattr, handler, "idle", True))
        return connection


def _is_silent(handler: _Handler) -> bool:
    """Tell whether nothing has come on an idle connection: no bytes, read or unread, and not its end."""
    if handler.should_close or handler.transport is None:
        return False
    unread = select.poll()
    unread.register(handler.transport.get_extra_info("socket"), select.POLLIN)
    return not unread.poll(0)


class Transport:
    """Connections to one environment's provider. To be made in a running event loop."""

    def __init__(self, environment: Environment) -> None:
        parts = urlsplit(environment.wsdl)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._session = aiohttp.ClientSession(
            connector=_Connector(tls_context(environment.tls) if parts.scheme == "https" else None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"cfdi-stamps-exporter/{__version__}", "Accept-Encoding": "identity"},
            # Set explicitly: an environment variable must not send passwords through a proxy.
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )
        self._proxy = environment.proxy_url.reveal() if environment.proxy_url else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections, also those in use."""
        await self._session.close()

    async def get(self, url: str) -> bytes:
        """Return the document at ``url``, which must be on the configured host.

        Raises TransportError, ``http`` for every status but 200.
        """
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self._origin:
            raise TransportError(Reason.INVALID, "the WSDL imports a document from another host", sent=False)
        status, body = await self._request("GET", url, None, {})
        if status != 200:
            raise TransportError(Reason.HTTP, f"HTTP status {status}")
        return body

    async def post(self, path: str, envelope: bytes, soap_action: str) -> tuple[int, bytes]:
        """Send a SOAP 1.1 envelope and return the HTTP status and the body. Raises TransportError."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap_action}"'}
        return await self._request("POST", self._origin + path, envelope, headers)

    async def _request(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
            ) as response:
                return response.status, await _body(response)
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise _translated(error) from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body, which must be whole only where the status says that it is an answer."""
    try:
        return await _bounded(response)
    except (TransportError, aiohttp.ClientPayloadError):
        if response.status == 200:
            raise
        return b""


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise TransportError(Reason.INVALID, "the answer is compressed, which was not asked for")
    if (response.content_length or 0) > MAX_BODY:
        raise TransportError(Reason.INVALID, "the answer is larger than 1 MiB")
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_BODY:
            raise TransportError(Reason.INVALID, "the answer is larger than 1 MiB")
    return bytes(body)


def _translated(error: Exception) -> TransportError:
    """Return the reason for an exception of aiohttp, whose texts can hold more than may be shown."""
    if isinstance(error, TransportError):
        return error
    if _is_tls(error):
        # A connection that failed later than its handshake may have carried the credential.
        sent = not isinstance(error, aiohttp.ClientConnectorError)
        return TransportError(Reason.TLS, _tls_detail(error), sent=sent)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return TransportError(Reason.HTTP, f"the proxy answered with HTTP status {error.status}", sent=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        system = error.os_error.strerror or type(error.os_error).__name__
        return TransportError(Reason.CONNECTION, f"no connection: {system}", sent=False)
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        return TransportError(Reason.CONNECTION, "the connection was lost before the answer was complete")
    return TransportError(Reason.INVALID, f"the answer is not valid HTTP ({type(error).__name__})")


def _is_tls(error: BaseException) -> bool:
    causes = (error, error.__cause__, getattr(error, "os_error", None))
    return any(
        isinstance(cause, ssl.SSLError | ssl.CertificateError | aiohttp.ClientSSLError) for cause in causes
    )


def _tls_detail(error: BaseException) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    text = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or type(cause).__name__
    return f"no secure connection: {text}"


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """Return the TLS settings towards a provider: at least TLS 1.2, certificates checked unless switched off.

    Raises OSError where a file can't be read and ssl.SSLError where it isn't what it should be.
    """
    context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
