"""Whether files have changed, and are quiet again: nothing is taken up while it is being written."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

Signature = Mapping[Path, tuple[int, ...]]
"""Of each file what changes when it does, whether it is written, replaced or may be read by others now."""


class Watch:
    """Looks at files again and again. ``settle`` is the quiet period: seconds that they must be unchanged.

    ``before`` is what was known of them before they were read: a change while they were isn't missed.
    """

    def __init__(self, settle: float, paths: Iterable[Path], before: Signature | None = None) -> None:
        self._settle = settle
        present, before = signature(paths), before or {}
        self._taken_up: Signature = {path: before.get(path, found) for path, found in present.items()}
        self._seen: Signature = self._taken_up
        self._since = 0.0

    def look(self, paths: Iterable[Path], now: float) -> bool:
        """Tell, once a change, that files changed and the quiet period is over. ``now`` is monotonic."""
        present = signature(paths)
        if present != self._seen:
            self._seen, self._since = present, now
        if present == self._taken_up or now - self._since < self._settle:
            return False
        self._taken_up = present
        return True


def signature(paths: Iterable[Path]) -> Signature:
    """Return the signature of these files as they are now; one that is missing has one too."""
    return {path: _of(path) for path in paths}


def _of(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    # The last changes with owner and mode as well: a file may be written first and become readable then.
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_ctime_ns
