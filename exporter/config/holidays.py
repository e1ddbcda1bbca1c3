"""A country's public holidays, from the library ``holidays``: what the law says, without any network."""

from datetime import date
from functools import cache


def countries() -> frozenset[str]:
    """Return the countries that are known, by their two letters (ISO 3166-1)."""
    import holidays  # a quarter of a second, which no start should wait for

    return frozenset(holidays.list_supported_countries())


@cache
def public_holidays(country: str, first_year: int, last_year: int) -> frozenset[date]:
    """Return the public holidays of these years, both included, of one of the ``countries``."""
    import holidays

    return frozenset(holidays.country_holidays(country, years=range(first_year, last_year + 1)))
