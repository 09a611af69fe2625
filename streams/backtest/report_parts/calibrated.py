"""Whether a risk can be read as a probability: what was given against what happened, and who was given what."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streams.backtest.report_parts.axes import number_axis, share_axis
from streams.backtest.report_parts.charts import Chart, Series, figure
from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import folded, table
from streams.backtest.report_parts.words import SCORES, Report, count, scores_of, share

Found = dict[str, Sequence[Report]]
"""Score -> its bins, `calibration` of the report."""


def section(report: Report) -> Markup:
    """Risk against the share that left, and how many customers had which risk."""
    found: Found = {name: report["calibration"][name] for name in scores_of(report) if name in report["calibration"]}
    title = element("h2", "Can a risk be read as a probability?")
    if not found["risk"]:
        return element("section", title, element("p", "Nobody was scored."))
    return element(
        "section",
        title,
        element(
            "p",
            "Each dot is a tenth of the scale; the bigger, the more customers. On the diagonal, of the customers given 30% "
            "just 30 of 100 left. Above it, more left than was said.",
        ),
        element("div", figure(_calibration_chart(found)), figure(_risks_chart(found["risk"])), class_="charts"),
        folded("As a table", _calibration_table(found)),
    )


def _calibration_chart(found: Found) -> Chart:
    series = []
    for name, rows in reversed(found.items()):
        most = max((row["n"] for row in rows), default=1)
        points = [(row["p"], row["observed"], _of_bin(name, row)) for row in rows]
        sizes = [2.5 + 6.5 * math.sqrt(row["n"] / most) for row in rows]
        series.append(Series(SCORES[name], name, points, "dots" if name == "risk" else "rings", sizes))
    series.append(Series("as said", "chance", [(0.0, 0.0, ""), (1.0, 1.0, "")]))
    said = "; ".join(_of_bin("risk", row) for row in found["risk"])
    return Chart("Risk and what happened", said + ".", share_axis("risk given"), share_axis("share that left"), series)


def _of_bin(name: str, row: Report) -> str:
    return f"{SCORES[name]} {share(row['p'])}: {share(row['observed'])} of {count(row['n'])} left"


def _risks_chart(rows: Sequence[Report]) -> Chart:
    points = [
        ((row["tenth"] + 0.5) / 10, float(row["n"]), f"{row['tenth'] * 10}–{row['tenth'] * 10 + 10}%: {count(row['n'])}")
        for row in rows
    ]
    said = "; ".join(said for _, _, said in points) + "."
    widest = Series("", "risk", [*points, *[(float("nan"), None, "")] * (10 - len(points))], "bars")
    return Chart(
        "How many customers had which risk",
        said,
        share_axis("risk given"),
        number_axis("customers, all cut-offs", [row["n"] for row in rows], zero=True),
        [widest],
    )


def _calibration_table(found: Found) -> Markup:
    rows = [[SCORES[name], share(row["p"]), share(row["observed"]), count(row["n"])] for name in found for row in found[name]]
    return table("Scores by tenths of the scale", ["score", "mean given", "left", "customers"], rows)
