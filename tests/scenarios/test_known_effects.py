"""Simulated customers with one known effect each: the champion learns its sign and its size from what they did.

Everything is judged ahead of time: at each cut-off of the later half of a backtest by the model that served then, against
what the simulation says of the 90 days that followed. The size of an effect is a log odds ratio among customers whose closed
form says alike (strata of its risk; for logins also of how often they bought of late), by Mantel and Haenszel.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.learning.bases import START_MS, simulated
from benchmarks.learning.frozen import Frozen, freeze, protocol, settings_that_learn
from detectors.design import COLUMNS, GROUPS, design
from detectors.model_inputs import INPUTS
from detectors.online_logit import BayesianLogit
from detectors.served import ServedModel
from streams.backtest.populations import POPULATIONS
from streams.backtest.simulation import simulate_customers
from streams.columns import COMPLAINT, DAY_MS, LOGIN, PURCHASE
from tests.oracle.odds_ratio import log_odds_ratio
from tests.support.backtests import loaded, public_set

CUSTOMERS, DAYS, SEED = 1200, 540, 11
HORIZON_MS = 90 * DAY_MS
STRATA = 10

Inputs = NDArray[np.float32]
Marks = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lived:
    """A base and its backtest: who stayed is the simulation's word, not the backtest's."""

    frozen: Frozen
    left: list[Marks]


def live(name: str) -> Lived:
    purchases: dict[str, list[int]] = defaultdict(list)
    events, truths = simulate_customers(CUSTOMERS, DAYS, START_MS, SEED, POPULATIONS[name])
    for event in events:
        if event.kind == PURCHASE:
            purchases[event.customer].append(event.time_ms)
    settings = settings_that_learn()
    with simulated(name, settings, CUSTOMERS, DAYS, seed=SEED) as base:
        frozen, ids = freeze(base, protocol(settings)), base.customers.ids()
    ended_ms = {truth.customer: truth.end_ms if truth.left else None for truth in truths}

    def left(customer: str, at_ms: int) -> bool:
        times = purchases[customer]
        after = bisect_right(times, at_ms)
        gone = after == len(times) or times[after] > at_ms + HORIZON_MS
        end_ms = ended_ms[customer]
        assert gone or end_ms is None or end_ms > at_ms, "nobody buys after the end of a life"
        return gone

    truth = [
        np.array([left(ids[one], cut_off.at_ms) for one in cut_off.judged.scored.customer.tolist()])
        for cut_off in frozen.cut_offs
    ]
    return Lived(frozen, truth)


@pytest.fixture(scope="module", params=POPULATIONS)
def base(request: pytest.FixtureRequest) -> tuple[str, Lived]:
    return request.param, live(request.param)


def column(inputs: Inputs, name: str) -> Floats:
    return inputs[:, INPUTS.index(name)].astype(np.float64)


def complained(inputs: Inputs) -> Marks:
    """Has complained since the last purchase."""
    return (column(inputs, "complaints") > 0) & (column(inputs, "complaint_idle_days") <= column(inputs, "idle_days"))


def gone_silent(inputs: Inputs) -> Marks:
    """Used to log in, and has not for 30 days."""
    return (column(inputs, "logins") > 0) & (column(inputs, "logins_30d") == 0)


@dataclass(frozen=True, slots=True)
class Effect:
    """group      of the champion's parts that it shows in
    sign       who has it
    worse      whether they leave rather than others
    """

    group: str
    sign: Callable[[Inputs], Marks]
    worse: bool


EFFECTS = {
    "complaints-drive-away": Effect("complaints", complained, worse=True),
    "complaints-of-the-loyal": Effect("complaints", complained, worse=False),
    "logins-thin-out": Effect("logins", gone_silent, worse=True),
}


@dataclass(frozen=True, slots=True)
class Pool:
    """The customers of the later cut-offs together: the sign, who left, alike customers, and what the champions of then said."""

    sign: Marks
    left: Floats
    stratum: NDArray[np.int64]
    risk: Floats
    without: Floats
    parts: dict[str, Floats]


def pooled(effect: Effect, lived: Lived) -> Pool:
    found: dict[str, list[NDArray[np.generic]]] = defaultdict(list)
    half = len(lived.left) // 2
    for cut_off, left in zip(lived.frozen.cut_offs[half:], lived.left[half:], strict=True):
        inputs, model = cut_off.inputs, cut_off.model
        assert model.linear is not None, "something was learnt by then"
        champion = ServedModel(model.closed_form, model.horizon_days, model.linear, serves=True)
        plain = inputs.copy()
        plain[:, [name.startswith(("complaint", "severity", "login")) for name in INPUTS]] = 0
        found["sign"].append(effect.sign(inputs))
        found["left"].append(left.astype(np.float64))
        found["closed_form"].append(cut_off.judged.scored.scores["btyd"])
        found["rate"].append(column(inputs, "days_90d"))
        found["risk"].append(champion.risk(inputs))
        found["without"].append(champion.risk(plain))
        for group, part in champion.contributions(inputs).items():
            found[f"part {group}"].append(part)
    all_of = {name: np.concatenate(parts) for name, parts in found.items()}
    stratum = _tenths(all_of["closed_form"])
    if effect.group == "logins":  # who buys often logs in often
        stratum = stratum * STRATA + _tenths(all_of["rate"])
    parts = {name.removeprefix("part "): values for name, values in all_of.items() if name.startswith("part ")}
    return Pool(all_of["sign"], all_of["left"], stratum, all_of["risk"], all_of["without"], parts)


def _tenths(values: Floats) -> NDArray[np.int64]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, STRATA + 1)[1:-1]))
    return np.digitize(values, edges).astype(np.int64)


def difference(part: Floats, pool: Pool) -> float:
    """Mean of a part among those with the sign over that of others who are alike, weighed by how many have the sign."""
    apart, weight = [], []
    for one in np.unique(pool.stratum):
        here = pool.stratum == one
        if (here & pool.sign).any() and (here & ~pool.sign).any():
            apart.append(part[here & pool.sign].mean() - part[here & ~pool.sign].mean())
            weight.append((here & pool.sign).sum())
    return float(np.average(apart, weights=weight))


def test_the_simulations_purchases_are_the_backtests_truth(base: tuple[str, Lived]) -> None:
    _, lived = base
    assert len(lived.left) > 6
    for cut_off, left in zip(lived.frozen.cut_offs, lived.left, strict=True):
        assert left.tolist() == cut_off.judged.left.tolist()


def test_the_champion_learns_the_sign_of_an_effect_and_its_size(base: tuple[str, Lived]) -> None:
    """Size: within a third of the simulation's log odds ratio and two standard errors of it."""
    name, lived = base
    effect = EFFECTS[name]
    pool, sense = pooled(effect, lived), 1.0 if effect.worse else -1.0
    truth, error = log_odds_ratio(pool.sign, pool.left, pool.stratum)
    assert pool.sign.sum() > 80
    assert truth * sense > 2.5 * error, "the simulation has the effect"
    within = abs(truth) / 3 + 2 * error
    assert truth * sense > within, "the tolerance leaves no room for the other sign"
    assert difference(pool.parts[effect.group], pool) == pytest.approx(truth, abs=within), "as told to people"
    assert log_odds_ratio(pool.sign, pool.risk, pool.stratum)[0] == pytest.approx(truth, abs=within), "as scored"


def test_of_the_same_customers_the_risk_would_be_another_without_the_sign(base: tuple[str, Lived]) -> None:
    name, lived = base
    pool = pooled(EFFECTS[name], lived)
    apart = (pool.risk - pool.without)[pool.sign].mean()
    if EFFECTS[name].group == "complaints":
        assert apart > 0.1 if EFFECTS[name].worse else apart < -0.05
    observed, expected = pool.left[pool.sign].mean(), pool.risk[pool.sign].mean()
    assert expected == pytest.approx(observed, abs=0.08), "of those with the sign as many leave as was said"


def test_what_a_base_does_not_have_moves_no_risk(base: tuple[str, Lived]) -> None:
    name, lived = base
    pool, other = pooled(EFFECTS[name], lived), {"complaints": "logins", "logins": "complaints"}[EFFECTS[name].group]
    assert not pool.parts[other].any()
    assert not pool.parts["refunds"].any()


def test_signs_that_say_much_make_the_risk_better(base: tuple[str, Lived]) -> None:
    """Those of the loyal are few and say little: there it must not be worse by more than chance."""
    name, lived = base
    later = lived.frozen.cut_offs[len(lived.left) // 2 :]
    gain = np.mean([one.judged.measured["risk"].auc - one.judged.measured["btyd"].auc for one in later])
    assert gain > (0.03 if EFFECTS[name].worse else -0.005)


@pytest.mark.parametrize("name", ["online-retail-ii", "cdnow"])
def test_a_public_set_has_neither_complaints_nor_logins(name: str) -> None:
    with loaded(public_set(name)) as history:
        kinds = {kind for block in history.log.blocks() for kind in np.unique(block["kind"]).tolist()}
    assert PURCHASE in kinds
    assert not kinds & {COMPLAINT, LOGIN}


def test_without_complaints_and_logins_their_columns_change_nothing() -> None:
    """All that holds of the public sets, which have none: the model with these columns is the one without them."""
    lived = live("complaints-drive-away")
    labels, closed_form = lived.frozen.labels, lived.frozen.cut_offs[-1].closed_form
    inputs = labels.inputs[:4000].copy()
    inputs[:, [name.startswith(("complaint", "severity", "login")) for name in INPUTS]] = 0
    columns = design(inputs, closed_form, 90)
    signals = np.isin(GROUPS, ("complaints", "logins"))
    assert 5 < signals.sum() < len(COLUMNS) / 2
    assert not columns[:, signals].any()
    whole, part = BayesianLogit(), BayesianLogit()
    part.mean, part.covariance = part.mean[~signals].copy(), part.covariance[np.ix_(~signals, ~signals)].copy()
    part._prior_variance = part._prior_variance[~signals].copy()
    for x, left in zip(columns, labels.left.tolist(), strict=False):
        whole.learn(x, left)
        part.learn(np.ascontiguousarray(x[~signals]), left)
    logits = (columns * whole.mean).sum(axis=1), (columns[:, ~signals] * part.mean).sum(axis=1)
    assert logits[0] == pytest.approx(logits[1], abs=1e-9)
    assert not whole.mean[signals].any()
