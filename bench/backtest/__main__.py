"""`python -m bench.backtest`: play all kinds, print the tables, write that of docs/forecast.md.

The exit code doesn't say whether the marks were reached: the table does.
"""

import argparse
import sys
from pathlib import Path

from bench.backtest.kinds import KINDS
from bench.backtest.report import document, inserted
from bench.backtest.run import ENDS, SEEDS, run

DOCUMENT = Path(__file__).parents[2] / "docs" / "forecast.md"


def main() -> None:
    """Play what was asked for. The document is written where that is everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description=__doc__)
    parser.add_argument(
        "--only", choices=[kind.name for kind in KINDS], help="play this kind and write nothing"
    )
    only = parser.parse_args().only
    results = run([kind for kind in KINDS if only in (None, kind.name)], SEEDS, ENDS)
    text = document(results)
    sys.stdout.write(text)
    if only is None:
        DOCUMENT.write_text(inserted(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
