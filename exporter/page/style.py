"""PURE: how the page looks: its one style, its signs, and the policy that allows it nothing else."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from exporter.page.markup import Html
from exporter.page.standing import Condition

_SIGNS: Final[Mapping[Condition, str]] = {
    Condition.SUSPENDED: '<circle cx="8" cy="8" r="6.8"/><path d="M6.1 5.4v5.2M9.9 5.4v5.2"/>',
    Condition.EXHAUSTED: '<circle cx="8" cy="8" r="6.8"/><path d="M3.2 12.8 12.8 3.2"/>',
    Condition.CRITICAL: '<path d="M5.2 1.2h5.6l4 4v5.6l-4 4H5.2l-4-4V5.2z"/><path d="M8 4.6v4M8 11.3v.01"/>',
    Condition.LOW: '<path d="M8 1.5 15 14H1z"/><path d="M8 6.2v3.6M8 12v.01"/>',
    Condition.FAILING: '<circle cx="8" cy="8" r="6.8"/><path d="m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8"/>',
    Condition.STALE: '<circle cx="8" cy="8" r="6.8"/><path d="M8 4v4l2.7 1.7"/>',
    Condition.PENDING: '<circle cx="8" cy="8" r="6.8"/><path d="M4.8 8v.01M8 8v.01M11.2 8v.01"/>',
    Condition.OK: '<circle cx="8" cy="8" r="6.8"/><path d="m4.9 8.3 2.2 2.2 4.1-4.6"/>',
}

SIGNS: Final = Html(
    '<svg class="signs" aria-hidden="true">'
    + "".join(
        f'<symbol id="{condition.name.lower()}" viewBox="0 0 16 16">{drawing}</symbol>'
        for condition, drawing in _SIGNS.items()
    )
    + "</svg>"
)
"""The drawings of all conditions; each has a shape of its own, for those who see colours differently."""

STYLE: Final = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
"""The style sheet, which stands in the page itself: the page needs no other file."""

_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_DIGEST}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""The Content-Security-Policy of the page: this one style, and forms to itself."""
