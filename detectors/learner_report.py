"""What a learner says of itself, as plain values fit for JSON: what is not defined is None."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from detectors.as_served import NAMES
from detectors.champion import verdict
from detectors.labels import DAY_MS
from detectors.measures import Measured
from detectors.prequential import WHO, View

if TYPE_CHECKING:
    from detectors.learner import Learner


def report(learner: Learner) -> dict[str, Any]:
    """labels, left_share        learnt, and the share who left
    from_ms, to_ms            event times of the first and the last snapshot among them, ms; None without labels
    judged                    labels at which the champion was judged
    standing, hold, why       of the gate, and what its evidence says now
    served_from_ms            when the champion first served; None: never yet
    serving, closed_form      versions of what scores, and of the closed form's parameters
    shift                     in force for the champion; None where there is none
    events                    the last 200: {at_ms, what, why}
    measured                  by model, of the labels judged: all, rolling (see `prequential`), and
    measured_total            since the beginning,
    measured_repeat_buyers    rolling, of customers who had bought on more than one day
    """
    labels, champion, served = learner.logit.labels, learner.past.latest.model.linear, learner.served()
    return {
        "labels": labels,
        "left_share": learner.left / labels if labels else None,
        "from_ms": learner.first_at_ms if labels else None,
        "to_ms": learner.last_at_ms if labels else None,
        "judged": learner.prequential.labels,
        "standing": learner.gate.standing.value,
        "hold": None if learner.gate.hold is None else learner.gate.hold.value,
        "why": verdict(learner.accounts, learner.tick_ms // DAY_MS, learner.rules.gate).text,
        "served_from_ms": learner.served_from_ms or None,
        "serving": served.version,
        "closed_form": learner.closed_form.version,
        "shift": None if champion is None else champion.shift,
        "events": [msgspec.to_builtins(event) for event in learner.events],
        "measured": _by_model(learner, "rolling", 0),
        "measured_total": _by_model(learner, "total", 0),
        "measured_repeat_buyers": _by_model(learner, "rolling", 1),
    }


def _by_model(learner: Learner, view: View, who: int) -> dict[str, dict[str, float | int | None]]:
    return {name: plain(learner.prequential.measured(name, view, WHO[who])) for name in NAMES}


def plain(measured: Measured) -> dict[str, float | int | None]:
    """Measures by name; None for what is not defined."""
    return {name: None if math.isnan(value) else value for name, value in asdict(measured).items()}
