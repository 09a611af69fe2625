"""`churn.labels`: what customers then did, on its way to the learner.

A commit sends a message where it has something to tell: outcomes, scores, while history is loaded a tick that was passed, or,
once, that history has ended; several where it has much. A label carries no customer id; it is recognised by its own, so it counts
once however often it comes.

One row that cannot be would spoil what is learnt for good, so a message is read as a whole or not at all.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.labels import Labels
from detectors.learner_rules import LATEST_DAYS, Staying, Told, staying_of
from detectors.model_inputs import INPUTS_HASH, check_inputs
from streams.columns import DAY_MS
from streams.contract import END_TIME_MS
from streams.pending import pack_inputs, unpack_inputs
from streams.scores import SCORE, Scores, at_ms, check_scores

SCHEMA: Literal["churnwatch.labels/1"] = "churnwatch.labels/1"

TimeMs = Annotated[int, msgspec.Meta(ge=0, lt=END_TIME_MS)]
"""No later than an event may be: a time to come would make all that is told after it look old. An early one does no harm."""
Partition = Annotated[int, msgspec.Meta(ge=0)]


class LabelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome.

    label_id      16 hex digits: of the customer and the day of the snapshot
    at_ms         event time of the snapshot, ms since 1970; to 2099
    known_ms      event time at which the outcome was known, ms: not before `at_ms`, and horizon and lateness after it at most
    left          whether the customer did not stay
    inputs        what was known of the customer at `at_ms`: float32, little-endian, zeros at the end left out; base64
    """

    label_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    at_ms: TimeMs
    known_ms: TimeMs
    left: bool
    inputs: str


class ScoredRows(msgspec.Struct, frozen=True, kw_only=True):
    """What customers were scored who were taken down.

    model   version of the linear model that was tried on them; "": none
    rows    one a customer, see streams/scores.py; base64
    """

    model: str
    rows: bytes


class LabelMessage(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a commit of a partition tells the learner; keyed by the partition.

    number        of the message in the partition's outbox
    history       whether history is being loaded: then labels are learnt tick by tick
    reached_ms    history: the last tick that was passed, 0 = none yet; all that was known up to it stands here or before. Live:
                  the watermark. ms since 1970; to 2099
    inputs_hash   of the inputs' names: what does not match the learner's is not learnt from
    horizon_days  of the outcomes; absent: not told, by an earlier build; what cannot be of the learner's is not learnt from
    staying       what the outcomes are about; absent: purchases
    labels        outcomes, ordered by the time at which they were known, then by id
    scored        what customers were scored who were taken down; null = none were
    """

    schema: Literal["churnwatch.labels/1"] = SCHEMA
    partition: Partition
    number: int
    history: bool
    reached_ms: TimeMs
    inputs_hash: str = INPUTS_HASH
    horizon_days: int | msgspec.UnsetType = msgspec.UNSET
    staying: Told = msgspec.UNSET
    labels: list[LabelEntry] = []
    scored: ScoredRows | None = None

    @cached_property
    def rows(self) -> tuple[Labels, Scores]:
        """`labels` and `scored`, read once; no labels where they are of other inputs. Raises as `labels_of` and `scores_of`."""
        return labels_of(self) if self.inputs_hash == INPUTS_HASH else Labels.none(), scores_of(self)

    def check(self, horizon_days: int, staying: Staying) -> None:
        """Raise ValueError where worker and learner do not mean the same by leaving: nothing is learnt from it then."""
        if self.horizon_days not in (msgspec.UNSET, horizon_days):
            raise ValueError(
                f"outcomes of {self.horizon_days} days, risk.horizon_days is {horizon_days}: give learner and workers the same"
            )
        if (told_by := staying_of(self.staying)) != staying:
            raise ValueError(f"who stays is told by {told_by}, risk.staying is {staying}: give learner and workers the same")

    def check_rows(self, horizon_days: int) -> None:
        """Raise ValueError, naming field and value, where there are rows that no worker with this horizon can have told.

        Live, nothing is known long before the watermark has come there, and what the clock held back is known when it is let go.
        While history is loaded, ticks may be any time apart, and nothing is held back. Raises OtherHorizon where the horizon is
        not told, and is not this one.
        """
        labels, scored = self.rows
        latest_ms = labels.at_ms + (horizon_days + LATEST_DAYS) * DAY_MS
        if self.horizon_days is msgspec.UNSET:
            _check_untold(labels, latest_ms, horizon_days)
        if not self.history:
            latest_ms = np.maximum(latest_ms, self.reached_ms)
        _not_above("known_ms", labels.known_ms, latest_ms, f"with a horizon of {horizon_days} days it is known at %d")
        if not self.history:
            newest_ms = self.reached_ms + LATEST_DAYS * DAY_MS
            for name, times in (("known_ms", labels.known_ms), ("the time of a score", at_ms(scored))):
                _not_above(name, times, np.full(len(times), newest_ms), "the worker's time and lateness are at %d")

    def without_rows(self) -> LabelMessage:
        """How far its worker has come, and nothing else."""
        return msgspec.structs.replace(self, labels=[], scored=None)


class OtherHorizon(ValueError):
    """Outcomes of another horizon, by what they say."""


def _check_untold(labels: Labels, latest_ms: NDArray[np.int64], horizon_days: int) -> None:
    """Builds that did not tell the horizon dated all by its end, but who left by a cancellation. Who stayed did so to the end."""
    too_soon = (labels.left == 0) & (labels.known_ms < labels.at_ms + horizon_days * DAY_MS)
    if (too_soon | (labels.known_ms > latest_ms)).any():
        raise OtherHorizon(f"outcomes of a horizon that is not told, and is not of {horizon_days} days, as risk.horizon_days is")


def entries(labels: Labels) -> list[LabelEntry]:
    """The labels as they stand in a message."""
    packed = [base64.b64encode(row).decode() for row in pack_inputs(labels.inputs)]
    columns = zip(labels.id.tolist(), labels.at_ms.tolist(), labels.known_ms.tolist(), labels.left.tolist(), packed, strict=True)
    return [
        LabelEntry(label_id=f"{label:016x}", at_ms=at_ms, known_ms=known_ms, left=bool(left), inputs=inputs)
        for label, at_ms, known_ms, left, inputs in columns
    ]


def labels_of(message: LabelMessage) -> Labels:
    """The labels of a message. Raises ValueError, naming field and value, for inputs or times that no label has."""
    if message.inputs_hash != INPUTS_HASH:
        raise ValueError(f"inputs_hash {message.inputs_hash}: this release has {INPUTS_HASH}; it learns from its own inputs only")
    rows = message.labels
    if not rows:
        return Labels.none()
    labels = Labels(
        np.array([int(row.label_id, 16) for row in rows], np.uint64),
        _times("at_ms", [row.at_ms for row in rows]),
        _times("known_ms", [row.known_ms for row in rows]),
        np.array([row.left for row in rows], np.uint8),
        unpack_inputs([base64.b64decode(row.inputs, validate=True) for row in rows]),
    )
    _not_above("at_ms", labels.at_ms, labels.known_ms, "its outcome was known at %d")
    check_inputs(labels.inputs)
    return labels


def scores_of(message: LabelMessage) -> Scores:
    """The scores of a message. Raises ValueError for rows that are not whole, or that no customer has."""
    rows: Scores = np.frombuffer(b"" if message.scored is None else message.scored.rows, SCORE)
    check_scores(rows)
    return rows


def encode_labels(message: LabelMessage) -> bytes:
    """As it stands on the topic."""
    return msgspec.json.encode(message)


decode_labels = msgspec.json.Decoder(LabelMessage).decode
"""Inverse of `encode_labels`. Raises msgspec.DecodeError, ValueError or RecursionError for anything else."""


class _Progress(msgspec.Struct):
    """The part of a message that tells how far its worker has come."""

    schema: Literal["churnwatch.labels/1"]
    partition: Partition
    number: int
    history: bool
    reached_ms: TimeMs


_decode_progress = msgspec.json.Decoder(_Progress).decode


def decode_progress(data: bytes) -> LabelMessage:
    """How far the worker has come by a message whose rows may be anything. Raises as `decode_labels`."""
    told = _decode_progress(data)
    return LabelMessage(partition=told.partition, number=told.number, history=told.history, reached_ms=told.reached_ms)


def _times(name: str, values: Sequence[int]) -> NDArray[np.int64]:
    for value in (min(values), max(values)):
        if not 0 <= value < END_TIME_MS:
            raise ValueError(f"{name} = {value}: must lie within 1970 to 2099, ms since 1970")
    return np.array(values, np.int64)


def _not_above(name: str, times: NDArray[np.int64], latest: NDArray[np.int64], why: str) -> None:
    """why   with %d for the latest time of the row"""
    late = times > latest
    if late.any():
        row = int(np.argmax(late))
        raise ValueError(f"{name} = {times[row]} in row {row}: {why % latest[row]}")
