"""What is logged about accounts: what changes, and not each poll."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter import resume
from exporter.account.issuer import has_no_contract
from exporter.account.outcome import Code, Failure, Outcome, Reading, Reason
from exporter.account.state import State
from exporter.config import Account
from exporter.polling.accounts import Monitored

UNDOCUMENTED_LOGGED: Final = 100
"""Undocumented codes that are logged, each once: the provider chooses the numbers."""


FLAPPING: Final = 6
"""Changes of an account in an hour that are logged one by one; more of them are summed up."""

HOUR: Final = 3600.0


@dataclass(slots=True)
class _Changes:
    """How often an account has changed since a monotonic time, and whether that is only ``summed`` up."""

    since: float
    number: int = 0
    summed: bool = False


class Events:
    """Logs what polls bring: quiet while an account goes on as it did.

    ``resume_command`` returns the command that gives an account one new try, ready to be pasted.
    """

    def __init__(
        self, log: FilteringBoundLogger, resume_command: Callable[[str], str] = resume.command
    ) -> None:
        self._log = log
        self._resume = resume_command
        self._undocumented: set[int] = set()
        self._told: dict[str, Account] = {}  # whose balance was logged, as they were configured then
        self._changes: dict[str, _Changes] = {}

    def polled(
        self, account: Account, before: State, after: State, outcome: Outcome, *, monotonic: float
    ) -> None:
        """Log a poll that ended so at a monotonic time, by what is known of the account before and after."""
        if isinstance(outcome, Reading) and not outcome.code.documented:
            self._tell_undocumented(account, outcome.code.number)
        if after.doubted and not before.doubted and after.available:
            self._log.info("balance doubted", account=account.name, available=0, last=after.available.stamps)
        if after.suspension:
            if not before.suspension:
                self.suspended(account, after.suspension.code)
        elif after.up and before.up is False:
            self._told[account.name] = account
            if self._is_told(account, monotonic):
                self._log.info("account recovered", account=account.name, **_balance(after))
        elif after.up and self._told.get(account.name) is not account:
            self._told[account.name] = account
            self._log.info("first balance", account=account.name, **_balance(after))
        elif not after.up and _what(outcome) != _what(before.last_outcome):
            if self._is_told(account, monotonic):
                self._log.warning("poll failed", account=account.name, **_kind(outcome))
        else:
            self._log.debug("polled", account=account.name, **_kind(outcome))

    def issuer_polled(self, monitored: Monitored, after: State, outcome: Outcome) -> None:
        """Log a poll of an issuer that ended so; ``monitored`` is from before."""
        before = monitored.state
        if isinstance(outcome, Reading) and not outcome.code.documented:
            self._tell_undocumented(monitored.account, outcome.code.number)
        if after.given_up:
            advice = outcome.code.advice if isinstance(outcome, Reading) else "Ask the provider about it."
            effect = "it is not asked for any more until the configuration is loaded anew"
            kind = _kind(outcome)
            self._log.warning("issuer given up", **names(monitored), **kind, effect=effect, advice=advice)
        elif has_no_contract(after) and not has_no_contract(before):
            self._log.info("issuer without a contract of its own", **names(monitored))
        elif after.up and before.up is False:
            self._log.info("issuer recovered", **names(monitored))
        elif not after.up and _what(outcome) != _what(before.last_outcome):
            self._log.warning("poll of an issuer failed", **names(monitored), **_kind(outcome))

    def figures_are_the_accounts(self, monitored: Monitored) -> None:
        """Log that an issuer's figures are those of its account: it may have none of its own."""
        self._log.warning(
            "an issuer's figures are its account's",
            **names(monitored),
            meaning="the provider may answer so for issuers without a contract of their own",
            effect="they are shown as the issuer's; this is logged once, whatever other issuers are answered",
        )

    def suspended(self, account: Account, code: Code) -> None:
        """Log a suspension: what happened, what it means and how to lift it."""
        self._log.error(
            "account suspended",
            account=account.name,
            code=code.number,
            meaning=code.meaning,
            effect="no login is tried any more, so that the provider doesn't lock the account",
            advice=code.advice,
            resume=f"after that: a reload with another credential, or {self._resume(account.name)}",
        )

    def blocked(self, account: Account, until: float) -> None:
        """Log that an account waits for an open try to lapse: why, until when, and how to lift it sooner."""
        self._log.warning(
            "account waits",
            account=account.name,
            until=datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            reason="what became of its last tries isn't known, and they may have been refused",
            effect="no login is tried before that, so that the provider doesn't lock the account",
            resume=f"to try once more sooner: {self._resume(account.name)}",
        )

    def _is_told(self, account: Account, monotonic: float) -> bool:
        """Count a change of an account; return whether it is logged by itself."""
        changes = self._changes.setdefault(account.name, _Changes(monotonic))
        if monotonic - changes.since >= HOUR:
            flapped = changes.number
            changes.since, changes.number = monotonic, 0
            if changes.summed and flapped > FLAPPING:
                self._tell_flapping(account, flapped)
            else:
                changes.summed = False
        changes.number += 1
        if not changes.summed and changes.number > FLAPPING:
            changes.summed = True
            self._tell_flapping(account, changes.number)
        return not changes.summed

    def _tell_flapping(self, account: Account, number: int) -> None:
        self._log.warning(
            "account flaps",
            account=account.name,
            changes=number,
            effect="it fails and recovers again and again: from now on that is summed up once an hour",
        )

    def _tell_undocumented(self, account: Account, code: int) -> None:
        if code not in self._undocumented and len(self._undocumented) < UNDOCUMENTED_LOGGED:
            self._undocumented.add(code)
            self._log.warning("undocumented status code", account=account.name, code=code)


def _balance(state: State) -> dict[str, int]:
    return {"available": state.available.stamps} if state.available else {}


def label(outcome: Outcome) -> str:
    """Return what an outcome is counted by: a code's label, or the reason of a failure."""
    return outcome.reason.value if isinstance(outcome, Failure) else outcome.code.label


def names(monitored: Monitored) -> dict[str, str]:
    """Return what a log line calls an account, or an issuer under it."""
    of_account = {"account": monitored.account.name}
    return {**of_account, "issuer": monitored.issuer.name} if monitored.issuer else of_account


def _what(outcome: Outcome | None) -> Reason | int | None:
    """Return what makes an outcome another one than the last: its words may change with each poll."""
    match outcome:
        case Failure(reason=reason):
            return reason
        case Reading(code=code):
            return code.number
    return None


def _kind(outcome: Outcome | None) -> dict[str, str | int]:
    match outcome:
        case Failure(reason=reason, detail=detail):
            return {"reason": reason.value, "detail": detail}
        case Reading(code=code):
            return {"code": code.number, "meaning": code.meaning}
    return {}
