"""PromQL: how accounts stand, and who needs stamps first."""

from enum import IntEnum
from typing import Final

from dashboards.selectors import ON_ACCOUNT, Accounts

CRITICAL_DAYS: Final = 2
"""Days left below which ``CfdiStampsRunningOut`` is critical."""

WARNING_DAYS: Final = 7
"""Days left below which it is a warning."""

BALANCE: Final = "account:cfdi_stamps_available:last"
DAYS_LEFT: Final = "account:cfdi_stamps_available:days_left"
CARRIES: Final = "account:cfdi_stamps_available:carries_busiest_day"
THRESHOLD: Final = "account:cfdi_stamps_low_threshold:max"
CONFIGURED: Final = "account:cfdi_account_info:configured"
SUSPENDED: Final = "account:cfdi_account_suspended:max"
POLLED: Final = "account:cfdi_account_up:polled"
LAST_CODE: Final = "account:cfdi_account_last_status_code:max"
DAY: Final = "account:cfdi_stamps_consumed:increase1d"
USUAL_DAY: Final = "account:cfdi_stamps_consumed:per_day"
BUSIEST_DAY: Final = "account:cfdi_stamps_consumed:busiest_day"

_STEP: Final = 10_000
"""Between two stages of urgency; more days than that don't count."""


class Stamps(IntEnum):
    """What an account's balance asks of people, the most urgent first; values of the series."""

    EXHAUSTED = 0
    """No stamp is left."""
    CRITICAL = 1
    """To be bought today: what ``CfdiStampsLow`` or ``CfdiStampsRunningOut`` calls critical."""
    UNKNOWN = 2
    """No balance within a day: nobody can say."""
    LOW = 3
    """To be bought this week: what these alerts warn of."""
    ENOUGH = 4


class Polls(IntEnum):
    """How the exporter fares with an account; values of the series."""

    FAILING = 0
    ANSWERED = 1
    SUSPENDED = 2


def stamps(accounts: Accounts) -> str:
    """Return how each account stands, as a number of ``Stamps``: of several that apply the first."""
    balance, days = accounts.recorded(BALANCE), accounts.recorded(DAYS_LEFT)
    configured = accounts.recorded(CONFIGURED)

    def below(severity: str) -> str:
        return f'{balance} < {ON_ACCOUNT} {THRESHOLD}{{severity="{severity}"}}{accounts.at}'

    stages = (
        (Stamps.EXHAUSTED, f"{balance} == 0"),
        (Stamps.CRITICAL, below("critical")),
        (Stamps.CRITICAL, f"{days} < {CRITICAL_DAYS}"),
        (Stamps.CRITICAL, f"{accounts.recorded(CARRIES)} == 0"),
        (Stamps.UNKNOWN, f"{configured} unless {ON_ACCOUNT} {balance}"),
        (Stamps.LOW, below("warning")),
        (Stamps.LOW, f"{days} < {WARNING_DAYS}"),
        (Stamps.ENOUGH, configured),
    )
    return " or ".join(f"0 * ({condition}) + {stage:d}" for stage, condition in stages)


def urgency(accounts: Accounts) -> str:
    """Return a number for each account, the smaller the more urgent: its stage first, then the days left."""
    days = f"clamp_max({accounts.recorded(DAYS_LEFT)}, {_STEP - 1})"
    without = f"0 * {accounts.recorded(CONFIGURED)} + {_STEP - 1}"
    return f"{_STEP} * ({stamps(accounts)}) + ({days} or {without})"


def most_urgent(accounts: Accounts, limit: int | str) -> str:
    """Return the urgency of the first accounts, so that thousands of them don't all go to a browser."""
    return f"bottomk({limit}, {urgency(accounts)})"


def stage_of(urgency_of_accounts: str) -> str:
    """Return the numbers of ``Stamps`` that are in numbers of urgency."""
    return f"floor({urgency_of_accounts} / {_STEP})"


def among(expression: str, some: str) -> str:
    """Keep of an expression the accounts that another one has."""
    return f"{expression} and {ON_ACCOUNT} {some}"


def polls(accounts: Accounts) -> str:
    """Return how polls end, as a number of ``Polls``. An account that was never polled has none."""
    suspended = f"0 * ({accounts.recorded(SUSPENDED)} == 1) + {Polls.SUSPENDED:d}"
    return f"{suspended} or {accounts.recorded(POLLED)} + 0"
