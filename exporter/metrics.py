"""The metric families: names, types, help and where each value comes from.

The families of accounts are data here and become bytes in ``exposition``; the exporter's own metrics are
prometheus_client's.
"""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__
from exporter.codes import RESPONSE_LABELS
from exporter.config import Account
from exporter.outcome import Reason
from exporter.policy import State, figure

Labels = tuple[tuple[str, str], ...]
Values = tuple[float | None, ...]

POLL_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0)
"""Seconds. Integrators give this provider up to 240 s."""

LAG_BUCKETS: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""Seconds."""

PROCESS_EVERY: Final = 1.0
"""Seconds between two looks at the process, however often it is scraped."""

OPENMETRICS_END: Final = b"# EOF\n"
"""What ends an OpenMetrics exposition."""

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
        lambda _account, state, _now: state.responses,
        tuple((("code", label),) for label in RESPONSE_LABELS),
    ),
    Family(
        "cfdi_poll_failures_total",
        "counter",
        "Polls that got no answer from the provider, by reason.",
        lambda _account, state, _now: state.failures,
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
        lambda _account, state, _now: (state.last_code,),
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


class ExporterMetrics:
    """The exporter's own metrics, which carry no ``account``: prometheus_client's.

    ``monotonic`` returns seconds that only go forward.
    """

    def __init__(self, revision: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        # prometheus_client has no other way to leave out the _created series than for the whole process.
        prometheus_client.disable_created_metrics()
        self.registry = CollectorRegistry(auto_describe=False)
        self._poll_duration = Histogram(
            "cfdi_poll_duration_seconds",
            "Time from sending a poll to its outcome, failures included.",
            ["pac_environment"],
            buckets=POLL_BUCKETS,
            registry=self.registry,
        )
        self._poll_lag = Histogram(
            "cfdi_exporter_poll_lag_seconds",
            "How late polls start after they are due.",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self._reload_successful = Gauge(
            "cfdi_exporter_config_last_reload_successful",
            "1 if the last load of the configuration succeeded, else 0.",
            registry=self.registry,
        )
        self._reload_success_time = Gauge(
            "cfdi_exporter_config_last_reload_success_timestamp_seconds",
            "Unix time of the last successful load of the configuration.",
            registry=self.registry,
        )
        self._storage_errors = Counter(
            "cfdi_exporter_storage_errors_total",
            "Reads and writes of the storage that failed.",
            registry=self.registry,
        )
        build = Gauge(
            "cfdi_exporter_build_info",
            "Always 1; the versions that this exporter runs with.",
            ["version", "revision", "pythonversion"],
            registry=self.registry,
        )
        build.labels(__version__, revision, platform.python_version()).set(1)
        self.process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.process)
        self._monotonic = monotonic
        self._own: dict[bool, bytes] = {}  # as lines, until something changes
        self._process: dict[bool, tuple[float, bytes]] = {}  # as lines, and when they were made

    def poll_started(self, late: float) -> None:
        """Count a poll that started so many seconds after it was due."""
        self._own.clear()
        self._poll_lag.observe(late)

    def poll_ended(self, environment: str, seconds: float) -> None:
        """Count a poll that was sent, by the time from then to its outcome."""
        self._own.clear()
        self._poll_duration.labels(environment).observe(seconds)

    def config_loaded(self, at: float) -> None:
        """Tell that the configuration was taken up, at a Unix time."""
        self._own.clear()
        self._reload_successful.set(1)
        self._reload_success_time.set(at)

    def config_refused(self) -> None:
        """Tell that the configuration was to be taken up, and couldn't be."""
        self._own.clear()
        self._reload_successful.set(0)

    def storage_failed(self) -> None:
        """Count a read or write of the storage that failed."""
        self._own.clear()
        self._storage_errors.inc()

    def lines(self, *, openmetrics: bool) -> bytes:
        """Return these metrics, without the mark of the end that OpenMetrics has.

        They are rendered when they have changed, those of the process (``process_*``) once a second at most:
        to read them from the system takes longer than all the rest of a small scrape.
        """
        if openmetrics not in self._own:
            self._own[openmetrics] = _lines(self.registry, openmetrics)
        made, process = self._process.get(openmetrics, (0.0, b""))
        now = self._monotonic()
        if not process or not 0 <= now - made < PROCESS_EVERY:
            process = _lines(self.process, openmetrics)
            self._process[openmetrics] = now, process
        return self._own[openmetrics] + process


def _lines(registry: CollectorRegistry, openmetrics: bool) -> bytes:
    return (
        generate_openmetrics(registry).removesuffix(OPENMETRICS_END)
        if openmetrics
        else generate_latest(registry)
    )
