"""Challengers as they are fed, by a topic or by a backtest: what was said of a snapshot waits here for its label.

What champion and closed form said comes with the scores of the snapshots (see scores.py), a horizon before the labels, and is
found again by the label's id. It waits as long as a label may come; 16 bytes each. A label without it is learnt and judges
nobody: its customer was not watched, or there was no champion yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from detectors.challengers import Challengers, Said
from detectors.labels import Labels
from detectors.learner_rules import LATEST_DAYS, LearnerRules
from detectors.parameters import BtydParameters
from detectors.scored import BASIS_POINTS, LOGIT_BINS
from streams.columns import DAY_MS
from streams.scores import SCORE, Scores


class Challenging:
    """rules         of the learner
    closed_form   parameters that the challengers' columns are made with
    champion      whether there is a champion to compare with; otherwise the closed form alone is
    share         of the labels that are learnt
    """

    def __init__(self, rules: LearnerRules, closed_form: BtydParameters, *, champion: bool, share: float) -> None:
        others = ("champion", "closed_form") if champion else ("closed_form",)
        self.challengers = Challengers(rules, closed_form, others, share)
        self._champion, self._kept_days = champion, rules.horizon_days + LATEST_DAYS
        self._waiting: dict[int, list[Scores]] = defaultdict(list)

    @property
    def waiting(self) -> int:
        """Snapshots whose label may still come, or has come."""
        return sum(len(part) for parts in self._waiting.values() for part in parts)

    def scored(self, parts: Iterable[tuple[str, Scores]]) -> None:
        """What customers were scored who were taken down: version of the linear model, "" = there was none, and rows."""
        for model, rows in parts:
            if self._champion and not model:
                continue
            for day in np.unique(rows["day"]).tolist():
                self._waiting[day].append(_by_id(rows[rows["day"] == day]))
        oldest = max(self._waiting, default=0) - self._kept_days
        for day in [day for day in self._waiting if day < oldest]:
            del self._waiting[day]

    def learn(self, labels: Labels) -> None:
        """Judge by these labels and learn them, in the order given; what their snapshots were scored has been told before."""
        found, known = np.zeros(len(labels), SCORE), np.zeros(len(labels), np.bool_)
        days = labels.at_ms // DAY_MS
        for day in np.unique(days).tolist():
            if not self._waiting.get(day):
                continue
            rows, at = self._together(day), np.flatnonzero(days == day)
            place = np.minimum(np.searchsorted(rows["id"], labels.id[at]), len(rows) - 1)
            there = rows["id"][place] == labels.id[at]
            found[at[there]], known[at[there]] = rows[place[there]], True
        self.challengers.learn(labels, Said(self._said(found), known))

    def _said(self, rows: Scores) -> NDArray[np.float64]:
        closed_form = rows["closed_form_bp"] / BASIS_POINTS
        if not self._champion:
            return closed_form[:, None]
        champion = 1.0 / (1.0 + np.exp(-rows["logit"] / LOGIT_BINS))
        return np.stack([champion, closed_form], axis=1)

    def _together(self, day: int) -> Scores:
        """What waits of a day, by id."""
        parts = self._waiting[day]
        if len(parts) > 1:
            self._waiting[day] = parts = [_by_id(np.concatenate(parts))]
        return parts[0]


def _by_id(rows: Scores) -> Scores:
    return rows[np.argsort(rows["id"], kind="stable")]
