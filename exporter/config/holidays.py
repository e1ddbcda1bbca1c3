"""A country's public holidays, from the library ``holidays``: what the law says, without any network.

As a program it prints those of a country: ``python -m exporter.config.holidays MX 2024 2029``.
"""

import os
import subprocess
import sys
from datetime import date
from functools import cache
from typing import Final

_SECONDS: Final = 60.0
# Python starts isolated (-I): no variable and no file of the user's changes what is imported.
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[4:]; from exporter.config.holidays import main; main()"
# Without it a Python that isn't where it was built to be can't find its own library.
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH",)


def countries() -> frozenset[str]:
    """Return the countries that are known, by their two letters (ISO 3166-1)."""
    import holidays  # a quarter of a second, which no start should wait for

    return frozenset(holidays.list_supported_countries())


@cache
def public_holidays(country: str, first_year: int, last_year: int) -> frozenset[date]:
    """Return the public holidays of these years, both included, of one of the ``countries``."""
    import holidays

    return frozenset(holidays.country_holidays(country, years=range(first_year, last_year + 1)))


@cache
def public_holidays_apart(country: str, first_year: int, last_year: int) -> frozenset[date]:
    """Return what ``public_holidays`` does, from a process of its own, which takes half a second.

    The library takes 12 MB, with the rules of all countries, which are of no use any more once this is known.
    Where no process can be had it is loaded here after all.
    """
    command = [sys.executable, "-I", "-c", _PROGRAM, country, str(first_year), str(last_year)]
    try:
        ran = subprocess.run(  # noqa: S603 - our own program, with a country that was checked
            [*command, *(path or os.getcwd() for path in sys.path)],
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=True,
        )
        return frozenset(map(date.fromisoformat, ran.stdout.decode("ascii").split()))
    except (OSError, ValueError, subprocess.SubprocessError):
        return public_holidays(country, first_year, last_year)


def main() -> None:
    """Print the public holidays of a country, from a year to a year."""
    country, first_year, last_year = sys.argv[1:4]
    for day in sorted(public_holidays(country, int(first_year), int(last_year))):
        sys.stdout.write(f"{day.isoformat()}\n")


if __name__ == "__main__":
    main()
