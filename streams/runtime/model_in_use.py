"""What scores, for commands: by the settings' file, else by `churn.models`, else the shipped parameters."""

from __future__ import annotations

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from detectors.served import ServedModel
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.models import choice_of
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS

_FIX = "give the command the settings and the release of workers and learner; `churnwatch doctor` says what differs"


def model_in_use(settings: Settings) -> ServedModel:
    """What a worker with these settings would use now. A broker that is away counts as one without a snapshot.

    Raises AdminError where it would refuse what serves, and keep whatever it had before.
    """
    try:
        choice = choice_of(settings)
    except ValueError as problem:
        raise AdminError(str(problem), "correct risk.parameters_file, or leave it out") from None
    try:
        found = newest_by_key(settings) if choice.asks else {}
    except AdminError:
        found = {}
    try:
        return choice.choose(found)
    except ValueError as problem:
        raise AdminError(f"{settings.kafka.topic_prefix}{MODELS}: what serves there does not fit here: {problem}", _FIX) from None


def newest_by_key(settings: Settings) -> dict[bytes, bytes]:
    """What `churn.models` holds: key -> newest value, without what was taken away. Raises AdminError, as where there is none."""
    topic = TopicPartition(settings.kafka.topic_prefix + MODELS, 0)
    found: dict[bytes, bytes | None] = {}
    with admin_client(settings) as admin, reader(settings) as client:
        if topic.topic not in admin.list_topics():
            fix = "run `churnwatch topics create`, or grant READ on it (docs/security.md)"
            raise AdminError(f"topic {topic.topic} does not exist, or our user may not see it", fix)
        span = ends(admin, client, [topic])[topic]
        for record in read_range(client, {topic: (span.first, span.end)}):
            if record.key is not None:
                found[record.key] = record.value
    return {key: value for key, value in found.items() if value is not None}
