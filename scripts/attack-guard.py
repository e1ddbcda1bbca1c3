#!/usr/bin/env python
"""Attacks the lockout guard from outside: random schedules of kills, freezes, checks, reloads and answers.

Usage: scripts/attack-guard.py [--schedules N] [--jobs N] [--from SEED] | --seed SEED

Each schedule is one login at a provider that counts; five, a group with one seed, share the processes and
their fate. Prints the seeds and what broke; `--seed` runs a group again and prints its whole story. The
decisions are then the same, the milliseconds aren't. Exit code: 0, or 1 where something broke.
"""

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.schedules.attack import ACCOUNTS, Report, attack


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--schedules", type=int, default=1000, help="how many (1000)")
    parser.add_argument(
        "--jobs", type=int, default=4 * (os.cpu_count() or 1), help="groups of five at a time"
    )
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this one alone, print its story, keep its files")
    options = parser.parse_args()
    if options.seed is not None:
        report = attack(options.seed, keep=True)
        print(report)  # noqa: T201 - what it is for
        return 1 if report.breaks else 0
    seeds = range(options.first, options.first + -(-options.schedules // ACCOUNTS))
    return 1 if any(report.breaks for report in _reports(seeds, options.jobs)) else 0


def _reports(seeds: range, jobs: int) -> list[Report]:
    began, reports = time.monotonic(), []
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for future in as_completed([pool.submit(attack, seed) for seed in seeds]):
            reports.append(report := future.result())
            print(  # noqa: T201
                f"seed {report.seed}: {'ok' if not report.breaks else f'{len(report.breaks)} breaks'},"
                f" {report.logins} logins, {report.processes} processes",
                flush=True,
            )
            for broken in report.breaks:
                print(f"    {broken}", flush=True)  # noqa: T201
    broken = sum(bool(report.breaks) for report in reports)
    print(  # noqa: T201
        f"{len(reports) * ACCOUNTS} schedules in {len(reports)} groups, {time.monotonic() - began:.0f} s: "
        f"{sum(report.logins for report in reports)} logins of {sum(report.processes for report in reports)}"
        f" processes, {sum(len(report.breaks) for report in reports)} breaks in {broken} groups"
    )
    return reports


if __name__ == "__main__":
    sys.exit(main())
