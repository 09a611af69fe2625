"""What was learnt on the way, which model served when, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, count, day, days, known, ordinal_day, score, share

MODELS = {
    "champion": "champion (learnt)",
    "closed_form": "closed form (MBG/NBD)",
    "idle": "days of silence",
    "adagrad": "River’s logistic regression (AdaGrad)",
    "forest": "River’s adaptive random forest",
}
MEASURES = (("auc", "AUC"), ("log_loss", "log loss"), ("brier", "Brier"), ("ece", "calibration error"))
VIEWS = (
    ("measured_total", "all", None),
    ("measured_total_repeat_buyers", "all of repeat buyers", None),
    ("measured", "the latest", "measured_total"),
    ("measured_repeat_buyers", "the latest, of repeat buyers", "measured_total_repeat_buyers"),
)
"""What was measured, by which outcomes, and what the same is called by all of them."""

AMONG = (
    ("watched", "Challengers beside the champion, unshifted, on the outcomes of watched customers"),
    ("all", "Challengers on the outcomes of all customers"),
    ("repeat_buyers", "Challengers on the outcomes of customers who had bought on more than one day"),
)
OF_CHALLENGERS = (*MEASURES, ("pr_auc", "PR-AUC"), ("lift_at_10", "lift of 10 %"), ("lift_cap", "best possible"))

BEGINS, ENDS = frozenset({"serving", "recovered"}), frozenset({"demoted"})
"""What events say from when on the learnt model serves, or no longer."""


def section(report: Report) -> Markup | None:
    """Nothing where the report says nothing of learning."""
    learning = report.get("learning")
    if not learning:
        return None
    title = element("h2", "What was learnt")
    if not learning["enabled"]:
        off = "Learning was off (learning.enabled): risk is the closed form’s, its parameters fitted to what was known."
        return element("section", title, element("p", off))
    return element(
        "section", title, element("p", said(report)), _events(learning["events"]), _measured(learning), *_challengers(learning)
    )


def said(report: Report) -> str:
    """How much was learnt, from when on it served and for how long."""
    learning = report["learning"]
    labels = f"{count(learning['labels'])} outcomes were learnt from, each a horizon after its snapshot"
    if learning["labels"]:
        labels += f"; {share(learning['left_share'])} were of customers who left"
    served = learning.get("served_from")
    if not served:
        return f"{labels}. The learnt model was never good enough to serve: risk is the closed form’s throughout."
    on, of = served_days(served, learning["events"], report["to"])
    return (
        f"{labels}. The learnt model first served on {day(served)}, and on {count(on)} of the {days(of)} since then; otherwise "
        "risk was the closed form’s."
    )


def served_days(served_from: str, events: Sequence[Report], until: str) -> tuple[int, int]:
    """On how many days the learnt model served, of how many from `served_from` to `until`.

    >>> changes = (10, "serving"), (13, "demoted"), (17, "drift"), (20, "recovered")
    >>> served_days("2011-01-10", [{"at": f"2011-01-{d}", "what": what} for d, what in changes], "2011-01-31")
    (14, 21)
    """
    first, end = ordinal_day(served_from), ordinal_day(until)
    changes = [(ordinal_day(event["at"]), event["what"] in BEGINS) for event in events if event["what"] in BEGINS | ENDS]
    served = sum(after - at for (at, serves), (after, _) in pairwise([(first, True), *changes, (end, False)]) if serves)
    return served, end - first


def _events(events: list[Report]) -> Markup:
    if not events:
        return element("p", "No model was demoted and no drift was found.")
    return table(
        "What happened to the models", ["day", "what", "why"], [[day(e["at"]), e["what"], e["why"]] for e in events], words=(1, 2)
    )


def _measured(learning: Report) -> Markup | None:
    """One table of all views, where the latest are not all of them. Nothing before anything was measured."""
    rows: list[list[str]] = []
    for key, outcomes, total in VIEWS:
        models = learning.get(key) or {}
        if not any(known(m.get("log_loss")) for m in models.values()) or _outcomes(learning, key) == _outcomes(learning, total):
            continue
        rows += [[MODELS.get(name, name), outcomes, *_cells(one, MEASURES)] for name, one in models.items()]
    if not rows:
        return None
    return table(
        "Each model, by outcomes not learnt yet",
        ["model", "judged by", "outcomes", *(title for _, title in MEASURES)],
        rows,
        words=(1,),
    )


def _outcomes(learning: Report, key: str | None) -> list[int | None] | None:
    """How many judged each model."""
    return None if key is None else [one.get("n") for one in (learning.get(key) or {}).values()]


def _challengers(learning: Report) -> list[Markup]:
    """Nothing where they were not asked for."""
    measured = (learning.get("challengers") or {}).get("measured_total") or {}
    found = [(title, measured.get(key) or {}) for key, title in AMONG]
    return [_table(title, models) for title, models in found if models]


def _table(title: str, models: Report) -> Markup:
    rows = [[MODELS.get(name, name), *_cells(one, OF_CHALLENGERS)] for name, one in models.items()]
    return table(title, ["model", "outcomes", *(title for _, title in OF_CHALLENGERS)], rows)


def _cells(measured: Report, measures: Sequence[tuple[str, str]]) -> list[str]:
    return [count(measured.get("n")), *(score(measured.get(key)) for key, _ in measures)]
