"""PURE: what the page says, whatever the language. The words are in `english` and `spanish`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from exporter.account.outcome import Code, Reason
from exporter.page.query import Order
from exporter.page.standing import Condition

Counted = tuple[str, str]
"""A text for one and a text for any other number."""


@dataclass(frozen=True, slots=True)
class Texts:
    """All words of the page in one language. Names in braces are filled in."""

    language: str
    """The tag of the language, for screen readers and hyphenation."""

    # The whole page.
    title: str
    headline_well: str
    headline_attention: Counted
    headline_none: str
    attention: Counted  # in the window's title
    as_of: str
    refreshes: str
    refresh_stop: str
    refresh_stopped: str
    refresh_start: str
    other_language: str  # in that language
    footer: str
    links: str
    metrics: str
    configuration: str
    health: str
    readiness: str

    simulated: str

    # Totals, search and paging.
    summary: str
    totals_by: str
    available: str
    with_trouble: str
    first_runs_out: str
    more: Counted
    order: str
    orders: Mapping[Order, str]
    as_csv: str
    stamps_in_all: str
    accounts_known: str
    all_accounts: str
    search: str
    search_hint: str
    search_clear: str
    accounts: str
    found: Counted
    found_for: str
    nothing_found: str
    pages: str
    page_of: str
    previous: str
    next: str

    # The page of one account.
    back: str
    no_account: str
    condition: str
    forecast: str
    balance: str
    history: str
    answers: str
    by_days: Counted
    no_history: str
    day_by_day: str
    day_heading: str
    stamps_used: str
    asked_every: str
    since_start: str

    # One account.
    conditions: Mapping[Condition, str]
    paused: str
    waits: str
    below_warning: str
    below_critical: str
    no_balance_since: str
    no_balance_yet: str
    older_than: str
    stamps: str
    of_contracted: str
    unknown: str
    last_known: str
    threshold_warning: str
    threshold_critical: str
    bar: str
    bar_unknown: str
    until: str
    usual: str
    over_a_year: str
    no_use: str
    no_forecast: str
    empty_since: str
    topped_up: str
    lasts: str
    lasts_no_business_day: str
    days_left: Counted
    days_bar: str
    use_drawing: str
    because: str
    by_few_days: Counted
    day: Callable[[date], str]
    short_day: Callable[[date], str]
    answer: str
    no_answer: str
    no_answer_before_restart: str
    no_answer_yet: str
    without_balance: str
    held_back: str
    buy: str
    buy_now: str
    buy_soon: str
    buy_before: str
    to_lift: str
    one_try: str
    sooner: str
    one_try_now: str
    last_poll: str
    never: str
    next_poll: str
    no_poll: str

    # Times and answers.
    ago: str
    ahead: str
    now: str
    overdue: str
    reasons: Mapping[Reason, str]
    meaning: Callable[[Code], str]
    advice: Callable[[Code], str]


def counted(text: Counted, number: int) -> str:
    """Return the text for a number of things."""
    one, other = text
    return one if number == 1 else other
