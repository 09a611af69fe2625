"""Wherever a learner is killed, its successor learns and sends the same: models tick by tick, models to keep, alerts, state."""

from __future__ import annotations

import asyncio
import random
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.labels import Labels
from streams.columns import DAY_MS
from streams.labels import LabelMessage, ScoredRows, entries
from streams.runtime.topics import ALERTS, MODELS
from streams.scores import SCORE
from tests.support.examples import examples
from tests.support.learners import DAY_0, some_labels
from tests.support.played_learner import Killed, PlayedLearner

DAYS = 40


def told(reached_day: int, labels: Labels, scored: ScoredRows | None) -> LabelMessage:
    reached_ms = reached_day * DAY_MS
    return LabelMessage(partition=0, number=0, history=True, reached_ms=reached_ms, labels=entries(labels), scored=scored)


@cache
def messages() -> tuple[LabelMessage, ...]:
    """A history in which who buys often stays, and from some day on leaves."""
    chance, found = np.random.default_rng(3), []
    for day in range(DAY_0, DAY_0 + DAYS):
        labels = some_labels(day, 25)
        if day > DAY_0 + 25:
            labels.left[:] = 1 - labels.left
        risks, logits = chance.integers(1, 9_000, 30), chance.integers(-40, 40, 30)
        rows = np.array([(1_000 * day + k, day, risks[k], logits[k]) for k in range(30)], SCORE)
        scored = ScoredRows(model="m", rows=rows.tobytes())
        early, late = labels.take(slice(0, 12)), labels.take(slice(12, None))
        found += [told(day - 1, early, None), told(day, late, scored)]
    return tuple(found)


async def played(seed: int, killed: float) -> tuple[PlayedLearner, int]:
    """All of it learnt, in rounds of any size, by processes that are killed with this probability at each point."""
    learner, chance, deaths = PlayedLearner(), random.Random(seed), 0
    learner.tell(*messages())
    learner.may_go_on = lambda: chance.random() >= killed
    alive = False
    while not alive or not learner.done:
        try:
            if not alive:
                await learner.start()
                alive = True
            await learner.round(chance.choice([1, 1, 2, 5]))
        except Killed:
            alive, deaths = False, deaths + 1
    return learner, deaths


@cache
def undisturbed() -> PlayedLearner:
    async def one_by_one() -> PlayedLearner:
        learner = PlayedLearner()
        learner.tell(*messages())
        await learner.start()
        while not learner.done:
            await learner.round(1)
        return learner

    return asyncio.run(one_by_one())


def once(sent: list[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
    """Without what was sent again."""
    return list(dict.fromkeys(sent))


def test_the_history_is_one_in_which_much_happens() -> None:
    events = [event.what for event in undisturbed().task.desk.learner.events]
    assert {"serving", "demoted"} <= set(events)
    assert len(undisturbed().alerts) > 0
    assert len([key for key, value in undisturbed().sent(MODELS) if value is None]) > 20, "old models are taken away"
    assert [one.tick_ms for one in undisturbed().servings] == [day * DAY_MS for day in range(DAY_0 - 1, DAY_0 + DAYS)]


@examples(15)
@given(st.integers(0, 2**32), st.floats(0.1, 0.3))
def test_whoever_is_killed_the_same_is_learnt_and_sent(seed: int, killed: float) -> None:
    expected = undisturbed()
    learner, deaths = asyncio.run(played(seed, killed))
    assert deaths > 0
    assert learner.task.desk.learner.to_bytes() == expected.task.desk.learner.to_bytes()
    assert learner.task.desk.order.to_bytes() == expected.task.desk.order.to_bytes()
    assert once(learner.sent(ALERTS)) == expected.sent(ALERTS)
    by_tick = {one.tick_ms: one for one in expected.servings}
    assert [one for one in learner.servings if one != by_tick[one.tick_ms]] == []
    assert learner.servings[-1] == expected.servings[-1]
