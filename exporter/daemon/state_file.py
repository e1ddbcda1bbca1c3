"""The file that survives a restart: whose tables are in it, in the order in which they came to be."""

from pathlib import Path
from typing import Final

from exporter.guard.tables import lose_tries, mend_times, open_tries
from exporter.storage import migrations
from exporter.storage.engine import Storage
from exporter.storage.migrations import Step

STEPS: Final[tuple[Step, ...]] = (migrations.first, open_tries)
"""All that was ever done to the tables: only appended to."""


def mending(*, exclusive: bool) -> tuple[Step, ...]:
    """Return what is done at each opening: ``exclusive`` where the daemon starts."""
    return (mend_times, lose_tries) if exclusive else (mend_times,)


def open_storage(path: Path | None, *, exclusive: bool, now: float) -> Storage:
    """Open the storage of the daemon (``exclusive``), or of a ``check`` beside it; ``None`` is in memory.

    Raises StorageError where it can't be used.
    """
    return Storage(path, STEPS, mend=mending(exclusive=exclusive), exclusive=exclusive, now=now)
