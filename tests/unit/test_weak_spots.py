"""Kinds of customers, and the risk's quality among them."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.measures import measure
from streams.backtest.weak_spots import SMALLEST, kind_names, kinds_of, weak_spots
from streams.columns import DAY_MS
from streams.customer import Records, new_records

HORIZON_DAYS = 90.0
AT_DAY = 20_000


def records(*customers: dict[str, float]) -> Records:
    """Customers who bought on 5 days, 40 days ago the last time and 200 days ago the first, but for what is said."""
    rows = new_records(len(customers))
    for row, said in zip(rows, customers, strict=True):
        row["first_day"] = AT_DAY - said.get("tenure", 200)
        row["last_purchase_ms"] = int((AT_DAY - said.get("idle", 40)) * DAY_MS)
        row["ring_s"] = row["last_purchase_ms"] // 1000
        row["purchase_days"], row["purchases"] = said.get("days", 5), 9
        row["spent_365d"][row["ring_s"] // (365 * 10_800) % 8] = said.get("spent", 0)
        for name in ("refunds", "complaints", "logins"):
            row[name] = said.get(name, 0)
    return rows


def kinds(*customers: dict[str, float]) -> list[set[str]]:
    """Names of each customer's kinds, where one more who spent most is there."""
    bits = kinds_of(records(*customers, {"spent": 1e6}), AT_DAY * DAY_MS, HORIZON_DAYS)
    names = kind_names(HORIZON_DAYS)
    return [{name for bit, name in enumerate(names) if one >> bit & 1} for one in bits.tolist()[:-1]]


@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        ({}, {"some purchases: on 3 to 9 days"}),
        ({"tenure": 89, "days": 3}, {"new: first purchase less than 90 days ago", "some purchases: on 3 to 9 days"}),
        ({"tenure": 90, "days": 2}, {"few purchases: on 2 days at most"}),
        ({"tenure": 364, "days": 9}, {"some purchases: on 3 to 9 days"}),
        ({"tenure": 365, "days": 10}, {"known for a year or more", "many purchases: on 10 days or more"}),
        ({"idle": 30, "days": 10}, {"many purchases: on 10 days or more"}),
        ({"idle": 29.9, "days": 10}, {"many purchases: on 10 days or more", "bought in the last 30 days"}),
        ({"idle": 89.9, "days": 1}, {"few purchases: on 2 days at most"}),
        ({"idle": 90, "days": 1}, {"few purchases: on 2 days at most", "silent for 90 days or more"}),
        ({"days": 10, "refunds": 1}, {"many purchases: on 10 days or more", "has returned goods"}),
        ({"days": 10, "complaints": 2}, {"many purchases: on 10 days or more", "has complained"}),
        ({"days": 10, "logins": 3}, {"many purchases: on 10 days or more", "has logged in"}),
    ],
)
def test_a_customer_is_of_all_the_kinds_that_apply(customer, expected):
    assert kinds(customer) == [{"everybody", *expected}]


def test_key_accounts_are_the_tenth_that_spent_most():
    bits = kinds_of(records(*({"spent": spent} for spent in range(101))), AT_DAY * DAY_MS, HORIZON_DAYS)
    key = 1 << kind_names(HORIZON_DAYS).index("key accounts: the tenth that spent most in a year")
    assert np.flatnonzero(bits & key).tolist() == list(range(90, 101))


def test_nobody_is_of_no_kind():
    assert kinds_of(new_records(0), AT_DAY * DAY_MS, HORIZON_DAYS).tolist() == []


CUSTOMER = st.tuples(st.integers(0, 4095), st.integers(0, 10_000).map(lambda bp: bp / 10_000), st.booleans())


@given(customers=st.lists(CUSTOMER, min_size=1, max_size=120))
@settings(max_examples=50, deadline=None)
def test_each_row_is_the_measure_of_the_customers_of_its_kind_alone(customers):
    bits, risk, left = (np.array(column) for column in zip(*customers, strict=True))
    rows = {row.name: row for row in weak_spots(bits.astype(np.uint16), risk, left, HORIZON_DAYS)}
    for bit, name in enumerate(kind_names(HORIZON_DAYS)):
        of_it = [(p, gone) for one, p, gone in customers if one >> bit & 1]
        assert (name in rows) == (len(of_it) >= SMALLEST)
        if name in rows:
            row, want = rows[name], measure([p for p, _ in of_it], [gone for _, gone in of_it])
            assert (row.n, row.base_rate, row.log_loss, row.ece) == (want.n, want.base_rate, want.log_loss, want.ece)
            assert row.mean_risk == pytest.approx(sum(p for p, _ in of_it) / len(of_it))
            assert row.auc == (want.auc if want.auc == want.auc else None)
            base = np.full(want.n, want.base_rate)
            assert row.guess_loss == pytest.approx(measure(base, [gone for _, gone in of_it]).log_loss, abs=1e-5)


def test_a_kind_of_which_all_left_has_no_auc_and_is_known_without_a_model():
    (row,) = weak_spots(np.ones(SMALLEST, np.uint16), np.full(SMALLEST, 0.5), np.ones(SMALLEST, bool), HORIZON_DAYS)
    assert (row.name, row.auc, row.base_rate, row.guess_loss) == ("everybody", None, 1.0, 0.0)
    assert row.log_loss == pytest.approx(log(2))


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="1 customers, 2 risks, 1 outcomes"):
        weak_spots(np.ones(1, np.uint16), np.zeros(2), np.zeros(1, bool), HORIZON_DAYS)
