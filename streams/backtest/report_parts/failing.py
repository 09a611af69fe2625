"""Of which customers the model knows little, so that nobody trusts it there."""

from __future__ import annotations

from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, count, known, score, share

RANKS_WORSE = 0.05
"""AUC so far below everybody's is said."""

OFF = 0.05
"""A mean risk so far from the share that left is said."""


def section(report: Report) -> Markup | None:
    """Nothing where no kind of customer was measured."""
    rows: list[Report] = report.get("weak_spots") or []
    if not rows:
        return None
    body = [
        [
            row["name"],
            count(row["n"]),
            share(row["base_rate"]),
            share(row.get("mean_risk")),
            score(row["auc"]),
            score(row["log_loss"]),
            score(row.get("guess_loss")),
            remark(row, rows[0]),
        ]
        for row in rows
    ]
    head = ["customers", "scored", "left", "mean risk", "AUC", "log loss", "of a guess", "what to know"]
    return element(
        "section",
        element("h2", "Where the model is weak"),
        element(
            "p",
            "The same risk, for customers of one kind at a time; kinds overlap. Within a kind there is less to tell customers "
            "apart by, so AUC is mostly lower than for everybody. A log loss no better than the guess’s means that risk says "
            "nothing there beyond how many leave.",
        ),
        table("Kinds of customers, all cut-offs together", head, body, words=(7,)),
    )


def remark(row: Report, everybody: Report) -> str:
    """What is weak about one kind, in words; a dash where nothing is."""
    told = []
    if not known(row["auc"]):
        told.append("all alike: there is nobody to tell apart")
    elif known(everybody["auc"]) and row["auc"] < everybody["auc"] - RANKS_WORSE:
        told.append("tells customers apart less well")
    if known(row.get("guess_loss")) and known(row["log_loss"]) and row["log_loss"] >= row["guess_loss"]:
        told.append("no better than a guess")
    if known(row.get("mean_risk")) and known(row["base_rate"]) and abs(row["mean_risk"] - row["base_rate"]) >= OFF:
        points = 100 * (row["mean_risk"] - row["base_rate"])
        told.append(f"risk too {'high' if points > 0 else 'low'} by {abs(points):.0f} points")
    return "; ".join(told) or "–"
