"""PromQL: whose series a dashboard looks at, and what is asked of one of them.

What the rules in ``alerts/`` record carries ``account`` and ``pac_environment``; docs/alerts.md explains it.
The exporter's own series carry ``job`` and ``instance``; their environment is joined from
``cfdi_account_info``.
"""

from dataclasses import dataclass
from typing import Final

JOB: Final = 'job="cfdi-stamps"'
"""The job that the rules look at; another job's series of the same name are none of ours."""

ON_ACCOUNT: Final = "on (account, pac_environment)"


def exporters(series: str, matchers: str = "") -> str:
    """Select a series of the exporters that a dashboard looks at."""
    return f'{series}{{{JOB}, instance=~"$instance"{matchers}}}'


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that a dashboard looks at: matchers of the labels ``account`` and ``pac_environment``.

    ``at`` is a modifier of every selector: with ``@ end()`` a query over a range looks at its end only.
    """

    account: str
    environment: str
    at: str = ""

    def recorded(self, series: str) -> str:
        """Select a recorded series."""
        return f"{series}{{{self.account}, {self.environment}}}{self.at}"

    def recent(self, series: str, offset: str = "", window: str = "1h") -> str:
        """Select a series that is recorded every 15 minutes: its last value within a window.

        An hour spans four evaluations; an instant would see nothing for two minutes of three.
        """
        moved = f" offset {offset}" if offset else ""
        return f"last_over_time({series}{{{self.account}, {self.environment}}}[{window}]{moved}{self.at})"

    def exposed(self, series: str) -> str:
        """Select a series of the exporter by account, whatever its environment."""
        return f"{series}{{{JOB}, {self.account}}}"

    def joined(self, expression: str) -> str:
        """Give the environment to an expression of series that carry ``instance`` and ``account``.

        Where two exporters have the account the larger value counts.
        """
        return (
            f"max by (account, pac_environment) ({expression} * on (instance, account) "
            f"group_left (pac_environment) {self.info()})"
        )

    def own(self, expression: str) -> str:
        """Keep of an expression what belongs to accounts of the environment, with all its labels."""
        return f"({expression} and on (instance, account) {self.info()})"

    def info(self) -> str:
        """Select the accounts at their exporters: 1, with the environment and the configured labels."""
        return f"cfdi_account_info{{{JOB}, {self.account}, {self.environment}}}"


CHOSEN: Final = Accounts('account=~"$account"', 'pac_environment=~"$environment"')
"""Any number of accounts: the variables allow several values, and all."""

ONE: Final = Accounts('account="$account"', 'pac_environment="$environment"')
"""A single account: the variables have one value."""
