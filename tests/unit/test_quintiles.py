"""Scores of 1-5 against a base that changes once a day."""

from __future__ import annotations

import numpy as np
import pytest

from streams.quintiles import NO_DAY, Quintiles
from streams.segments import unpack

DAY = 20_000


def one(last_day: int, frequency: int, monetary: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([last_day]), np.array([frequency], np.uint8), np.array([monetary], np.uint8)


def sketch_of(*customers: tuple[int, int, int]) -> Quintiles:
    sketch = Quintiles()
    sketch.enter_day(DAY)
    for customer in customers:
        sketch.count(*one(*customer), 1)
    return sketch


def scores(sketch: Quintiles, customer: tuple[int, int, int]) -> tuple[int, int, int] | None:
    return unpack(int(sketch.score(*one(*customer))[0]))


def test_before_anybody_is_known_everybody_is_average():
    sketch = Quintiles()
    assert sketch.day == NO_DAY
    sketch.enter_day(DAY)
    assert scores(sketch, (DAY, 1, 200)) == (3, 3, 3)


def test_ten_different_customers_fill_the_fifths_two_by_two():
    base = [(DAY - 10 + k, 1 + k, 50 + k) for k in range(10)]
    sketch = sketch_of(*base)
    sketch.enter_day(DAY + 1)
    assert [scores(sketch, customer) for customer in base] == [(s, s, s) for s in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)]


def test_a_base_of_equals_is_average():
    sketch = sketch_of(*[(DAY, 2, 9)] * 7)
    sketch.enter_day(DAY + 1)
    assert scores(sketch, (DAY, 2, 9)) == (3, 3, 3)


def test_nobody_moves_the_tables_of_the_day():
    sketch = sketch_of((DAY, 2, 9))
    before = sketch.score(*one(DAY, 5, 30)).tolist()
    sketch.count(*one(DAY, 5, 30), 1)
    sketch.enter_day(DAY)
    sketch.enter_day(DAY - 3)
    assert sketch.day == DAY
    assert sketch.score(*one(DAY, 5, 30)).tolist() == before


def test_who_has_not_bought_is_neither_counted_nor_scored():
    sketch = sketch_of((0, 0, 0))
    assert (sketch.recency.sum(), sketch.frequency.sum(), sketch.monetary.sum()) == (0, 0, 0)
    assert scores(sketch, (0, 0, 0)) is None


@pytest.mark.parametrize(("ago", "bins"), [(-8, 511), (-9, 511), (0, 503), (502, 1), (503, 0), (504, 0), (20_000, 0)])
def test_last_purchase_days_have_bins_of_a_day(ago, bins):
    assert sketch_of().recency_bin(np.array([DAY - ago])).tolist() == [bins]


@pytest.mark.parametrize("passed", [1, 8, 400, 511, 512, 5_000])
def test_days_that_pass_age_everybody_alike(passed):
    base = [(DAY + 8, 1, 1), (DAY, 1, 1), (DAY - 100, 1, 1), (DAY - 103, 1, 1), (DAY - 503, 1, 1)]
    sketch = sketch_of(*base)
    sketch.enter_day(DAY + passed)
    want = np.bincount([max(0, 503 + day - DAY - passed) for day, _, _ in base], minlength=512)
    assert sketch.recency.tolist() == want.tolist()
    for customer in base:
        sketch.count(*one(*customer), -1)
    assert not sketch.recency.any()


def test_bytes_come_back_and_other_lengths_are_refused():
    sketch = sketch_of((DAY, 2, 9), (DAY - 5, 40, 200))
    sketch.enter_day(DAY + 1)
    blob = sketch.to_bytes()
    back = Quintiles.from_bytes(blob)
    assert back.day == DAY + 1
    assert back.to_bytes() == blob
    assert back.score(*one(DAY, 2, 9)).tolist() == sketch.score(*one(DAY, 2, 9)).tolist()
    with pytest.raises(ValueError, match=f"sketch of {len(blob) - 1} bytes, expected {len(blob)}"):
        Quintiles.from_bytes(blob[:-1])


def test_a_copy_goes_its_own_way():
    sketch = sketch_of((DAY, 2, 9))
    before = sketch.to_bytes()
    copy = sketch.copy()
    copy.count(*one(DAY, 3, 8), 1)
    copy.enter_day(DAY + 40)
    assert sketch.to_bytes() == before
    assert copy.to_bytes() != before
