"""What reasons say, in words and units, for a person who has seconds: (value, unit, text) each."""

from __future__ import annotations

Said = tuple[float | int | None, str, str]


def silence(idle_days: float, gap_days: float | None, purchases: int) -> Said:
    """How long it has been, against the customer's own rhythm."""
    idle = int(idle_days)
    text = f"no order for {_count(idle, 'day')}" if idle else "ordered today"
    if gap_days is not None:
        text += f"; usually {_every(gap_days, spelt=idle < 2)}"
    elif purchases == 1:
        text += " since the only one" if idle else " for the first time"
    return idle, "days", text


def rhythm(purchases: int, tenure_days: float, gap_days: float | None, spread_days: float | None) -> Said:
    """How often, and how regularly."""
    if purchases == 1:
        return 1, "orders", "one order so far: no rhythm yet"
    tenure = int(tenure_days)
    text = f"{purchases} orders " + (f"in {_count(tenure, 'day')}" if tenure else "on one day")
    if gap_days is not None and gap_days >= 0.5:
        text += f"; gaps of {_count(max(1, round(gap_days)), 'day')}"
        if spread_days is not None:
            text += f", give or take {round(spread_days) or 'less than 1'}"
    return purchases, "orders", text


def complaints(n_30d: int, n_90d: int, severity: float | None, last_days: float | None) -> Said:
    """How many, how grave, how long ago."""
    if n_90d == 1 and last_days is not None:
        text = f"1 complaint {_ago(last_days)}"
    elif n_30d >= n_90d:
        text = f"{_count(n_90d, 'complaint')} in 30 days"
    else:
        text = f"{_count(n_90d, 'complaint')} in 90 days" + (f" ({n_30d} in the last 30)" if n_30d else "")
    if n_90d > 1 and last_days is not None:
        text += f", the last {_ago(last_days)}"
    if severity is not None:
        text += f", severity {severity:.0f} of 5" if n_90d == 1 else f", mean severity {severity:.1f} of 5"
    return n_90d, "complaints", text


def logins(n_30d: int, n_90d: int, last_days: float | None) -> Said:
    """That they have become rare."""
    text = f"logins thinned out: {n_30d or 'none'} in 30 days, {n_90d} in 90"
    if last_days is not None:
        text += f"; the last {_ago(last_days)}"
    return n_30d, "logins", text


def refunds(refunds_minor: int, spent_minor: int) -> Said:
    """What share of the spend went back."""
    if spent_minor <= 0:
        return None, "share of spend", "refunds in 90 days, and nothing spent"
    share = refunds_minor / spent_minor
    percent = f"{100 * share:.0f}" if share >= 0.01 else "less than 1"
    return round(share, 3), "share of spend", f"refunds of {percent} % of what was spent in 90 days"


def frequency(n_90d: int, n_365d: int) -> Said:
    """How much was ordered of late.

    >>> frequency(2, 9)[2], frequency(0, 1)[2]
    ('2 orders in 90 days, 9 in a year', 'no order in 90 days, 1 in a year')
    """
    return n_365d, "orders", f"{_count(n_90d, 'order') if n_90d else 'no order'} in 90 days, {n_365d or 'none'} in a year"


def trend(n_30d: int, n_90d: int, n_365d: int) -> Said:
    """Whether that becomes more or less: 90 days against the mean of the year.

    >>> [trend(n_30d, n_90d, n_365d)[2] for n_30d, n_90d, n_365d in ((0, 1, 12), (3, 5, 9))]
    ['orders thin out: 1 in 90 days, 12 in a year', 'orders pick up: 5 in 90 days, 9 in a year']
    """
    mean = n_365d * 90 / 365
    how = "thin out" if n_90d < 0.75 * mean else "pick up" if n_90d > 1.25 * mean else "as ever"
    return n_30d, "orders", f"orders {how}: {n_90d or 'none'} in 90 days, {n_365d or 'none'} in a year"


def money(spent_90d_minor: int, spent_365d_minor: int) -> Said:
    """Which share of a year's spend fell into the last 90 days.

    >>> money(500, 10_000)[2]
    "5 % of the year's spend in the last 90 days"
    """
    if spent_365d_minor <= 0:
        return None, "share of spend", "nothing spent in a year"
    share = min(1.0, spent_90d_minor / spent_365d_minor)
    return round(share, 3), "share of spend", f"{100 * share:.0f} % of the year's spend in the last 90 days"


def tenure(tenure_days: float) -> Said:
    """For how long a customer."""
    days = int(tenure_days)
    return days, "days", f"a customer for {_count(days, 'day')}" if days else "a customer since today"


def _count(n: int, noun: str) -> str:
    return f"1 {noun}" if n == 1 else f"{n} {noun}s"


def _every(gap_days: float, spelt: bool) -> str:
    """How often, in words; 'days' only where the sentence has not said it."""
    if gap_days < 0.5:
        return "several a day"
    gap = round(gap_days)
    if gap <= 1:
        return "every day"
    return f"every {gap} days" if spelt else f"every {gap}"


def _ago(days: float) -> str:
    whole = int(days)
    if whole == 0:
        return "today"
    return "yesterday" if whole == 1 else f"{whole} days ago"
