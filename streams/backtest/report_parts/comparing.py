"""Two or more policies on the same history, side by side."""

from __future__ import annotations

from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, count, days, rate, share


def section(report: Report) -> Markup | None:
    """Nothing where only one policy was tried. `policies`: [{name, settings_hash, alerts}], the report's own one first."""
    policies: list[Report] = report.get("policies") or []
    if len(policies) < 2:
        return None
    rows = [_row(policy) for policy in policies]
    head = ["policy", "settings", "alerts", "a day", "precision", "recall", "half this early", "nine in ten this early"]
    return element(
        "section",
        element("h2", "Policies compared"),
        element("p", "The same history and the same risk; only when risk becomes an alert differs."),
        table("Alerts of each policy", head, rows, words=(1,)),
    )


def _row(policy: Report) -> list[object]:
    alerts = policy["alerts"]
    lead = alerts["lead_time_days"]
    return [
        policy["name"],
        element("code", policy["settings_hash"]),
        count(alerts["fired"]),
        rate(alerts["per_day"]),
        share(alerts["precision"]),
        share(alerts["recall"]),
        days(lead["p50"]),
        days(lead["p10"]),
    ]
