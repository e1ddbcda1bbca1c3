"""The state file as the daemon and ``check`` open it: the steps that make its tables, and what mends them."""

from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from exporter.guard.tables import lose_tries, mend_times, open_tries
from exporter.storage import days, migrations, states
from exporter.storage.engine import Storage
from exporter.storage.migrations import Step

STEPS: Final[tuple[Step, ...]] = (
    migrations.first,
    open_tries,
    states.unconfirmed,
    days.use_of_days,
    states.top_ups,
)
"""All changes of the tables since version 1, in their order: a new one goes to the end."""


def mending(*, exclusive: bool) -> tuple[Step, ...]:
    """Return what is done at each opening: ``exclusive`` where the daemon starts."""
    return (mend_times, lose_tries) if exclusive else (mend_times,)


def open_storage(path: Path | None, *, exclusive: bool, now: float) -> Storage:
    """Open the storage of the daemon (``exclusive``), or of a ``check`` beside it; ``None`` is in memory.

    Raises StorageError where it can't be used.
    """
    return Storage(path, STEPS, mend=mending(exclusive=exclusive), exclusive=exclusive, now=now)


def tell_of(storage: Storage, log: FilteringBoundLogger) -> None:
    """Log what is wrong with a storage that can be used all the same."""
    if storage.network:
        log.warning(
            "the storage is on a network filesystem",
            filesystem=storage.network,
            effect="a kill or a loss of the network may lose the guard's memory, or let two daemons have it",
        )
    if storage.damaged:
        log.error(
            "a part of the storage is lost",
            error=storage.damaged,
            effect="credentials that the provider has not accepted since the start may have had tries before",
        )
