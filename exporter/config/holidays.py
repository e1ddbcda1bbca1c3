"""A country's public holidays, from the library ``holidays``: what the law says, without any network."""

from datetime import date
from functools import cache

# The library's package of all countries; a country's own rules are loaded once it is asked for.
import holidays


def countries() -> frozenset[str]:
    """Return the countries that are known, by their two letters (ISO 3166-1)."""
    return frozenset(holidays.list_supported_countries())


@cache
def public_holidays(country: str, first_year: int, last_year: int) -> frozenset[date]:
    """Return the public holidays of these years, both included. The country has to be one of ``countries``."""
    return frozenset(holidays.country_holidays(country, years=range(first_year, last_year + 1)))
