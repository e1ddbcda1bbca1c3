"""The bytes of a request."""

import re
from urllib.parse import quote

from exporter import __version__

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEPT_IN_TARGETS = "/:;=?@&!$'()*+,~%[]"  # other signs are percent-encoded


def request_head(method: str, target: str, headers: dict[str, str]) -> bytes:
    """Return a request's head without the empty line that ends it.

    Raises ValueError where a header could become several.
    """
    lines = [f"{method} {quote(target, safe=_KEPT_IN_TARGETS)} HTTP/1.1"]
    for name, value in (headers | {"User-Agent": f"cfdi-stamps-exporter/{__version__}"}).items():
        if _CONTROL.search(value):
            raise ValueError(f"control characters in {name}")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n").encode()
