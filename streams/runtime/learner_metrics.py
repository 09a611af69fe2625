"""Every metric of the learner, declared here and nowhere else. Names begin with `churnwatch_learner_`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from detectors.as_served import NAMES
from detectors.champion import Hold, Standing
from streams.runtime.waits import SERVERS, Server

MEASURES: Final = {"log_loss": "nats", "auc": "0 to 1", "brier": "0 to 1", "ece": "0 to 1"}
STATES: Final = (*(state.value for state in Standing), *(hold.value for hold in Hold))
EVENTS: Final = ("demoted", "recovered", "drift")


class LearnerMetrics:
    """registry   what /metrics shows
    now_s      wall clock, seconds since 1970, for ages at the time of the scrape
    """

    def __init__(self, registry: CollectorRegistry, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"churnwatch_learner_{name}_total", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"churnwatch_learner_{name}", text, labels, registry=registry)

        self.labels = counter("labels", "Outcomes learnt")
        self.messages = counter("messages", "Messages of churn.labels taken")
        self.refused = counter("messages_refused", "Messages of churn.labels that are none, or of other inputs or settings")
        self.too_old = counter("labels_too_old", "Outcomes taken for learnt before: 8 days behind the newest of their partition")
        self.commits = counter("commits", "Commits to Redis")
        self.published = counter("published", "Messages of what serves that were sent")
        events = counter("events", "What the learner did about the champion", "what")
        self.events: Mapping[str, Counter] = {what: events.labels(what) for what in EVENTS}
        self.known = gauge("labels_known", "Outcomes that the champion has learnt from, in all")
        self.left_share = gauge("left_share", "Share of customers who left, of all outcomes learnt")
        self._state = gauge("state", "1 for where the champion stands, and for a hold above it", "state")
        self._measures = {name: gauge(name, f"By the newest labels, {unit}", "model") for name, unit in MEASURES.items()}
        self.lag = gauge("lag_messages", "Messages between what is committed and the topic's end")
        self.tick = gauge("tick_timestamp_seconds", "Event time up to which all is learnt")
        self.waits_for = gauge("partitions_behind", "Partitions that have not passed the tick which others have")
        self.age = gauge("serving_age_seconds", "Time since what serves was made; the tick's while history is loaded")
        self.owned = gauge("owned", "1: this process is the learner; 0: it stands by")
        waiting = gauge("waiting_seconds", "For how long the oldest call to a server has had no good answer", "server")
        self.waiting: Mapping[Server, Gauge] = {server: waiting.labels(server) for server in SERVERS}
        for state in STATES:
            self._state.labels(state)

    def show(self, report: Mapping[str, Any], learnt_ms: int, made_ms: int) -> None:
        """What the learner says of itself (see detectors/learner_report.py). learnt_ms: event time; made_ms: of what serves."""
        self.known.set(report["labels"])
        if report["left_share"] is not None:
            self.left_share.set(report["left_share"])
        for state in STATES:
            self._state.labels(state).set(state in (report["standing"], report["hold"]))
        for name, by_model in self._measures.items():
            for model in NAMES:
                value = report["measured"][model][name]
                if value is None:
                    by_model.remove_by_labels({"model": model})
                else:
                    by_model.labels(model).set(value)
        self.tick.set(learnt_ms / 1000)
        self.age.set_function(lambda: self._now_s() - made_ms / 1000)
