"""PromQL: whose series a dashboard looks at, and what is asked of one of them.

What the rules in ``alerts/`` record carries ``account`` and ``pac_environment``, and ``cluster`` where there
is one; docs/alerts.md explains it. The exporter's own series carry ``job`` and ``instance``; their
environment and team are asked of ``KNOWN``.
"""

from dataclasses import dataclass
from typing import Final

JOB: Final = 'job="cfdi-stamps"'
"""The job that the rules look at; another job's series of the same name are none of ours."""

ON_ACCOUNT: Final = "on (cluster, account, pac_environment)"
ON_EXPORTERS_ACCOUNT: Final = "on (cluster, instance, account)"

KNOWN: Final = "exporter_account:cfdi_account_info:known"
"""The accounts of each exporter with their team, those of a silent exporter too."""


def exporters(series: str, matchers: str = "") -> str:
    """Select a series of the exporters that a dashboard looks at."""
    return f'{series}{{{JOB}, instance=~"$instance"{matchers}}}'


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that a dashboard looks at: matchers of labels.

    Only ``KNOWN`` and alerts carry the team, so ``among`` has to keep what belongs to it.
    """

    account: str
    environment: str
    team: str = ""

    def recorded(self, series: str, matchers: str = "") -> str:
        """Select a recorded series."""
        return f"{series}{{{self.account}, {self.environment}{matchers}}}"

    def known(self) -> str:
        """Select the accounts at their exporters: 1, with the environment and the team."""
        return self.recorded(KNOWN, self._team())

    def alerts(self, matchers: str) -> str:
        """Select alerts on these accounts."""
        return self.recorded("ALERTS", f"{self._team()}, {matchers}")

    def exposed(self, series: str) -> str:
        """Select a series of the exporter by account, whatever its environment."""
        return f"{series}{{{JOB}, {self.account}}}"

    def among(self, expression: str) -> str:
        """Keep of an expression of recorded series what belongs to the team."""
        return f"({expression}) and {ON_ACCOUNT} {self.known()}"

    def joined(self, expression: str) -> str:
        """Give the environment to an expression of the exporter's series.

        Where two exporters have the account the larger value counts.
        """
        return (
            f"max by (cluster, account, pac_environment) ({expression} * {ON_EXPORTERS_ACCOUNT} "
            f"group_left (pac_environment) {self.known()})"
        )

    def own(self, expression: str) -> str:
        """Keep of an expression of the exporter's series what belongs to accounts of the environment."""
        return f"({expression} and {ON_EXPORTERS_ACCOUNT} {self.known()})"

    def _team(self) -> str:
        return f", {self.team}" if self.team else ""


_ENVIRONMENTS: Final = 'pac_environment=~"$environment"'

CHOSEN: Final = Accounts('account=~"$account"', _ENVIRONMENTS, 'team=~"$team"')
"""Any number of accounts: the variables allow several values, and all."""

LISTED: Final = Accounts('account=~"$listed"', _ENVIRONMENTS)
"""The first of the chosen ones, which a hidden variable names: thousands are sorted once for all panels."""

ONE: Final = Accounts('account="$account"', 'pac_environment="$environment"')
"""A single account: the variables have one value."""
