"""What a learner is made of between two labels, as bytes: MessagePack of numbers and raw little-endian arrays, never pickle."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from detectors.as_served import OfferState, ServedState
from detectors.champion import Gate
from detectors.design_hash import DESIGN_HASH
from detectors.evidence import Evidence
from detectors.idle_time import IdleTime
from detectors.learner_rules import Event, Staying, Told, staying_of
from detectors.model_inputs import INPUTS_HASH
from detectors.parameters import BtydParameters
from detectors.prequential import PrequentialState
from detectors.scored import Scored

SCHEMA: Final = "churnwatch.learner/1"


class LearnerState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `Learner`. `counts`: tick, left, first and last snapshot's time, time of the first service."""

    schema: str = SCHEMA
    inputs_hash: str = INPUTS_HASH
    design_hash: str = DESIGN_HASH
    horizon_days: int
    closed_form: BtydParameters
    logit: bytes
    idle: IdleTime
    past: list[OfferState]
    prequential: PrequentialState
    accounts: tuple[Evidence, Evidence]
    gate: Gate
    drift: bytes
    scored: list[tuple[int, Scored]]
    events: list[Event]
    pinned: ServedState | None
    counts: tuple[int, int, int, int, int]
    staying: Told = msgspec.UNSET


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LearnerState).decode


def decode(data: bytes, horizon_days: int, staying: Staying) -> LearnerState:
    """The state in `data`. Raises ValueError, naming field, value and remedy, where it is of another release or other labels."""
    try:
        state = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"learner state: {error}; learn again from the labels") from None
    for name, found, expected in (
        ("schema", state.schema, SCHEMA),
        ("inputs_hash", state.inputs_hash, INPUTS_HASH),
        ("design_hash", state.design_hash, DESIGN_HASH),
        ("horizon_days", state.horizon_days, horizon_days),
        ("staying", staying_of(state.staying), staying),
    ):
        if found != expected:
            raise ValueError(f"learner state: {name} = {found!r}: this learner has {expected!r}; learn again from the labels")
    for name, numbers in (("idle", msgspec.structs.astuple(state.idle)), ("drift", np.frombuffer(state.drift, "<f8"))):
        if not np.isfinite(numbers).all():
            raise ValueError(f"learner state: {name} is not finite: it is spoilt; learn again from the labels")
    return state
