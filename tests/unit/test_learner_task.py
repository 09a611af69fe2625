"""The learner's work: what it sends and tells, and when."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from alerts.alert import ModelAlert, decode_any
from streams.columns import DAY_MS
from streams.runtime.learner_task import SHOW_EVERY_S
from streams.runtime.store import Fenced, System
from streams.runtime.topics import MODELS
from streams.serving import SERVING_KEY, encode_serving
from tests.support.learners import DAY_0
from tests.support.learning_days import learning, message, metric
from tests.support.memory_learner import MemoryLearnerStore
from tests.support.played_learner import DESK, PlayedLearner


async def test_what_was_learnt_last_is_shown_also_where_nothing_follows() -> None:
    learner = await learning(3)
    assert metric(learner, "labels_known") == 20, "shown a moment ago"
    learner.task._shown_s -= SHOW_EVERY_S
    await learner.round()
    assert metric(learner, "labels_known") == 60


async def test_live_what_was_learnt_is_sent_now_and_then_and_with_the_newest() -> None:
    learner = await learning(3, publish_s=3_600.0)
    assert [one.linear.labels for one in learner.servings if one.linear] == [20]
    assert learner.servings[0].tick_ms is None
    learner.task._sent_s -= 3_600.0  # an hour passes
    await learner.round()
    assert [one.linear.labels for one in learner.servings if one.linear] == [20, 60]
    await learner.round()
    assert len(learner.servings) == 2, "nothing new"


async def test_history_is_sent_tick_by_tick() -> None:
    learner = await learning(3, history=True, publish_s=3_600.0)
    assert [one.tick_ms for one in learner.servings] == [(DAY_0 + day) * DAY_MS for day in range(3)]


async def test_nothing_is_sent_before_it_has_caught_up() -> None:
    learner = PlayedLearner()
    learner.caught_up = False
    await learner.start()
    learner.tell(*(message(day, history=True) for day in range(DAY_0, DAY_0 + 5)))
    for _ in range(5):
        await learner.round(1)
    assert learner.servings == []
    learner.caught_up = True
    await learner.round()
    assert [one.tick_ms for one in learner.servings] == [(DAY_0 + 4) * DAY_MS]


async def test_a_successor_sends_again_only_what_the_topic_does_not_say() -> None:
    learner = await learning(3)
    await learner.start()
    await learner.round()
    assert len(learner.servings) == 3, "the topic says it"
    learner.caught_up = False
    learner.tell(message(DAY_0 + 3))
    await learner.round()
    assert len(learner.servings) == 3, "committed, and then it died"
    await learner.start()
    learner.caught_up = True
    await learner.round()
    assert [one.linear.labels for one in learner.servings if one.linear] == [20, 40, 60, 80]


@pytest.mark.parametrize("theirs", ["an earlier one", "no message", None])
async def test_what_another_hand_has_written_is_put_right_once(theirs: str | None) -> None:
    learner = await learning(5)
    ours, count = learner.servings[-1], len(learner.written)
    value = encode_serving(learner.servings[0]) if theirs == "an earlier one" else theirs and theirs.encode()
    learner.write(MODELS, SERVING_KEY, value)
    commits = learner.task.seq
    for _ in range(3):
        await learner.round()
    assert learner.written[count:] == [(MODELS, SERVING_KEY, value), (MODELS, SERVING_KEY, encode_serving(ours))]
    assert learner.task.seq == commits + 1, "the commit told that it still is the learner"


@pytest.mark.parametrize("theirs", [b"no message", None])
async def test_who_has_nothing_that_serves_yet_lets_anothers_word_stand(theirs: bytes | None) -> None:
    learner = PlayedLearner()
    await learner.start()
    learner.write(MODELS, SERVING_KEY, theirs)
    for _ in range(3):
        await learner.round()
    assert (learner.task.seq, learner.written) == (0, [(MODELS, SERVING_KEY, theirs)])
    learner.tell(message(DAY_0))
    await learner.round()
    assert learner.written[-1] == (MODELS, SERVING_KEY, learner.task.desk.papers.serving)


async def test_who_was_replaced_while_frozen_contradicts_nobody() -> None:
    learner = await learning(5)
    await learner.store.take(learner.generation + 1, "newer", System("g", ""))
    learner.write(MODELS, SERVING_KEY, encode_serving(learner.servings[0]))
    count = len(learner.written)
    with pytest.raises(Fenced):
        await learner.round()
    assert len(learner.written) == count


async def test_who_learns_the_past_anew_tells_nothing_again_and_keeps_as_many_models_as_before() -> None:
    learner = await learning(20)
    for day in range(20, 60):
        learner.tell(message(DAY_0 + day, leave=day < 40))
        await learner.round()
    alerts, count = list(learner.alerts), len(learner.written)
    assert [one.status for one in map(decode_any, alerts) if isinstance(one, ModelAlert)] == ["firing", "resolved"]
    for killed in (False, True):
        learner.store, learner.caught_up = MemoryLearnerStore(), False
        await learner.start()
        for _ in range(5):
            await learner.round(7)
        if killed:
            await learner.start()
        while not learner.done:
            await learner.round(7)
        assert len(learner.written) == count, "before it has caught up"
        learner.caught_up = True
        for _ in range(3):
            await learner.round()
        assert learner.alerts == alerts
        assert len(learner.models.champions) == DESK.keep_models
        assert learner.models.champions.keys() == {version for version, _ in learner.task.desk.papers.champions}
        count = len(learner.written)


@pytest.mark.parametrize("told", [True, False])
async def test_how_it_stands_is_told_once_the_past_is_learnt_anew_where_people_know_otherwise(told: bool) -> None:
    learner = await learning(20)
    for day in range(20, 32):
        learner.tell(message(DAY_0 + day, leave=True))
        if told:
            await learner.round()
    assert len(learner.alerts) == told
    learner.store = MemoryLearnerStore()
    await learner.start()
    await learner.round()
    (alert,) = map(decode_any, learner.alerts)
    assert isinstance(alert, ModelAlert)
    assert alert.status == "firing"


async def test_a_demotion_by_other_settings_is_over_once_the_past_is_learnt_by_new_ones() -> None:
    learner = await learning(20)
    for day in range(20, 32):
        learner.tell(message(DAY_0 + day, leave=True))
        await learner.round()
    learner.rules, learner.labels = replace(DESK, learner=replace(DESK.learner, horizon_days=3)), []
    await learner.start()
    learner.tell(msgspec.structs.replace(message(DAY_0 + 33), horizon_days=3))
    for _ in range(2):
        await learner.round()
        await learner.start()
    firing, resolved = map(decode_any, dict.fromkeys(learner.alerts))
    assert isinstance(firing, ModelAlert)
    assert isinstance(resolved, ModelAlert)
    assert (firing.alert_id, resolved.status, resolved.live) == (resolved.alert_id, "resolved", True)
    assert "other settings" in resolved.text
    assert resolved.as_of > firing.as_of


async def test_what_happened_while_no_learner_ran_is_told_late_and_whole() -> None:
    learner = await learning(20)
    learner.tell(*(message(DAY_0 + day, leave=day < 40) for day in range(20, 60)))
    learner.caught_up = False
    await learner.start()
    for _ in range(8):
        await learner.round(5)
    assert learner.alerts == []
    learner.caught_up = True
    await learner.round()
    assert [one.status for one in map(decode_any, learner.alerts) if isinstance(one, ModelAlert)] == ["firing", "resolved"]
    assert learner.models.champions.keys() == {version for version, _ in learner.task.desk.papers.champions}


async def test_what_a_commit_could_not_send_before_all_was_read_leaves_then_without_another_commit() -> None:
    learner = await learning(20)
    learner.caught_up = False
    learner.tell(*(message(DAY_0 + day, leave=True) for day in range(20, 32)))
    await learner.round()
    commits = learner.task.seq
    assert learner.alerts == []
    learner.caught_up = True
    await learner.round()
    assert (len(learner.alerts), learner.task.seq) == (1, commits)


@pytest.mark.parametrize("history", [True, False])
async def test_a_demotion_is_an_alert_and_so_is_its_end(history: bool) -> None:
    learner = await learning(20, history=history)
    for day in range(20, 60):
        learner.tell(message(DAY_0 + day, leave=True, history=history))
        await learner.round()
    alerts = [decode_any(value) for value in learner.alerts]
    assert all(isinstance(one, ModelAlert) and one.live is not history for one in alerts)
    assert [one.status for one in alerts if isinstance(one, ModelAlert)][:2] == ["firing", "resolved"]
    assert len({one.alert_id for one in alerts[:2] if isinstance(one, ModelAlert)}) == 1
    assert metric(learner, "events_total", what="demoted") == sum(
        isinstance(one, ModelAlert) and one.status == "firing" for one in alerts
    )
