"""Every metric of the challengers' process, declared here and nowhere else. Names begin with `churnwatch_challengers_`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from detectors.challengers import CHALLENGERS, Challengers

MEASURES: Final = {
    "log_loss": "nats",
    "auc": "0 to 1",
    "pr_auc": "0 to 1",
    "brier": "0 to 1",
    "ece": "0 to 1",
    "lift_at_10": "times the base rate",
    "lift_cap": "the best lift that can be had",
}


class ChallengersMetrics:
    """registry   what /metrics shows"""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"churnwatch_challengers_{name}_total", text, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"churnwatch_challengers_{name}", text, labels, registry=registry)

        self.messages = counter("messages", "Messages of churn.labels taken")
        self.refused = counter("messages_refused", "Messages of churn.labels that are none, or of other inputs or settings")
        self.lag = gauge("lag_messages", "Messages between the last one taken and the topic's end")
        self._known = gauge("labels_known", "Outcomes learnt since the topic's beginning")
        self._judged = gauge("labels_judged", "Outcomes that measured, since the topic's beginning", "among")
        self._waiting = gauge("scores_waiting", "Snapshots of which it is kept what the champion said")
        self._newest = gauge("newest_timestamp_seconds", "Event time at which the newest outcome was known")
        self._measures = {
            name: gauge(name, f"By the newest outcomes among those, {unit}", "among", "model") for name, unit in MEASURES.items()
        }

    def show(self, challengers: Challengers, waiting: int) -> None:
        """What was learnt and measured; what is not defined is left out. waiting: snapshots that wait for their label."""
        self._known.set(challengers.labels)
        self._waiting.set(waiting)
        self._newest.set(challengers.newest_ms / 1000)
        total = challengers.measured("total")
        for among, by_model in challengers.measured("rolling").items():
            self._judged.labels(among).set(total[among][CHALLENGERS[0]].n)
            for model, measured in by_model.items():
                found = asdict(measured)
                for name, gauge in self._measures.items():
                    if math.isnan(found[name]):
                        gauge.remove_by_labels({"among": among, "model": model})
                    else:
                        gauge.labels(among, model).set(found[name])
