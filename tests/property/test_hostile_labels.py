"""A message of `churn.labels` that cannot be: all that the learner keeps is what it would be without the message's rows."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.learner import Learner
from detectors.model_inputs import INPUTS, MAX_DAYS
from detectors.parameters import SHIPPED
from streams.columns import DAY_MS
from streams.contract import END_TIME_MS
from streams.labels import LabelMessage, ScoredRows, encode_labels, entries
from streams.scores import SCORE
from tests.support.examples import examples
from tests.support.learners import DAY_0, RULES, some_labels
from tests.support.played_learner import DESK, PlayedLearner

PARTITIONS, DAYS = 2, 4
Json = dict[str, Any]
Spoil = Callable[[Json], Any]


def told(partition: int, day: int, *, history: bool) -> bytes:
    """What became known at a day's beginning in a partition, and what its customers were scored then."""
    chance = np.random.default_rng((partition, day))
    rows = np.zeros(30, SCORE)
    rows["id"], rows["day"] = chance.integers(0, 2**62, 30), day
    rows["closed_form_bp"], rows["logit"] = chance.integers(0, 10_001, 30), chance.integers(-60, 60, 30)
    labels = entries(some_labels(day, 10, seed=partition))
    scored = ScoredRows(model="m", rows=rows.tobytes())
    message = LabelMessage(
        partition=partition, number=day, history=history, reached_ms=day * DAY_MS, horizon_days=RULES.horizon_days, labels=labels,
        scored=scored,
    )  # fmt: skip
    return encode_labels(message)


def a_label(place: int, **fields: Any) -> Spoil:
    return lambda message: message["labels"][place].update(fields)


def a_time(place: int, name: str, off_days: int) -> Spoil:
    def spoil(message: Json) -> None:
        message["labels"][place][name] = message["labels"][place]["at_ms"] + off_days * DAY_MS

    return spoil


def an_input(place: int, **values: float) -> Spoil:
    def spoil(message: Json) -> None:
        row = np.zeros(len(INPUTS), "<f4")
        packed = np.frombuffer(base64.b64decode(message["labels"][place]["inputs"]).ljust(row.nbytes, b"\0"), "<f4")
        row[:] = packed
        for name, value in values.items():
            row[INPUTS.index(name)] = value
        message["labels"][place]["inputs"] = base64.b64encode(row.tobytes()).decode()

    return spoil


def a_score(place: int, **fields: int) -> Spoil:
    def spoil(message: Json) -> None:
        rows = np.frombuffer(base64.b64decode(message["scored"]["rows"]), SCORE).copy()
        for name, value in fields.items():
            rows[name][place] = value
        message["scored"]["rows"] = base64.b64encode(rows.tobytes()).decode()

    return spoil


def head(**fields: Any) -> Spoil:
    return lambda message: message.update(fields)


NO_TIMES = (-1, 0, 5, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 10**30, END_TIME_MS, -(2**63), -(10**30), 1e300, "1", None, 0.5)
NO_INPUTS = (np.nan, np.inf, -np.inf, -1.0, -1e-45)


def each(spoil: Callable[..., Spoil], *values: st.SearchStrategy[Any]) -> st.SearchStrategy[Spoil]:
    """Of any label or score."""
    return st.builds(spoil, st.integers(0, 9), *values)


spoilt_rows = st.one_of(
    each(lambda k, value: a_label(k, at_ms=value), st.sampled_from(NO_TIMES)),
    each(lambda k, value: a_label(k, known_ms=value), st.sampled_from(NO_TIMES)),
    each(lambda k, days: a_time(k, "known_ms", days), st.sampled_from([-1, -400, RULES.horizon_days + 9, 4_000])),
    each(lambda k, name, value: an_input(k, **{name: value}), st.sampled_from(INPUTS), st.sampled_from(NO_INPUTS)),
    each(lambda k, name: an_input(k, **{name: MAX_DAYS + 1}), st.sampled_from(INPUTS[:4])),
    each(lambda k: an_input(k, between_days=3.0, observed_days=2.0)),
    each(lambda k, inputs: a_label(k, inputs=inputs), st.sampled_from(["!", "AAA", "A" * 4_000, None, 7])),
    each(lambda k, one: a_label(k, label_id=one), st.sampled_from(["", "g" * 16, "A" * 16, "0" * 17, 5])),
    each(lambda k, left: a_label(k, left=left), st.sampled_from([2, "yes", None])),
    each(lambda k, day: a_score(k, day=day), st.sampled_from([END_TIME_MS // DAY_MS, 2**31, 2**32 - 1])),
    each(lambda k: a_score(k, closed_form_bp=10_001)),
    each(lambda k, logit: a_score(k, logit=logit), st.sampled_from([301, -301, 32_767, -32_768])),
    st.sampled_from([head(scored=value) for value in ({"model": "m", "rows": "AAAA"}, {"model": 1, "rows": ""}, [])]),
    st.sampled_from([head(labels=value) for value in ([[]] * 3, 3, None)]),
    st.sampled_from([head(horizon_days="4"), head(staying="weeks")]),
)
spoilt_heads = st.one_of(
    st.sampled_from([value for value in NO_TIMES if value not in (0, 5)]).map(lambda value: head(reached_ms=value)),
    st.sampled_from([PARTITIONS, -1, 2**63, 10**30, 0.5, None, "0"]).map(lambda value: head(partition=value)),
    st.sampled_from([head(schema="churnwatch.labels/0"), head(history=1), head(number=None), lambda message: message.clear()]),
)


async def learnt(values: list[bytes]) -> dict[str, bytes]:
    """What the learner keeps after these."""
    learner = PlayedLearner(replace(DESK, partitions=PARTITIONS))
    await learner.start()
    learner.tell(*values)
    await learner.round()
    fields = learner.task.desk.write(0)
    await learner.start()  # what was committed is read back
    return fields


def spoilt(value: bytes, spoil: Spoil) -> bytes:
    message = json.loads(value)
    spoil(message)
    return json.dumps(message).encode()


def without_rows(message: Json) -> None:
    message.update(labels=[], scored=None)


def all_told(*, history: bool) -> list[bytes]:
    return [told(p, DAY_0 + day, history=history) for day in range(DAYS) for p in range(PARTITIONS)]


@examples(100)
@given(spoilt_rows, st.integers(0, DAYS * PARTITIONS - 1), st.booleans())
def test_rows_that_cannot_be_are_passed_over_whole_and_how_far_the_worker_has_come_counts(spoil, at, history):
    values = all_told(history=history)
    found = asyncio.run(learnt([*values[:at], spoilt(values[at], spoil), *values[at + 1 :]]))
    expected = asyncio.run(learnt([*values[:at], spoilt(values[at], without_rows), *values[at + 1 :]]))
    assert found == expected


@examples(60)
@given(spoilt_heads, st.integers(0, DAYS * PARTITIONS - 1), st.booleans())
def test_a_message_of_which_nothing_can_be_is_as_if_it_were_none(spoil, at, history):
    values = all_told(history=history)
    found = asyncio.run(learnt([*values[:at], spoilt(values[at], spoil), *values[at + 1 :]]))
    expected = asyncio.run(learnt([*values[:at], b"none", *values[at + 1 :]]))
    assert found == expected


@examples(30)
@given(st.one_of(spoilt_rows, spoilt_heads), st.integers(0, DAYS * PARTITIONS - 1))
def test_each_is_counted_once(spoil, at):
    values = all_told(history=True)
    learner = PlayedLearner(replace(DESK, partitions=PARTITIONS))

    async def run() -> None:
        await learner.start()
        learner.tell(*values[:at], spoilt(values[at], spoil))
        await learner.round()

    asyncio.run(run())
    assert learner.registry.get_sample_value("churnwatch_learner_messages_refused_total") == 1


INPUT = st.sampled_from([0.0, 1e-45, 1.0, 1e30, float(np.finfo(np.float32).max)]) | st.floats(0, width=32, allow_infinity=False)
DAYS_SEEN = st.sampled_from([0.0, 1e-45, 1.0, float(MAX_DAYS)]) | st.floats(0, MAX_DAYS, width=32)


@st.composite
def rows(draw: st.DrawFn) -> list[float]:
    row = [draw(INPUT) for _ in INPUTS]
    row[:4] = [draw(DAYS_SEEN) for _ in range(4)]
    row[1:3] = sorted(row[1:3])
    return row


@examples(100)
@given(st.lists(st.tuples(rows(), st.booleans()), min_size=1, max_size=20))
def test_whatever_inputs_are_let_in_what_is_learnt_stays_finite(told):
    labels = replace(
        some_labels(DAY_0, len(told)),
        inputs=np.array([row for row, _ in told], np.float32),
        left=np.array([left for _, left in told], np.uint8),
    )
    learner = Learner(RULES, SHIPPED)
    learner.learn(labels, DAY_0 * DAY_MS)
    learner.learn(some_labels(DAY_0 + 1, 20), (DAY_0 + 1) * DAY_MS)
    assert np.isfinite(learner.logit.mean).all()
    assert np.isfinite(learner.logit.covariance).all()
    again = Learner.from_bytes(learner.to_bytes(), RULES)
    assert again.to_bytes() == learner.to_bytes()
    assert np.isfinite(again.served().risk(labels.inputs)).all()
