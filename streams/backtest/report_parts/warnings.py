"""The alerts that the engine raised in the backtest: how right, how early, how many a day."""

from __future__ import annotations

from streams.backtest.report_parts.axes import number_axis, time_axis
from streams.backtest.report_parts.charts import Chart, Series, figure
from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, count, day, days, ordinal_day, rate, share


def section(report: Report) -> Markup:
    """Numbers and the picture by week."""
    alerts = report["alerts"]
    weeks = alerts.get("by_week") or []
    lead = alerts["lead_time_days"]
    rows = [
        ["alerts raised", count(alerts["fired"])],
        ["a day", rate(alerts["per_day"])],
        *([["whose outcome is known", count(alerts["decided"])]] if "decided" in alerts else []),
        ["precision: of them about customers who left", share(alerts["precision"])],
        ["recall: of those who left warned about", share(alerts["recall"])],
        ["lead time: half had at least", days(lead["p50"])],
        ["lead time: nine in ten had at least", days(lead["p10"])],
        ["lead time: one in ten had at least", days(lead["p90"])],
        *([["raised after the last event, besides", count(alerts["fired_after"])]] if alerts["fired_after"] else []),
    ]
    return element(
        "section",
        element("h2", "The alerts"),
        element(
            "p",
            "What the system itself would have sent, with its consecutive breaches, cool-downs and quality gate: the same code "
            "that runs live.",
        ),
        element("div", table("The alerts in numbers", ["", ""], rows), _weeks(weeks), class_="charts"),
    )


def _weeks(weeks: list[Report]) -> Markup | None:
    if not weeks:
        return None
    points = [(ordinal_day(w["at"]) + 3.5, w["fired"] / 7, f"week of {day(w['at'])}: {count(w['fired'])} alerts") for w in weeks]
    values = [y for _, y, _ in points]
    return figure(
        Chart(
            "Alerts a day, week by week",
            f"From {rate(min(values))} to {rate(max(values))} a day; {rate(sum(values) / len(values))} on average.",
            time_axis("week", [ordinal_day(weeks[0]["at"]), ordinal_day(weeks[-1]["at"]) + 7]),
            number_axis("alerts a day", values, zero=True),
            [Series("", "risk", points, "bars")],
        )
    )
