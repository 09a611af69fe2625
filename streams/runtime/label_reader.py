"""A record of churn.labels as a message, by whomever it was written."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog
from prometheus_client import Counter

from detectors.learner_rules import LearnerRules
from detectors.model_inputs import INPUTS_HASH
from streams.labels import LabelMessage, OtherHorizon, decode_labels, decode_progress

log = structlog.get_logger()

UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)


class Refused:
    """What is passed over on the topic, told and counted.

    Of the past it is told once how much of it is of other settings, or of another release: after they were changed that is as it
    should be, and no alarm. The past is what stood there before all was read for the first time.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter, self._past = counter, True
        self._messages = self._labels = 0
        self._why = ""

    def damaged(self, record: Any, why: Exception) -> None:
        """A record that is no message, or one that no worker can have told."""
        self._counter.inc()
        log.error("passed over on churn.labels", offset=record.offset, error=str(why))

    def other(self, record: Any, message: LabelMessage, why: str) -> None:
        """A message whose labels mean something else."""
        if self._past:
            self._messages, self._labels, self._why = self._messages + 1, self._labels + len(message.labels), why
            return
        self._counter.inc()
        log.error("labels passed over", offset=record.offset, labels=len(message.labels), why=why)

    def caught_up(self) -> None:
        """All is read: from now on it is news."""
        if self._past and self._messages:
            log.warning(
                "labels of before passed over: they are of other settings or another release",
                messages=self._messages, labels=self._labels, why=self._why,
            )  # fmt: skip
        self._past = False


def read_labels(record: Any, refused: Refused, rules: LearnerRules) -> LabelMessage | None:
    """The message; None for what is none. What cannot be learnt from by these rules is told, counted and left out, all of it.

    How far its worker has come counts all the same, where that can be read.
    """
    value = record.value or b""
    try:
        message = decode_labels(value)
    except UNREADABLE as problem:
        refused.damaged(record, problem)
        return _progress(value)
    if message.labels and message.inputs_hash != INPUTS_HASH:
        refused.other(record, message, f"inputs_hash {message.inputs_hash}: this release has {INPUTS_HASH}")
        return message.without_rows()
    try:
        message.check(rules.horizon_days, rules.staying)
    except ValueError as problem:
        if message.labels:
            refused.other(record, message, str(problem))
        return message.without_rows()
    try:
        message.check_rows(rules.horizon_days)
    except OtherHorizon as problem:
        refused.other(record, message, str(problem))
        return message.without_rows()
    except ValueError as problem:
        refused.damaged(record, problem)
        return message.without_rows()
    return message


def _progress(value: bytes) -> LabelMessage | None:
    try:
        return decode_progress(value)
    except UNREADABLE:
        return None
