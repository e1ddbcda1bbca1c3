"""`python -m bench.soak`: polls and scrapes for some minutes; prints the resident memory each minute.

It should stand still from the first minutes on.
"""

import argparse
import sys

from bench.marks.memory import loaded
from bench.process import end_on_sigterm
from bench.result import shown

ACCOUNTS = 10_000
INTERVAL = "10s"
SCRAPE_EVERY = 2.0


def main() -> None:
    """Print a line for each minute, and how much the memory has grown since the second one."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    end_on_sigterm()
    minutes = parser.parse_args().minutes
    highest = []
    with loaded(ACCOUNTS, INTERVAL) as load:
        _say(f"{ACCOUNTS:,} accounts, polled every {INTERVAL}, scraped every {SCRAPE_EVERY:g} s")
        for minute in range(1, minutes + 1):
            polls = load.provider.answered()
            highest.append(load.highest(60, SCRAPE_EVERY))
            polls = load.provider.answered() - polls
            _say(f"minute {minute:2}: {shown(highest[-1], 'MB')}, {polls:,} polls")
        _say(f"peak since the start: {shown(load.exporter.peak(), 'MB')}")
    if minutes > 2:
        _say(f"growth from minute 2 to {minutes}: {highest[-1] - highest[1]:+.1f} MB")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
