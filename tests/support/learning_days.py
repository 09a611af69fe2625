"""A learner that has had some days of labels, and what is asked of it and read from it."""

from __future__ import annotations

import msgspec

from detectors.parameters import SHIPPED, BtydParameters
from streams.columns import DAY_MS
from streams.labels import LabelMessage, entries
from streams.model_control import Action, ControlMessage, encode_control
from streams.runtime.topics import MODELS
from streams.serving import CONTROL_KEY
from tests.support.learners import DAY_0, some_labels
from tests.support.played_learner import PlayedLearner


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
