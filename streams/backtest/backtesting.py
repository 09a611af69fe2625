"""A backtest: a history through the product, stopping at cut-offs to score, and a horizon later to judge.

The engine, its rules and its ticks are those of a live worker; nothing here decides anything. At a stop everything up to its
time has been folded and nothing later. What is due at one stop is done in this order: outcomes are judged, parameters are
refitted, what is known by now is learnt, customers are scored. With learning every tick is a stop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.challengers import Challengers
from detectors.labels import Labels
from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from detectors.parameters import BtydParameters
from detectors.served import ServedModel
from streams.backtest.alert_log import AlertLog
from streams.backtest.alert_outcomes import AlertOutcomes, alert_outcomes
from streams.backtest.cut_offs import CutOffRules, cut_offs
from streams.backtest.judging import CutOffs, Judged, ScoredCutOff
from streams.backtest.lanes import Lane, Tell
from streams.backtest.learning import Learning
from streams.backtest.loading import Loaded
from streams.backtest.occasions import Occasions
from streams.backtest.payloads import tick_times
from streams.backtest.refits import refit_times, refitted
from streams.backtest.scores import scored
from streams.backtest.silences import LongSilences, Silences
from streams.backtest.stretches import Stretch, stretches
from streams.backtest.tables import Tables
from streams.backtest.weak_spots import kinds_of
from streams.backtest.window_counts import WindowCounts
from streams.challenging import Challenging
from streams.columns import DAY_MS, PURCHASE
from streams.engine import EngineRules
from streams.model_inputs import model_inputs

MAX_ROWS = 50_000

Progress = Callable[[int, int], None]
"""Called now and then with (events folded, event time in ms)."""


class Observer(Protocol):
    """Sees what a backtest works with, and changes nothing."""

    def learnt(self, labels: Labels, at_ms: int) -> None:
        """What became known by a tick, in the order in which it is learnt."""

    def scored(self, cut_off: ScoredCutOff, inputs: NDArray[np.float32], model: ServedModel) -> None:
        """A cut-off; `inputs`: what a model may know, one row a customer; `model`: the one that scored."""


@dataclass(frozen=True, slots=True)
class BacktestRules:
    """cut_offs     when and who is scored
    engine       the system's rules
    closed_form  parameters to begin with
    learner      the learner's rules; None: nothing is learnt, and risk is the closed form's
    serves       whether what is learnt serves; False: it is learnt and measured only
    challengers  share of the labels that challengers learn after the learner; None: there are none
    refit_days   days from one fit of the closed form to what is known to the next; None: the parameters stay
    policies     by name, rules of the engine that differ from `engine` in the policy, to be compared with it
    partitions   of the live system, >= 1; it decides what alerts in words say of a customer's segment, and nothing else
    run_on_days  days of ticks beyond the last event, >= 0
    max_rows     events folded at a time, >= 1; no result depends on it
    tell         takes the alerts in words, see `lanes`
    """

    cut_offs: CutOffRules
    engine: EngineRules
    closed_form: BtydParameters
    learner: LearnerRules | None = None
    serves: bool = True
    challengers: float | None = None
    refit_days: int | None = 30
    policies: Mapping[str, EngineRules] = field(default_factory=dict)
    partitions: int = 1
    run_on_days: int = 0
    max_rows: int = MAX_ROWS
    tell: Tell | None = None


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """Every message under one policy, and what the alerts were worth."""

    alerts: AlertLog
    outcomes: AlertOutcomes


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """judged      every cut-off, in order of time
    policy      what came of the policy
    policies    what came of those that were compared with it, by name
    events      folded, repeats left out
    repeats     left out
    models      versions that served, with the event time from which on
    engine_s    seconds within the engine
    learner     as it is in the end; None: nothing was learnt
    challengers the same; None: there were none
    """

    judged: list[Judged]
    policy: PolicyResult
    policies: dict[str, PolicyResult]
    events: int
    repeats: int
    models: list[tuple[int, str]]
    engine_s: float
    learner: Learner | None
    challengers: Challengers | None


def backtest(
    loaded: Loaded,
    rules: BacktestRules,
    progress: Progress = lambda _events, _at_ms: None,
    observer: Observer | None = None,
) -> BacktestResult:
    """Live through a history."""
    return _Backtest(loaded, rules, observer).run(progress)


class _Backtest:
    def __init__(self, loaded: Loaded, rules: BacktestRules, observer: Observer | None) -> None:
        self.observer = observer
        self.log, self.customers, self.rules = loaded.log, loaded.customers, rules
        self.model = ServedModel(rules.closed_form, rules.engine.horizon_days)
        self.learning = _learning(rules)
        when, people = rules.cut_offs, len(loaded.customers)
        self.horizon_ms = when.horizon_days * DAY_MS
        self.lane = Lane(rules.engine, _tables(loaded, rules.partitions if rules.tell else 1), loaded.customers, rules.tell)
        self.others = {name: Lane(other, _tables(loaded, 1), loaded.customers) for name, other in rules.policies.items()}
        self.occasions = Occasions(people)
        self.counts = WindowCounts(people, self.log.first_ms, when.window_days * DAY_MS, when.every_days * DAY_MS)
        self.silences, self.cut_offs = LongSilences(self.horizon_ms), CutOffs(self.horizon_ms)
        self.ticks_ms = tick_times(self.log.first_ms, self.log.last_ms, run_on_days=rules.run_on_days)
        self.scoring = set(cut_offs(self.log.first_ms, self.log.last_ms, when))
        self.judging = {at_ms + self.horizon_ms for at_ms in self.scoring}
        self.refitting = set(refit_times(self.ticks_ms, rules.refit_days)) if rules.refit_days else set[int]()
        self.models = [(self.log.first_ms, self.model.version)]
        self.events = self.repeats = 0

    def run(self, progress: Progress) -> BacktestResult:
        learning = set(self.ticks_ms.tolist()) if self.learning else set[int]()
        stops = sorted(self.scoring | self.judging | self.refitting | learning | {int(self.ticks_ms[-1])})
        ticks = set(self.ticks_ms.tolist())
        for stretch in stretches(self.log.blocks(), self.ticks_ms, stops, self.rules.max_rows):
            self._fold(stretch)
            if stretch.stop_ms is not None:
                self._stop(stretch.stop_ms, tick=stretch.stop_ms in ticks)
                progress(self.events + self.repeats, stretch.stop_ms)
            else:
                progress(self.events + self.repeats, int(stretch.rows["time_ms"][-1]))
        silences = self.silences.all(self.occasions, self.log.last_ms)
        others = {name: self._worth(lane, silences) for name, lane in self.others.items()}
        learner = self.learning.learner if self.learning else None
        challenging = self.learning.challenging if self.learning else None
        challengers = challenging.challengers if challenging else None
        done = self.events, self.repeats, self.models, self.lane.engine_s, learner, challengers
        return BacktestResult(self.cut_offs.judged, self._worth(self.lane, silences), others, *done)

    def _worth(self, lane: Lane, silences: Silences) -> PolicyResult:
        least = self.rules.cut_offs.min_events
        outcomes = alert_outcomes(lane.alerts.episodes(), silences, self.horizon_ms, self.log.last_ms, least)
        return PolicyResult(lane.alerts, outcomes)

    def _fold(self, stretch: Stretch) -> None:
        counts = np.ones(len(stretch.rows), bool)
        for repeats, step in self.lane.fold(stretch, self.model):
            counts[repeats] = False
            self.events += sum(step.stats.events)
            if self.learning:
                self.learning.add(step)
        for lane in self.others.values():
            for _ in lane.fold(stretch, self.model):
                pass
        self.repeats += len(counts) - int(counts.sum())
        self._buy(stretch.rows[counts & (stretch.rows["kind"] == PURCHASE)])

    def _buy(self, purchases: NDArray[np.void]) -> None:
        new = self.occasions.add(purchases["customer"], purchases["time_ms"])
        self.counts.add(new)
        self.silences.add(new)

    def _stop(self, at_ms: int, *, tick: bool) -> None:
        if at_ms in self.judging:
            self.cut_offs.judge(at_ms, self.occasions.last_ms)
        if at_ms in self.refitting:
            closed_form = refitted(self.lane.tables.everyone(), at_ms, self.model.closed_form)
            if self.learning:
                self.learning.learner.refit(closed_form)
            else:
                self._serve(replace(self.model, closed_form=closed_form), at_ms)
        if self.learning and tick:
            learnt = self.learning.tick(at_ms)
            if self.rules.serves:
                self._serve(learnt, at_ms)
            if self.observer:
                self.observer.learnt(self.learning.newest, at_ms)
        if at_ms in self.scoring:
            self._score(at_ms)

    def _serve(self, model: ServedModel, from_ms: int) -> None:
        if model.version != self.model.version:
            self.models.append((from_ms, model.version))
        self.model = model

    def _score(self, at_ms: int) -> None:
        customers = np.flatnonzero(self.counts.until(at_ms) >= self.rules.cut_offs.min_events)
        rows = self.lane.tables.records(customers)
        scores = scored(rows, at_ms, self.model)
        kinds = kinds_of(rows, at_ms, self.rules.engine.horizon_days)
        cut_off = ScoredCutOff(at_ms, customers, self.occasions.last_ms[customers], scores, kinds)
        if self.observer:
            self.observer.scored(cut_off, model_inputs(rows, np.full(len(rows), at_ms, np.int64)), self.model)
        self.cut_offs.score(cut_off)


def _tables(loaded: Loaded, partitions: int) -> Tables:
    """The customers apart by partition.

    Only quintiles, which words alone need, are of a partition. Everything else is each customer's own: a log is in order of time,
    so no event is ever behind its partition's watermark. With one table a day is one call of the engine and not one a partition.
    """
    ids, where = loaded.customers.ids(), loaded.customers.partitions(partitions)
    return Tables(ids, where, partitions, event_ids=loaded.event_ids)


def _learning(rules: BacktestRules) -> Learning | None:
    if rules.learner is None or rules.engine.outcomes is None:
        return None
    challenging = None
    if rules.challengers is not None:
        challenging = Challenging(rules.learner, rules.closed_form, champion=rules.serves, share=rules.challengers)
    return Learning(Learner(rules.learner, rules.closed_form), rules.engine.outcomes, challenging)
