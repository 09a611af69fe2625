"""Money as whole minor units of one base currency.

A minor unit is the smallest ISO 4217 names for a currency: a cent for USD, a yen for JPY, a fils for KWD. Sums of
int64 minor units are exact and do not depend on their order; sums of floats do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

ISO_4217_EXCEPTIONS: Mapping[str, int] = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""Decimal digits of the minor unit where they are not two (ISO 4217, list one)."""

MAX_AMOUNT_MINOR = 10**14
"""Largest amount of one event, minor units: a million million dollars. 92,000 such amounts still fit an int64 sum."""


def minor_exponent(currency: str) -> int:
    """Decimal digits of the currency's minor unit.

    >>> minor_exponent("USD"), minor_exponent("JPY"), minor_exponent("KWD")
    (2, 0, 3)
    """
    return ISO_4217_EXCEPTIONS.get(currency, 2)


def minor_factors(base_currency: str, rates: Mapping[str, float]) -> dict[str, float]:
    """What one unit of each currency is worth in minor units of the base currency.

    base_currency   ISO 4217 code; its own rate is 1 and may be left out of `rates`
    rates           currency -> value of one unit in the base currency, finite and > 0
    Raises ValueError for a code that is not three capital letters and for a rate outside its range.

    >>> minor_factors("JPY", {"USD": 150.0})
    {'JPY': 1.0, 'USD': 150.0}
    """
    scale = 10.0 ** minor_exponent(base_currency)
    for currency, rate in ({base_currency: 1.0} | dict(rates)).items():
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
            raise ValueError(f"money.rates: {currency!r} is no ISO 4217 code; write three capital letters such as USD")
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(
                f"money.rates.{currency}: {rate!r} is no rate; give the value of one {currency} in {base_currency}, above 0"
            )
    if rates.get(base_currency, 1.0) != 1.0:
        raise ValueError(f"money.rates.{base_currency}: {rates[base_currency]!r}; the base currency's own rate is 1")
    return {currency: rate * scale for currency, rate in ({base_currency: 1.0} | dict(rates)).items()}
