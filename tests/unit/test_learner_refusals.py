"""What the learner passes over, and what counts of it all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from streams.columns import DAY_MS
from streams.runtime.topics import MODELS
from streams.serving import SERVING_KEY, decode_serving
from tests.support.learners import DAY_0
from tests.support.learning_days import learning, message, metric
from tests.support.memory_learner import MemoryLearnerStore
from tests.support.played_learner import DESK, PlayedLearner


@pytest.mark.parametrize(("other", "why"), [({"horizon_days": 90}, "outcomes of 90 days"), ({"staying": "logins"}, "by logins")])
async def test_what_workers_with_other_settings_call_leaving_is_not_learnt_and_their_ticks_count(
    other: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = await learning(1, history=True)
    capsys.readouterr()
    learner.tell(msgspec.structs.replace(message(DAY_0 + 1, history=True), **other))
    await learner.round()
    assert (metric(learner, "messages_refused_total"), metric(learner, "labels_total")) == (1, 20)
    assert learner.servings[-1].tick_ms == (DAY_0 + 1) * DAY_MS
    assert why in capsys.readouterr().out
    learner.tell(msgspec.structs.replace(message(DAY_0 + 2, history=True), horizon_days=DESK.learner.horizon_days))
    await learner.round()
    assert metric(learner, "labels_total") == 40


async def test_labels_from_before_a_change_of_settings_are_no_alarm_later_ones_are(capsys: pytest.CaptureFixture[str]) -> None:
    learner = await learning(6)
    learner.rules = replace(DESK, learner=replace(DESK.learner, horizon_days=90))
    learner.labels = []
    learner.tell(*(msgspec.structs.replace(message(DAY_0 + day), horizon_days=4) for day in range(6)))
    learner.caught_up = False
    learner.store = MemoryLearnerStore()
    await learner.start()
    capsys.readouterr()
    for _ in range(3):
        await learner.round(2)
    learner.caught_up = True
    for _ in range(3):
        await learner.round()
    (line,) = capsys.readouterr().out.splitlines()
    assert all(part in line for part in ("labels of before", "messages=6", "labels=120", "outcomes of 4 days")), line
    assert (metric(learner, "messages_refused_total"), metric(learner, "labels_total")) == (0, 0)
    learner.tell(msgspec.structs.replace(message(DAY_0 + 7), horizon_days=4))
    await learner.round()
    assert "error" in capsys.readouterr().out
    assert metric(learner, "messages_refused_total") == 1


async def test_rubbish_and_labels_of_other_inputs_are_passed_over_and_counted() -> None:
    learner = await learning(1)
    other = msgspec.structs.replace(message(DAY_0 + 1), inputs_hash="0" * 16)
    elsewhere = msgspec.structs.replace(message(DAY_0 + 1), partition=7)
    spoilt = msgspec.structs.replace(
        message(DAY_0 + 1), labels=[msgspec.structs.replace(message(DAY_0 + 1).labels[0], inputs="!")]
    )
    learner.tell(b"", b"\xff", b"[]", b"[" * 100_000, other, elsewhere, spoilt, message(DAY_0 + 2))
    await learner.round()
    assert metric(learner, "messages_refused_total") == 7
    assert metric(learner, "labels_total") == 40
    assert learner.task.desk.next_offset == 9


async def test_labels_and_scores_of_a_history_far_ahead_of_where_it_ends_are_not_learnt_and_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    learner = await learning(3, history=True)
    ahead = message(DAY_0 + 9_000, history=True)
    learner.tell(msgspec.structs.replace(ahead, reached_ms=(DAY_0 + 2) * DAY_MS), message(DAY_0 + 3))
    await learner.round()
    assert learner.task.desk.learner.tick_ms == (DAY_0 + 3) * DAY_MS
    assert (metric(learner, "messages_refused_total"), metric(learner, "labels_total")) == (1, 80)
    assert "dated far ahead" in capsys.readouterr().out


async def test_labels_that_are_taken_for_learnt_by_their_time_are_counted_apart() -> None:
    learner = await learning(1)
    learner.tell(message(DAY_0 - 30, 5), message(DAY_0 + 1, 7))
    await learner.round()
    assert metric(learner, "labels_too_old_total") == 5
    assert metric(learner, "labels_total") == 27


async def test_what_goes_wrong_once_a_message_was_taken_is_not_passed_over_and_nothing_of_it_is_kept() -> None:
    learner = await learning(3)
    kept = dict(learner.store.record.fields)

    def fail(*_: object) -> None:
        raise ValueError("a number that is none")

    learner.task.desk.learner.learn = fail  # type: ignore[method-assign]
    learner.tell(message(DAY_0 + 3))
    with pytest.raises(ValueError, match="a number that is none"):
        await learner.round()
    assert learner.store.record.fields == kept
    await learner.start()
    await learner.round()
    assert metric(learner, "labels_total") == 20, "the next process learns it"


async def test_a_serving_message_that_cannot_be_read_is_written_over_by_who_learns_the_past_anew() -> None:
    learner = PlayedLearner()
    learner.written.append((MODELS, SERVING_KEY, b'{"schema":"churnwatch.serving/0"}'))
    await learner.start()
    learner.tell(message(DAY_0))
    await learner.round()
    newest = [value for topic, key, value in learner.written if (topic, key) == (MODELS, SERVING_KEY)][-1]
    assert newest is not None
    assert decode_serving(newest) == learner.task.desk.serving
