"""How the polls of one account end."""

from grafana_foundation_sdk.builders import statetimeline, timeseries

from dashboards import meanings
from dashboards.panels import HOURLY, columns, lines, over_time, stacked, states
from dashboards.selectors import JOB, ONE
from dashboards.standing import polls


def state() -> statetimeline.Panel:
    return states(
        "Polls",
        "Whether the last poll got a balance, or the exporter has stopped asking to protect the account.",
        [over_time(polls(ONE), "polls", step="5m")],
        meanings.polls(),
        size=(24, 4),
    )


def answers() -> timeseries.Panel:
    increase = ONE.own(f"increase({ONE.exposed('cfdi_responses_total')}[$__interval])")
    panel = columns(
        "Answers by code",
        "The provider's answers in each hour, or longer step. 200 tells a balance, 630 and 631 that there "
        "is none left; docs/runbooks/response-codes.md explains the others.",
        [over_time(f"sum by (code) ({increase}) > 0", "{{code}}", step=HOURLY)],
        "none",
    )
    return stacked(panel)


def failures() -> timeseries.Panel:
    increase = ONE.own(f"increase({ONE.exposed('cfdi_poll_failures_total')}[$__interval])")
    panel = columns(
        "Failures by reason",
        "Polls that got no answer in each hour, or longer step.",
        [over_time(f"sum by (reason) ({increase})", "{{reason}}", step=HOURLY)],
        "none",
    )
    return stacked(panel).no_value("no failures")


def latency() -> timeseries.Panel:
    buckets = f"increase(cfdi_poll_duration_seconds_bucket{{{JOB}, {ONE.environment}}}[1h])"
    queries = [
        over_time(f"histogram_quantile({share}, sum by (le) ({buckets}))", name, ref, step="5m")
        for ref, share, name in (("A", 0.5, "half of them"), ("B", 0.95, "95%"), ("C", 1, "the slowest"))
    ]
    return lines(
        "Poll latency",
        "How long polls of the account's environment took within the hour before, failures included. The "
        "exporter measures that for an environment, not for each account; figures are estimates between "
        "bucket limits.",
        queries,
        "s",
    ).decimals(1)


def ages() -> timeseries.Panel:
    def since(series: str) -> str:
        return f"time() - max({ONE.own(ONE.exposed(series))})"

    wait = f"max({ONE.own(ONE.exposed('cfdi_account_next_poll_timestamp_seconds'))}) - time()"
    return lines(
        "Ages",
        "How long ago the last poll ended and the provider last told the balance, and how long until the "
        "next poll; below 0 it is overdue. There is no next poll while the account is suspended.",
        [
            over_time(since("cfdi_account_last_poll_timestamp_seconds"), "since the last poll", "A"),
            over_time(since("cfdi_account_last_success_timestamp_seconds"), "since the last balance", "B"),
            over_time(wait, "until the next poll", "C"),
        ],
        "s",
    ).decimals(1)
