"""Kafka's own ids of topics: the same for as long as a topic lives, another once it was made anew under its name.

Offsets tell that only while the new topic is shorter than what was read of the old one. aiokafka speaks an older metadata
request, so the one that carries ids (version 10) is described here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from aiokafka.errors import (  # type: ignore[import-untyped] # aiokafka ships no types
    IncompatibleBrokerVersion,
    KafkaError,
    NodeNotReadyError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.abstract import AbstractType  # type: ignore[import-untyped] # as above
from aiokafka.protocol.api import Request, RequestStruct, Response  # type: ignore[import-untyped] # as above
from aiokafka.protocol.types import (  # type: ignore[import-untyped] # as above
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_ID = bytes(16)
"""What a broker says that knows none."""


class _Uuid(AbstractType):  # type: ignore[misc] # aiokafka ships no types
    """16 bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


_TAGS = ("tags", TaggedFields)
_BROKER = (("node_id", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()), _TAGS)
_PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    _TAGS,
)
_TOPIC = (
    ("error_code", Int16),
    ("topic", CompactString()),
    ("topic_id", _Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*_PARTITION)),
    ("authorized_operations", Int32),
    _TAGS,
)


class _Answer(Response):  # type: ignore[misc] # aiokafka ships no types
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*_BROKER)),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        ("topics", CompactArray(*_TOPIC)),
        ("authorized_operations", Int32),
        _TAGS,
    )


class _Question(RequestStruct):  # type: ignore[misc] # aiokafka ships no types
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", CompactString()), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _MetadataWithIds(Request[_Question]):  # type: ignore[misc] # aiokafka ships no types
    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class([(NO_ID, name, {}) for name in self._topics], False, False, False, {})


async def ask_topic_ids(client: Any, topics: Iterable[str]) -> dict[str, str]:
    """Topic -> its id as Kafka's own tools write it, "" where the broker knows no ids. Topics that do not exist are left out.

    client   an AIOKafkaClient
    Raises KafkaError when the broker does not answer, or is not sure; asking again may help.
    """
    wanted = sorted(set(topics))
    node = client.get_random_node()
    if node is None:
        raise NodeNotReadyError("no broker is known")
    try:
        answer = await client.send(node, _MetadataWithIds(wanted))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return dict.fromkeys(wanted, "")
    found: dict[str, str] = {}
    for error_code, name, topic_id, *_ in answer.topics:
        error = for_code(error_code)
        if error_code == 0:
            found[name] = "" if topic_id == NO_ID else base64.urlsafe_b64encode(topic_id).rstrip(b"=").decode()
        elif error is not UnknownTopicOrPartitionError:
            raise error(name) if issubclass(error, KafkaError) else KafkaError(name)
    return found
