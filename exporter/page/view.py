"""PURE: what a page is drawn from, beside the accounts: the moment, the words, what was asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exporter.account.use import RecentUse
from exporter.page.query import Query
from exporter.page.texts import Texts
from exporter.resume import command


@dataclass(frozen=True, slots=True)
class Site:
    """What the page says about the exporter itself.

    ``resume`` returns the command that gives an account one new try, ready to be pasted.
    """

    version: str
    telemetry_path: str
    resume: Callable[[str], str] = command


@dataclass(frozen=True, slots=True)
class View:
    """What is shown to whom: ``now`` is a moment in the configured zone.

    ``use`` is by ``Account.guard_key``; ``root`` the way from the page to the list of all accounts.
    """

    now: datetime
    texts: Texts
    query: Query
    site: Site
    use: Mapping[str, RecentUse] = field(default_factory=dict)
    root: str = "."
