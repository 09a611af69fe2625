"""Lift and the choice for a budget in report.json, counted once more from a history's file and each customer's risk."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest

from detectors.parameters import SHIPPED
from streams.backtest.backtesting import backtest
from streams.backtest.history import read_histories
from streams.backtest.mapping import find_source
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.report_json import Log, report
from streams.backtest.settings_used import settings_of
from streams.columns import DAY_MS, PURCHASE
from streams.runtime.cause_files import shipped_snapshot
from tests.support.backtests import SETTINGS, loaded, rules, simulated

HORIZON_MS = 90 * DAY_MS
MONEY = ProfitAssumptions(60.0, 10.0, 1.0, 0.3, "USD")
"""At which a leaver who is contacted brings 14 and anybody else costs 11: some thresholds pay and some do not."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Reports with money and without, and by cut-off {customer: (risk, last purchase, left)}."""
    source = find_source(str(simulated(tmp_path_factory.mktemp("history") / "shop.csv", customers=120, days=420)))
    with loaded(source) as log:
        ids, found = log.customers.ids(), backtest(log, rules())
        facts = Log("shop.csv", log.log.first_ms, log.log.last_ms, len(ids), 1.0)
    models = {"refit_days": 30, "run_on_days": 0, "closed_form": SHIPPED, "causes": shipped_snapshot()}
    used = settings_of(SETTINGS, rules().cut_offs, **models)
    reports = {given: report(facts, found, rules().cut_offs, used, given) for given in (None, MONEY)}
    history, bought = read_histories([source]), defaultdict(set)
    for kind, customer, time_ms in zip(history.kind, history.customer, history.time_ms.tolist(), strict=True):
        if kind == PURCHASE:
            bought[customer].add(time_ms)
    cutoffs = []
    for one in found.judged:
        at_ms, people = one.scored.at_ms, {}
        for number, risk in zip(one.scored.customer.tolist(), one.scored.scores["risk"].tolist(), strict=True):
            times = bought[ids[number]]
            left = not any(at_ms < time_ms <= at_ms + HORIZON_MS for time_ms in times)
            people[number] = risk, max(time_ms for time_ms in times if time_ms <= at_ms), left
        cutoffs.append(people)
    return reports, cutoffs


def test_lift_is_that_of_the_riskiest_tenth(judged):
    reports, cutoffs = judged
    assert len(cutoffs) > 3
    for told, people in zip(reports[None]["cutoffs"], cutoffs, strict=True):
        ranked = sorted(people.values(), reverse=True)
        tenth, leavers = ranked[: math.ceil(len(ranked) / 10)], sum(left for *_, left in ranked)
        edge = [left for risk, _, left in ranked if risk == tenth[-1][0]]  # equals stand for their mean
        above = [left for risk, _, left in tenth if risk > tenth[-1][0]]
        caught = sum(above) + (len(tenth) - len(above)) * sum(edge) / len(edge)
        base_rate = leavers / len(ranked)
        assert told["scores"]["risk"]["lift_at_10"] == pytest.approx(caught / len(tenth) / base_rate)
        assert told["scores"]["risk"]["lift_cap"] == pytest.approx(min(leavers, len(tenth)) / len(tenth) / base_rate)


@pytest.mark.parametrize("given", [None, MONEY])
def test_a_budgets_threshold_is_the_best_of_all_that_keep_to_it(judged, given):
    reports, cutoffs = judged
    spells = defaultdict(list)
    for people in cutoffs:
        for customer, (risk, last_ms, left) in people.items():
            spells[customer, last_ms].append((risk, left))
    leaving = sum(any(left for _, left in spell) for spell in spells.values())
    counted = []
    for step in range(10_000, 0, -1):
        contacts = [next((left for risk, left in spell if risk >= step / 10_000), None) for spell in spells.values()]
        fired, caught = sum(left is not None for left in contacts), sum(map(bool, contacts))
        worth = caught if given is None else round(60 * 0.3 * caught - fired - 10 * (fired - caught + 0.3 * caught), 6)
        counted.append((step / 10_000, fired, caught, worth))
    rows = reports[given]["budgets"]
    assert len(rows) >= 3
    for row in rows:
        within = [one for one in counted if 0 < one[1] <= row["per_day"] * 30 * len(cutoffs) + 1e-9]
        risk, fired, caught, worth = max(within, key=lambda one: (one[3], one[0]))
        if given and worth <= 0:
            assert (row["risk"], row["none"]) == (None, "loses")
            continue
        assert (row["risk"], row["none"], row["contacts_per_day"]) == (risk, None, fired / (30 * len(cutoffs)))
        assert (row["precision"], row["recall"]) == (caught / fired, caught / leaving)
        assert row["profit"] == (pytest.approx(worth) if given else None)
