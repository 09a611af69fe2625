"""A record of churn.labels as a message, by whomever it was written."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog
from prometheus_client import Counter

from detectors.learner_rules import LearnerRules
from detectors.model_inputs import INPUTS_HASH
from streams.labels import LabelMessage, decode_labels, decode_progress

log = structlog.get_logger()

UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)


def read_labels(record: Any, refused: Counter, rules: LearnerRules) -> LabelMessage | None:
    """The message; None for what is none. What cannot be learnt from by these rules is told, counted and left out, all of it.

    How far its worker has come counts all the same, where that can be read.
    """
    value = record.value or b""
    try:
        message = decode_labels(value)
    except UNREADABLE as problem:
        _passed_over(record, refused, problem)
        return _progress(value)
    if message.labels and message.inputs_hash != INPUTS_HASH:
        refused.inc()
        log.warning("labels of another release's inputs are passed over", offset=record.offset, labels=len(message.labels))
    try:
        message.check(rules.horizon_days, rules.staying)
    except ValueError as problem:
        if message.labels:
            refused.inc()
            log.error("labels passed over", offset=record.offset, labels=len(message.labels), why=str(problem))
        return message.without_rows()
    try:
        message.check_rows(rules.horizon_days)
    except ValueError as problem:
        _passed_over(record, refused, problem)
        return message.without_rows()
    return message


def _progress(value: bytes) -> LabelMessage | None:
    try:
        return decode_progress(value)
    except UNREADABLE:
        return None


def _passed_over(record: Any, refused: Counter, problem: Exception) -> None:
    refused.inc()
    log.error("passed over on churn.labels", offset=record.offset, error=str(problem))
