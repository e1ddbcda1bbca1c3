"""One poll of one issuer, start to end: with a proven login, and stopping the others where it goes wrong."""

from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from exporter.account.calendar import LocalDay
from exporter.account.issuer import issuer_step, stops_others
from exporter.account.login import Held, Login
from exporter.account.outcome import Outcome, Reading, Verdict
from exporter.account.policy import fraction
from exporter.account.state import Figure
from exporter.clock import Clock
from exporter.config import Account
from exporter.metrics import ExporterMetrics
from exporter.polling.accounts import Accounts, Monitored
from exporter.polling.asking import Asking
from exporter.polling.events import Events, label
from exporter.polling.lanes import Lanes


class IssuerPoller:
    """Polls issuers. ``ask_account`` has an account polled at a time on the monotonic clock."""

    def __init__(
        self,
        accounts: Accounts,
        asking: Asking,
        lanes: Lanes,
        *,
        clock: Clock,
        metrics: ExporterMetrics,
        log: FilteringBoundLogger,
        ask_account: Callable[[Account, float], object],
        today: Callable[[float], LocalDay] | None,
    ) -> None:
        self._accounts = accounts
        self._asking = asking
        self._lanes = lanes
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._events = Events(log)
        self._ask_account = ask_account
        self._today = today
        self._told_equal = False

    async def poll(self, monitored: Monitored) -> float | None:
        """Poll an issuer; return when the next poll is due on the monotonic clock, ``None`` for never."""
        began = self._clock.monotonic()
        if not _may_be_asked(monitored.login):
            return self._wait(monitored.login)
        tried = await self._asking.ask(monitored)
        present = self._asking.present(monitored)
        if present is None or present.issuer is None or tried is None:
            return None
        login, account = present.login, present.account
        if isinstance(tried, Held):
            return self._wait(login)
        now = self._clock.time()
        after = issuer_step(
            present.state,
            tried.outcome,
            present.issuer,
            attempts=account.auth_attempts,
            moment=fraction(present.key),
            started=min(max(tried.started, now - (self._clock.monotonic() - began)), now),
            now=now,
            monotonic=self._clock.monotonic(),
            today=self._today(now) if self._today else None,
        )
        self._guide(login, account, tried.outcome)
        self._accounts.put(Monitored(account, login, after, present.issuer, present.issuer_key))
        self._metrics.poll_counted(account.environment.name, label(tried.outcome))
        self._events.issuer_polled(present, after, tried.outcome)
        self._look_for_the_accounts_own(present, tried.outcome)
        if after.next_poll is None:
            return None
        return self._clock.monotonic() + max(0.0, after.next_poll - self._clock.time())

    def _wait(self, login: Login) -> float:
        """Have a login's issuers wait for their account's own poll; the one that noticed it, too."""
        self._lanes.hold(login)
        return self._clock.monotonic()

    def _guide(self, login: Login, account: Account, outcome: Outcome) -> None:
        """Have the login's other issuers go on or wait, by what one of them was answered."""
        if stops_others(outcome):
            self._lanes.hold(login, anew=True)
            own = self._accounts.get(account.name)
            if login.suspension and own and not own.state.suspension:
                self._ask_account(account, self._clock.monotonic())  # held by the guard, which tells why
        elif outcome.verdict is Verdict.ACCEPTED:
            self._lanes.widen(login)

    def _look_for_the_accounts_own(self, monitored: Monitored, outcome: Outcome) -> None:
        own = self._accounts.get(monitored.account.name)
        if self._told_equal or own is None or not isinstance(outcome, Reading):
            return
        figures = (outcome.contracted, outcome.used, outcome.available)
        known = tuple(map(_stamps, (own.state.contracted, own.state.used, own.state.available)))
        if any(figures) and None not in figures and figures == known:
            self._told_equal = True
            self._events.figures_are_the_accounts(monitored)


def _may_be_asked(login: Login) -> bool:
    """Return whether nothing is held against a login, nor open about it."""
    return login.proven and login.wanted and not login.suspension and not login.unknown


def _stamps(figure: Figure | None) -> int | None:
    return figure.stamps if figure else None
