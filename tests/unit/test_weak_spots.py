"""Kinds of customers, and the risk's quality among them."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.measures import measure
from streams.backtest.weak_spots import SMALLEST, Kinds, weak_spots

HORIZON_DAYS = 90.0


def kinds_of(*customers: tuple[float, float, int, float]) -> Kinds:
    idle, tenure, purchase_days, spent = (np.array(column) for column in zip(*customers, strict=True))
    return Kinds(idle.astype(float), tenure.astype(float), purchase_days.astype(np.int64), spent.astype(float))


@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        (
            (10, 40, 2, 5),
            {"new: first purchase less than 90 days ago", "few purchases: on 2 days at most", "bought in the last 30 days"},
        ),
        ((90, 90, 1, 5), {"few purchases: on 2 days at most", "silent for 90 days or more"}),
        ((30, 365, 3, 5), {"known for a year or more", "some purchases: on 3 to 9 days"}),
        ((89, 364, 10, 5), {"many purchases: on 10 days or more"}),
        ((29.9, 100, 9, 5), {"bought in the last 30 days", "some purchases: on 3 to 9 days"}),
    ],
)
def test_a_customer_is_of_all_the_kinds_that_apply(customer, expected):
    masks = kinds_of(customer, (0, 0, 1, 1e6)).of_each(HORIZON_DAYS)
    assert {name for name, mask in masks.items() if mask[0]} == {"everybody", *expected}


def test_key_accounts_are_the_tenth_that_spent_most():
    masks = kinds_of(*((1, 100, 5, spent) for spent in range(101))).of_each(HORIZON_DAYS)
    assert np.flatnonzero(masks["key accounts: the tenth that spent most"]).tolist() == list(range(90, 101))


CUSTOMER = st.tuples(
    st.sampled_from([0, 29, 30, 89, 90, 400]), st.sampled_from([400, 1000]), st.integers(1, 12), st.integers(0, 50),
    st.integers(0, 10_000).map(lambda bp: bp / 10_000), st.booleans(),
)  # fmt: skip


@given(customers=st.lists(CUSTOMER, min_size=1, max_size=120))
@settings(max_examples=50, deadline=None)
def test_each_row_is_the_measure_of_the_customers_of_its_kind_alone(customers):
    kinds = kinds_of(*(customer[:4] for customer in customers))
    risk, left = np.array([c[4] for c in customers]), np.array([c[5] for c in customers])
    rows = weak_spots(kinds, risk, left, HORIZON_DAYS)
    masks = kinds.of_each(HORIZON_DAYS)
    assert [row.name for row in rows] == [name for name, mask in masks.items() if mask.sum() >= SMALLEST]
    for row in rows:
        mask = masks[row.name]
        want = measure(risk[mask], left[mask])
        assert (row.n, row.base_rate, row.log_loss, row.ece) == (want.n, want.base_rate, want.log_loss, want.ece)
        assert row.auc == (want.auc if want.auc == want.auc else None)
        base = np.full(want.n, want.base_rate)
        assert row.guess_loss == pytest.approx(measure(base, left[mask]).log_loss, abs=1e-5)


def test_a_kind_of_which_all_left_has_no_auc_and_is_known_without_a_model():
    kinds = kinds_of(*[(1, 400, 5, 1)] * SMALLEST)
    row = weak_spots(kinds, np.full(SMALLEST, 0.5), np.ones(SMALLEST, bool), HORIZON_DAYS)[0]
    assert (row.auc, row.base_rate, row.guess_loss) == (None, 1.0, 0.0)
    assert row.log_loss == pytest.approx(log(2))


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="1 customers, 2 risks, 1 outcomes"):
        weak_spots(kinds_of((1, 1, 1, 1)), np.zeros(2), np.zeros(1, bool), HORIZON_DAYS)
