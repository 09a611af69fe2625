"""What complaints and logins mean is learnt, sign and size: simulated businesses in which it is known.

Two customers in three are learnt from; judged is by the others. A model has learnt a size if, of the customers whom the
signal is about, it expects as many to leave as do, where the closed form, which knows purchases only, does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.btyd import p_no_purchase
from detectors.design import COLUMNS, GROUPS, design
from detectors.linear_model import LinearModel
from detectors.measures import auc
from detectors.model_inputs import INPUTS
from detectors.online_logit import BayesianLogit
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.backtest.simulation import Population, SimulatedEvent, Truth, simulate_customers
from streams.columns import COMPLAINT, DAY_MS, PURCHASE
from tests.support.taken_down import taken_down

START_MS = 1_640_995_200_000
CUSTOMERS, DAYS = 2_500, 600
SLOW = {"rate_per_day": 1 / 30, "leave_b": 4.0}
NOTHING = {"complaint_share": 0.0, "logins_per_purchase": 0.0, "refund_share": 0.0}
WORLDS = {
    "purchases alone": Population(**SLOW | NOTHING),
    "complaints drive away": Population(**SLOW | NOTHING | {"complaint_share": 0.12, "complaint_leaves": 0.9}),
    "the loyal complain": Population(**SLOW | NOTHING),
    "logins thin out": Population(**SLOW | NOTHING | {"logins_per_purchase": 4.5}),
}


@dataclass(frozen=True)
class Judged:
    """Customers that were not learnt from, and what was said of them."""

    inputs: NDArray[np.float32]
    left: NDArray[np.bool_]
    risk: NDArray[np.float64]
    closed_form: NDArray[np.float64]
    parts: dict[str, NDArray[np.float64]]
    weights: NDArray[np.float64]

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        column: NDArray[np.float32] = self.inputs[:, INPUTS.index(name)]
        return column


def complaints_of_the_loyal(events: list[SimulatedEvent], truth: list[Truth]) -> list[SimulatedEvent]:
    """Complaints after every seventh purchase of those who will be here for half a year yet, and of nobody else."""
    ends = {one.customer: one.end_ms if one.left else START_MS + 10_000 * DAY_MS for one in truth}
    staying = [e for e in events if e.kind == PURCHASE and ends[e.customer] - e.time_ms > 180 * DAY_MS]
    said = [
        SimulatedEvent(e.time_ms + 2 * DAY_MS, e.customer, COMPLAINT, 0.0, 1 + k % 5, "", "") for k, e in enumerate(staying[::7])
    ]
    return sorted(events + said)


@cache
def judged(world: str) -> Judged:
    events, truth = simulate_customers(CUSTOMERS, DAYS, START_MS, 7, WORLDS[world])
    if world == "the loyal complain":
        events = complaints_of_the_loyal(events, truth)
    taken = taken_down(events)
    model, mine = BayesianLogit(), taken.customer % 3 > 0
    for x, left in zip(design(taken.inputs[mine], SHIPPED, 90.0), taken.left[mine].tolist(), strict=True):
        model.learn(x, left)
    inputs, left = taken.inputs[~mine], taken.left[~mine]
    served = ServedModel(SHIPPED, 90.0, LinearModel(model.mean, "learnt", model.labels, 0, 0, 0.0))
    x, t_x, T = inputs[:, :3].T
    closed_form = p_no_purchase(SHIPPED, x, t_x, T, 90.0)
    return Judged(inputs, left, served.risk(inputs), closed_form, served.contributions(inputs), model.mean)


def test_complaints_that_drive_away_raise_the_risk_by_what_they_do() -> None:
    found = judged("complaints drive away")
    about = (found["complaints_30d"] > 0) & (found["complaint_idle_days"] <= found["idle_days"])
    assert about.sum() > 150
    assert found.parts["complaints"][about].mean() > 1.0
    assert found.risk[about].mean() == pytest.approx(found.left[about].mean(), abs=0.05)
    assert found.closed_form[about].mean() < found.left[about].mean() - 0.1
    mild, grave = about & (found["severity_30d"] <= 2), about & (found["severity_30d"] >= 4)
    assert found.parts["complaints"][grave].mean() > found.parts["complaints"][mild].mean() + 0.5


def test_complaints_of_the_loyal_lower_it() -> None:
    found = judged("the loyal complain")
    about = found["complaints"] > 0
    assert about.sum() > 500
    assert found.parts["complaints"][about].mean() < -0.5
    assert found.risk[about].mean() == pytest.approx(found.left[about].mean(), abs=0.05)


def test_logins_that_thin_out_raise_it() -> None:
    found = judged("logins thin out")
    thinned = (found["logins_90d"] >= 6) & (found["logins_30d"] <= 1)
    steady = (found["logins_30d"] >= 6) & (np.abs(3 * found["logins_30d"] - found["logins_90d"]) <= 0.3 * found["logins_90d"])
    assert min(thinned.sum(), steady.sum()) > 150
    assert found.parts["logins"][thinned].mean() > 0.5
    assert found.parts["logins"][thinned].mean() > found.parts["logins"][steady].mean() + 0.5
    for about in (thinned, steady):
        assert found.risk[about].mean() == pytest.approx(found.left[about].mean(), abs=0.06)
    assert auc(found.risk, found.left) > auc(found.closed_form, found.left) + 0.03


@pytest.mark.parametrize("world", WORLDS)
def test_what_a_business_does_not_have_has_no_weight(world: str) -> None:
    """Not to the last bit: it is scored as if such columns had never been thought of."""
    found = judged(world)
    signals = {"complaints": "complaints", "logins": "logins", "refunds": "refunds"}
    for group, name in signals.items():
        mine = np.array([group == other for other in GROUPS])
        assert mine.sum() >= 4
        assert bool(found.weights[mine].any()) is bool(found[name].any())
    assert len(found.weights) == len(COLUMNS)


@pytest.mark.parametrize("world", WORLDS)
def test_it_is_worth_it_everywhere_and_little_is_lost_where_there_is_nothing_to_learn(world: str) -> None:
    """Where purchases are all there is, the closed form is the model of the simulation but for its parameters."""
    found = judged(world)
    assert auc(found.risk, found.left) > auc(found.closed_form, found.left) - 0.01
