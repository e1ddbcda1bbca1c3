"""What an address in the configuration must be."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import PlainValidator, WithJsonSchema

from exporter.config.yaml.rules import as_text, wrong
from exporter.secret import Secret

_URL = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?\.?")


def _wsdl(value: object) -> str:
    url = _split_url(value, ("http", "https"))
    if "@" in url.netloc:
        raise wrong("must not hold a user or password: they belong to the accounts")
    return url.geturl()


def _proxy(value: object) -> Secret:
    url = _split_url(value, ("http",))
    if url.path not in ("", "/") or url.query:
        raise wrong("must not have a path")
    return Secret(url.geturl())


def _split_url(value: object, schemes: tuple[str, ...]) -> SplitResult:
    """Return an address taken apart. No message shows it: it may hold a password."""
    text = as_text(value)
    kind = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        url = urlsplit(text)
        port_is_valid = url.port != 0 and not url.netloc.endswith(":")
        sound = url.scheme in schemes and port_is_valid and _is_host(url.hostname or "")
    except ValueError:  # a port that is none, brackets that don't match
        sound = False
    if not sound or not _URL.fullmatch(text) or "\\" in text:
        raise wrong(f"must be an address that begins with {kind}, with a host and, if any, a valid port")
    if url.fragment or text.endswith("#"):
        raise wrong("must not have a fragment (#)")
    return url


def _is_host(host: str) -> bool:
    """Return whether it is a host name in ASCII or an IP address (IPv6 without brackets)."""
    if ":" in host:
        return bool(ipaddress.IPv6Address(host))  # ValueError where it is none
    return bool(_HOST.fullmatch(host))


Wsdl = Annotated[
    str | None, PlainValidator(_wsdl), WithJsonSchema({"type": "string", "pattern": "^https?://[^#]+$"})
]
Proxy = Annotated[
    Secret | None, PlainValidator(_proxy), WithJsonSchema({"type": "string", "pattern": "^http://[^#]+$"})
]
