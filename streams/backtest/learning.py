"""The learner of a backtest: what workers would keep and send, and what the learner would make of it, tick by tick.

Snapshots wait here as they wait in Redis, and labels are learnt in the order in which the learner has them: all that were
known by a tick, by time and id, once every partition has passed it.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from detectors.labels import Labels
from detectors.learner import Learner
from detectors.scored import Scored
from detectors.served import ServedModel
from streams.challenging import Challenging
from streams.columns import DAY_MS
from streams.outcomes import OutcomeRules, Outcomes, Snapshots, label_ids
from streams.scores import Scores, as_counts, scores
from streams.step import Step

Waiting = list[tuple[NDArray[np.uint64], NDArray[np.float32]]]
"""Label ids and inputs of snapshots, part by part."""


class Learning:
    """learner       what learns
    rules         when customers are taken down
    challenging   who learn the same after it; None: nobody
    newest        what was learnt at the latest tick
    """

    def __init__(self, learner: Learner, rules: OutcomeRules, challenging: Challenging | None = None) -> None:
        self.learner, self._rules, self.challenging, self.newest = learner, rules, challenging, Labels.none()
        self._waiting: dict[int, Waiting] = defaultdict(list)
        self._labels: list[Labels] = []
        self._scored: list[Scored] = []
        self._scores: list[tuple[str, Scores]] = []

    def add(self, step: Step) -> None:
        """What a step took down and found out."""
        taken = step.snapshots
        if len(taken):
            rows = scores(taken, self._rules.horizon_days)
            self._scored.append(as_counts(rows, taken.model))
            if self.challenging:
                self._scores.append((taken.model, rows))
            self._take(taken)
        if len(step.outcomes):
            self._settle(step.outcomes.firsts())

    def tick(self, at_ms: int) -> ServedModel:
        """Learn what is known by a tick; the model until the next one."""
        self.learner.scored(self._scored, at_ms)
        self.newest = Labels.concat(self._labels).in_order()
        self.learner.learn(self.newest, at_ms)
        if self.challenging:
            self.challenging.scored(self._scores)
            self.challenging.learn(self.newest)
        self._scored, self._scores, self._labels = [], [], []
        last_day = (at_ms - self._rules.lateness_ms) // DAY_MS - self._rules.horizon_days
        for day in [day for day in self._waiting if day <= last_day]:
            del self._waiting[day]
        return self.learner.served()

    def _take(self, taken: Snapshots) -> None:
        ids = label_ids(taken.hashes, taken.day)
        for day in np.unique(taken.day).tolist():
            at = np.flatnonzero(taken.day == day)
            self._waiting[day].append((ids[at], taken.inputs[at]))

    def _settle(self, found: Outcomes) -> None:
        for day in np.unique(found.day).tolist():
            if not self._waiting.get(day):
                continue
            at = np.flatnonzero(found.day == day)
            ids, inputs = self._together(day)
            wanted = label_ids(found.hashes[at], found.day[at])
            place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
            there = ids[place] == wanted
            at, place = at[there], place[there]
            days_ms = np.full(len(at), day * DAY_MS)
            self._labels.append(Labels(wanted[there], days_ms, found.known_ms[at], found.left[at], inputs[place]))
            rest = np.ones(len(ids), bool)
            rest[place] = False
            self._waiting[day] = [(ids[rest], inputs[rest])] if rest.any() else []

    def _together(self, day: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """What waits of a day, by id."""
        ids, inputs = (np.concatenate(column) for column in zip(*self._waiting[day], strict=True))
        order = np.argsort(ids, kind="stable")
        self._waiting[day] = [(ids[order], inputs[order])]
        return self._waiting[day][0]
