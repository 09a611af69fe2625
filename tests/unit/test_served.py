"""What scores: the closed form or the linear model on top of it, alone and in parts that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import served
from detectors.btyd import logit_no_purchase, p_no_purchase
from detectors.design import CLOSED_FORM, COLUMNS, GROUPS, columns, design, prior_mean
from detectors.linear_model import LinearModel
from detectors.parameters import SHIPPED
from detectors.reasons import contributions
from detectors.served import ServedModel
from tests.support.examples import examples
from tests.support.might_be import customers

INPUTS = customers(700)
HISTORY = INPUTS[:, :3].T.astype(np.float64)


def linear(seed: int = 3, shift: float = 0.25) -> LinearModel:
    weights = prior_mean() + np.random.default_rng(seed).normal(0, 0.05, len(COLUMNS))
    return LinearModel(weights, f"m{seed}", 10, 0, 0, shift)


def test_with_no_label_the_linear_model_is_the_closed_form_to_the_bit() -> None:
    prior = LinearModel(prior_mean(), "prior", 0, 0, 0, 0.0)
    logit = prior.logit(columns(INPUTS, SHIPPED, 90.0))
    assert logit.tolist() == logit_no_purchase(SHIPPED, *HISTORY, 90.0).tolist()
    risk = ServedModel(SHIPPED, 90.0, prior).risk(INPUTS)
    assert risk == pytest.approx(p_no_purchase(SHIPPED, *HISTORY, 90.0), rel=1e-12)


@pytest.mark.parametrize("horizon_days", [30.0, 90.0, 180.0])
def test_without_a_linear_model_the_closed_form_scores(horizon_days: float) -> None:
    model = ServedModel(SHIPPED, horizon_days)
    assert (model.name, model.version) == ("mbg_nbd", SHIPPED.version)
    assert model.risk(INPUTS).tolist() == p_no_purchase(SHIPPED, *HISTORY, horizon_days).tolist()
    assert model.logits(INPUTS)[1] is None
    told = contributions(SHIPPED, *HISTORY, horizon_days)._asdict()
    assert {name: part.tolist() for name, part in model.contributions(INPUTS).items()} == {k: v.tolist() for k, v in told.items()}


def test_a_linear_model_that_does_not_serve_is_tried_and_scores_nobody() -> None:
    scores, tried = ServedModel(SHIPPED, 90.0), ServedModel(SHIPPED, 90.0, linear(), serves=False)
    assert (tried.name, tried.version) == (scores.name, scores.version)
    assert tried.risk(INPUTS).tolist() == scores.risk(INPUTS).tolist()
    assert tried.contributions(INPUTS).keys() == scores.contributions(INPUTS).keys()
    closed_form, logit = tried.logits(INPUTS)
    assert closed_form.tolist() == scores.risk(INPUTS).tolist()
    assert logit is not None
    assert logit.tolist() == linear().logit(columns(INPUTS, SHIPPED, 90.0)).tolist()


def test_the_linear_model_scores_with_its_shift() -> None:
    model = ServedModel(SHIPPED, 90.0, linear(shift=0.25))
    assert (model.name, model.version) == ("logit", "m3")
    by_hand = design(INPUTS, SHIPPED, 90.0) @ linear().weights
    assert np.log(model.risk(INPUTS) / (1 - model.risk(INPUTS))) == pytest.approx(by_hand + 0.25, abs=1e-6)
    logit = model.logits(INPUTS)[1]
    assert logit == pytest.approx(by_hand, abs=1e-12)


def test_the_parts_add_up_to_the_log_odds_of_the_risk() -> None:
    model = ServedModel(SHIPPED, 90.0, linear())
    parts = model.contributions(INPUTS)
    assert set(parts) == {"base", "silence", "rhythm", "frequency", "trend", "tenure", "money", "refunds", "complaints", "logins"}
    logit = model.logits(INPUTS)[1]
    assert logit is not None
    assert sum(parts.values()) == pytest.approx(logit + 0.25, abs=1e-12)


def test_each_part_is_the_weighed_columns_of_its_group_and_its_share_of_the_closed_form() -> None:
    model = ServedModel(SHIPPED, 90.0, linear())
    found = model.contributions(INPUTS)
    told = contributions(SHIPPED, *HISTORY, 90.0)._asdict()
    weights, rows = linear().weights, design(INPUTS, SHIPPED, 90.0)
    for group, part in found.items():
        mine = [place for place, other in enumerate(GROUPS) if other == group and place != CLOSED_FORM]
        wanted = rows[:, mine] @ weights[mine] + weights[CLOSED_FORM] * told.get(group, 0.0)
        assert part == pytest.approx(wanted + (0.25 if group == "base" else 0.0), abs=1e-12), group


@given(st.integers(1, 700), st.lists(st.integers(0, 699), min_size=1, max_size=30))
@examples(40)
def test_a_score_depends_on_nobody_else_in_the_batch(block: int, rows: list[int]) -> None:
    """Whoever else is asked for, in whatever order, in blocks of whatever size: the same bytes."""
    model = ServedModel(SHIPPED, 90.0, linear())
    whole = model.risk(INPUTS)
    assert model.risk(INPUTS[rows]).tobytes() == whole[rows].tobytes()
    assert model.risk(INPUTS[rows[0] :]).tobytes() == whole[rows[0] :].tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served, "BLOCK", block)
        assert model.risk(INPUTS).tobytes() == whole.tobytes()
    alone = model.contributions(INPUTS[rows[:1]])
    assert {k: v.tolist() for k, v in alone.items()} == {k: v[rows[:1]].tolist() for k, v in model.contributions(INPUTS).items()}


def test_nobody_is_no_trouble() -> None:
    for model in (ServedModel(SHIPPED, 90.0), ServedModel(SHIPPED, 90.0, linear())):
        assert model.risk(INPUTS[:0]).shape == (0,)
        assert all(part.shape == (0,) for part in model.contributions(INPUTS[:0]).values())


def test_log_odds_beyond_all_measure_are_certainties() -> None:
    weights = np.zeros(len(COLUMNS))
    weights[-1] = 5_000.0
    for sign, risk in ((1.0, 1.0), (-1.0, 0.0)):
        assert set(ServedModel(SHIPPED, 90.0, LinearModel(sign * weights, "m", 1, 0, 0, 0.0)).risk(INPUTS).tolist()) == {risk}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weights": np.zeros(3)}, f"this release has {len(COLUMNS)} columns"),
        ({"weights": np.zeros(len(COLUMNS), np.float32)}, "float64"),
        ({"weights": np.full(len(COLUMNS), np.nan)}, "must be finite"),
        ({"shift": float("inf")}, "must be finite"),
        ({"version": ""}, "must not be empty"),
    ],
)
def test_a_linear_model_that_cannot_be_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(linear(), **change)


def test_linear_models_are_equal_where_they_say_the_same() -> None:
    assert linear() == linear()
    assert len({linear(), linear(), linear(4)}) == 2
    assert linear() != linear(shift=0.3)
