"""When the learner fits the closed form."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from detectors.parameters import SHIPPED
from streams.columns import DAY_MS
from streams.runtime.learner_desk import NotNow
from streams.runtime.topics import MODELS
from tests.support.learners import DAY_0
from tests.support.learning_days import fitted, message
from tests.support.played_learner import DESK, PlayedLearner


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
