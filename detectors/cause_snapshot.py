"""A model of causes as versioned data: how often each feature was seen with each cause. JSON, to read, keep and roll back.

Counts are whole numbers, so the same examples give the same bytes everywhere.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from xxhash import xxh3_64_hexdigest

from detectors.cause_tally import Counts, Tally
from detectors.cause_text import BUCKETS, FEATURES
from detectors.causes import CAUSE_CLASSES, CauseClass

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Share = Annotated[float, Meta(ge=0, le=1)]


class CauseMeasured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How good answers were about complaints that had not been learnt from.

    complaints   how many were asked about
    accuracy     share right, "unknown" being an answer like the others
    named        share given a cause and not "unknown"
    right        share right of those
    """

    complaints: Count
    accuracy: Share
    named: Share
    right: Share


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How evidence becomes confidence, see `cause_model`.

    temperature   scale of the evidence, > 0
    silence       score of "unknown"
    threshold     a cause named with less confidence than this is "unknown"
    measured      when these were chosen
    """

    temperature: Annotated[float, Meta(gt=0, le=1000)]
    silence: Annotated[float, Meta(ge=-1000, le=1000)]
    threshold: Share
    measured: CauseMeasured


class CauseSnapshot(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="schema", tag="churnwatch.causes/1"
):
    """What a model of causes has learnt.

    version       made of the content by `versioned`, so that equal models have equal names
    source        where it was learnt, for people
    features      rules of the features, `cause_text.FEATURES`
    examples      how many of each cause were learnt
    seen          of each cause: gap to the next bucket (the first from 0), count, gap, count, …
    """

    version: str = ""
    source: str
    features: str = FEATURES
    calibration: Calibration
    examples: dict[CauseClass, Count]
    seen: dict[CauseClass, list[Count]]

    def __post_init__(self) -> None:
        if self.features != FEATURES:
            raise ValueError(f"learnt with features {self.features!r}, this release reads {FEATURES!r}: train it anew")
        for name in ("examples", "seen"):
            if tuple(getattr(self, name)) != CAUSE_CLASSES:
                raise ValueError(f"{name}: must have {', '.join(CAUSE_CLASSES)}, in this order")
        for cause, gaps in self.seen.items():
            if len(gaps) % 2 or sum(gaps[::2]) >= BUCKETS or 0 in gaps[2::2] or 0 in gaps[1::2]:
                raise ValueError(f"seen.{cause}: must be gaps and counts above 0, within {BUCKETS} buckets")

    def tally(self) -> Tally:
        """The counts, to learn on from."""
        counts = np.zeros((BUCKETS, len(CAUSE_CLASSES)), np.int32)
        for k, gaps in enumerate(self.seen.values()):
            counts[np.cumsum(gaps[::2], dtype=np.int64), k] = gaps[1::2]
        return Tally(counts, list(self.examples.values()))

    def versioned(self) -> CauseSnapshot:
        """The same under the name of its content."""
        nameless = msgspec.structs.replace(self, version="")
        return msgspec.structs.replace(self, version=f"causes-{xxh3_64_hexdigest(dumps(nameless))[:12]}")


def snapshot_of(tally: Tally, calibration: Calibration, source: str) -> CauseSnapshot:
    """What was counted, named after its content."""
    examples = dict(zip(CAUSE_CLASSES, tally.examples.tolist(), strict=True))
    return CauseSnapshot(source=source, calibration=calibration, examples=examples, seen=_as_gaps(tally.counts)).versioned()


def dumps(snapshot: CauseSnapshot) -> bytes:
    """JSON that `loads` reads; the same bytes for the same content."""
    return _ENCODER.encode(snapshot)


def loads(data: bytes) -> CauseSnapshot:
    """Inverse of `dumps`. Raises ValueError naming what is wrong."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise ValueError(f"not a model of causes: {problem}") from None


def _as_gaps(counts: Counts) -> dict[CauseClass, list[int]]:
    seen: dict[CauseClass, list[int]] = {}
    for k, cause in enumerate(CAUSE_CLASSES):
        at = np.flatnonzero(counts[:, k])
        seen[cause] = np.stack([np.diff(at, prepend=0), counts[at, k]], axis=1).ravel().tolist()
    return seen


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(CauseSnapshot)
