"""The file that survives a restart: whose tables are in it, in the order in which they came to be."""

from pathlib import Path
from typing import Final

from exporter.guard.tables import mend_times, open_tries
from exporter.storage import migrations
from exporter.storage.engine import Storage
from exporter.storage.migrations import Step

STEPS: Final[tuple[Step, ...]] = (migrations.first, open_tries)
"""All that was ever done to the tables: only appended to."""

MEND: Final[tuple[Step, ...]] = (mend_times,)
"""What is done at each opening."""


def open_storage(path: Path | None, *, exclusive: bool, now: float) -> Storage:
    """Open the storage of the daemon (``exclusive``), or of a ``check`` beside it; ``None`` is in memory.

    Raises StorageError where it can't be used.
    """
    return Storage(path, STEPS, mend=MEND, exclusive=exclusive, now=now)
