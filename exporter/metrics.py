"""The exporter's own metrics, which carry no ``account``: prometheus_client's."""

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__

POLL_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0)
"""Seconds. Integrators give this provider up to 240 s."""

LAG_BUCKETS: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
"""Seconds."""

PROCESS_EVERY: Final = 1.0
"""Seconds between two looks at the process, however often it is scraped."""

OPENMETRICS_END: Final = b"# EOF\n"
"""What ends an OpenMetrics exposition."""


class ExporterMetrics:
    """What is counted and observed of the exporter.

    ``monotonic`` returns seconds that only go forward, ``log_lines_dropped`` how many lines of the log could
    not be written so far.
    """

    def __init__(
        self,
        revision: str,
        monotonic: Callable[[], float] = time.monotonic,
        log_lines_dropped: Callable[[], int] = lambda: 0,
    ) -> None:
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
        self._responses = Counter(
            "cfdi_provider_responses_total",
            "Answers to all accounts by the provider's status code (status); undocumented codes are other.",
            ["pac_environment", "code"],
            registry=self.registry,
        )
        self._failures = Counter(
            "cfdi_provider_poll_failures_total",
            "Polls that got no answer from the provider, by reason, of all accounts.",
            ["pac_environment", "reason"],
            registry=self.registry,
        )
        # By environment and label: to look a counter up here takes a fraction of the library's time.
        self._counters: dict[str, dict[str, Counter]] = {}
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
        self._log_lines_dropped = Counter(
            "cfdi_exporter_log_lines_dropped_total",
            "Lines of the log that nobody read in time, or that couldn't be written.",
            registry=self.registry,
        )
        self._requests_rejected = Counter(
            "cfdi_exporter_requests_rejected_total",
            "HTTP requests turned away because others were being answered.",
            ["reason"],
            registry=self.registry,
        )
        self._connections_dropped = Counter(
            "cfdi_exporter_connections_dropped_total",
            "Connections of clients ended for others.",
            ["reason"],
            registry=self.registry,
        )
        for reason in ("max_requests", "login"):
            self._requests_rejected.labels(reason)
        for reason in ("limit", "stalled"):
            self._connections_dropped.labels(reason)
        self._web_reload_successful = Gauge(
            "cfdi_exporter_web_config_last_reload_successful",
            "1 if the last load of the web configuration succeeded or there is none, else 0.",
            registry=self.registry,
        )
        self._web_reload_successful.set(1)
        self._calendar: tuple[Gauge, Gauge] | None = None  # until it is known
        self._days = (0.0, False)
        self._dropped = log_lines_dropped
        self._counted = 0
        self.process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.process)
        self._monotonic = monotonic
        self._own: dict[bool, bytes] = {}  # as lines, until something changes
        self._process: dict[bool, tuple[float, bytes]] = {}  # as lines, and when they were made

    def use_environments(self, codes: Mapping[str, Sequence[str]], reasons: Sequence[str]) -> None:
        """Count the polls of these environments, and of no others.

        ``codes`` are the labels of an environment's codes, by its name; ``reasons`` those of all failures.
        A new one's counters are there from now on, at 0; one that is gone takes its series along.
        """
        self._own.clear()
        for name in self._counters.keys() - codes.keys():
            del self._counters[name]
            for family in (self._poll_duration, self._responses, self._failures):
                family.remove_by_labels({"pac_environment": name})
        for name in codes.keys() - self._counters.keys():
            self._counters[name] = {
                **{code: self._responses.labels(name, code) for code in codes[name]},
                **{reason: self._failures.labels(name, reason) for reason in reasons},
            }

    def poll_counted(self, environment: str, label: str) -> None:
        """Count what a poll of an environment ended in: a code's label, or the reason of a failure."""
        if counter := self._counters.get(environment, {}).get(label):
            self._own.clear()
            counter.inc()

    def poll_started(self, late: float) -> None:
        """Count a poll that started so many seconds after it was due."""
        self._own.clear()
        self._poll_lag.observe(late)

    def poll_ended(self, environment: str, seconds: float) -> None:
        """Count a poll that was sent, by the time from then to its outcome."""
        if environment in self._counters:  # a reload may have removed it meanwhile
            self._own.clear()
            self._poll_duration.labels(environment).observe(seconds)

    def config_loaded(self, at: float) -> None:
        """Note that the configuration was taken up, at a Unix time."""
        self._own.clear()
        self._reload_successful.set(1)
        self._reload_success_time.set(at)

    def config_refused(self) -> None:
        """Note that a new configuration was rejected."""
        self._own.clear()
        self._reload_successful.set(0)

    def storage_failed(self) -> None:
        """Count a read or write of the storage that failed."""
        self._own.clear()
        self._storage_errors.inc()

    def request_rejected(self, reason: str) -> None:
        """Count a request that was turned away: ``max_requests`` or ``login``."""
        self._own.clear()
        self._requests_rejected.labels(reason).inc()

    def connection_dropped(self, reason: str) -> None:
        """Count a connection that was closed to make room for others: ``limit`` or ``stalled``."""
        self._own.clear()
        self._connections_dropped.labels(reason).inc()

    def web_config_loaded(self) -> None:
        """Note that the web configuration was taken up."""
        self._own.clear()
        self._web_reload_successful.set(1)

    def web_config_rejected(self) -> None:
        """Note that a new web configuration was rejected."""
        self._own.clear()
        self._web_reload_successful.set(0)

    @property
    def business_day_end(self) -> float:
        """When the next business day after today ends (Unix time), 0 where that isn't known yet."""
        return self._days[0]

    def day_turned(self, next_business_day_end: float, *, business_day: bool) -> None:
        """Tell when the next business day after today ends (Unix time), and whether today is one."""
        if self._calendar and self._days == (next_business_day_end, business_day):
            return
        self._own.clear()
        self._days = next_business_day_end, business_day
        if self._calendar is None:
            self._calendar = (
                Gauge(
                    "cfdi_calendar_next_business_day_end_timestamp_seconds",
                    "Unix time of the end (18:00) of the next business day after today, by the calendar.",
                    registry=self.registry,
                ),
                Gauge(
                    "cfdi_calendar_business_day",
                    "1 if today is a business day by the calendar, else 0.",
                    registry=self.registry,
                ),
            )
        end, is_one = self._calendar
        end.set(next_business_day_end)
        is_one.set(business_day)

    def lines(self, *, openmetrics: bool) -> bytes:
        """Return these metrics, without the mark of the end that OpenMetrics has.

        They are rendered when they have changed, those of the process (``process_*``) once a second at most:
        to read them from the system takes longer than all the rest of a small scrape.
        """
        if (dropped := self._dropped()) > self._counted:
            self._own.clear()
            self._log_lines_dropped.inc(dropped - self._counted)
            self._counted = dropped
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
