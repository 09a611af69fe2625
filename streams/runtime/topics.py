"""The topics of a churnwatch system: names, partition counts and what the broker must be told about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INPUTS = ("purchases", "complaints", "logins")
"""Topics of events that every system has."""
CANCELLATIONS = "cancellations"
"""The one that a system has where `kafka.cancellations` says so."""
EVENTS = (*INPUTS, CANCELLATIONS)
"""Topics of events, by rank."""
CLOCK = "churn.clock"
COMMANDS = "churn.commands"
ALERTS = "churn.alerts"
TRIGGERS = "churn.triggers"
DEAD_LETTERS = "churn.dead-letters"
DEAD_LETTER_MARKS = "churn.dead-letter-marks"
MODELS = "churn.models"
JOURNAL = "churn.journal"
ERASURES = "churn.erasures"
LABELS = "churn.labels"


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


def read_by_workers(*, cancellations: bool) -> dict[str, str]:
    """Topics that a worker reads of each of its partitions -> the name under which their offsets are kept."""
    events = EVENTS if cancellations else INPUTS
    return {**{name: name for name in events}, COMMANDS: "commands", CLOCK: "clock"}


def topic_specs(prefix: str, partitions: int, *, cancellations: bool) -> tuple[TopicSpec, ...]:
    """Every topic the system reads or writes.

    prefix          put before each name; may be empty
    partitions      of the inputs and of what is keyed by customer
    cancellations   whether the system has that topic

    The broker stamps inputs itself, which is what "too far ahead" is judged by once they are live, and when an erasure was
    asked for; and the journal, which is how workers learn what time it is. Nothing that history is replayed into may expire by
    record time, so inputs keep `retention.ms=-1`, and commands with them, which must outlive the events they erase; an operator
    who wants less sets it on the topic.
    """
    keep = {"retention.ms": "-1"}
    stamped = keep | {"message.timestamp.type": "LogAppendTime"}
    read = read_by_workers(cancellations=cancellations)
    inputs = tuple(TopicSpec(prefix + name, partitions, stamped) for name in read)
    outputs = tuple(TopicSpec(prefix + name, partitions, keep) for name in (ALERTS, TRIGGERS, DEAD_LETTERS, ERASURES))
    journal = TopicSpec(prefix + JOURNAL, partitions, stamped)
    compacted = {"cleanup.policy": "compact"}
    marks = TopicSpec(prefix + DEAD_LETTER_MARKS, partitions, compacted)
    labels = TopicSpec(prefix + LABELS, 1, keep)
    return (*inputs, *outputs, journal, marks, labels, TopicSpec(prefix + MODELS, 1, compacted))


class WrongTopics(Exception):
    """The topics are not those that the settings describe: customers' events would not meet. Says what to do."""


def check_partitions(specs: Sequence[TopicSpec], counts: Mapping[str, int]) -> None:
    """Raise WrongTopics for the first topic that is missing or has another number of partitions than its spec.

    counts   topic -> partitions, as the broker has them
    """
    for spec in specs:
        found = counts.get(spec.name)
        if found is None:
            raise WrongTopics(f"topic {spec.name} does not exist: run `churnwatch topics create`")
        if found != spec.partitions:
            raise WrongTopics(
                f"topic {spec.name} has {found} partitions, settings say {spec.partitions}: all topics keyed by customer must "
                "have the same number, and kafka.partitions must be it (`churnwatch topics check`)"
            )
