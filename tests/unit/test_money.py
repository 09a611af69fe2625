"""Minor units by ISO 4217, and rates that are none."""

from __future__ import annotations

import pytest

from streams.contract import EventRules
from streams.money import minor_exponent, minor_factors


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("USD", 2), ("EUR", 2), ("CNY", 2), ("JPY", 0), ("KRW", 0), ("CLP", 0), ("KWD", 3), ("TND", 3), ("CLF", 4)],
)
def test_minor_units_have_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_exponent(currency) == digits


def test_a_rate_becomes_minor_units_of_the_base() -> None:
    assert minor_factors("KWD", {"USD": 0.25}) == {"KWD": 1000.0, "USD": 250.0}
    assert minor_factors("USD", {"USD": 1.0}) == {"USD": 100.0}


@pytest.mark.parametrize(
    ("base", "rates", "named"),
    [
        ("usd", {}, "'usd'"),
        ("USD", {"EURO": 1.1}, "'EURO'"),
        ("USD", {"ÄÖÜ": 1.1}, "'ÄÖÜ'"),
        ("USD", {"EUR": 0.0}, r"money\.rates\.EUR"),
        ("USD", {"EUR": float("nan")}, r"money\.rates\.EUR"),
        ("USD", {"USD": 1.1}, r"money\.rates\.USD"),
    ],
)
def test_rates_that_are_none_are_refused_by_name(base: str, rates: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        EventRules(base, rates, None)


def test_a_negative_skew_is_refused() -> None:
    with pytest.raises(ValueError, match=r"time\.skew_s: -1"):
        EventRules("USD", {}, -1000)
