"""The settings that the backtest ran with, and what the words of the report mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import folded, table
from streams.backtest.report_parts.words import Report, count, days, rate

DEFINITIONS = (
    (
        "left",
        "No purchase in the {horizon} after the moment of scoring. Somebody may return later; returned goods are no purchase.",
    ),
    (
        "cut-off",
        "A moment at which all customers with enough purchases are scored, with nothing that was known only later.",
    ),
    ("risk", "What the system would have served at that moment: the chance of no purchase in the next {horizon}."),
    ("closed form (MBG/NBD)", "The statistical model that risk starts from, on purchase days alone, refitted to what was known."),
    (
        "days of silence",
        "Time since the last purchase. Where a probability is needed, a curve fitted to the latest cut-off whose outcome was "
        "known makes it one.",
    ),
    (
        "purchase frequency",
        "Purchases divided by the days since the first one and 30 more; who buys rarely comes first. A probability as above.",
    ),
    (
        "AUC",
        "The chance that of two customers, one who leaves and one who stays, the score is higher for the one who leaves.",
    ),
    ("PR AUC", "Mean precision over all thresholds; by chance it is the share that leaves."),
    ("log loss", "Mean of −ln of the probability given to what then happened; sure errors cost much."),
    ("Brier", "Mean squared distance between the probability given and what happened, 1 or 0."),
    ("calibration error", "Mean distance between the probability given and the share that left, over tenths of the scale."),
    (
        "lift",
        "How many times as frequent leavers are among those contacted as among all. It cannot exceed 1 / the share that leaves.",
    ),
    ("precision", "Of alerts, or of contacts, the share after which no purchase came for {horizon}."),
    (
        "recall",
        "Alerts: of all silences of {horizon}, the share in which an alert was firing before they were so long. Thresholds: "
        "of the spells of silence in which a customer had left as of a cut-off, the share contacted while that was so.",
    ),
    (
        "lead time",
        "Days from the alert, or contact, until the silence was {horizon} long, which is when counting silent days would "
        "have noticed. A contact may come later than that: below 0.",
    ),
    ("repeat buyers", "Customers who had bought on more than one day when they were taken down."),
    ("spell of silence", "From a purchase to the next one; within it a threshold contacts a customer once."),
    (
        "profit",
        "Customers kept times their value, less every contact, less an offer for each one contacted who would "
        "have stayed, less an offer for each one kept (Verbraken, Verbeke & Baesens 2013). Nobody was "
        "contacted in truth: what an offer really keeps only a holdout can tell.",
    ),
)
"""Term and meaning; {horizon} stands for the horizon."""


def settings(report: Report) -> Markup:
    """Every setting by its path, and the hash of all of them."""
    rows = [[element("code", path), value] for path, value in flat(report["settings"])]
    return element(
        "section",
        element("h2", "Settings used"),
        element("p", "Their hash is ", element("code", report["settings_hash"]), ": equal hashes decide alike."),
        folded("All settings", element("div", table("Settings", ["setting", "value"], rows, words=(1,)), class_="settings")),
    )


def flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """(path, value) of every setting, in the order given.

    >>> list(flat({"a": {"b": 1, "c": [1, 2]}, "d": None}))
    [('a.b', '1'), ('a.c', '1, 2'), ('d', 'none')]
    """
    for key, inner in value.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(inner, Mapping):
            yield from flat(inner, here)
        else:
            yield here, _said(inner)


def _said(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    return str(value)


def definitions(report: Report) -> Markup:
    """What the words mean."""
    horizon = days(report["settings"]["horizon_days"])
    items = [
        part for term, meaning in DEFINITIONS for part in (element("dt", term), element("dd", meaning.format(horizon=horizon)))
    ]
    speed = f"{count(report['events'])} events of {count(report['customers'])} customers, {_speed(report)}"
    return element("section", element("h2", "What the words mean"), element("dl", *items), element("p", speed), class_="small")


def _speed(report: Report) -> str:
    return f"read and judged at {rate(report['events_per_s'])} events a second."
