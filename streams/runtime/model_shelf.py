"""What stands on `churn.models`, for commands: what serves, what may be gone back to, and asking for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # as above

from detectors.parameters import BtydParameters, loads
from streams.model_control import Action, ControlMessage, encode_control
from streams.runtime.kafka_client import AdminError, kafka_client_options
from streams.runtime.model_in_use import newest_by_key
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS
from streams.serving import CHAMPION_PREFIX, CONTROL_KEY, FITTED_PREFIX, SERVING_KEY, Serving, decode_serving

ANSWER_S = 10.0
LOOK_S = 0.5
HOLDS: Mapping[Action, str | None] = {"freeze": "frozen", "rollback": "rolled_back", "thaw": None}
"""What the learner says once it has done as it was asked."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """serving     None: the learner has sent nothing yet
    champions   version -> model of a day, oldest first
    fits        version -> parameters of the closed form that the learner fitted
    """

    serving: Serving | None
    champions: dict[str, Serving]
    fits: dict[str, BtydParameters]

    def find(self, version: str | None) -> Serving:
        """A champion by its version, what serves by its own, by "serving" or by None. Raises AdminError."""
        if self.serving is not None and version in (None, "serving"):
            return self.serving
        if version in self.champions:
            return self.champions[version]
        if self.serving is not None and version == self.serving.version:
            return self.serving
        if version in (None, "serving"):
            raise AdminError("the learner has sent no model yet", "start `churnwatch learner` and wait for labels")
        raise AdminError(f"there is no model {version}", "see `churnwatch models list`")


def read_shelf(settings: Settings) -> Shelf:
    """All of it. Raises AdminError."""
    found = newest_by_key(settings)
    try:
        serving = decode_serving(found[SERVING_KEY]) if SERVING_KEY in found else None
        champions = [decode_serving(value) for key, value in found.items() if key.startswith(CHAMPION_PREFIX)]
        fits = [loads(value) for key, value in found.items() if key.startswith(FITTED_PREFIX)]
    except ValueError as problem:
        raise AdminError(f"{settings.kafka.topic_prefix}{MODELS}: {problem}", "use the release that wrote it") from None
    by_version = {one.linear.version: one for one in sorted(champions, key=lambda one: one.at_ms) if one.linear is not None}
    return Shelf(serving, by_version, {one.version: one for one in fits})


def ask(settings: Settings, action: Action, version: str, by: str) -> None:
    """Tell the learner what to do. Raises AdminError where the broker does not take it."""
    command = ControlMessage(action=action, version=version, by=by, at_ms=time.time_ns() // 1_000_000)
    topic = settings.kafka.topic_prefix + MODELS
    options: dict[str, Any] = kafka_client_options(settings)
    try:
        producer = KafkaProducer(**options, acks="all")
        try:
            producer.send(topic, key=CONTROL_KEY, value=encode_control(command)).get(ANSWER_S)
        finally:
            producer.close(5)
    except KafkaError as problem:
        raise AdminError(f"{topic}: {type(problem).__name__}", "check kafka.bootstrap and `churnwatch topics check`") from None


def obeyed(settings: Settings, action: Action, version: str, wait_s: float) -> Serving | None:
    """What serves, once the learner says that it has done so; None where that takes longer than `wait_s`."""
    end_s = time.monotonic() + wait_s
    while True:
        serving = read_shelf(settings).serving
        if serving is not None and serving.hold == HOLDS[action] and (action != "rollback" or serving.version == version):
            return serving
        if time.monotonic() >= end_s:
            return None
        time.sleep(LOOK_S)
