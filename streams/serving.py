"""What serves, on `churn.models`: everything a worker needs to score, and why it is that.

Keys of the topic, which is compacted:

    closed-form             parameters that a person fitted (`churnwatch fit --publish`); what serves until something is learnt
    closed-form:<version>   parameters that the learner fitted
    serving                 the newest message of this kind
    champion:<version>      such a message of one day, kept to compare with and to go back to
    control                 the newest command to the learner

Numbers are JSON's, shortest form: a model that was read back is the same to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from detectors.champion import verdict
from detectors.design import COLUMNS
from detectors.design_hash import DESIGN_HASH
from detectors.learner_report import plain
from detectors.learner_rules import Staying, Told, as_told, staying_of
from detectors.linear_model import LinearModel
from detectors.model_inputs import INPUTS_HASH
from detectors.parameters import BtydParameters
from detectors.served import ServedModel
from streams.columns import DAY_MS

if TYPE_CHECKING:  # a worker reads what serves and never learns: River's drift package alone is a third of its start
    from detectors.learner import Learner

SCHEMA: Literal["churnwatch.serving/1"] = "churnwatch.serving/1"

CLOSED_FORM_KEY: Final = b"closed-form"
SERVING_KEY: Final = b"serving"
CONTROL_KEY: Final = b"control"
FITTED_PREFIX: Final = b"closed-form:"
CHAMPION_PREFIX: Final = b"champion:"

Measures = dict[str, dict[str, float | int | None]]


class LinearSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A linear model as numbers.

    version       what alerts and journal name
    inputs_hash   of the inputs' names on which it runs
    design_hash   of what the columns are made of them: see detectors/design_hash.py
    labels        how many it has learnt from
    first_at_ms, last_at_ms   event times of the first and the last snapshot among these, ms since 1970; 0 without labels
    shift         added to the log odds
    weights       by column of the design
    """

    version: str
    inputs_hash: str
    design_hash: str
    labels: int
    first_at_ms: int
    last_at_ms: int
    shift: float
    weights: dict[str, float]


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What scores, from a time on.

    tick_ms        the tick of history up to which all is learnt that was known, ms since 1970; null: live
    at_ms          when it was made, ms since 1970; the tick while history is loaded
    horizon_days   H of the risk that it gives
    closed_form    parameters of the closed form
    linear         what was learnt; null: nothing yet
    serves         whether the linear model scores; else the closed form does, and the linear one is tried on snapshots
    standing       of the champion by what it showed: waiting, serving, demoted
    hold           by whose word it is otherwise: frozen, rolled_back; null: by nobody's
    why            what the evidence says of the champion, in words
    measured       measures of champion, closed_form, idle and served by the newest labels, see detectors/measures.py
    staying        by what it was learnt who stays; absent: by purchases
    """

    schema: Literal["churnwatch.serving/1"] = SCHEMA
    tick_ms: int | None
    at_ms: int
    horizon_days: int
    closed_form: BtydParameters
    linear: LinearSnapshot | None
    serves: bool
    standing: str
    hold: str | None
    why: str
    measured: Measures
    staying: Told = msgspec.UNSET

    @property
    def version(self) -> str:
        """Of what scores."""
        return self.linear.version if self.linear is not None and self.serves else self.closed_form.version

    def served_model(self, horizon_days: int, staying: Staying = "purchases") -> ServedModel:
        """The model, for workers with these settings. Raises ValueError where it has others, other inputs or other columns."""
        if self.horizon_days != horizon_days:
            raise ValueError(
                f"horizon of {self.horizon_days} days, risk.horizon_days is {horizon_days}: give learner and workers the same"
            )
        if (learnt_by := staying_of(self.staying)) != staying:
            raise ValueError(f"learnt who stays by {learnt_by}, risk.staying is {staying}: give learner and workers the same")
        linear = None if self.linear is None else linear_model(self.linear)
        return ServedModel(self.closed_form, float(horizon_days), linear, self.serves)


def serving_of(learner: Learner, tick_ms: int | None, at_ms: int, served: ServedModel | None = None) -> Serving:
    """What the learner would have serve now; or `served` in its place, with what is known about the champion."""
    served = served or learner.served()
    return Serving(
        tick_ms=tick_ms,
        at_ms=at_ms,
        horizon_days=learner.rules.horizon_days,
        closed_form=served.closed_form,
        linear=None if served.linear is None else linear_snapshot(served.linear),
        serves=served.serves,
        standing=learner.gate.standing.value,
        hold=None if learner.gate.hold is None else learner.gate.hold.value,
        why=verdict(learner.accounts, learner.tick_ms // DAY_MS, learner.rules.gate).text,
        measured={name: plain(learner.prequential.measured(name)) for name in learner.prequential.names},
        staying=as_told(learner.rules.staying),
    )


def linear_snapshot(model: LinearModel) -> LinearSnapshot:
    """The model as it stands in a message."""
    return LinearSnapshot(
        version=model.version,
        inputs_hash=INPUTS_HASH,
        design_hash=DESIGN_HASH,
        labels=model.labels,
        first_at_ms=model.first_at_ms,
        last_at_ms=model.last_at_ms,
        shift=model.shift,
        weights=dict(zip(COLUMNS, model.weights.tolist(), strict=True)),
    )


def linear_model(snapshot: LinearSnapshot) -> LinearModel:
    """Inverse of `linear_snapshot`. Raises ValueError for what is of another release."""
    if snapshot.inputs_hash != INPUTS_HASH:
        raise ValueError(
            f"inputs_hash {snapshot.inputs_hash}: this release has {INPUTS_HASH}; run learner and workers of one release"
        )
    if snapshot.design_hash != DESIGN_HASH:
        raise ValueError(
            f"design_hash {snapshot.design_hash}: this release has {DESIGN_HASH}; run learner and workers of one release"
        )
    if snapshot.weights.keys() != set(COLUMNS):
        other = sorted(snapshot.weights.keys() ^ set(COLUMNS))
        raise ValueError(f"weights: of other columns ({', '.join(other[:3])}, …); run learner and workers of one release")
    weights = np.array([snapshot.weights[name] for name in COLUMNS], np.float64)
    return LinearModel(weights, snapshot.version, snapshot.labels, snapshot.first_at_ms, snapshot.last_at_ms, snapshot.shift)


def encode_serving(serving: Serving) -> bytes:
    """As it stands on the topic: equal content is equal bytes."""
    return msgspec.json.encode(serving)


def decode_serving(data: bytes) -> Serving:
    """Inverse of `encode_serving`. Raises ValueError for anything else."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        raise ValueError(f"not a message of {SCHEMA}: {problem}") from None


_decode = msgspec.json.Decoder(Serving).decode
