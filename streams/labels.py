"""`churn.labels`: what customers then did, on its way to the learner.

A commit sends a message where it has something to tell: outcomes, scores, while history is loaded a tick that was passed, or,
once, that history has ended; several where it has much. A label carries no customer id; it is recognised by its own, so it counts
once however often it comes.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import msgspec
import numpy as np

from detectors.labels import Labels
from detectors.learner_rules import Staying
from detectors.model_inputs import INPUTS_HASH
from streams.pending import pack_inputs, unpack_inputs
from streams.scores import SCORE, Scores

SCHEMA: Literal["churnwatch.labels/1"] = "churnwatch.labels/1"


class LabelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome.

    label_id      16 hex digits: of the customer and the day of the snapshot
    at_ms         event time of the snapshot, ms since 1970
    known_ms      event time at which the outcome was known, ms
    left          whether the customer did not stay
    inputs        what was known of the customer at `at_ms`: float32, little-endian, zeros at the end left out; base64
    """

    label_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    at_ms: int
    known_ms: int
    left: bool
    inputs: str


class ScoredRows(msgspec.Struct, frozen=True, kw_only=True):
    """What customers were scored who were taken down.

    model   version of the linear model that was tried on them; "": none
    rows    one a customer, see streams/scores.py; base64
    """

    model: str
    rows: bytes


class LabelMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit of a partition tells the learner; keyed by the partition.

    number        of the message in the partition's outbox
    history       whether history is being loaded: then labels are learnt tick by tick
    reached_ms    history: the last tick that was passed, 0 = none yet; all that was known up to it stands here or before. Live:
                  the watermark. ms since 1970
    inputs_hash   of the inputs' names: what does not match the learner's is not learnt from
    horizon_days  of the outcomes; absent: not told, by an earlier build
    staying       what the outcomes are about; absent: purchases
    labels        outcomes, ordered by the time at which they were known, then by id
    scored        what customers were scored who were taken down; null = none were
    """

    schema: Literal["churnwatch.labels/1"] = SCHEMA
    partition: int
    number: int
    history: bool
    reached_ms: int
    inputs_hash: str = INPUTS_HASH
    horizon_days: int | msgspec.UnsetType = msgspec.UNSET
    staying: Literal["logins"] | msgspec.UnsetType = msgspec.UNSET
    labels: list[LabelEntry] = []
    scored: ScoredRows | None = None

    def check(self, horizon_days: int, staying: Staying) -> None:
        """Raise ValueError where worker and learner do not mean the same by leaving: nothing is learnt from it then."""
        if self.horizon_days not in (msgspec.UNSET, horizon_days):
            raise ValueError(
                f"outcomes of {self.horizon_days} days, risk.horizon_days is {horizon_days}: give learner and workers the same"
            )
        if (told_by := "logins" if self.staying == "logins" else "purchases") != staying:
            raise ValueError(f"who stays is told by {told_by}, risk.staying is {staying}: give learner and workers the same")


def entries(labels: Labels) -> list[LabelEntry]:
    """The labels as they stand in a message."""
    packed = [base64.b64encode(row).decode() for row in pack_inputs(labels.inputs)]
    columns = zip(labels.id.tolist(), labels.at_ms.tolist(), labels.known_ms.tolist(), labels.left.tolist(), packed, strict=True)
    return [
        LabelEntry(label_id=f"{label:016x}", at_ms=at_ms, known_ms=known_ms, left=bool(left), inputs=inputs)
        for label, at_ms, known_ms, left, inputs in columns
    ]


def labels_of(message: LabelMessage) -> Labels:
    """The labels of a message. Raises ValueError for inputs that are not ours; see `inputs_hash`."""
    if message.inputs_hash != INPUTS_HASH:
        raise ValueError(f"inputs_hash {message.inputs_hash}: this release has {INPUTS_HASH}; it learns from its own inputs only")
    rows = message.labels
    if not rows:
        return Labels.none()
    return Labels(
        np.array([int(row.label_id, 16) for row in rows], np.uint64),
        np.array([row.at_ms for row in rows], np.int64),
        np.array([row.known_ms for row in rows], np.int64),
        np.array([row.left for row in rows], np.uint8),
        unpack_inputs([base64.b64decode(row.inputs, validate=True) for row in rows]),
    )


def scores_of(message: LabelMessage) -> Scores:
    """The scores of a message. Raises ValueError for rows that are not whole."""
    return np.frombuffer(b"" if message.scored is None else message.scored.rows, SCORE)


def encode_labels(message: LabelMessage) -> bytes:
    """As it stands on the topic."""
    return msgspec.json.encode(message)


decode_labels = msgspec.json.Decoder(LabelMessage).decode
"""Inverse of `encode_labels`. Raises msgspec.ValidationError or msgspec.DecodeError for anything else."""
