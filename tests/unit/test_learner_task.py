"""The learner's work: when it sends what serves, what people ask of it, when it fits the closed form, what rubbish does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from alerts.alert import ModelAlert, decode_any
from detectors.parameters import SHIPPED, BtydParameters, dumps
from streams.columns import DAY_MS
from streams.labels import LabelMessage, entries
from streams.model_control import Action, ControlMessage, encode_control
from streams.runtime.learner_desk import NotNow
from streams.runtime.learner_task import SHOW_EVERY_S
from streams.runtime.store import Fenced, System
from streams.runtime.topics import MODELS
from streams.serving import CHAMPION_PREFIX, CLOSED_FORM_KEY, CONTROL_KEY, SERVING_KEY, encode_serving
from tests.support.learners import DAY_0, some_labels
from tests.support.memory_learner import MemoryLearnerStore
from tests.support.played_learner import DESK, PlayedLearner


def message(day: int, labels: int = 20, *, history: bool = False, leave: bool = False) -> LabelMessage:
    """What became known at a day's beginning; live, or with the day's tick. leave: who buys often leaves."""
    found = some_labels(day, labels)
    if leave:
        found.left[:] = 1 - found.left
    return LabelMessage(partition=0, number=0, history=history, reached_ms=day * DAY_MS, labels=entries(found))


async def learning(days: int, *, history: bool = False, **more: float) -> PlayedLearner:
    """One that has learnt for so many days, one round a day."""
    learner = PlayedLearner(**more)  # type: ignore[arg-type] # publish_s
    await learner.start()
    for day in range(DAY_0, DAY_0 + days):
        learner.tell(message(day, history=history))
        await learner.round()
    return learner


def ask(learner: PlayedLearner, action: Action, version: str = "") -> None:
    command = ControlMessage(action=action, version=version, by="ann", at_ms=1)
    learner.write(MODELS, CONTROL_KEY, encode_control(command))


def metric(learner: PlayedLearner, name: str, **labels: str) -> float | None:
    return learner.registry.get_sample_value(f"churnwatch_learner_{name}", labels)


def fitted(version: str) -> BtydParameters:
    return msgspec.structs.replace(SHIPPED, version=version, fitted_at_ms=DAY_0 * DAY_MS)


async def test_what_was_learnt_last_is_shown_also_where_nothing_follows() -> None:
    learner = await learning(3)
    assert metric(learner, "labels_known") == 20, "shown a moment ago"
    learner.task._shown_s -= SHOW_EVERY_S
    await learner.round()
    assert metric(learner, "labels_known") == 60


# -- when it is sent --------------------------------------------------------------------------------------------------


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


async def test_what_another_hand_has_written_is_put_right_once() -> None:
    learner = await learning(5)
    ours = learner.servings[-1]
    learner.write(MODELS, SERVING_KEY, encode_serving(learner.servings[0]))
    commits = learner.task.seq
    for _ in range(3):
        await learner.round()
    assert learner.servings[-2:] == [learner.servings[0], ours]
    assert learner.task.seq == commits + 1, "the commit told that it still is the learner"


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


# -- what people ask --------------------------------------------------------------------------------------------------


async def test_frozen_serves_on_whatever_is_learnt_until_it_is_thawed() -> None:
    learner = await learning(8, publish_s=3_600.0)
    ask(learner, "freeze")
    await learner.round()
    frozen = learner.servings[-1]
    assert (frozen.hold, frozen.serves) == ("frozen", True)
    learner.tell(message(DAY_0 + 8))
    await learner.round()
    await learner.start()
    assert learner.task.desk.learner.served().version == frozen.version, "also after a restart"
    ask(learner, "thaw")
    await learner.round()
    assert learner.servings[-1].hold is None
    assert learner.servings[-1].version != frozen.version
    assert [one.hold for one in learner.servings].count("frozen") == 1


async def test_an_earlier_champion_can_be_gone_back_to_and_others_are_told_to_be_none() -> None:
    learner = await learning(8)
    kept = [key.removeprefix(b"champion:").decode() for key, value in learner.sent(MODELS) if value is not None]
    gone = [key.removeprefix(b"champion:").decode() for key, value in learner.sent(MODELS) if value is None]
    assert len(kept) == 8
    assert gone == kept[:5], "three are kept"
    ask(learner, "rollback", kept[0])
    await learner.round()
    assert learner.servings[-1].hold is None
    ask(learner, "rollback", kept[5])
    await learner.round()
    assert (learner.servings[-1].hold, learner.servings[-1].version) == ("rolled_back", kept[5])


async def test_a_person_s_parameters_are_taken_up_unless_they_are_pinned() -> None:
    for refit_days, expected in ((30, "ann's"), (None, SHIPPED.version)):
        learner = PlayedLearner(replace(DESK, refit_days=refit_days))
        await learner.start()
        learner.tell(message(DAY_0))
        await learner.round()
        learner.write(MODELS, CLOSED_FORM_KEY, dumps(fitted("ann's")))
        await learner.round()
        assert learner.servings[-1].closed_form.version == expected


# -- when the closed form is fitted -----------------------------------------------------------------------------------


async def ticks(learner: PlayedLearner, first: int, last: int) -> None:
    for day in range(first, last + 1):
        learner.tell(message(DAY_0 + day, history=True))
        await learner.round()


async def test_the_closed_form_is_fitted_every_so_often_and_what_was_fitted_is_kept() -> None:
    learner = PlayedLearner(replace(DESK, refit_days=10))
    await learner.start()
    learner.fitter.answer = fitted("first")
    await ticks(learner, 0, 15)
    learner.fitter.answer = fitted("second")
    await ticks(learner, 16, 25)
    assert learner.fitter.asked == [((DAY_0 + 9) * DAY_MS, True), ((DAY_0 + 19) * DAY_MS, True)]
    used = [one.closed_form.version for one in learner.servings]
    assert used == [SHIPPED.version] * 9 + ["first"] * 10 + ["second"] * 7
    keys = [key for key, _ in learner.sent(MODELS) if key.startswith(b"closed-form:")]
    assert keys == [b"closed-form:refitted-2024-10-13", b"closed-form:refitted-2024-10-23"]


async def test_too_few_customers_wait_for_the_next_time_and_a_missed_tick_for_the_next_tick() -> None:
    learner = PlayedLearner(replace(DESK, refit_days=10))
    await learner.start()
    learner.fitter.answer = ValueError("7 customers")
    await ticks(learner, 0, 18)
    learner.fitter.answer = NotNow("gone on")
    await ticks(learner, 19, 21)
    learner.fitter.answer = fitted("at last")
    await ticks(learner, 22, 25)
    assert [(at_ms // DAY_MS - DAY_0) for at_ms, _ in learner.fitter.asked] == [9, 19, 20, 21, 22]
    assert learner.servings[-1].closed_form.version == "at last"


async def test_a_tick_that_others_have_passed_is_not_the_time_to_look_at_the_customers() -> None:
    learner = PlayedLearner(replace(DESK, refit_days=1, partitions=2))
    await learner.start()
    for day, partition in ((0, 0), (1, 0), (0, 1)):
        learner.tell(msgspec.structs.replace(message(DAY_0 + day, history=True), partition=partition))
    await learner.round()
    assert learner.fitter.asked == [(DAY_0 * DAY_MS, False)]


async def test_live_it_is_fitted_when_the_time_has_come_and_all_is_read() -> None:
    learner = PlayedLearner(replace(DESK, refit_days=10))
    await learner.start()
    learner.fitter.answer = fitted("live")
    for day in range(12):
        learner.caught_up = day != 9
        learner.tell(message(DAY_0 + day))
        await learner.round()
    assert learner.fitter.asked == [((DAY_0 + 10) * DAY_MS, True)]
    assert learner.servings[-1].closed_form.version == "live"


async def two_partitions(history_days: int) -> PlayedLearner:
    """The second one never has a label."""
    learner = PlayedLearner(replace(DESK, partitions=2, refit_days=10), publish_s=3_600.0)
    learner.fitter.answer = fitted("live")
    await learner.start()
    for day in range(DAY_0, DAY_0 + history_days):
        quiet = msgspec.structs.replace(message(day, 0, history=True), partition=1)
        learner.tell(message(day, history=True), quiet)
        await learner.round()
    return learner


@pytest.mark.parametrize("history_days", [0, 3])
async def test_a_quiet_partition_holds_up_nothing_once_the_system_is_live(history_days: int) -> None:
    learner = await two_partitions(history_days)
    if history_days:
        learner.tell(msgspec.structs.replace(message(DAY_0 + history_days, 0), partition=1))  # what its first live commit tells
    sent = len(learner.servings)
    for day in range(history_days, 35):
        learner.tell(message(DAY_0 + day))
        await learner.round()
    assert not learner.task.desk.order.loading
    assert learner.servings[-1].tick_ms is None
    assert len(learner.servings) - sent == (3 if history_days else 1 + 3), "the first, and each fit: not every commit"
    assert [at_ms // DAY_MS - DAY_0 for at_ms, _ in learner.fitter.asked] == [9, 19, 29]


# -- alerts and rubbish -----------------------------------------------------------------------------------------------


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


async def test_who_learns_the_past_anew_obeys_what_was_asked_once_it_has_caught_up() -> None:
    learner = await learning(6)
    ask(learner, "freeze")
    await learner.round()
    held = learner.servings[-1]
    learner.store, learner.caught_up = MemoryLearnerStore(), False
    await learner.start()
    await learner.round(1)
    learner.caught_up = True
    await learner.round()
    assert (learner.task.desk.serving.hold, learner.task.desk.serving.version) == ("frozen", held.version)
    assert learner.servings[-1] == held, "nothing else was sent meanwhile"


async def test_a_model_that_cannot_serve_here_is_not_gone_back_to_and_it_goes_on() -> None:
    learner = await learning(6)
    version, champion = next(iter(learner.models.champions.items()))
    learner.write(MODELS, CHAMPION_PREFIX + version.encode(), encode_serving(msgspec.structs.replace(champion, horizon_days=90)))
    ask(learner, "rollback", version)
    await learner.round()
    assert learner.servings[-1].hold is None
    await learner.start()
    ask(learner, "freeze")
    await learner.round()
    assert learner.servings[-1].hold == "frozen"


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
