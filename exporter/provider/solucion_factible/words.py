"""The words that a description may show: those that everybody knows, and those of a WSDL that hold no secret.

A WSDL is had before a credential is sent. So a name that an answer has and no WSDL can be anything, also a
piece of a password, and is not shown.
"""

import re
from collections.abc import Iterable
from typing import Final

from exporter.secret import Secret

XSD: Final = "http://www.w3.org/2001/XMLSchema"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_NAMESPACE: Final = re.compile(r"(?:https?://|urn:)[A-Za-z0-9._:/-]{1,120}#?")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NAMES: Final = _set(
    "Envelope Header Body Fault faultcode faultstring faultactor detail Code Value Subcode Reason Text Node "
    "Role Detail nil type lang encodingStyle mustUnderstand actor role relay id href Include schemaLocation "
    "getTimbres getTimbresResponse getTimbresImplementacion getTimbresImplementacionResponse return status "
    "mensaje contratados usados disponibles ResponseTimbres usuario password rfcEmisor html head body"
)
NAMESPACES: Final = frozenset(
    {
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
        "http://schemas.xmlsoap.org/soap/encoding/",
        "http://www.w3.org/2004/08/xop/include",
        "http://www.w3.org/XML/1998/namespace",
        "http://www.w3.org/1999/xhtml",
        XSD,
        XSI,
    }
)
BUILT_IN_TYPES: Final = _set(
    "string boolean decimal float double dateTime date time integer int long short byte base64Binary anyType "
    "anyURI QName duration nonNegativeInteger positiveInteger unsignedInt unsignedLong token"
)
HEADERS: Final = _set(
    "accept-ranges age allow alt-svc cache-control cf-cache-status cf-ray connection content-disposition "
    "content-encoding content-language content-length content-location content-security-policy "
    "content-type cross-origin-opener-policy cross-origin-resource-policy date etag expect-ct expires "
    "keep-alive last-modified link location nel p3p permissions-policy pragma proxy-authenticate "
    "proxy-connection referrer-policy report-to retry-after server server-timing set-cookie soapaction "
    "strict-transport-security trailer transfer-encoding upgrade vary via warning www-authenticate "
    "x-amz-cf-id x-amz-cf-pop x-aspnet-version x-cache x-content-type-options x-frame-options x-powered-by "
    "x-request-id x-robots-tag x-runtime x-served-by x-ua-compatible x-varnish x-xss-protection"
)
MEDIA_TYPES: Final = _set(
    "text/xml application/xml application/soap+xml multipart/related application/xop+xml text/html "
    "application/xhtml+xml text/plain application/json application/octet-stream"
)


class Words:
    """The words that may be shown, beside those that everybody knows. None holds one of the ``secrets``."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = tuple(secrets)
        self._names: set[str] = set()
        self._namespaces: set[str] = set()

    def learn_name(self, name: str) -> None:
        """Take a name of the WSDL for one that may be shown, if it may."""
        if _NAME.fullmatch(name) and not self._holds_secret(name):
            self._names.add(name)

    def learn_namespace(self, namespace: str) -> None:
        """Take a namespace of the WSDL likewise."""
        if _NAMESPACE.fullmatch(namespace) and not self._holds_secret(namespace):
            self._namespaces.add(namespace)

    def name(self, name: str) -> str:
        """Return a name, or that it isn't shown."""
        known = name in NAMES or name in self._names
        return name if known else f"(a name that isn't shown, {len(name)} characters)"

    def namespace(self, namespace: str) -> str:
        """Return a namespace, or that it isn't shown."""
        if not namespace:
            return "(none)"
        known = namespace in NAMESPACES or namespace in self._namespaces
        return namespace if known else f"(a namespace that isn't shown, {len(namespace)} characters)"

    def type(self, qualified: str, prefixes: dict[str, str]) -> str:
        """Return the type that an attribute names, or that it isn't shown."""
        prefix, _, local = qualified.strip().rpartition(":")
        if prefixes.get(prefix) == XSD and local in BUILT_IN_TYPES:
            return f"xs:{local}"
        return self.name(local)

    def phrase(self, text: str) -> str:
        """Return a short text of printable ASCII, or that it isn't shown."""
        plain = "".join(sign if " " <= sign <= "~" and sign not in "<>`|\\" else "?" for sign in text[:64])
        return "(not shown)" if self._holds_secret(text) else plain

    def _holds_secret(self, text: str) -> bool:
        return any(secret.stands_in(text) for secret in self._secrets)
