"""How good the risk is at every cut-off, beside the baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping

from streams.backtest.report_parts.axes import number_axis, time_axis
from streams.backtest.report_parts.charts import Chart, Series, figure, ranges
from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import folded, table
from streams.backtest.report_parts.words import (
    SCORES,
    Report,
    count,
    day,
    known,
    ordinal_day,
    score,
    scores_of,
    share,
    times,
    with_customers,
)

MEASURES = (("auc", "AUC"), ("pr_auc", "PR AUC"), ("log_loss", "log loss"), ("brier", "Brier"), ("ece", "calibration error"))
Names = Mapping[str, str]
MOST_DOTS = 40
"""Cut-offs up to which each has its dot on the line."""


def section(report: Report) -> Markup:
    """AUC and log loss at every cut-off, and all measures on average."""
    cutoffs, names = report["cutoffs"], scores_of(report)
    if not with_customers(cutoffs):
        nothing = "Nobody was scored at any cut-off." if cutoffs else "There is no cut-off to measure at."
        return element("section", element("h2", "Quality over time"), element("p", nothing))
    return element(
        "section",
        element("h2", "Quality over time"),
        element(
            "p",
            "Every score judges the same customers at the same moments. Higher AUC is better: 0.5 is chance, 1 would be perfect. "
            "Lower log loss is better.",
        ),
        element("div", figure(_auc_chart(cutoffs, names)), figure(_loss_chart(cutoffs, names)), class_="charts"),
        _means(report["mean"]),
        folded("All cut-offs, as a table", _every_cutoff(cutoffs)),
    )


def _auc_chart(cutoffs: list[Report], names: Names) -> Chart:
    series = [_over_time(cutoffs, name, names[name], "auc") for name in names]
    values = [y for one in series for _, y, _ in one.points if y is not None]
    return Chart(
        "AUC at each cut-off",
        ranges(series, score),
        time_axis("cut-off", [ordinal_day(cutoff["at"]) for cutoff in cutoffs]),
        number_axis("AUC", [0.5, *values]),
        series,
    )


def _loss_chart(cutoffs: list[Report], names: Names) -> Chart:
    series = [_over_time(cutoffs, name, names[name], "log_loss") for name in names]
    entropies = [_entropy(cutoff["base_rate"]) for cutoff in cutoffs]
    base = [(float(ordinal_day(c["at"])), nats, score(nats)) for c, nats in zip(cutoffs, entropies, strict=True)]
    series = [one for one in series if any(y is not None for _, y, _ in one.points)]
    series.append(Series("knowing only how many leave", "limit", base))
    return Chart(
        "Log loss at each cut-off",
        ranges(series, score),
        time_axis("cut-off", [ordinal_day(cutoff["at"]) for cutoff in cutoffs]),
        number_axis("log loss, nats", [y for one in series for _, y, _ in one.points if y is not None]),
        series,
    )


def _over_time(cutoffs: list[Report], name: str, title: str, measure: str) -> Series:
    points = []
    for cutoff in cutoffs:
        value = cutoff["scores"][name][measure]
        said = f"{day(cutoff['at'])}: {score(value)} ({title})"
        points.append((float(ordinal_day(cutoff["at"])), value if known(value) else None, said))
    return Series(title, name, points, "dotted" if len(points) <= MOST_DOTS else "line")


def _entropy(p: float | None) -> float | None:
    """Of leaving with chance p, nats."""
    return None if p is None else -sum(q * math.log(q) for q in (p, 1.0 - p) if q > 0)


def _means(mean: Report) -> Markup:
    rows = [
        [
            SCORES[name],
            *(score(mean[name][key]) for key, _ in MEASURES),
            times(mean[name]["lift_at_10"]),
            times(mean[name]["lift_cap"]),
        ]
        for name in SCORES
        if name in mean
    ]
    head = ["score", *(title for _, title in MEASURES), "lift of the top tenth", "at most"]
    return table("Mean over the cut-offs at which there is one", head, rows)


def _every_cutoff(cutoffs: list[Report]) -> Markup:
    rows = [
        [
            day(cutoff["at"]),
            count(cutoff["n"]),
            share(cutoff["base_rate"]),
            *(score(cutoff["scores"][name]["auc"]) for name in SCORES),
            *(score(cutoff["scores"][name]["log_loss"]) for name in ("risk", "btyd", "idle")),
            f"{times(cutoff['scores']['risk']['lift_at_10'])} of {times(cutoff['scores']['risk']['lift_cap'])}",
        ]
        for cutoff in cutoffs
    ]
    short = {"risk": "risk", "btyd": "closed form", "idle": "silence", "frequency": "frequency"}
    head = ["cut-off", "customers", "left", *(f"AUC {short[name]}" for name in SCORES)]
    head += [f"log loss {short[name]}" for name in ("risk", "btyd", "idle")]
    return table("Every cut-off", [*head, "lift of the top tenth"], rows)
