"""What serves survives the way to the workers to the bit, and what does not fit them is refused."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from detectors.parameters import SHIPPED
from streams.columns import DAY_MS
from streams.serving import Serving, decode_serving, encode_serving, serving_of
from tests.support.learners import DAY_0, a_learner, some_labels


def told(days: int) -> Serving:
    learner = a_learner(days)
    return serving_of(learner, learner.tick_ms, learner.tick_ms)


@pytest.mark.parametrize("days", [0, 1, 30])
def test_a_model_that_was_read_back_is_the_same_to_the_bit(days: int) -> None:
    learner = a_learner(days)
    sent = serving_of(learner, DAY_0 * DAY_MS, DAY_0 * DAY_MS)
    read = decode_serving(encode_serving(sent))
    assert read == sent
    assert encode_serving(read) == encode_serving(sent)
    model = read.served_model(4)
    assert model == learner.served()
    assert read.version == model.version == learner.served().version
    inputs = some_labels(DAY_0, 50, seed=9).inputs
    assert np.array_equal(model.risk(inputs), learner.served().risk(inputs))


def test_before_anything_was_learnt_it_is_the_closed_form() -> None:
    found = told(0)
    assert (found.linear, found.version, found.standing) == (None, SHIPPED.version, "waiting")


def test_a_hold_is_told_and_what_is_held_serves() -> None:
    learner = a_learner(30)
    learner.freeze(learner.tick_ms)
    frozen = learner.served().version
    learner.learn(some_labels(DAY_0 + 30, 20), (DAY_0 + 30) * DAY_MS)
    found = serving_of(learner, None, 5)
    assert (found.hold, found.version, found.tick_ms) == ("frozen", frozen, None)


def test_another_horizon_is_refused() -> None:
    with pytest.raises(ValueError, match=r"horizon of 4 days, risk\.horizon_days is 90"):
        told(1).served_model(90)


def test_what_was_learnt_by_logins_says_so_and_is_refused_where_purchases_are_meant_and_the_other_way_round() -> None:
    learner = a_learner(1)
    learner.rules = replace(learner.rules, staying="logins")
    by_logins = serving_of(learner, None, 5)
    assert by_logins.served_model(4, "logins") == learner.served()
    assert b"staying" not in encode_serving(told(1)), "purchases go without saying"
    with pytest.raises(ValueError, match=r"learnt who stays by logins, risk\.staying is purchases: give learner and workers"):
        decode_serving(encode_serving(by_logins)).served_model(4)
    with pytest.raises(ValueError, match=r"learnt who stays by purchases, risk\.staying is logins"):
        told(1).served_model(4, "logins")


def changed(**linear: object) -> Serving:
    found = told(1)
    assert found.linear is not None
    return msgspec.structs.replace(found, linear=msgspec.structs.replace(found.linear, **linear))


def test_other_inputs_or_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inputs_hash 0: this release has"):
        changed(inputs_hash="0").served_model(4)
    with pytest.raises(ValueError, match=r"design_hash 0: this release has"):
        changed(design_hash="0").served_model(4)
    linear = told(1).linear
    assert linear is not None
    with pytest.raises(ValueError, match=r"weights: of other columns \(novel"):
        changed(weights=linear.weights | {"novel": 1.0}).served_model(4)


def test_numbers_that_are_none_are_refused() -> None:
    linear = told(1).linear
    assert linear is not None
    with pytest.raises(ValueError, match="finite"):
        changed(weights=linear.weights | {"bias": float("nan")}).served_model(4)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"schema": "churnwatch.serving/2"}', b"[" * 100_000, b'{"tick_ms": 1}'])
def test_what_is_no_such_message_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a message of churnwatch\.serving/1"):
        decode_serving(data)


def test_parameters_out_of_range_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="r = -1"):
        decode_serving(encode_serving(told(0)).replace(b'"r":0.525', b'"r":-1.0'))
