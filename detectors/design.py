"""The columns that the linear model weighs: a customer's features, scaled and clipped, with hinges and products of them.

    features    (formula - centre) / scale, clipped at +-4; but the closed form's logit, as its parameters now are, stands
                as it is: with the weight 1 there and 0 elsewhere the model is the closed form, to the bit
    hinges      max(feature - knot, 0) at the knots -1, 0, 1, of those that not everybody has at 0 alone: the effect may bend
    products    of the main features, squares among them
    bias        1

Nothing is summed over customers, so a row's columns do not depend on who else is in the batch.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.customer_features import FEATURES, VARIANCE, Raw
from detectors.parameters import BtydParameters

CLIP: Final = 4.0
KNOTS: Final = (-1.0, 0.0, 1.0)
HINGED: Final = ("idle", "ratio", "closed_form", "log_z", "z", "decayed_45", "gaps", "over_longest")
HINGED_AT_0: Final = ("login_silence", "logins_7d", "logins_30d", "logins_90d")
MULTIPLIED: Final = ("idle", "closed_form", "gaps", "ratio", "decayed_45", "gap_cv")
BENT_SHARE: Final = 0.1
"""Variance of the weight of a hinge or product before any label, as a share of the feature's own."""

_NAMES = [feature.name for feature in FEATURES]
_PAIRS = [(MULTIPLIED[i], MULTIPLIED[j]) for i in range(len(MULTIPLIED)) for j in range(i, len(MULTIPLIED))]
_HINGES = [(name, knot) for name in HINGED for knot in KNOTS] + [(name, 0.0) for name in HINGED_AT_0]

COLUMNS: Final = (
    *_NAMES,
    *(f"{name}>{knot:g}" for name, knot in _HINGES),
    *(f"{one}*{other}" for one, other in _PAIRS),
    "bias",
)

CLOSED_FORM: Final = _NAMES.index("closed_form")
"""The column of the closed form's logit, unclipped."""

_GROUP = {feature.name: feature.group for feature in FEATURES}
_TOLD_FIRST = ("silence", "rhythm", "frequency", "tenure")

GROUPS: Final = (
    *(feature.group for feature in FEATURES),
    *(_GROUP[name] for name, _ in _HINGES),
    *(min(_GROUP[one], _GROUP[other], key=_TOLD_FIRST.index) for one, other in _PAIRS),
    "base",
)
"""What a person is told that each column is about. Of a product's two it is the one that comes first in `_TOLD_FIRST`."""

_SIGNALS = [feature.signal for feature in FEATURES]
_OF_ALL = _SIGNALS.count(None)
_OF_SOME = {
    signal: slice(_SIGNALS.index(signal), _SIGNALS.index(signal) + _SIGNALS.count(signal))
    for signal in dict.fromkeys(_SIGNALS[_OF_ALL:])
    if signal is not None
}
if sorted(_SIGNALS, key=[None, *_OF_SOME].index) != _SIGNALS:
    raise AssertionError("features of everybody come first, then those of each signal together: they are filled in slices")
_CENTRE = np.array([[feature.centre] for feature in FEATURES])
_SCALE = np.array([[feature.scale] for feature in FEATURES])
_HINGED_AT = np.array([_NAMES.index(name) for name, _ in _HINGES])
_KNOT = np.array([[knot] for _, knot in _HINGES])
_ONE = np.array([_NAMES.index(one) for one, _ in _PAIRS])
_OTHER = np.array([_NAMES.index(other) for _, other in _PAIRS])
_F, _H, _D = len(_NAMES), len(_NAMES) + len(_HINGES), len(COLUMNS)


def prior_mean() -> NDArray[np.float64]:
    """Weights with which the logit is the closed form's."""
    mean = np.zeros(_D)
    mean[CLOSED_FORM] = 1.0
    return mean


def prior_variance() -> NDArray[np.float64]:
    """Variance of each weight before any label."""
    own = {feature.name: feature.variance for feature in FEATURES}
    hinges = [own[name] * BENT_SHARE for name, _ in _HINGES]
    products = [min(own[one], own[other]) * BENT_SHARE for one, other in _PAIRS]
    variance = np.array([*own.values(), *hinges, *products, VARIANCE])
    variance[CLOSED_FORM] /= _SCALE[CLOSED_FORM, 0] ** 2  # as if it were scaled
    return variance


def design(inputs: NDArray[np.float32], closed_form: BtydParameters, horizon_days: float) -> NDArray[np.float64]:
    """The columns, one row a customer: float64 (n, len(COLUMNS)), C-contiguous. Arguments as of `columns`."""
    return np.ascontiguousarray(columns(inputs, closed_form, horizon_days).T)


def columns(inputs: NDArray[np.float32], closed_form: BtydParameters, horizon_days: float) -> NDArray[np.float64]:
    """The columns, one after another: float64 (len(COLUMNS), n), C-contiguous.

    inputs         float32 (n, len(INPUTS)), see `model_inputs`; quickest where each column is contiguous
    closed_form    parameters as they now are
    horizon_days   H, > 0
    """
    raw = Raw(inputs, closed_form, horizon_days)
    found = np.empty((_D, len(inputs)))
    scaled = found[:_F]
    of_all = scaled[:_OF_ALL]
    for place in range(_OF_ALL):
        of_all[place] = FEATURES[place].formula(raw)
    of_all -= _CENTRE[:_OF_ALL]
    of_all /= _SCALE[:_OF_ALL]
    np.clip(of_all, -CLIP, CLIP, out=of_all)
    for signal, places in _OF_SOME.items():
        _of_some(scaled[places], raw, signal, places)
    np.maximum(scaled[_HINGED_AT] - _KNOT, 0.0, out=found[_F:_H])
    np.multiply(scaled[_ONE], scaled[_OTHER], out=found[_H:-1])
    scaled[CLOSED_FORM] = raw.closed_form_logit
    found[-1] = 1.0
    return found


def _of_some(scaled: NDArray[np.float64], raw: Raw, signal: str, places: slice) -> None:
    """The columns at these places, which are 0 for whoever has not sent the signal."""
    at = np.flatnonzero(raw[signal])
    everybody = len(at) == scaled.shape[1]
    if not everybody:
        scaled[:] = 0.0
    if not len(at):
        return
    some, found = (raw, scaled) if everybody else (raw.some(at), np.empty((len(scaled), len(at))))
    for place, feature in enumerate(FEATURES[places]):
        found[place] = feature.formula(some)
    found -= _CENTRE[places]
    found /= _SCALE[places]
    np.clip(found, -CLIP, CLIP, out=found)
    if not everybody:
        scaled[:, at] = found
