"""What was learnt on the way, which model served when, and what became of it."""

from __future__ import annotations

from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, count, day, score, share

MODELS = {"champion": "champion (learnt)", "closed_form": "closed form (MBG/NBD)", "idle": "days of silence"}
MEASURES = (("auc", "AUC"), ("log_loss", "log loss"), ("brier", "Brier"), ("ece", "calibration error"))


def section(report: Report) -> Markup | None:
    """Nothing where the report says nothing of learning."""
    learning = report.get("learning")
    if not learning:
        return None
    title = element("h2", "What was learnt")
    if not learning["enabled"]:
        off = "Learning was off (learning.enabled): risk is the closed form’s, its parameters fitted to what was known."
        return element("section", title, element("p", off))
    return element("section", title, element("p", said(learning)), _events(learning["events"]), _measured(learning["measured"]))


def said(learning: Report) -> str:
    """How much was learnt, and from when on it served."""
    labels = f"{count(learning['labels'])} outcomes were learnt from, each a horizon after its snapshot"
    if learning["labels"]:
        labels += f"; {share(learning['left_share'])} were of customers who left"
    served = learning.get("served_from")
    if not served:
        return f"{labels}. The learnt model was never good enough to serve: risk is the closed form’s throughout."
    return (
        f"{labels}. The learnt model first served on {day(served)}; before, and whenever it was demoted, risk was the closed "
        "form’s."
    )


def _events(events: list[Report]) -> Markup:
    if not events:
        return element("p", "No model was demoted and no drift was found.")
    return table(
        "What happened to the models", ["day", "what", "why"], [[day(e["at"]), e["what"], e["why"]] for e in events], words=(1, 2)
    )


def _measured(measured: Report) -> Markup | None:
    rows = [
        [MODELS.get(name, name), *(score(found.get(key)) for key, _ in MEASURES)] for name, found in measured.items() if found
    ]
    if not rows:
        return None
    return table(
        "Each model on the same outcomes, before it learnt from them", ["model", *(title for _, title in MEASURES)], rows
    )
