"""What a running exporter shows: waiting for it, and adding it up."""

from collections.abc import Callable

from tests.support.peers import Daemon, eventually


def shown_when(
    exporter: Daemon, condition: Callable[[dict[str, float]], bool], timeout: float = 60
) -> dict[str, float]:
    """Wait until the metrics meet a condition and return them."""

    def met() -> dict[str, float] | None:
        metrics = exporter.metrics()
        return metrics if condition(metrics) else None

    metrics = eventually(met, timeout)
    assert metrics is not None
    return metrics


def total(metrics: dict[str, float], family: str, account: str) -> float:
    """Return the sum of an account's series of a family."""
    return sum(value for name, value in metrics.items() if name.startswith(f'{family}{{account="{account}"'))
