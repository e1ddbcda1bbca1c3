"""Where things lie."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The project's folder."""

DATA: Final = ROOT / "tests" / "data"
