"""Where a test run takes place."""

import os


def in_ci() -> bool:
    """Whether this run must prove everything: nothing is skipped, and every run tries the same examples."""
    return os.environ.get("CI") == "true"
