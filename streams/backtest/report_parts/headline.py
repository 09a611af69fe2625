"""The answer in words, before any picture: who would have been warned about, how early, and how good that is.

"Nothing clever" is what anybody has without a model: counting days of silence, or purchases. The verdict is that risk is better
where its mean AUC is above both and it beats both at more than half of the cut-offs.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from streams.backtest.report_parts.markup import Markup, element
from streams.backtest.report_parts.words import (
    SCORES,
    Report,
    count,
    day,
    days,
    known,
    money,
    of_100,
    points,
    rate,
    risk_is_closed_form,
    share,
    threshold,
    times_in_words,
    with_customers,
)

PLAIN = ("idle", "frequency")
"""The scores of nothing clever."""


def section(report: Report) -> Markup:
    """Verdict, key figures and the sentences."""
    better, said = verdict(report)
    look = {True: "good", False: "bad", None: ""}[better]
    return element(
        "section",
        element("p", said, class_=f"verdict {look}".rstrip()),
        element("div", *(_tile(value, meaning) for value, meaning in tiles(report)), class_="tiles"),
        element("ul", *(element("li", sentence) for sentence in sentences(report)), class_="said"),
    )


def verdict(report: Report) -> tuple[bool | None, str]:
    """Whether risk is better than nothing clever (None: cannot be told), and that in a sentence."""
    all_scores = [cutoff["scores"] for cutoff in report["cutoffs"]]
    judged = [scores for scores in all_scores if all(known(scores[name]["auc"]) for name in ("risk", *PLAIN))]
    if not judged:
        return None, "Nothing can be said: there is no cut-off at which some customers left and some stayed."
    plain = {name: _mean_auc(judged, name) for name in PLAIN}
    rival = max(plain, key=lambda name: plain[name])
    own = _mean_auc(judged, "risk")
    won = sum(scores["risk"]["auc"] > max(scores[name]["auc"] for name in PLAIN) for scores in judged)
    at = f"at {won} of {len(judged)} cut-off{'s' if len(judged) > 1 else ''}"
    if own > plain[rival] and 2 * won > len(judged):
        return True, f"Risk finds those who leave better than counting days of silence or purchases does: {at}."
    if own > plain[rival]:
        return False, f"On average risk finds those who leave better than nothing clever does, but only {at}."
    return False, f"Risk does not find those who leave better than {SCORES[rival]} alone does; it is ahead {at}."


def tiles(report: Report) -> Iterator[tuple[str, str]]:
    """The figures that count, each with what it means."""
    alerts, mean = report["alerts"], report["mean"]
    if known(alerts["precision"]):
        yield share(alerts["precision"]), _right(report)
    if known(alerts["recall"]):
        yield share(alerts["recall"]), "of those who left had been warned about"
    if known(alerts["lead_time_days"]["p50"]):
        yield days(alerts["lead_time_days"]["p50"]), "before counting silent days would have noticed (median of the right alerts)"
    yield rate(alerts["per_day"]), "alerts a day"
    if mean and known(mean["risk"]["auc"]):
        best = max((mean[name]["auc"] for name in PLAIN if known(mean[name]["auc"])), default=None)
        yield of_100(mean["risk"]["auc"]), f"pairs told apart rightly; {points(best)} with nothing clever, 50 by chance"


def sentences(report: Report) -> Iterator[str]:
    """What was found, one thought a sentence."""
    if report["cutoffs"]:
        yield from _who(report)
    yield from _alerts(report)
    if report["mean"] and known(report["mean"]["risk"]["auc"]):
        yield from _ranking(report)
    yield from _profit(report)


def _right(report: Report) -> str:
    said = "of the alerts were right: the customer then stayed away"
    cutoffs = with_customers(report["cutoffs"])
    return f"{said}; of all scored {share(_base_rate(cutoffs))} did" if cutoffs else said


def _who(report: Report) -> Iterator[str]:
    cutoffs, all_of = with_customers(report["cutoffs"]), len(report["cutoffs"])
    if not cutoffs:
        yield f"Nobody was scored at {'the one cut-off' if all_of == 1 else f'any of {all_of} cut-offs'}: {_nobody(report)}."
        return
    horizon = days(report["settings"]["horizon_days"])
    people, first, last = count(fmean(cutoff["n"] for cutoff in cutoffs)), day(cutoffs[0]["at"]), day(cutoffs[-1]["at"])
    scored = f"{people} customers were scored on {first}"
    if len(cutoffs) > 1:
        scored = f"{people} customers on average were scored at each of {len(cutoffs)} cut-offs from {first} to {last}"
    left = f"{of_100(_base_rate(cutoffs))} of them bought nothing in the {horizon} that followed"
    yield f"{scored}, with what was known by then. {left}."
    if len(cutoffs) < all_of:
        yield f"At {all_of - len(cutoffs)} of all {all_of} cut-offs nobody was scored: {_nobody(report)}."


def _nobody(report: Report) -> str:
    """Why nobody was scored at a cut-off."""
    least, window = report["settings"]["min_events"], days(report["settings"]["window_days"])
    return f"no customer had bought {f'{least} times' if least > 1 else 'anything'} in the {window} before"


def _base_rate(cutoffs: list[Report]) -> float | None:
    rates = [cutoff["base_rate"] for cutoff in cutoffs if known(cutoff["base_rate"])]
    return fmean(rates) if rates else None


def _alerts(report: Report) -> Iterator[str]:
    alerts, horizon = report["alerts"], days(report["settings"]["horizon_days"])
    if not alerts["fired"]:
        yield "No alert would have been raised."
        return
    yield (
        f"{count(alerts['fired'])} alerts would have been raised, {rate(alerts['per_day'])} a day. "
        f"{of_100(alerts['precision'])} were about customers who then bought nothing for {horizon}; "
        f"{of_100(alerts['recall'])} of those who left had been warned about."
    )
    lead = alerts["lead_time_days"]
    if known(lead["p50"]):
        half = lead["p50"]
        when = f"at least {days(half)} before" if half >= 0 else f"no sooner than {days(-half)} after"
        latest = f"; one in ten came {_early(lead['p10'])} or later" if known(lead["p10"]) else ""
        yield (
            f"Half of the right alerts came {when} the customer had been silent for {horizon}, which is when plain counting "
            f"would have noticed{latest}."
        )


def _early(lead_days: float) -> str:
    return f"{days(lead_days)} before that" if lead_days >= 0 else f"{days(-lead_days)} after that"


def _ranking(report: Report) -> Iterator[str]:
    mean = report["mean"]
    risk = mean["risk"]
    closed_form = f"the closed form alone {points(mean['btyd']['auc'], 1)}, where risk has {points(risk['auc'], 1)}"
    if risk_is_closed_form(report):
        closed_form = "risk was the closed form’s, since nothing learnt served"
    yield (
        f"Of two customers, one of whom leaves, risk is higher for that one in {of_100(risk['auc'])} cases. Days of silence get "
        f"{points(mean['idle']['auc'])}, purchase frequency {points(mean['frequency']['auc'])}; {closed_form}."
    )
    if known(risk["lift_at_10"]) and known(risk["lift_cap"]):
        yield (
            f"Among the tenth of customers with the highest risk, leavers are {times_in_words(risk['lift_at_10'])} as frequent "
            f"as among all; more than {times_in_words(risk['lift_cap'])} is not possible where so many leave."
        )
    others = f"{points(mean['idle']['ece'], 1)} for days of silence"
    if not risk_is_closed_form(report):
        others = f"{points(mean['btyd']['ece'], 1)} for the closed form, {others}"
    if known(risk["ece"]):
        yield (
            f"Read as a probability, risk was {points(risk['ece'], 1)} points away from the share that left on average "
            f"({others})."
        )


def _profit(report: Report) -> Iterator[str]:
    given = report.get("profit_assumptions")
    rows = [row for row in report.get("thresholds", ()) if known(row["profit"])]
    if not given or not rows:
        return
    best = max(rows, key=lambda row: row["profit"])
    if best["profit"] <= 0:
        yield "With the costs and the success rate given, no threshold would have paid: contacting nobody is best."
        return
    yield (
        f"With the costs and the success rate given, contacting customers from a risk of {threshold(best['risk'])} on would have "
        f"earned most: {money(best['profit'], given['currency'])} in all, at {rate(best['per_day'])} contacts a day."
    )


def _mean_auc(judged: list[Report], name: str) -> float:
    return fmean(scores[name]["auc"] for scores in judged)


def _tile(value: str, meaning: str) -> Markup:
    return element("div", element("b", value), element("span", meaning), class_="tile")
