"""The learner: one place where outcomes are judged by, learnt from, and turned into the model that serves.

At each tick (midnight UTC), in this order:

    refit     the closed form has new parameters, where it was due
    scored    what the snapshots since the last tick were scored: gives the shift
    learn     each label known by now, in order:  judged -> measures and evidence -> drift? -> gate -> learnt
              and what there is to serve from now on is kept for the labels of the coming snapshots
    served    the model for the snapshots and scores until the next tick

A label is judged by what was offered before its snapshot (see `as_served`), so by no label that was known later. Everything
goes label by label or in whole sums: equal labels in equal order give the same bytes, wherever they were cut and whenever the
learner was stored and continued. A version is made of what the model says, so a backtest and a live run name it alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import msgspec
import numpy as np

from detectors.as_served import NAMES, AsServed, Offer, served_of, served_state
from detectors.champion import Accounts, Gate, Hold, Standing, judge, verdict
from detectors.design import design
from detectors.drift import Drift, DriftWatch, widened
from detectors.evidence import Evidence
from detectors.idle_time import IdleTime, idle_z
from detectors.labels import DAY_MS, Labels
from detectors.learner_report import report
from detectors.learner_rules import EVENTS_KEPT, LATEST_DAYS, Event, LearnerRules, as_told
from detectors.learner_state import LearnerState, decode, encode
from detectors.linear_model import LinearModel
from detectors.measures import loss_nano, losses, nano
from detectors.online_logit import BayesianLogit
from detectors.parameters import BtydParameters, dumps
from detectors.prequential import Prequential
from detectors.scored import Scored, together
from detectors.served import ServedModel
from detectors.shift import newest, shift
from detectors.watched import watched

BLOCK: Final = 4096
"""Labels whose design is made at once; a row's values do not depend on it."""


class Learner:
    """Labels in, the model that serves out. `closed_form`: what serves until there is something better.

    Its attributes are there to be read.
    """

    def __init__(self, rules: LearnerRules, closed_form: BtydParameters) -> None:
        self.rules, self.closed_form = rules, closed_form
        self.logit, self.idle = BayesianLogit(), IdleTime()
        self.past = AsServed(rules.horizon_days + LATEST_DAYS)
        self.prequential = Prequential(NAMES, rules.window)
        self.accounts, self.gate = Accounts(Evidence(rules.window_days), Evidence(rules.window_days)), Gate()
        self.drift = DriftWatch(rules.drift_delta)
        self.scored_parts: list[tuple[int, Scored]] = []
        self.events: list[Event] = []
        self.pinned: ServedModel | None = None
        self.tick_ms = self.left = self.first_at_ms = self.last_at_ms = self.served_from_ms = 0
        self._close()

    def refit(self, closed_form: BtydParameters) -> None:
        """New parameters of the closed form, from what was known by now; in force from the next `learn` on."""
        self.closed_form = closed_form

    def scored(self, parts: Iterable[Scored], tick_ms: int) -> None:
        """What the snapshots taken since the last tick were scored, by the champion: by a pinned model says nothing of it.

        What is older than the grid counts no more; while a pinned model scores, and until the champion has scored for a grid
        again, it does, where there is nothing newer in its place: the champion is still asked, and its shift is the last known.
        """
        pinned = self._pinned_versions()
        tried = [part for part in parts if part.logits and not (part.model and part.model in pinned)]
        if self.scored_parts and self.scored_parts[-1][0] == tick_ms:
            tried.append(self.scored_parts.pop()[1])
        if tried:
            self.scored_parts.append((tick_ms, together(tried)))
        oldest_ms = tick_ms - self.rules.grid_days * DAY_MS
        kept = sum(at_ms > oldest_ms for at_ms, _ in self.scored_parts)
        if self.pinned is not None or self.past.pinned(oldest_ms):
            kept = max(kept, len(newest(self.scored_parts, self.rules.shift_customers)))
        self.scored_parts = self.scored_parts[len(self.scored_parts) - kept :]

    def learn(self, labels: Labels, tick_ms: int) -> None:
        """Learn what became known by `tick_ms` (ms since 1970 UTC), in the order given; none is fine. Closes the tick.

        Raises ValueError for a tick before the last one, or a label that was not known yet.
        """
        if tick_ms < self.tick_ms or (len(labels) and int(labels.known_ms.max()) > tick_ms):
            newest = max(self.tick_ms, int(labels.known_ms.max(initial=0)))
            raise ValueError(f"tick_ms = {tick_ms}: must not be before {newest}, the last tick or label; learn in order of time")
        if tick_ms > self.tick_ms:
            self.tick_ms = tick_ms
            for evidence in self.accounts:
                evidence.age(tick_ms // DAY_MS)
            self._judge(tick_ms)
        for start in range(0, len(labels), BLOCK):
            self._learn(labels.take(slice(start, start + BLOCK)))
        self._close()

    def served(self) -> ServedModel:
        """The model that scores until the next tick."""
        return self.past.latest.model if self.pinned is None else self.pinned

    def freeze(self, at_ms: int) -> None:
        """What serves now serves on, unchanged, until `release`; learning and judging go on."""
        self._hold(Hold.FROZEN, self.served(), at_ms)

    def roll_back(self, model: ServedModel, at_ms: int) -> None:
        """An earlier model serves until `release`. Raises ValueError where it has another horizon."""
        if model.horizon_days != self.rules.horizon_days:
            raise ValueError(f"horizon of {model.horizon_days:g} days: this learner has {self.rules.horizon_days}")
        self._hold(Hold.ROLLED_BACK, model, at_ms)

    def release(self, at_ms: int) -> None:
        """The gate decides again; nothing happens where nothing was held."""
        if self.pinned is not None:
            self.pinned, self.gate = None, msgspec.structs.replace(self.gate, hold=None)
            self._tell(at_ms, "released", f"the gate decides again: the champion is {self.gate.standing.value}")
            self._close()

    def report(self) -> dict[str, Any]:
        """Where it stands, what it measured and what it did, as plain values (see `learner_report`)."""
        return report(self)

    def to_bytes(self) -> bytes:
        """The state, exactly: what `from_bytes` makes goes on as this one would have."""
        return encode(
            LearnerState(
                horizon_days=self.rules.horizon_days, closed_form=self.closed_form, logit=self.logit.to_bytes(), idle=self.idle,
                past=self.past.state(), prequential=self.prequential.state(), accounts=self.accounts, gate=self.gate,
                drift=self.drift.to_bytes(), scored=self.scored_parts, events=self.events,
                pinned=None if self.pinned is None else served_state(self.pinned),
                counts=(self.tick_ms, self.left, self.first_at_ms, self.last_at_ms, self.served_from_ms),
                staying=as_told(self.rules.staying),
            )
        )  # fmt: skip

    @staticmethod
    def from_bytes(data: bytes, rules: LearnerRules) -> Learner:
        """Inverse of `to_bytes`. What rules and release say of learning and judging holds from here on, whatever held before.

        Raises ValueError for a state of other inputs, columns or labels, of numbers that are none, or for no state at all.
        """
        state = decode(data, rules.horizon_days, rules.staying)
        found = Learner(rules, state.closed_form)
        found.logit, found.idle = BayesianLogit.from_bytes(state.logit), state.idle
        found.past = AsServed.from_state(found.past.kept_days, state.past)
        found.prequential = Prequential.from_state(state.prequential, rules.window)
        found.accounts, found.gate = Accounts(*state.accounts), state.gate
        found.drift = DriftWatch.from_bytes(state.drift, rules.drift_delta)
        found.scored_parts, found.events = state.scored, state.events
        found.pinned = None if state.pinned is None else served_of(state.pinned)
        found.tick_ms, found.left, found.first_at_ms, found.last_at_ms, found.served_from_ms = state.counts
        for evidence in found.accounts:
            evidence.window_days = rules.window_days
            evidence.age(found.tick_ms // DAY_MS)
        return found

    def _hold(self, hold: Hold, model: ServedModel, at_ms: int) -> None:
        self.pinned, self.gate = model, msgspec.structs.replace(self.gate, hold=hold)
        self._tell(at_ms, hold.value, f"by command: {model.name} {model.version} serves until released")
        self._close()

    def _learn(self, labels: Labels) -> None:
        """Label by label; what does not depend on the learning is computed for all at once before."""
        said, judged, on_record = self.past.said(labels)
        then = np.stack([nano(losses(said[:, model], labels.left)) for model in range(3)], axis=1).tolist()
        closed_form = replace(self.past.latest.model, closed_form=self.closed_form, linear=None)
        now = nano(losses(closed_form.risk(labels.inputs), labels.left)).tolist()
        x = design(labels.inputs, self.closed_form, self.rules.horizon_days)
        z, left, known = idle_z(labels.inputs).tolist(), labels.left.tolist(), labels.known_ms.tolist()
        speaks, is_on_record = watched(labels.inputs, self.rules.horizon_days).tolist(), on_record.tolist()
        for k in range(len(labels)):
            if speaks[k]:
                if is_on_record[k]:
                    self._put_on_record(known[k], left[k], *then[k])
                champion = loss_nano(self.logit.logit(x[k]), left[k])
                self.accounts.fresh.add(known[k] // DAY_MS, left[k], champion, now[k], loss_nano(self.idle.logit(z[k]), left[k]))
                self.gate = msgspec.structs.replace(self.gate, labels=self.gate.labels + 1)
                self._judge(known[k])
            self.logit.learn(x[k], left[k])
            self.idle.learn(z[k], left[k])
        self.prequential.add(said[judged], labels.left[judged], labels.inputs[judged, 0] >= 1.0)
        if len(labels):
            at_ms = int(labels.at_ms.min()), int(labels.at_ms.max())
            self.first_at_ms = min(self.first_at_ms or at_ms[0], at_ms[0])
            self.last_at_ms = max(self.last_at_ms, at_ms[1])
            self.left += int(labels.left.sum())

    def _put_on_record(self, known_ms: int, left: int, champion: int, closed_form: int, idle: int) -> None:
        """One label's losses by what was said when the snapshot was taken, 1e-9 nats."""
        alarm = self.drift.update((champion - closed_form) * 1e-9)
        if alarm is not None:
            self._drifted(alarm, known_ms)
        self.accounts.record.add(known_ms // DAY_MS, left, champion, closed_form, idle)

    def _drifted(self, alarm: Drift, at_ms: int) -> None:
        self.logit.covariance = widened(self.logit.covariance)
        said = (
            f"against the closed form's the champion's log loss went from {alarm.before:+.4f} to {alarm.since:+.4f} nats over "
            f"{alarm.labels} labels: what it knew counts for less, new labels for more"
        )
        if alarm.since > 0.0:  # what spoke for it was true of another time
            for evidence in self.accounts:
                evidence.restart()
            said += ", and the gate's evidence starts anew"
        self._tell(at_ms, "drift", said)

    def _judge(self, at_ms: int) -> None:
        before = self.gate.standing
        self.gate = judge(self.gate, self.accounts, at_ms // DAY_MS, self.rules.gate)
        if self.gate.standing is not before:
            back, tolerance = before is Standing.DEMOTED, self.rules.gate.tolerance if before is Standing.SERVING else 0.0
            why = verdict(self.accounts, at_ms // DAY_MS, self.rules.gate, tolerance).text
            self._tell(at_ms, "recovered" if back else self.gate.standing.value, why)
            if self.gate.standing is Standing.SERVING:
                self.served_from_ms = self.served_from_ms or at_ms

    def _tell(self, at_ms: int, what: str, why: str) -> None:
        self.events = [*self.events, Event(at_ms, what, why)][-EVENTS_KEPT:]

    def _close(self) -> None:
        """Keep what there is to serve from this tick on."""
        serves, on_record = self.gate.standing is Standing.SERVING, self.gate.standing is not Standing.WAITING
        model = ServedModel(self.closed_form, float(self.rules.horizon_days), self._champion(), serves)
        self.past.offer(Offer(self.tick_ms, model, self.idle.level, self.idle.slope, self.pinned, on_record))

    def _champion(self) -> LinearModel | None:
        """The champion as it now is; None while nothing was learnt. Parameters of another business give no shift."""
        labels = self.logit.labels
        if labels == 0:
            return None
        shifts = self.rules.shifts and self.closed_form.fitted_at_ms is not None
        moved = shift(newest(self.scored_parts, self.rules.shift_customers)) if shifts else 0.0
        model = LinearModel(self.logit.mean.copy(), "-", labels, self.first_at_ms, self.last_at_ms, moved)
        return replace(model, version=version(model, self.closed_form, self.rules.horizon_days))

    def _pinned_versions(self) -> set[str]:
        """Of the linear models that scored by a person's word; what the champion says itself, whoever else did, is its own."""
        pinned = {model.linear.version for model in self.past.pinned() if model.linear}
        champion = self.past.latest.model.linear
        if self.pinned is None and champion is not None:
            pinned.discard(champion.version)
        return pinned


def version(model: LinearModel, closed_form: BtydParameters, horizon_days: int) -> str:
    """Name of a model by what it says: labels learnt, and 12 hex digits over weights, shift, closed form and horizon."""
    said = (model.weights.astype("<f8").tobytes(), repr((model.shift, horizon_days)).encode(), dumps(closed_form))
    return f"logit-{model.labels}-{hashlib.sha256(b'/'.join(said)).hexdigest()[:12]}"
