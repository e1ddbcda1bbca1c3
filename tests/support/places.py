"""Where things lie."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The project's folder."""

MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
"""A folder in memory, where there is one: for small files of tests that kill but cut no power, as waiting for
the disk proves nothing there."""

DATA: Final = ROOT / "tests" / "data"
