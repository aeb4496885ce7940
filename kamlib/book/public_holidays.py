"""The public holidays of a country, by their English names on every machine."""

from __future__ import annotations

from collections.abc import Iterable

import holidays

from kamlib.errors import RequestError


def public_holidays(country: str, years: Iterable[int], observed: bool = True) -> holidays.HolidayBase:
    """A calendar of a country: names by day, several names of one day joined by "; ".

    Parameters
    ----------
    country
        Its code as ``countries`` in book.yml has it, such as TW.
    years
        The years asked for.
    observed
        Whether days off in lieu count too.

    Raises
    ------
    RequestError
        No holidays are known for the country.

    Examples
    --------
    >>> public_holidays("TW", [2026]).get("2026-02-17")
    'Chinese New Year'
    """
    if country not in holidays.list_supported_countries():
        raise RequestError(f"book.yml: no holidays are known for country {country!r}; use codes as 'TW'")
    # Without a language the names would come in that of the machine. A calendar with one language takes no notice.
    return holidays.country_holidays(country, years=list(years), observed=observed, language="en_US")
