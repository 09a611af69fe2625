"""A record of churn.labels as a message, by whomever it was written."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from prometheus_client import Counter

from detectors.learner_rules import LearnerRules
from detectors.model_inputs import INPUTS_HASH
from streams.labels import LabelMessage, decode_labels

log = structlog.get_logger()


def read_labels(record: Any, refused: Counter, rules: LearnerRules) -> LabelMessage | None:
    """The message; None for what is none. What cannot be learnt from by these rules is told, counted and left out.

    How far its worker has come counts all the same.
    """
    try:
        message = decode_labels(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        refused.inc()
        log.error("passed over on churn.labels", offset=record.offset, error=str(problem))
        return None
    if message.labels and message.inputs_hash != INPUTS_HASH:
        refused.inc()
        log.warning("labels of another release's inputs are passed over", offset=record.offset, labels=len(message.labels))
    try:
        message.check(rules.horizon_days, rules.staying)
    except ValueError as problem:
        if message.labels:
            refused.inc()
            log.error("labels passed over", offset=record.offset, labels=len(message.labels), why=str(problem))
        return msgspec.structs.replace(message, labels=[], scored=None)
    return message
