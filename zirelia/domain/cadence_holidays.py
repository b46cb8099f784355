"""Public holidays of a country or subdivision, by the `holidays` package.

    public_holidays("DE-BY", 2026)[date(2026, 1, 6)]      # "Epiphany"

The package is loaded with the first question. It knows the years up to 2100, some countries fewer.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType


@lru_cache(maxsize=256)
def public_holidays(country: str, year: int) -> Mapping[date, str]:
    """Day → name of the holiday, in English where known. Raises ValueError for a country or subdivision without a calendar."""
    import holidays

    code, _, subdivision = country.partition("-")
    try:
        with warnings.catch_warnings():
            # a year that the package does not know has no holidays; nobody can act on its warning
            warnings.simplefilter("ignore")
            return MappingProxyType(
                dict(holidays.country_holidays(code, subdiv=subdivision or None, years=year, language="en_US"))
            )
    except NotImplementedError as error:
        raise ValueError(f"'{country}' is not a country or country-subdivision whose holidays are known") from error
