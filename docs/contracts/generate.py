"""Writes the contracts from the code's own types: JSON Schema of every message, and one AsyncAPI document over all topics.

    python docs/contracts/generate.py

A test compares the files with these types, so a changed contract cannot leave without its schema.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run from a checkout, installed or not

from alerts.alert import Alert, Digest, IngestionAlert, ModelAlert  # noqa: E402 - needs the path above
from alerts.trigger_event import Trigger  # noqa: E402
from detectors.parameters import BtydParameters  # noqa: E402
from streams.commands import EraseCommand  # noqa: E402
from streams.contract import Cancellation, Complaint, Login, Purchase  # noqa: E402
from streams.dead_letters import DeadLetter  # noqa: E402
from streams.erasure import ErasureNotice  # noqa: E402
from streams.labels import LabelMessage  # noqa: E402
from streams.letter_marks import LetterMark, Reread  # noqa: E402
from streams.model_control import ControlMessage  # noqa: E402
from streams.runtime.commits import JournalEntry  # noqa: E402
from streams.serving import Serving  # noqa: E402
from streams.ticks import GoLiveMessage, HeartbeatMessage, TickMessage  # noqa: E402

MESSAGES: dict[str, type[msgspec.Struct]] = {
    "purchase": Purchase,
    "complaint": Complaint,
    "login": Login,
    "cancellation": Cancellation,
    "tick": TickMessage,
    "go-live": GoLiveMessage,
    "heartbeat": HeartbeatMessage,
    "erase-command": EraseCommand,
    "alert": Alert,
    "ingestion-alert": IngestionAlert,
    "model-alert": ModelAlert,
    "digest": Digest,
    "trigger": Trigger,
    "erasure-notice": ErasureNotice,
    "labels": LabelMessage,
    "dead-letter": DeadLetter,
    "letter-mark": LetterMark,
    "reread": Reread,
    "journal-entry": JournalEntry,
    "parameters": BtydParameters,
    "serving": Serving,
    "control": ControlMessage,
}

TOPICS: dict[str, tuple[str, str, tuple[str, ...]]] = {  # topic -> (who sends, key, messages)
    "purchases": ("receive", "customer_id", ("purchase",)),
    "complaints": ("receive", "customer_id", ("complaint",)),
    "logins": ("receive", "customer_id", ("login",)),
    "cancellations": ("receive", "customer_id", ("cancellation",)),
    "churn.clock": ("receive", "partition number", ("tick", "go-live", "heartbeat")),
    "churn.commands": ("receive", "customer_id", ("erase-command",)),
    "churn.models": ("send", "closed-form[:version], serving, champion:version or control", ("parameters", "serving", "control")),
    "churn.alerts": (
        "send",
        "customer_id, partition-<n>, model, or digest",
        ("alert", "ingestion-alert", "model-alert", "digest"),
    ),
    "churn.triggers": ("send", "customer_id", ("trigger",)),
    "churn.labels": ("send", "partition number", ("labels",)),
    "churn.erasures": ("send", "customer_id", ("erasure-notice",)),
    "churn.dead-letters": ("send", "key of the original", ("dead-letter",)),
    "churn.dead-letter-marks": ("send", "id of the letter, or reread", ("letter-mark", "reread")),
    "churn.journal": ("send", "partition number", ("journal-entry",)),
}
"""`receive`: churnwatch reads the topic; `send`: it writes it."""

ONLY_WHERE = {"cancellations": "kafka.cancellations"}
"""Topics that exist only where a setting says so."""

CONTENT_TYPES = {"trigger": "application/cloudevents+json"}
"""Of messages that are not plain JSON."""


def documents() -> dict[str, str]:
    """File name -> content, for every contract."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schemas = {f"{name}.schema.json": dialect | msgspec.json.schema(message) for name, message in MESSAGES.items()}
    return {name: _text(content) for name, content in (schemas | {"asyncapi.json": asyncapi()}).items()}


def asyncapi() -> dict[str, Any]:
    """The topics, what is on them and who writes them, as AsyncAPI 3.0."""
    channels = {
        topic: {
            "address": topic,
            "description": f"keyed by {key}; kafka.topic_prefix stands before the name{_only_where(topic)}",
            "messages": {name: _message(name) for name in messages},
        }
        for topic, (_, key, messages) in TOPICS.items()
    }
    operations = {
        f"{action}-{topic}": {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}
        for topic, (action, _, _) in TOPICS.items()
    }
    info = {
        "title": "churnwatch",
        "version": "1",
        "description": "Topics of the churn monitor. Keys are partitioned as Kafka's default partitioner does it (murmur2).",
    }
    return {
        "asyncapi": "3.0.0",
        "info": info,
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
    }


def _only_where(topic: str) -> str:
    return f"; only where {ONLY_WHERE[topic]} is true" if topic in ONLY_WHERE else ""


def _message(name: str) -> dict[str, Any]:
    content_type = {"contentType": CONTENT_TYPES[name]} if name in CONTENT_TYPES else {}
    return content_type | {"payload": {"$ref": f"./{name}.schema.json"}}


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, content in documents().items():
        (HERE / name).write_text(content, encoding="utf-8")
