"""The metric families of accounts: names, types, help and where each value comes from.

They are data here and become bytes in ``rendering``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from exporter.account.outcome import Reason
from exporter.account.state import Counts, State, figure
from exporter.config import Account
from exporter.provider.solucion_factible.codes import LABELS

Labels = tuple[tuple[str, str], ...]
Values = tuple[float | None, ...]

_CACHED: Final = "Cached: as of the account's last successful poll, not of the scrape."


@dataclass(frozen=True, slots=True)
class Family:
    """A family whose series belong to accounts.

    ``labels`` are those beside ``account`` of each of an account's series, ``values`` gives their values in
    the same order, at a Unix time; ``None`` where there is nothing to tell, and so no series. ``own_labels``
    gives the labels of the only series where they are an account's own.
    """

    name: str  # as it is exposed: a counter's ends in _total
    kind: Literal["gauge", "counter"]
    help: str
    values: Callable[[Account, State, float], Values]
    labels: tuple[Labels, ...] = ((),)
    own_labels: Callable[[Account], Labels] | None = None


def _each(counts: Counts, labels: Sequence[str]) -> Values:
    found = dict(counts)
    return tuple(found.get(label, 0) for label in labels)


def _as_number(value: bool | None) -> int | None:
    return None if value is None else int(value)


ACCOUNT_FAMILIES: Final = (
    Family(
        "cfdi_stamps_contracted",
        "gauge",
        f"Stamps contracted (contratados). {_CACHED}",
        lambda account, state, now: (figure(state.contracted, account.stale_after, now),),
    ),
    Family(
        "cfdi_stamps_used",
        "gauge",
        f"Stamps used (usados). {_CACHED}",
        lambda account, state, now: (figure(state.used, account.stale_after, now),),
    ),
    Family(
        "cfdi_stamps_available",
        "gauge",
        f"Stamps available (disponibles); 0 where the provider says that they have run out. {_CACHED}",
        lambda account, state, now: (figure(state.available, account.stale_after, now),),
    ),
    Family(
        "cfdi_stamps_low_threshold",
        "gauge",
        "Configured number of available stamps below which the balance is low.",
        lambda account, _state, _now: (account.warning, account.critical),
        ((("severity", "warning"),), (("severity", "critical"),)),
    ),
    Family(
        "cfdi_stamps_consumed_total",
        "counter",
        f"Rises of the stamps used (usados) that were seen. {_CACHED}",
        lambda _account, state, _now: (state.consumed.total,),
    ),
    Family(
        "cfdi_stamps_purchased_total",
        "counter",
        f"Rises of the stamps contracted (contratados) that were seen. {_CACHED}",
        lambda _account, state, _now: (state.purchased.total,),
    ),
    Family(
        "cfdi_responses_total",
        "counter",
        "Answers of the provider by its status code (status); undocumented codes are other.",
        lambda _account, state, _now: _each(state.responses, LABELS),
        tuple((("code", label),) for label in LABELS),
    ),
    Family(
        "cfdi_poll_failures_total",
        "counter",
        "Polls that got no answer from the provider, by reason.",
        lambda _account, state, _now: _each(state.failures, tuple(Reason)),
        tuple((("reason", reason.value),) for reason in Reason),
    ),
    Family(
        "cfdi_account_info",
        "gauge",
        "Always 1; the account's environment at the provider and its configured labels.",
        lambda _account, _state, _now: (1,),
        own_labels=lambda account: (("pac_environment", account.environment.name), *account.labels),
    ),
    Family(
        "cfdi_account_up",
        "gauge",
        "1 if the last poll got an answer about the balance, else 0.",
        lambda _account, state, _now: (_as_number(state.up),),
    ),
    Family(
        "cfdi_account_suspended",
        "gauge",
        "1 if the exporter has stopped polling the account to protect it, else 0.",
        lambda _account, state, _now: (int(state.held_back),),
    ),
    Family(
        "cfdi_account_last_status_code",
        "gauge",
        "The provider's last status code (status).",
        lambda _account, state, _now: (state.last_code.number if state.last_code else None,),
    ),
    Family(
        "cfdi_account_last_poll_timestamp_seconds",
        "gauge",
        "Unix time of the end of the last poll.",
        lambda _account, state, _now: (state.last_poll,),
    ),
    Family(
        "cfdi_account_last_success_timestamp_seconds",
        "gauge",
        "Unix time of the last answer about the balance: how old the cached figures are.",
        lambda _account, state, _now: (state.last_success,),
    ),
    Family(
        "cfdi_account_next_poll_timestamp_seconds",
        "gauge",
        "Unix time of the next poll.",
        lambda _account, state, _now: (state.next_poll,),
    ),
    Family(
        "cfdi_account_poll_interval_seconds",
        "gauge",
        "Configured time between polls.",
        lambda account, _state, _now: (account.interval,),
    ),
)
"""All families that carry ``account``, in the order in which they are exposed."""
