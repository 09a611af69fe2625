"""A backtest by the published protocol, and what it learnt from and scored, frozen for others to try the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.labels import Labels
from detectors.parameters import SHIPPED, BtydParameters
from detectors.served import ServedModel
from streams.backtest.backtesting import BacktestResult, BacktestRules, Progress, backtest
from streams.backtest.cut_offs import CutOffRules
from streams.backtest.judging import Judged, ScoredCutOff
from streams.backtest.loading import Loaded
from streams.runtime.rules import engine_rules, learner_rules
from streams.runtime.settings import Settings, load_settings

WINDOW_DAYS, EVERY_DAYS, MIN_EVENTS = 180, 30, 2


@dataclass(frozen=True, slots=True)
class FrozenCutOff:
    """judged   who was scored, what by, and who left
    inputs   what a model may know of them then, float32 (n, len(INPUTS))
    model    that served then
    """

    judged: Judged
    inputs: NDArray[np.float32]
    model: ServedModel

    @property
    def closed_form(self) -> BtydParameters:
        """Parameters as they were then."""
        return self.model.closed_form

    @property
    def at_ms(self) -> int:
        """When, ms since 1970 UTC."""
        return self.judged.scored.at_ms


@dataclass(frozen=True, slots=True)
class Frozen:
    """labels         all that became known, in the order in which it was learnt: by time
    cut_offs       in order of time
    horizon_days   H
    found          the backtest itself
    """

    labels: Labels
    cut_offs: list[FrozenCutOff]
    horizon_days: int
    found: BacktestResult

    def known(self, at_ms: int) -> int:
        """How many labels were known at a time; they are the first."""
        return int(np.searchsorted(self.labels.known_ms, at_ms, side="right"))


def settings_that_learn() -> Settings:
    """The defaults, and learning as `churnwatch backtest` has it."""
    return load_settings(None, {"CHURNWATCH_LEARNING__ENABLED": "true"})


def protocol(settings: Settings) -> BacktestRules:
    """Cut-offs every 30 days, customers with two occasions in the last 180, the settings' horizon."""
    when = CutOffRules(settings.risk.horizon_days, WINDOW_DAYS, EVERY_DAYS, MIN_EVENTS)
    return BacktestRules(when, engine_rules(settings), SHIPPED, learner_rules(settings), partitions=settings.kafka.partitions)


def freeze(loaded: Loaded, rules: BacktestRules, progress: Progress = lambda _events, _at_ms: None) -> Frozen:
    """Live through a history and keep what it went by."""
    kept = _Kept()
    found = backtest(loaded, rules, progress, kept)
    cut_offs = [FrozenCutOff(judged, *kept.scores[judged.scored.at_ms]) for judged in found.judged]
    return Frozen(Labels.concat(kept.labels), cut_offs, rules.cut_offs.horizon_days, found)


class _Kept:
    """The observer of a backtest that forgets nothing."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []
        self.scores: dict[int, tuple[NDArray[np.float32], ServedModel]] = {}

    def learnt(self, labels: Labels, at_ms: int) -> None:
        if len(labels):
            assert int(labels.known_ms.max()) <= at_ms, "a label is learnt when it is known, and not before"
            self.labels.append(labels)

    def scored(self, cut_off: ScoredCutOff, inputs: NDArray[np.float32], model: ServedModel) -> None:
        self.scores[cut_off.at_ms] = inputs, model
