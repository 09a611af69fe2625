"""The topics of a churnwatch system: names, partition counts and what the broker must be told about them."""

from __future__ import annotations

from dataclasses import dataclass

INPUTS = ("purchases", "complaints", "logins")
CLOCK = "churn.clock"
ALERTS = "churn.alerts"
DEAD_LETTERS = "churn.dead-letters"
MODELS = "churn.models"
JOURNAL = "churn.journal"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must exist.

    name         full name with the prefix
    partitions   how many; inputs, clock and outputs keyed by customer share one number
    config       broker settings that correctness depends on
    """

    name: str
    partitions: int
    config: dict[str, str]


def topic_specs(prefix: str, partitions: int, *, append_time: bool) -> tuple[TopicSpec, ...]:
    """Every topic the system reads or writes.

    prefix        put before each name; may be empty
    partitions    of the inputs and of what is keyed by customer
    append_time   True for a live system: the broker stamps inputs itself, which is what "too far ahead" is judged by

    Nothing that history is replayed into may expire by record time, so inputs keep `retention.ms=-1`;
    an operator who wants less sets it on the topic.
    """
    stamped = {"message.timestamp.type": "LogAppendTime"} if append_time else {}
    keep = {"retention.ms": "-1"}
    inputs = tuple(TopicSpec(prefix + name, partitions, keep | stamped) for name in (*INPUTS, CLOCK))
    outputs = tuple(TopicSpec(prefix + name, partitions, keep) for name in (ALERTS, DEAD_LETTERS, JOURNAL))
    models = TopicSpec(prefix + MODELS, 1, {"cleanup.policy": "compact"})
    return (*inputs, *outputs, models)
