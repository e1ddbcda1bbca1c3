"""`python -m bench`: measure the marks, print the table, write docs/performance.md.

The exit code doesn't say whether the marks were reached: the table does.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import machine, missing, versions
from bench.mark import Mark
from bench.marks import MARKS
from bench.process import ProgramError, end_on_sigterm
from bench.report import Run, document, table
from bench.result import Row

REPORT = Path(__file__).parents[1] / "docs" / "performance.md"


def measured(mark: Mark) -> Sequence[Row]:
    """Measure a mark, or say what it lacks."""
    if lacking := missing(mark.needs):
        return [Row(mark.title, f"not measured: install {' '.join(lacking)}")]
    try:
        return mark.run()
    except ProgramError as error:
        sys.stderr.write(f"{mark.name}: {error}\n")
        return [Row(mark.title, "not measured: a program failed")]


def main() -> None:
    """Measure what was asked for. The report is written where that is everything."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [mark.name for mark in MARKS]
    parser.add_argument("--only", choices=names, help="measure this one and write no report")
    end_on_sigterm()
    only = parser.parse_args().only
    # Where nginx is; only root has it in PATH.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    # The exporter runs from the sources, whose modules a start would compile anew; pip does that at once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    before, start, date = machine(), time.monotonic(), datetime.now(UTC)
    results = []
    for mark in MARKS:
        if only in (None, mark.name):
            began = time.monotonic()
            rows = measured(mark)
            results.append((mark, rows))
            sys.stderr.write(f"{mark.name}: {time.monotonic() - began:.0f} s\n{table(rows)}\n")
    minutes = (time.monotonic() - start) / 60
    run = Run(f"{date:%Y-%m-%d %H:%M} UTC", minutes, before, versions(), results)
    if only is None:
        sys.stdout.write(table([row for _, rows in results for row in rows]))
        REPORT.write_text(document(run), encoding="utf-8")


if __name__ == "__main__":
    main()
