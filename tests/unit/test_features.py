"""Facts of a customer, against a life that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streams import rfm
from streams.columns import DAY_MS
from streams.customer import new_records
from streams.features import closed_form_inputs, facts, gap_spread_days
from tests.oracle.rfm_twin import EventTwin
from tests.support.streams_of_rows import as_columns

DAY = 19_500
HOUR_MS = 3_600_000
LIFE = [  # (kind, day, amount, severity)
    ("login", 0, 0, 0),
    ("purchase", 1, 1_000, 0),
    ("purchase", 11, 2_000, 0),
    ("complaint", 12, 0, 5),
    ("purchase", 15, 500, 0),
    ("refund", 16, 300, 0),
    ("complaint", 16, 0, 2),
    ("login", 17, 0, 0),
]


def record_of(life):
    rows = new_records(1)
    for n, (kind, day, amount, severity) in enumerate(life):
        one = as_columns([EventTwin(kind, (DAY + day) * DAY_MS + HOUR_MS, "c", amount, severity, n + 1)])
        rfm.fold(rows, one.kind, one.time_ms, one.amount_minor, one.severity, one.cause, one.id_hash)
    return rows


def facts_of(life, as_of_day: float, packed: int = 0):
    as_of_ms = np.array([int((DAY + as_of_day) * DAY_MS)])
    return facts(["c"], record_of(life), as_of_ms, np.array([packed], np.uint8))[0]


def at(day: int) -> int:
    return (DAY + day) * DAY_MS + HOUR_MS


def test_a_life_told():
    known = facts_of(LIFE, 20, packed=125)
    assert (known.customer_id, known.as_of_ms) == ("c", (DAY + 20) * DAY_MS)
    assert (known.first_seen_ms, known.first_purchase_day) == (at(0), DAY + 1)
    assert (known.last_purchase_ms, known.last_login_ms, known.last_complaint_ms) == (at(15), at(17), at(16))
    assert (known.purchases, known.purchase_days, known.logins) == (3, 3, 2)
    assert (known.complaints, known.severity_sum) == (2, 7)
    assert (known.refunds, known.refunded_minor, known.spent_minor) == (1, 300, 3_500)
    assert known.idle_days == pytest.approx(4 + 23 / 24, abs=5e-4)
    assert known.tenure_days == pytest.approx(19 + 23 / 24, abs=5e-4)
    assert (known.usual_gap_days, known.gap_spread_days) == (7, 3)  # gaps of 10 and 4
    assert (known.rfm, known.segment) == ((5, 5, 5), "champions")


def test_windows_at_twenty_days():
    known = facts_of(LIFE, 20)
    assert (known.purchases_7d, known.purchases_30d, known.purchases_90d, known.purchases_365d) == (1, 3, 3, 3)
    assert (known.spent_7d_minor, known.spent_30d_minor, known.spent_90d_minor, known.spent_365d_minor) == (
        500,
        3_500,
        3_500,
        3_500,
    )
    assert (known.logins_7d, known.logins_30d, known.logins_90d, known.logins_365d) == (1, 2, 2, 2)
    assert (known.complaints_7d, known.complaints_30d, known.complaints_90d, known.complaints_365d) == (1, 2, 2, 2)
    assert (known.severity_7d, known.severity_30d, known.severity_90d, known.severity_365d) == (2, 7, 7, 7)
    assert known.refunded_90d_minor == 300


def test_two_years_later_the_windows_are_empty_and_the_life_is_not():
    known = facts_of(LIFE, 750)
    names = [name for name in known.__struct_fields__ if "_7d" in name or "_30d" in name or "_90d" in name or "_365d" in name]
    assert len(names) == 21
    assert {name: getattr(known, name) for name in names} == dict.fromkeys(names, 0)
    assert (known.purchases, known.complaints) == (3, 2)


def test_who_never_bought_has_none_and_not_zero():
    known = facts_of([("login", 0, 0, 0)], 3)
    unknown = (known.first_purchase_day, known.last_purchase_ms, known.last_complaint_ms, known.idle_days, known.usual_gap_days)
    assert {*unknown, known.gap_spread_days, known.rfm} == {None}
    assert known.segment == "no-purchase"
    assert known.tenure_days == pytest.approx(3 - 1 / 24, abs=5e-4)


@pytest.mark.parametrize(
    ("days", "inputs"),
    [
        ([], (0, 0, 0)),
        ([0], (0, 0, 30)),
        ([0, 0], (0, 0, 30)),
        ([0, 7, 20], (2, 20, 30)),
        ([7, 0], (1, 7, 30)),
        ([0, 30], (1, 30, 30)),
    ],
)
def test_the_closed_form_counts_days(days, inputs):
    rows = record_of([("login", 0, 0, 0), *[("purchase", day, 100, 0) for day in days]])
    columns = closed_form_inputs(rows, np.array([(DAY + 30) * DAY_MS + 2 * HOUR_MS]))
    assert tuple(int(column[0]) for column in columns) == inputs


@pytest.mark.parametrize(("days", "spread"), [([0, 5], None), ([0, 5, 10], 0.0), ([0, 1, 11], 4.5), ([0, 2, 12, 13], 1.0)])
def test_the_spread_needs_two_gaps(days, spread):
    got = gap_spread_days(record_of([("purchase", day, 100, 0) for day in days]))[0]
    assert (None if np.isnan(got) else got) == spread
