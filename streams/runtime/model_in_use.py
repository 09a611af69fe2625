"""What scores, for commands: by the settings' file, else by `churn.models`, else the shipped parameters."""

from __future__ import annotations

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from detectors.parameters import SHIPPED, loads
from detectors.served import ServedModel
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.models import read_parameters
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS
from streams.serving import CLOSED_FORM_KEY, SERVING_KEY, decode_serving


def model_in_use(settings: Settings) -> ServedModel:
    """What a worker with these settings would use now. A broker that is away counts as one without a snapshot."""
    horizon_days, pinned = settings.risk.horizon_days, settings.risk.parameters_file
    if pinned is not None and not settings.learning.serves:
        return ServedModel(read_parameters(pinned), horizon_days)
    try:
        found = newest_by_key(settings)
    except AdminError:
        found = {}
    if settings.learning.serves and SERVING_KEY in found:
        return decode_serving(found[SERVING_KEY]).served_model(horizon_days, settings.risk.staying)
    if pinned is not None:
        return ServedModel(read_parameters(pinned), horizon_days)
    return ServedModel(loads(found[CLOSED_FORM_KEY]) if CLOSED_FORM_KEY in found else SHIPPED, horizon_days)


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
