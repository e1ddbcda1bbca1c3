"""The metric families of accounts and of issuers: names, types, help and where each value comes from.

They are data here and become bytes in ``lines``. Issuers have families of their own: with an ``issuer`` among
the labels of an account's, every sum over accounts would count stamps twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from exporter.account.state import Counts, State, figure
from exporter.clock import Moment
from exporter.config import Account, Issuer

Labels = tuple[tuple[str, str], ...]
Values = tuple[float | None, ...]
Times = tuple[tuple[str, int], ...]
"""The values of a label and what is shown for each."""

NEWBORN: Final = 120.0
"""Seconds for which a count that comes up later than its account is shown as 0.

``increase()`` doesn't see the 1 that a series begins with: only what comes after a 0 that was scraped.
"""

_CACHED: Final = "Cached: as of the account's last successful poll, not of the scrape."
_ISSUER_CACHED: Final = "Cached: as of the issuer's last successful poll, not of the scrape."


@dataclass(frozen=True, slots=True)
class Family:
    """A family whose series belong to accounts, or to issuers.

    ``labels`` are those of each of its series beside ``account`` (and ``issuer``), ``values`` gives their
    values in the same order, at a moment; ``None`` where there is nothing to tell, and so no series. It is
    given what the configuration says of the account or issuer. ``own_labels`` gives the labels of the only
    series where they are an account's or issuer's own.
    """

    name: str  # as it is exposed: a counter's ends in _total
    kind: Literal["gauge", "counter"]
    help: str
    values: Callable[[Any, State, Moment], Values]
    labels: tuple[Labels, ...] = ((),)
    own_labels: Callable[[Any], Labels] | None = None


@dataclass(frozen=True, slots=True)
class CountFamily:
    """A counter with a series for each value of a ``label`` that has come up, in that order."""

    name: str  # ends in _total
    help: str
    label: str
    counts: Callable[[State], Counts]
    kind: Literal["counter"] = "counter"

    def times(self, state: State, at: Moment) -> Times:
        """Return what is shown for each value of the label at a moment: 0 while it is newborn."""
        return tuple(
            [
                (label, 0 if at.monotonic - since <= NEWBORN else times)
                for label, times, since in self.counts(state)
            ]
        )


def _as_number(value: bool | None) -> int | None:
    return None if value is None else int(value)


ACCOUNT_FAMILIES: Final[tuple[Family | CountFamily, ...]] = (
    Family(
        "cfdi_stamps_contracted",
        "gauge",
        f"Stamps contracted (contratados). {_CACHED}",
        lambda account, state, at: (figure(state.contracted, account.stale_after, at.time),),
    ),
    Family(
        "cfdi_stamps_used",
        "gauge",
        f"Stamps used (usados). {_CACHED}",
        lambda account, state, at: (figure(state.used, account.stale_after, at.time),),
    ),
    Family(
        "cfdi_stamps_available",
        "gauge",
        f"Stamps available (disponibles); 0 where the provider says that they have run out. {_CACHED}",
        lambda account, state, at: (figure(state.available, account.stale_after, at.time),),
    ),
    Family(
        "cfdi_stamps_low_threshold",
        "gauge",
        "Configured number of available stamps below which the balance is low.",
        lambda account, _state, _at: (account.warning, account.critical),
        ((("severity", "warning"),), (("severity", "critical"),)),
    ),
    Family(
        "cfdi_stamps_consumed_total",
        "counter",
        f"Rises of the stamps used (usados) that were seen. {_CACHED}",
        lambda _account, state, _at: (state.consumed.total,),
    ),
    Family(
        "cfdi_stamps_purchased_total",
        "counter",
        f"Rises of the stamps contracted (contratados) that were seen. {_CACHED}",
        lambda _account, state, _at: (state.purchased.total,),
    ),
    Family(
        "cfdi_stamps_depletion_timestamp_seconds",
        "gauge",
        "Unix time when the stamps are expected to run out, by the last known balance, however old; "
        "with none left when that was first seen.",
        lambda _account, state, _at: (state.depletion,),
    ),
    Family(
        "cfdi_stamps_usual_day",
        "gauge",
        "Stamps used on a usual day, as the forecast sees it.",
        lambda _account, state, _at: (state.usual_day,),
    ),
    Family(
        "cfdi_stamps_history_days",
        "gauge",
        "Days of use that the forecast knows.",
        lambda _account, state, _at: (state.history_days,),
    ),
    CountFamily(
        "cfdi_responses_total",
        "Answers of the provider by its status code (status); undocumented codes are other.",
        "code",
        lambda state: state.responses,
    ),
    CountFamily(
        "cfdi_poll_failures_total",
        "Polls that got no answer from the provider, by reason.",
        "reason",
        lambda state: state.failures,
    ),
    Family(
        "cfdi_account_info",
        "gauge",
        "Always 1; the account's environment at the provider and its configured labels.",
        lambda _account, _state, _at: (1,),
        own_labels=lambda account: (("pac_environment", account.environment.name), *account.labels),
    ),
    Family(
        "cfdi_account_up",
        "gauge",
        "1 if the last poll got an answer about the balance, else 0.",
        lambda _account, state, _at: (_as_number(state.up),),
    ),
    Family(
        "cfdi_account_suspended",
        "gauge",
        "1 if the exporter has stopped polling the account to protect it, else 0.",
        lambda _account, state, _at: (int(state.held_back),),
    ),
    Family(
        "cfdi_account_last_status_code",
        "gauge",
        "The provider's last status code (status).",
        lambda _account, state, _at: (state.last_code.number if state.last_code else None,),
    ),
    Family(
        "cfdi_account_last_poll_timestamp_seconds",
        "gauge",
        "Unix time of the end of the last poll.",
        lambda _account, state, _at: (state.last_poll,),
    ),
    Family(
        "cfdi_account_last_success_timestamp_seconds",
        "gauge",
        "Unix time of the last answer about the balance: how old the cached figures are.",
        lambda _account, state, _at: (state.last_success,),
    ),
    Family(
        "cfdi_account_next_poll_timestamp_seconds",
        "gauge",
        "Unix time of the next poll.",
        lambda _account, state, _at: (state.next_poll,),
    ),
    Family(
        "cfdi_account_poll_interval_seconds",
        "gauge",
        "Configured time between polls.",
        lambda account, _state, _at: (account.interval,),
    ),
)
"""All families that carry ``account``, in the order in which they are exposed."""

ISSUER_FAMILIES: Final[tuple[Family | CountFamily, ...]] = (
    Family(
        "cfdi_issuer_stamps_contracted",
        "gauge",
        f"Stamps contracted for the issuer itself (contratados). {_ISSUER_CACHED}",
        lambda issuer, state, at: (figure(state.contracted, issuer.stale_after, at.time),),
    ),
    Family(
        "cfdi_issuer_stamps_used",
        "gauge",
        f"Stamps used of the issuer's own (usados). {_ISSUER_CACHED}",
        lambda issuer, state, at: (figure(state.used, issuer.stale_after, at.time),),
    ),
    Family(
        "cfdi_issuer_stamps_available",
        "gauge",
        "Stamps available of the issuer's own (disponibles); 0 where the provider says that they have run "
        f"out. {_ISSUER_CACHED}",
        lambda issuer, state, at: (figure(state.available, issuer.stale_after, at.time),),
    ),
    Family(
        "cfdi_issuer_stamps_low_threshold",
        "gauge",
        "Configured number of the issuer's available stamps below which its balance is low.",
        lambda issuer, _state, _at: (issuer.warning, issuer.critical),
        ((("severity", "warning"),), (("severity", "critical"),)),
    ),
    Family(
        "cfdi_issuer_stamps_consumed_total",
        "counter",
        f"Rises of the issuer's stamps used (usados) that were seen. {_ISSUER_CACHED}",
        lambda _issuer, state, _at: (state.consumed.total,),
    ),
    Family(
        "cfdi_issuer_stamps_purchased_total",
        "counter",
        f"Rises of the issuer's stamps contracted (contratados) that were seen. {_ISSUER_CACHED}",
        lambda _issuer, state, _at: (state.purchased.total,),
    ),
    Family(
        "cfdi_issuer_stamps_depletion_timestamp_seconds",
        "gauge",
        "Unix time when the issuer's stamps are expected to run out, by the last known balance, however old; "
        "with none left when that was first seen.",
        lambda _issuer, state, _at: (state.depletion,),
    ),
    Family(
        "cfdi_issuer_info",
        "gauge",
        "Always 1; the issuer's configured labels.",
        lambda _issuer, _state, _at: (1,),
        own_labels=lambda issuer: issuer.labels,
    ),
    Family(
        "cfdi_issuer_up",
        "gauge",
        "1 if the issuer's last poll was answered as far as it has a balance, else 0.",
        lambda _issuer, state, _at: (_as_number(state.up),),
    ),
    Family(
        "cfdi_issuer_last_status_code",
        "gauge",
        "The provider's last status code (status) about the issuer.",
        lambda _issuer, state, _at: (state.last_code.number if state.last_code else None,),
    ),
    Family(
        "cfdi_issuer_last_success_timestamp_seconds",
        "gauge",
        "Unix time of the last answer about the issuer's balance: how old the cached figures are.",
        lambda _issuer, state, _at: (state.last_success,),
    ),
)
"""All families that carry ``issuer`` too, in the order in which they are exposed."""


def changes_at(of: Account | Issuer, state: State, at: Moment) -> float | None:
    """Return the Unix time after which lines are others without a poll; ``None`` for never."""
    figures = (state.contracted, state.used, state.available)
    times = [one.at + of.stale_after for one in figures if one]
    times += [
        at.time + left
        for counts in (state.responses, state.failures)
        for _, _, since in counts
        if (left := since + NEWBORN - at.monotonic) >= 0
    ]
    return min([time for time in times if time >= at.time], default=None)
