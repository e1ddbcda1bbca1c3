"""The naive exporter: a new zeep client for each poll, and `start_http_server` with `labels()` children.

    python -m bench.peers.naive_exporter --port 9000 --wsdl http://… --accounts 10 --interval 900

It exposes the same series as the exporter. It imports nothing of it, so that its start is its own.
"""

import argparse
import time

import prometheus_client
from prometheus_client import Counter, Gauge, start_http_server
from zeep import Client

ACCOUNT = ["account"]

prometheus_client.disable_created_metrics()
contracted = Gauge("cfdi_stamps_contracted", "Stamps contracted.", ACCOUNT)
used = Gauge("cfdi_stamps_used", "Stamps used.", ACCOUNT)
available = Gauge("cfdi_stamps_available", "Stamps available.", ACCOUNT)
low_threshold = Gauge("cfdi_stamps_low_threshold", "Configured thresholds.", [*ACCOUNT, "severity"])
consumed = Counter("cfdi_stamps_consumed", "Rises of the stamps used.", ACCOUNT)
purchased = Counter("cfdi_stamps_purchased", "Rises of the stamps contracted.", ACCOUNT)
responses = Counter("cfdi_responses", "Answers by code.", [*ACCOUNT, "code"])
failures = Counter("cfdi_poll_failures", "Polls without an answer.", [*ACCOUNT, "reason"])
info = Gauge("cfdi_account_info", "Always 1.", [*ACCOUNT, "pac_environment", "team"])
up = Gauge("cfdi_account_up", "1 if the last poll got an answer.", ACCOUNT)
suspended = Gauge("cfdi_account_suspended", "1 if it is no longer polled.", ACCOUNT)
last_code = Gauge("cfdi_account_last_status_code", "The last code.", ACCOUNT)
last_poll = Gauge("cfdi_account_last_poll_timestamp_seconds", "The last poll.", ACCOUNT)
last_success = Gauge("cfdi_account_last_success_timestamp_seconds", "The last answer.", ACCOUNT)
next_poll = Gauge("cfdi_account_next_poll_timestamp_seconds", "The next poll.", ACCOUNT)
poll_interval = Gauge("cfdi_account_poll_interval_seconds", "The interval.", ACCOUNT)

last_used: dict[str, int] = {}


def prepare(account: str, interval: float) -> None:
    """Make the series of an account that don't wait for an answer."""
    for severity, stamps in (("warning", 500), ("critical", 100)):
        low_threshold.labels(account, severity).set(stamps)
    responses.labels(account, "200")
    consumed.labels(account)
    purchased.labels(account)
    info.labels(account, "bench", "billing").set(1)
    suspended.labels(account).set(0)
    poll_interval.labels(account).set(interval)


def poll(wsdl: str, account: str, interval: float) -> None:
    """Ask for a balance and show it."""
    client = Client(wsdl)  # type: ignore[no-untyped-call]
    answer = client.service.getTimbresImplementacion(usuario=f"ws@{account}.example", password="bench")
    now = time.time()
    consumed.labels(account).inc(max(0, answer.usados - last_used.get(account, answer.usados)))
    last_used[account] = answer.usados
    contracted.labels(account).set(answer.contratados)
    used.labels(account).set(answer.usados)
    available.labels(account).set(answer.disponibles)
    responses.labels(account, str(answer.status)).inc()
    up.labels(account).set(1)
    last_code.labels(account).set(answer.status)
    last_poll.labels(account).set(now)
    last_success.labels(account).set(now)
    next_poll.labels(account).set(now + interval)


def main() -> None:
    """Serve, and poll one account after the other: no threads, which would only cost it more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--wsdl", required=True)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--interval", type=float, required=True)
    arguments = parser.parse_args()
    accounts = [f"customer-{number:06}" for number in range(1, arguments.accounts + 1)]
    start_http_server(arguments.port, "127.0.0.1")
    for account in accounts:
        prepare(account, arguments.interval)
    while True:
        for account in accounts:
            poll(arguments.wsdl, account, arguments.interval)
        time.sleep(arguments.interval)


if __name__ == "__main__":
    main()
