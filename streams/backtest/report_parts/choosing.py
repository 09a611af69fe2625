"""What each threshold would have caught, how early and at what price: by a budget of contacts, and by profit."""

from __future__ import annotations

from collections.abc import Callable

from alerts.rules import TIERS
from streams.backtest.report_parts.axes import Axis, number_axis, share_axis
from streams.backtest.report_parts.charts import Chart, Series, figure, ranges
from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.tables import table
from streams.backtest.report_parts.words import Report, count, days, known, money, rate, share, threshold

LEAST_CONTACTS = 30
"""Below so many, precision is not drawn: it says more about chance."""

NO_THRESHOLD = {
    "ties": "none: more customers than that share the highest risk",
    "loses": "none pays: better contact nobody",
}
"""What is said in place of a budget's threshold."""


def section(report: Report) -> Markup | None:
    """Nothing where no threshold was tried."""
    rows: list[Report] = report.get("thresholds") or []
    if not rows:
        return None
    given = report.get("profit_assumptions")
    return element(
        "section",
        element("h2", "Which threshold to choose"),
        element("p", _how(report)),
        element("p", _assumed(given)),
        element("div", figure(_found_chart(rows)), figure(_right_chart(rows, given)), class_="charts"),
        _thresholds(rows, given, fire_lines(report)),
        _budgets(report.get("budgets") or [], given),
    )


def fire_lines(report: Report) -> dict[float, str]:
    """Risks at which the policy's tiers fire, and the tiers' names; none where the settings do not say."""
    policy = report["settings"].get("policy", {})
    return {policy[tier]: tier for tier in TIERS if tier in policy}


def _how(report: Report) -> str:
    horizon = days(report["settings"]["horizon_days"])
    return (
        "Had everybody been contacted once in each spell of silence, at the first cut-off with a risk at or above the "
        f"threshold. Precision is the share of those contacted who then bought nothing for {horizon}; recall is the share of "
        "those who left that was contacted. Lead: how long before plain counting of silent days would have noticed; "
        "below 0, after it."
    )


def _assumed(given: Report | None) -> str:
    if not given:
        return (
            "No money is shown, since none was assumed: give the value of a customer, the cost of an offer and of a contact, "
            "and the share that an offer keeps (--customer-value, --offer-cost, --contact-cost, --success-rate)."
        )
    currency = given["currency"]
    return (
        f"Assumed: a customer kept is worth {money(given['customer_value'], currency)}, an offer that is taken costs "
        f"{money(given['offer_cost'], currency)}, a contact {money(given['contact_cost'], currency)}, and an offer keeps "
        f"{share(given['success_rate'])} of those about to leave. The last is a guess until a holdout has measured it: the "
        "break-even column says how small it may be before a threshold loses money."
    )


def _axis() -> Axis:
    return Axis("threshold of risk", 0.0, 1.0, tuple((k / 5, f"{k / 5:.1f}") for k in range(6)))


def _found_chart(rows: list[Report]) -> Chart:
    telling = [row if row["fired"] >= LEAST_CONTACTS else {**row, "precision": None} for row in rows]
    series = [
        _series(telling, "precision", "precision: of those contacted left", "risk", share),
        _series(rows, "recall", "recall: of those who left contacted", "btyd", share),
    ]
    return Chart("What a threshold catches", ranges(series, share), _axis(), share_axis("share"), series)


def _right_chart(rows: list[Report], given: Report | None) -> Chart:
    """Profit where money was assumed, contacts a day where not."""
    if given and any(known(row["profit"]) for row in rows):
        currency = given["currency"]
        series = [_series(rows, "profit", "", "risk", lambda value: money(value, currency))]
        said = "; ".join(f"{threshold(row['risk'])}: {money(row['profit'], currency)}" for row in rows) + "."
        values = [row["profit"] for row in rows if known(row["profit"])]
        return Chart("What a threshold earns", said, _axis(), number_axis(f"profit, {currency}", values, zero=True), series)
    series = [_series(rows, "per_day", "", "risk", rate)]
    said = "; ".join(f"{threshold(row['risk'])}: {rate(row['per_day'])}" for row in rows) + "."
    axis = number_axis("contacts a day", [row["per_day"] for row in rows], zero=True)
    return Chart("How many contacts a threshold makes", said, _axis(), axis, series)


def _series(rows: list[Report], key: str, name: str, look: str, shown: Callable[[float], str]) -> Series:
    told = [f"from {threshold(row['risk'])} on: {shown(row[key])}" for row in rows]
    points = [(row["risk"], row[key] if known(row[key]) else None, said) for row, said in zip(rows, told, strict=True)]
    return Series(name, look, points, "dotted")


def _thresholds(rows: list[Report], given: Report | None, lines: dict[float, str]) -> Markup:
    head = ["risk from", "contacts", "a day", "precision", "recall", "lead, median"]
    body = [
        [
            f"{threshold(r['risk'])} {lines.get(r['risk'], '')}".rstrip().replace(" ", "\xa0"),
            count(r["fired"]),
            rate(r["per_day"]),
            share(r["precision"]),
            share(r["recall"]),
            days(r["lead_time_days_p50"]),
        ]
        for r in rows
    ]
    if not given:
        return table("Thresholds", head, body)
    for cells, row in zip(body, rows, strict=True):
        cells += [count(row["saved"]), count(row["cost"]), count(row["profit"])]
        cells.append(share(row.get("break_even_success_rate")))
    currency = given["currency"]
    best = max((row["profit"] for row in rows if known(row["profit"])), default=0.0)
    marked = [number for number, row in enumerate(rows) if row["profit"] == best and best > 0]
    head += ["kept", f"cost, {currency}", f"profit, {currency}", "breaks even at"]
    return table("Thresholds; the most profitable is set off" if marked else "Thresholds", head, body, marked=marked)


def _budgets(rows: list[Report], given: Report | None) -> Markup | None:
    if not rows:
        return None
    body = []
    for row in rows:
        cells = [f"{row['per_day']:g}", NO_THRESHOLD[row["none"]] if row["none"] else threshold(row["risk"])]
        body.append([*cells, rate(row["contacts_per_day"]), share(row["precision"]), share(row["recall"])])
    head = ["contacts a day, at most", "risk from", "makes a day", "precision", "recall"]
    if not given:
        return table("With a budget: the threshold that catches most", head, body, words=(1,))
    for cells, row in zip(body, rows, strict=True):
        cells.append(money(row["profit"], given["currency"]))
    title = "With a budget: the most profitable threshold"
    return table(title, [*head, "profit"], body, words=(1,))
