"""What scores, for commands: by the settings' file, else by `churn.models`, else the shipped parameters."""

from __future__ import annotations

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from detectors.parameters import SHIPPED, BtydParameters, loads
from detectors.served import ServedModel
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.models import CLOSED_FORM_KEY, read_parameters
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS


def model_in_use(settings: Settings) -> ServedModel:
    """What a worker with these settings would use now. A broker that is away counts as one without a snapshot."""
    return ServedModel(_parameters(settings), settings.risk.horizon_days)


def _parameters(settings: Settings) -> BtydParameters:
    if settings.risk.parameters_file is not None:
        return read_parameters(settings.risk.parameters_file)
    try:
        return _published(settings) or SHIPPED
    except AdminError:
        return SHIPPED


def _published(settings: Settings) -> BtydParameters | None:
    topic = TopicPartition(settings.kafka.topic_prefix + MODELS, 0)
    newest = None
    with admin_client(settings) as admin, reader(settings) as client:
        if topic.topic not in admin.list_topics():
            return None
        span = ends(admin, client, [topic])[topic]
        if span.end <= span.first:
            return None
        client.assign([topic])
        client.seek(topic, span.first)
        while client.position(topic) < span.end:
            for record in client.poll(timeout_ms=500).get(topic, []):
                if record.key == CLOSED_FORM_KEY and record.value is not None:
                    newest = loads(record.value)
    return newest
