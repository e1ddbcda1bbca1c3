"""PromQL: how accounts stand, and who needs stamps first."""

from enum import IntEnum
from typing import Final

from dashboards.selectors import JOB, ON_ACCOUNT, Accounts

CRITICAL_DAYS: Final = 2
"""Days left below which ``CfdiStampsRunningOut`` is critical, whatever the calendar says."""

WARNING_DAYS: Final = 7
"""Days left below which it is a warning."""

FARTHEST: Final = 1000
"""Days: no forecast is as far away. For accounts that have none."""

BALANCE: Final = "account:cfdi_stamps_available:last"
DEPLETION: Final = "account:cfdi_stamps_depletion:last"
THRESHOLD: Final = "account:cfdi_stamps_low_threshold:max"
SUSPENDED: Final = "account:cfdi_account_suspended:max"
POLLED: Final = "account:cfdi_account_up:polled"
CONSUMED: Final = "account:cfdi_stamps_consumed:total"
LAST_QUARTER: Final = "account:cfdi_stamps_consumed:last_quarter"

_NEXT_BUSINESS_DAY: Final = "cluster:cfdi_calendar_next_business_day_end:last"
_CRITICAL: Final = f"clamp_min({_NEXT_BUSINESS_DAY}, time() + {CRITICAL_DAYS * 86400})"
"""Until when stamps must last at least: the end of the next business day, or two days."""


class Stamps(IntEnum):
    """What an account's balance asks of people, the most urgent first; values of the series."""

    EXHAUSTED = 0
    """No stamp is left."""
    CRITICAL = 1
    """To be bought today: what ``CfdiStampsLow`` or ``CfdiStampsRunningOut`` calls critical."""
    UNKNOWN = 2
    """There was never a balance: nobody can say."""
    LOW = 3
    """To be bought this week: what these alerts warn of."""
    ENOUGH = 4


class Polls(IntEnum):
    """How the exporter fares with an account; values of the series."""

    FAILING = 0
    ANSWERED = 1
    SUSPENDED = 2
    NO_EXPORTER = 3
    """Nobody asks: the exporter that had the account is silent."""


def today(accounts: Accounts) -> str:
    """Return the accounts that stamps are to be bought for today."""
    balance = accounts.recorded(BALANCE)
    return f"{by_forecast(accounts)} or {balance} == 0 or {_below(accounts, 'critical')}"


def this_week(accounts: Accounts) -> str:
    """Return those of this week, and of today."""
    days = f"{accounts.recorded(DEPLETION)} < time() + {WARNING_DAYS * 86400}"
    return f"{days} or {accounts.recorded(BALANCE)} == 0 or {_below(accounts, 'warning')}"


def by_forecast(accounts: Accounts) -> str:
    """Return those whose stamps don't last to the end of the next business day, or for two days."""
    return f"{accounts.recorded(DEPLETION)} < on (cluster) group_left () {_CRITICAL}"


def lasts(accounts: Accounts) -> str:
    """Return 1 where stamps last that long, else 0."""
    return f"{accounts.recorded(DEPLETION)} >= bool on (cluster) group_left () {_CRITICAL}"


def stamps(accounts: Accounts) -> str:
    """Return how each account stands, as a number of ``Stamps``: of several that apply the first."""
    known, balance = accounts.known(), accounts.recorded(BALANCE)
    stages = (
        (Stamps.EXHAUSTED, f"{balance} == 0"),
        (Stamps.CRITICAL, today(accounts)),
        (Stamps.UNKNOWN, f"{known} unless {ON_ACCOUNT} {balance}"),
        (Stamps.LOW, this_week(accounts)),
        (Stamps.ENOUGH, known),
    )
    return f" or {ON_ACCOUNT} ".join(f"0 * ({condition}) + {stage:d}" for stage, condition in stages)


def days_left(accounts: Accounts) -> str:
    """Return for how many days the stamps last by the forecast."""
    return f"clamp_min({accounts.recorded(DEPLETION)} - time(), 0) / 86400"


def due(accounts: Accounts) -> str:
    """Return in how many days stamps have to be bought: the order in which people look at accounts.

    It is the forecast, or less where the balance is below a threshold or was never known. Which thresholds
    are passed is asked of the alerts, pending ones too: to compare all balances would take as long as the
    rest. Labels differ, so that an account has several numbers, of which the least counts.
    """
    low = 'alertname="CfdiStampsLow"'
    numbers = (
        days_left(accounts),
        "0 * " + accounts.alerts('alertname="CfdiStampsExhausted"'),
        "0 * " + accounts.alerts(f'{low}, severity="critical"') + f" + {CRITICAL_DAYS}",
        "0 * " + accounts.alerts(f'{low}, severity="warning"') + f" + {WARNING_DAYS}",
        f"0 * ({accounts.known()} unless {ON_ACCOUNT} {accounts.recorded(BALANCE)}) + {CRITICAL_DAYS}",
        f"0 * {accounts.known()} + {FARTHEST}",
    )
    least = f"min by (cluster, account, pac_environment) ({' or '.join(numbers)})"
    return accounts.among(least)


def first(accounts: Accounts, limit: int | str) -> str:
    """Return the accounts that need stamps first."""
    return f"bottomk({limit}, {due(accounts)})"


def polls(accounts: Accounts) -> str:
    """Return how polls end, as a number of ``Polls``. An account that was never polled has none."""
    silent = f"{accounts.known()} unless on (cluster, instance) (up{{{JOB}}} == 1)"
    return (
        f"0 * max by (cluster, account, pac_environment) ({silent}) + {Polls.NO_EXPORTER:d} "
        f"or 0 * ({accounts.recorded(SUSPENDED)} == 1) + {Polls.SUSPENDED:d} "
        f"or {accounts.recorded(POLLED)} + 0"
    )


def _below(accounts: Accounts, severity: str) -> str:
    threshold = accounts.recorded(THRESHOLD, f', severity="{severity}"')
    return f"{accounts.recorded(BALANCE)} < {ON_ACCOUNT} {threshold}"
