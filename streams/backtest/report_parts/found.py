"""In which order to contact: the share of the leavers that is found, the lift, and what neither can exceed."""

from __future__ import annotations

from collections.abc import Mapping

from streams.backtest.report_parts.axes import number_axis, share_axis
from streams.backtest.report_parts.charts import Chart, Series, figure
from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, scores_of, share, times

LEAST_SHARE = 0.05
"""Of customers contacted, from which lift is drawn: below, chance makes it jump."""


def section(report: Report) -> Markup:
    """Cumulative gain and lift, with what cannot be exceeded."""
    rows: list[Report] = report["gain"]
    names = scores_of(report)
    if not rows:
        return element("section", element("h2", "Whom to contact first"), element("p", "Nobody left: there is nothing to find."))
    return element(
        "section",
        element("h2", "Whom to contact first"),
        element(
            "p",
            "Customers are contacted from the highest score down. Where many leave, even a perfect order finds only so many "
            "at once: the grey line is the most that is possible.",
        ),
        element("div", figure(_gain_chart(rows, names)), figure(_lift_chart(rows, names)), class_="charts"),
        _gain_table(rows, names),
    )


def _gain_chart(rows: list[Report], scores: Mapping[str, str]) -> Chart:
    series = [Series(scores[name], name, _curve(rows, name)) for name in scores if name in rows[0]]
    series.append(Series("the most possible", "limit", _curve(rows, "best")))
    series.append(Series("by chance", "chance", [(0.0, 0.0, ""), (1.0, 1.0, "")]))
    said = "; ".join(f"{share(r['share'])} contacted: {share(r['risk'])} found, {share(r['best'])} possible" for r in _told(rows))
    return Chart("Leavers found", said + ".", share_axis("customers contacted"), share_axis("leavers found"), series)


def _lift_chart(rows: list[Report], scores: Mapping[str, str]) -> Chart:
    shown = [row for row in rows if row["share"] >= LEAST_SHARE]
    names = {name: (scores[name], name) for name in scores if name in rows[0]} | {"best": ("the most possible", "limit")}
    series = [
        Series(title, look, [(row["share"], row[name] / row["share"], "") for row in shown])
        for name, (title, look) in names.items()
    ]
    series.append(Series("by chance", "chance", [(LEAST_SHARE, 1.0, ""), (1.0, 1.0, "")]))
    highest = max(y or 0.0 for one in series for _, y, _ in one.points)
    said = "; ".join(f"{share(r['share'])} contacted: {times(r['risk'] / r['share'])}" for r in _told(rows))
    return Chart(
        "Lift: leavers found, against chance",
        said + ".",
        share_axis("customers contacted"),
        number_axis("times as many as by chance", [highest], zero=True),
        series,
    )


def _curve(rows: list[Report], name: str) -> list[tuple[float, float | None, str]]:
    return [(row["share"], row[name], "") for row in rows]


def _told(rows: list[Report]) -> list[Report]:
    return [row for row in rows if round(row["share"], 6) in (0.05, 0.1, 0.2, 0.3, 0.5)]


def _gain_table(rows: list[Report], scores: Mapping[str, str]) -> Markup:
    names = [name for name in scores if name in rows[0]]
    body = [
        [
            share(row["share"]),
            *(share(row[name]) for name in names),
            share(row["best"]),
            f"{times(row['risk'] / row['share'])} of {times(row['best'] / row['share'])}",
            share(row["risk"] / row["best"] if row["best"] else None),
        ]
        for row in _told(rows)
    ]
    head = ["contacted", *(scores[name] for name in names), "most possible", "lift of risk", "of what is possible"]
    return table("Share of the leavers that is found", head, body)
