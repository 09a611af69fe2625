"""LightGBM on what was frozen: fitted anew at every cut-off to every label known by then, in the peers' environment.

It gets what the champion has: the features of the design (its hinges and products a tree needs not) and the closed form's
logit, with the parameters of the cut-off; and, as another try, the raw inputs and that logit. Both are tried with few small
trees, with many large ones, and with what was found to suit them. Its best try is told: the one whose mean AUC is highest,
chosen with hindsight, in its favour; then with the constant that puts its mean risk where the closed form has it, or without,
by log loss.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.jobs import PEERS_PYTHON, REPO
from benchmarks.learning.frozen import Frozen, FrozenCutOff
from detectors.btyd import logit_no_purchase, p_no_purchase
from detectors.customer_features import FEATURES
from detectors.design import CLOSED_FORM, design
from detectors.parameters import BtydParameters

Floats = NDArray[np.float64]
Inputs = NDArray[np.float32]

BLOCK = 8192
STEPS, BOUND = 60, 10.0


@dataclass(frozen=True, slots=True)
class Try:
    """name      of it
    columns   "features" or "inputs"
    given     LightGBM's parameters; what is not among them is its default
    """

    name: str
    columns: str
    given: Mapping[str, float]


_GIVEN: Mapping[str, Mapping[str, float]] = {
    "100x7": {"num_iterations": 100, "num_leaves": 7},
    "200x31": {"num_iterations": 200, "num_leaves": 31},
    "careful": {
        "num_iterations": 150, "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 200, "feature_fraction": 0.5
    },
}  # fmt: skip
"""The last one came out best of a dozen on the two public sets."""

TRIES = tuple(Try(f"{columns} {name}", columns, given) for columns in ("features", "inputs") for name, given in _GIVEN.items())

Risks = dict[str, list[Floats]]
"""Name of a try -> risk of the customers of each cut-off."""


def lightgbm_risks(frozen: Frozen, progress: Callable[[int, int], None] = lambda _done, _of: None) -> Risks:
    """Probabilities of leaving by every try, unshifted and, under the name with " shifted", shifted.

    progress   is told (fits done, of all)
    Raises RuntimeError where the program fails.
    """
    with TemporaryDirectory(prefix="churnwatch-bench-") as folder:
        asked, told = Path(folder) / "frozen.npz", Path(folder) / "logits.npz"
        np.savez(asked, allow_pickle=False, **_arrays(frozen))
        _run(asked, told, progress)
        with np.load(told) as logits:
            plain = {one.name: [logits[f"{one.name}/{k}"] for k in range(len(frozen.cut_offs))] for one in TRIES}
    closed_form = [_closed_form(cut_off, frozen.horizon_days) for cut_off in frozen.cut_offs]
    found: Risks = {}
    for name, logit in plain.items():
        found[name] = [_sigmoid(one) for one in logit]
        found[f"{name} shifted"] = [
            _sigmoid(one + shift_to(one, float(risk.mean()))) for one, risk in zip(logit, closed_form, strict=True)
        ]
    return found


def shift_to(logit: Floats, wanted: float) -> float:
    """The constant with which the mean of 1 / (1 + exp(-(logit + it))) is `wanted`, within +-10.

    >>> round(shift_to(np.zeros(3), 0.75), 6) == round(float(np.log(3)), 6)
    True
    """
    low, high = -BOUND, BOUND
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(logit + middle).mean() < wanted else (low, middle)
    return (low + high) / 2


def _arrays(frozen: Frozen) -> dict[str, NDArray[np.generic]]:
    """What the program needs. The closed form's logit is the last column, and filled in by it: it changes with the parameters."""
    labels, horizon = frozen.labels, frozen.horizon_days
    found: dict[str, NDArray[np.generic]] = {
        "tries": np.array([(one.name, one.columns, json.dumps(dict(one.given))) for one in TRIES]),
        "left": labels.left,
        "known": np.array([frozen.known(cut_off.at_ms) for cut_off in frozen.cut_offs]),
    }
    any_parameters = frozen.cut_offs[-1].closed_form
    found |= _columns("labels", labels.inputs, any_parameters, horizon)
    for k, cut_off in enumerate(frozen.cut_offs):
        found |= _columns(f"{k}", cut_off.inputs, cut_off.closed_form, horizon)
        known = labels.inputs[: frozen.known(cut_off.at_ms)]
        found[f"{k}/known_logit"] = _logit(known, cut_off.closed_form, horizon)
        found[f"{k}/logit"] = _logit(cut_off.inputs, cut_off.closed_form, horizon)
    return found


def _columns(name: str, inputs: Inputs, closed_form: BtydParameters, horizon_days: int) -> dict[str, NDArray[np.generic]]:
    """Both kinds of columns, without the closed form's logit."""
    kept = np.arange(len(FEATURES)) != CLOSED_FORM
    parts = [
        design(inputs[start : start + BLOCK], closed_form, horizon_days)[:, : len(FEATURES)][:, kept].astype(np.float32)
        for start in range(0, max(len(inputs), 1), BLOCK)
    ]
    return {f"{name}/features": np.concatenate(parts), f"{name}/inputs": inputs}


def _logit(inputs: Inputs, closed_form: BtydParameters, horizon_days: int) -> Floats:
    x, t_x, T = np.ascontiguousarray(inputs[:, :3].T, dtype=np.float64)
    return logit_no_purchase(closed_form, x, t_x, T, horizon_days)


def _closed_form(cut_off: FrozenCutOff, horizon_days: int) -> Floats:
    x, t_x, T = np.ascontiguousarray(cut_off.inputs[:, :3].T, dtype=np.float64)
    return p_no_purchase(cut_off.closed_form, x, t_x, T, horizon_days)


def _sigmoid(logit: Floats) -> Floats:
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0.0, 1.0, small) / (1.0 + small)


def _run(asked: Path, told: Path, progress: Callable[[int, int], None]) -> None:
    """The peers' program, to its end; each line that it prints is [fits done, of all]."""
    command = [str(PEERS_PYTHON), "-m", "benchmarks.peers.lightgbm_refitted", str(asked), str(told)]
    with (told.with_suffix(".err")).open("w+") as errors:
        running = subprocess.Popen(command, cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert running.stdout is not None
        with running:
            for line in running.stdout:
                progress(*json.loads(line))
        if running.returncode:
            errors.seek(0)
            raise RuntimeError(f"lightgbm_refitted failed with exit code {running.returncode}\n{errors.read()[-3000:]}")
