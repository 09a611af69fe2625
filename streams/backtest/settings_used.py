"""All that decides what a backtest says of a history, and the hash of it: equal hashes decide alike.

Nothing of the history is in it, no secret, and not where a file lies: files that decide are there by their content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from detectors import cause_snapshot, parameters
from detectors.cause_snapshot import CauseSnapshot
from detectors.parameters import BtydParameters
from streams.backtest.cut_offs import CutOffRules
from streams.runtime.settings import Settings

DIGITS = 12
"""Of a hash."""
LIVE_ALONE = ("publish_s", "keep_models")
"""Of learning: how what was learnt gets to the workers, and what is kept of it."""
PATHS = ("parameters_file", "cause_model_file")


def settings_of(
    settings: Settings,
    rules: CutOffRules,
    *,
    refit_days: int | None,
    run_on_days: int,
    closed_form: BtydParameters,
    causes: CauseSnapshot,
) -> dict[str, Any]:
    """The settings that decide, as JSON's types.

    refit_days    days from one fit of the closed form to the next; None: its parameters stay
    run_on_days   days of ticks beyond the last event
    closed_form   parameters to begin with
    causes        the model by which complaints are read
    """
    shown: dict[str, Any] = asdict(rules)
    shown |= settings.model_dump(mode="json", include={"risk", "policy", "looks", "learning", "money", "retention"})
    for path in PATHS:
        del shown["risk"][path]
    for name in LIVE_ALONE:
        del shown["learning"][name]
    return shown | {
        "lateness_s": settings.time.lateness_s,
        "refit_days": refit_days,
        "run_on_days": run_on_days,
        "closed_form": {"version": closed_form.version, "hash": _hash(parameters.dumps(closed_form))},
        "cause_model": {"version": causes.version, "hash": _hash(cause_snapshot.dumps(causes))},
        "config_hash": settings.config_hash,
    }


def settings_hash(settings: Mapping[str, Any]) -> str:
    """12 hex digits that equal settings share."""
    return _hash(json.dumps(settings, sort_keys=True).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
