"""Numbers as people read them: as many digits as mean something, the unit with them, and a dash for what there is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

Report = Mapping[str, Any]
"""What `report.json` holds, or a part of it."""

NONE = "–"

SCORES = {
    "risk": "churnwatch’s risk",
    "btyd": "closed form (MBG/NBD)",
    "idle": "days of silence",
    "frequency": "purchase frequency",
}
"""The scores that are compared, and what they are called."""


def scores_of(report: Report) -> dict[str, str]:
    """The scores to be shown beside each other, and their names: where risk was the closed form's throughout, they are one.

    >>> list(scores_of({"mean": {"risk": {"log_loss": 0.6}, "btyd": {"log_loss": 0.6}}}))
    ['risk', 'idle', 'frequency']
    """
    if risk_is_closed_form(report):
        return {"risk": "churnwatch’s risk: the closed form’s", "idle": SCORES["idle"], "frequency": SCORES["frequency"]}
    return SCORES


def risk_is_closed_form(report: Report) -> bool:
    """Whether nothing learnt served at any cut-off."""
    mean = report["mean"]
    return bool(mean) and known(mean["risk"]["log_loss"]) and mean["risk"] == mean["btyd"]


def with_customers(cutoffs: Sequence[Report]) -> list[Report]:
    """The cut-offs at which anybody was scored: of the others nothing can be told."""
    return [cutoff for cutoff in cutoffs if cutoff["n"]]


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and math.isfinite(value)


def share(value: float | None) -> str:
    """A share as per cent: whole ones, and a decimal near the ends where it tells something.

    >>> [share(x) for x in (0.4634, 0.0361, 0.9962, 1.0, 0.0, 0.0001, None)]
    ['46%', '3.6%', '99.6%', '100%', '0%', '<0.1%', '–']
    """
    if value is None or not math.isfinite(value):
        return NONE
    if 0 < value < 0.0005:
        return "<0.1%"
    if value in (0, 1) or 0.1 <= value <= 0.9:
        return f"{100 * value:.0f}%"
    return f"{min(100 * value, 99.9) if value < 1 else 100 * value:.1f}%"


def score(value: float | None) -> str:
    """A measure of quality, three decimals.

    >>> score(0.74801), score(None)
    ('0.748', '–')
    """
    return f"{value:.3f}" if value is not None and math.isfinite(value) else NONE


def threshold(value: float) -> str:
    """A threshold of risk: two decimals, and four where it has more.

    >>> threshold(0.7), threshold(0.9873)
    ('0.70', '0.9873')
    """
    shown = f"{value:.4f}"
    return shown[:-2] if shown.endswith("00") else shown


def count(value: float | None) -> str:
    """A whole number.

    >>> count(26318)
    '26,318'
    """
    return _minus(f"{value:,.0f}") if value is not None and math.isfinite(value) else NONE


def rate(value: float | None) -> str:
    """A number of any size, two digits of it or all before the point.

    >>> [rate(x) for x in (8.4708, 0.0521, 0.0, 24.47, 1234.5)]
    ['8.5', '0.052', '0', '24', '1,234']
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0 or abs(value) >= 9.95:
        return count(value)
    return _minus(f"{value:.{1 - math.floor(math.log10(abs(value)))}f}")


def times(value: float | None) -> str:
    """A lift.

    >>> times(1.916)
    '1.9 ×'
    """
    return f"{value:.1f} ×" if value is not None and math.isfinite(value) else NONE


def times_in_words(value: float) -> str:
    """A lift within a sentence.

    >>> times_in_words(1.916)
    '1.9 times'
    """
    return f"{value:.1f} times"


def days(value: float | None) -> str:
    """A number of days.

    >>> [days(x) for x in (89.75, 1.0, -37.5, None)]
    ['90 days', '1 day', '−38 days', '–']
    """
    if value is None or not math.isfinite(value):
        return NONE
    whole = round(value)
    return f"{count(whole)} day" + ("" if abs(whole) == 1 else "s")


def money(value: float | None, currency: str) -> str:
    """An amount: whole units from 100 on.

    >>> money(124780.4, "GBP"), money(-2.5, "GBP"), money(None, "GBP")
    ('GBP 124,780', '−GBP 2.50', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    amount = abs(value)
    shown = f"{amount:,.0f}" if amount >= 100 or amount == int(amount) else f"{amount:,.2f}"
    return f"{'−' if value < 0 else ''}{currency} {shown}"


def of_100(value: float | None) -> str:
    """A share in words.

    >>> of_100(0.748)
    '75 of 100'
    """
    return f"{100 * value:.0f} of 100" if value is not None and math.isfinite(value) else NONE


def points(value: float | None, decimals: int = 0) -> str:
    """A share as a number out of 100.

    >>> points(0.748), points(0.748, 1), points(None)
    ('75', '74.8', '–')
    """
    return f"{100 * value:.{decimals}f}" if value is not None and math.isfinite(value) else NONE


def day(instant: object) -> str:
    """The day of an RFC 3339 time, its parts kept on one line; what is none comes back as it is.

    >>> day("2010-09-03T00:00:00.000Z"), day("?")
    ('3\\xa0Sep\\xa02010', '?')
    """
    try:
        found = date.fromisoformat(str(instant)[:10])
    except ValueError:
        return str(instant)
    return f"{found.day} {month(found)}".replace(" ", "\xa0")


def month(of: date) -> str:
    """The month of a day.

    >>> month(date(2010, 9, 3))
    'Sep 2010'
    """
    return f"{_MONTHS[of.month - 1]} {of.year}"


def ordinal_day(instant: object) -> int:
    """Day of an RFC 3339 time as a number, for axes. Raises ValueError for what is none."""
    return date.fromisoformat(str(instant)[:10]).toordinal()


def _minus(number: str) -> str:
    return number.replace("-", "−")
