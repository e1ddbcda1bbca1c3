"""PURE: the words of the page in English."""

from datetime import date
from typing import Final

from exporter.account.outcome import Reason
from exporter.page.standing import Condition
from exporter.page.texts import Texts

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _day(day: date) -> str:
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def _short_day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


ENGLISH: Final = Texts(
    language="en",
    title="CFDI stamps",
    headline_well="All accounts are well",
    headline_attention=("1 account needs attention", "{number} accounts need attention"),
    headline_none="No accounts are configured",
    attention=("1 needs attention", "{number} need attention"),
    as_of="As of {time}",
    refreshes="refreshes every {seconds} s",
    refresh_stop="stop",
    refresh_stopped="doesn't refresh by itself",
    refresh_start="refresh",
    other_language="Español",
    footer="Balances are as of each account's last poll. Looking at this page asks the provider for nothing.",
    links="More pages",
    metrics="Metrics",
    configuration="Configuration",
    health="Health",
    readiness="Readiness",
    summary="Summary",
    stamps_in_all="stamps available in all",
    accounts_known="{known} of {number} balances known",
    all_accounts="All",
    search="Search",
    search_hint="Name, environment or label",
    search_clear="Clear",
    accounts="Accounts",
    found=("1 account", "{number} accounts"),
    found_for="for {search}",
    nothing_found="Nothing found.",
    pages="Pages",
    page_of="Page {page} of {pages}",
    previous="Previous",
    next="Next",
    conditions={
        Condition.SUSPENDED: "Suspended",
        Condition.EXHAUSTED: "Exhausted",
        Condition.CRITICAL: "Critical",
        Condition.LOW: "Low",
        Condition.FAILING: "Failing",
        Condition.STALE: "Stale",
        Condition.PENDING: "Not yet polled",
        Condition.OK: "OK",
    },
    since="since {time}",
    waits="waiting: what became of the last tries isn't known",
    below_warning="below the warning threshold",
    below_critical="below the critical threshold",
    no_balance_since="no balance since {time}",
    no_balance_yet="no balance so far",
    older_than="the balance is older than {time}",
    stamps="stamps",
    of_contracted="of {contracted} stamps",
    unknown="unknown",
    last_known="last known: {stamps}, {time}",
    threshold_warning="warning below {stamps}",
    threshold_critical="critical below {stamps}",
    bar="{available} of {contracted} stamps available, {percent}%",
    bar_unknown="balance unknown",
    until="until {day}, about {stamps} a day",
    because="{day}, as on {as_on}",
    by_few_days=("by 1 day of use", "by {number} days of use"),
    day=_day,
    short_day=_short_day,
    answer="The provider answered {code}: {meaning}.",
    no_answer="No answer ({reason}): {detail}.",
    no_answer_before_restart="No balance at the last poll before the exporter was restarted.",
    no_answer_yet="No answer so far.",
    without_balance="The provider answered {code}, but without the stamps available.",
    held_back=(
        "What became of the last tries isn't known. They may have been refused, and too many refusals "
        "lock the account, so the exporter waits. Next try: {time}."
    ),
    buy="Buy stamps: invoicing has stopped.",
    to_lift="To lift the suspension:",
    one_try="For one new try with the same credential:",
    sooner="To try sooner:",
    one_try_now="Check the credential. Then, once an hour at most:",
    last_poll="Polled",
    never="never",
    next_poll="Next poll",
    no_poll="none while suspended",
    ago="{span} ago",
    ahead="in {span}",
    now="now",
    overdue="{span} overdue",
    reasons={
        Reason.TIMEOUT: "timeout",
        Reason.CONNECTION: "connection",
        Reason.TLS: "TLS",
        Reason.HTTP: "HTTP",
        Reason.FAULT: "SOAP fault",
        Reason.INVALID: "unusable answer",
    },
    meaning=lambda code: code.meaning,
    advice=lambda code: code.advice,
)
