"""What `churn.models` holds, for people: what serves, champions that are kept, the closed form, and the last command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kafka import KafkaProducer  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # kafka-python ships no types

from detectors.parameters import BtydParameters, loads
from streams.model_control import ControlMessage, decode_control, encode_control
from streams.runtime.kafka_client import AdminError, kafka_client_options
from streams.runtime.model_in_use import newest_by_key
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS
from streams.serving import CHAMPION_PREFIX, CLOSED_FORM_KEY, CONTROL_KEY, FITTED_PREFIX, SERVING_KEY, Serving, decode_serving

SENT_S = 10


@dataclass(frozen=True, slots=True)
class Shelf:
    """serving      what scores; None: nothing was learnt yet
    champions    version -> what was kept of it, oldest first
    parameters   of the closed form, newest first: by a person, then by the learner
    control      the newest command to the learner; None: there was none
    unreadable   messages that are not ours
    """

    serving: Serving | None
    champions: dict[str, Serving]
    parameters: list[BtydParameters]
    control: ControlMessage | None
    unreadable: int


def read_shelf(settings: Settings) -> Shelf:
    """What the topic holds. Raises AdminError where the broker cannot be asked."""
    return shelf_of(newest_by_key(settings))


def shelf_of(found: Mapping[bytes, bytes]) -> Shelf:
    """The same from keys and newest values."""
    unreadable = 0
    serving: Serving | None = None
    control: ControlMessage | None = None
    champions: list[tuple[str, Serving]] = []
    parameters: list[BtydParameters] = []
    for key, value in found.items():
        try:
            if key == SERVING_KEY:
                serving = decode_serving(value)
            elif key == CONTROL_KEY:
                control = decode_control(value)
            elif key.startswith(CHAMPION_PREFIX):
                champions.append((key.removeprefix(CHAMPION_PREFIX).decode(), decode_serving(value)))
            elif key == CLOSED_FORM_KEY or key.startswith(FITTED_PREFIX):
                parameters.append(loads(value))
        except ValueError:
            unreadable += 1
    champions.sort(key=lambda one: (one[1].at_ms, one[0]))
    parameters.sort(key=lambda one: (one.fitted_at_ms is None, -(one.fitted_at_ms or 0)))
    return Shelf(serving, dict(champions), parameters, control, unreadable)


def tell_learner(settings: Settings, command: ControlMessage) -> None:
    """Leave a command for the learner, who obeys as soon as it reads it. Raises AdminError."""
    topic = settings.kafka.topic_prefix + MODELS
    try:
        producer = KafkaProducer(**kafka_client_options(settings), acks="all")
        try:
            producer.send(topic, key=CONTROL_KEY, value=encode_control(command)).get(SENT_S)
        finally:
            producer.close(SENT_S)
    except KafkaError as problem:
        raise AdminError(f"{topic}: {type(problem).__name__}", "check kafka.bootstrap and `churnwatch topics check`") from None
