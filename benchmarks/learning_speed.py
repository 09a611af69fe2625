"""How fast it is learnt: `python -m benchmarks.learning_speed`, also run by `make bench-learning`.

    labels_per_s           outcomes that the champion learns, design included: one core, one after another
    learner_labels_per_s   the whole learner: judged, measured, gate and drift besides
    weights                of the champion: what a label costs grows with their square
    ratio                  backtest with learning / (the same, deaf to labels + the labels alone): what the two cost together
                           over what they cost apart. Near 1: putting them together costs nothing
    ratio_to_served        the same over events that the finished champion scores: what is left is the learning itself
    ratio_to_stretches     the same with a backtest that has no learner in the first place: it folds a month at a time and takes
                           no snapshots, where with learning every day is a call of its own. That costs some 3 ms a day whatever
                           the base, so this one falls as the base grows; the files, which cost the same either way, are not in it

All of one simulated base and one run, in turns, by CPU time: the machine may have other things to do. Medians of the turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeVar
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.learning.bases import simulated
from benchmarks.learning.frozen import protocol, settings_that_learn
from detectors.design import COLUMNS, design
from detectors.labels import Labels
from detectors.learner import BLOCK, Learner
from detectors.online_logit import BayesianLogit
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.backtest.backtesting import BacktestRules, backtest
from streams.backtest.judging import ScoredCutOff
from streams.backtest.loading import Loaded

LABELS_PER_S, RATIO = 5_000.0, 1.25
"""What is wanted: at least, and at most."""

Ticks = list[tuple[int, Labels]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Speed:
    """As above; seconds are of CPU, and `turns` has the ratio of each turn."""

    labels: int
    weights: int
    labels_per_s: float
    learner_labels_per_s: float
    backtest_s: float
    deaf_s: float
    served_s: float
    stretches_s: float
    labels_s: float
    ratio: float
    ratio_to_served: float
    ratio_to_stretches: float
    turns: list[float]


def measure_speed(loaded: Loaded, rules: BacktestRules, repeats: int, console: Console) -> Speed:
    """Of a base that has outcomes. Raises RuntimeError where two runs did not learn the same."""
    kept = _Ticks()
    reference = backtest(loaded, rules, observer=kept).learner
    assert reference is not None, "these rules learn"
    champion = replace(reference.served(), serves=True)
    labels = Labels.concat([labels for _, labels in kept.ticks])
    turns: list[tuple[float, ...]] = []
    for _ in track(range(repeats), "turns", console=console, transient=True):
        together_s, found = _timed(lambda: backtest(loaded, rules).learner)
        with patch("streams.backtest.backtesting.Learner", _Deaf):
            deaf_s, _ = _timed(lambda: backtest(loaded, rules))
        with patch("streams.backtest.backtesting.Learner", _Finished), patch.object(_Finished, "model", champion, create=True):
            served_s, _ = _timed(lambda: backtest(loaded, rules))
        stretches_s, _ = _timed(lambda: backtest(loaded, replace(rules, learner=None)))
        labels_s, apart = _timed(lambda: _learnt(kept.ticks, rules))
        champion_s, _ = _timed(lambda: _champion(labels, rules))
        for one in (found, apart):
            if one is None or one.logit.labels != reference.logit.labels:
                raise RuntimeError("not the same labels were learnt")
        turns.append((together_s, deaf_s, served_s, stretches_s, labels_s, champion_s))
    together_s, deaf_s, served_s, stretches_s, labels_s, champion_s = (median(column) for column in zip(*turns, strict=True))
    ratios = [together / (deaf + alone) for together, deaf, _, _, alone, _ in turns]
    return Speed(
        labels=len(labels),
        weights=len(COLUMNS),
        labels_per_s=len(labels) / champion_s,
        learner_labels_per_s=len(labels) / labels_s,
        backtest_s=together_s,
        deaf_s=deaf_s,
        served_s=served_s,
        stretches_s=stretches_s,
        labels_s=labels_s,
        ratio=median(ratios),
        ratio_to_served=median(together / (served + alone) for together, _, served, _, alone, _ in turns),
        ratio_to_stretches=median(together / (events + alone) for together, _, _, events, alone, _ in turns),
        turns=ratios,
    )


class _Deaf(Learner):
    """Goes through every tick and learns nothing: the closed form serves for ever."""

    def learn(self, labels: Labels, tick_ms: int) -> None:  # noqa: ARG002  (that is the point)
        super().learn(Labels.none(), tick_ms)


class _Finished(_Deaf):
    """Deaf too, and has a champion from the beginning."""

    model: ServedModel

    def served(self) -> ServedModel:
        return self.model


class _Ticks:
    """The observer of a backtest that keeps what each tick brought."""

    def __init__(self) -> None:
        self.ticks: Ticks = []

    def learnt(self, labels: Labels, at_ms: int) -> None:
        self.ticks.append((at_ms, labels))

    def scored(self, cut_off: ScoredCutOff, inputs: NDArray[np.float32], model: ServedModel) -> None:
        """Nothing is learnt at a cut-off."""


def _learnt(ticks: Ticks, rules: BacktestRules) -> Learner:
    """A learner that has had the labels, tick by tick, and nothing else to do."""
    assert rules.learner is not None, "these rules learn"
    learner = Learner(rules.learner, SHIPPED)
    for at_ms, labels in ticks:
        learner.learn(labels, at_ms)
    return learner


def _champion(labels: Labels, rules: BacktestRules) -> BayesianLogit:
    """The champion alone: its columns and its steps."""
    logit, horizon_days = BayesianLogit(), rules.engine.horizon_days
    for start in range(0, len(labels), BLOCK):
        part = labels.take(slice(start, start + BLOCK))
        for x, left in zip(design(part.inputs, SHIPPED, horizon_days), part.left.tolist(), strict=True):
            logit.learn(x, left)
    return logit


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of this process, and what came of them."""
    began_s = time.process_time()
    found = work()
    return time.process_time() - began_s, found


def main(args: list[str] | None = None) -> int:
    """Measure, and tell; the exit code."""
    given = _parser().parse_args(args)
    aside, settings = Console(stderr=True), settings_that_learn()
    with simulated("complaints-drive-away", settings, given.customers, given.days) as loaded:
        speed = measure_speed(loaded, protocol(settings), given.repeats, aside)
    figures = json.dumps(asdict(speed), indent=2)
    if given.json:
        sys.stdout.write(figures + "\n")
    else:
        Console().print(_table(speed))
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "learning_speed.json").write_text(figures + "\n", "utf-8")
        aside.print(f"written: {given.out / 'learning_speed.json'}", highlight=False)
    return 0


def _table(speed: Speed) -> Table:
    table = Table(title=f"Learning {speed.labels:,} labels with {speed.weights} weights", title_justify="left")
    for at, column in enumerate(("what", "found", "wanted", "")):
        table.add_column(column, justify="right" if at else "left")
    rows: list[tuple[str, str, str, bool | None]] = [
        ("champion, labels/s", f"{speed.labels_per_s:,.0f}", f"≥ {LABELS_PER_S:,.0f}", speed.labels_per_s >= LABELS_PER_S),
        ("whole learner, labels/s", f"{speed.learner_labels_per_s:,.0f}", "", None),
        ("events and snapshots, day by day, CPU s", f"{speed.deaf_s:.2f}", "", None),
        ("the same, scored by a given champion, CPU s", f"{speed.served_s:.2f}", "", None),
        ("events and snapshots in long stretches, CPU s", f"{speed.stretches_s:.2f}", "", None),
        ("labels alone, CPU s", f"{speed.labels_s:.2f}", "", None),
        ("backtest with learning, CPU s", f"{speed.backtest_s:.2f}", "", None),
        ("together over apart", f"{speed.ratio:.3f}", f"≤ {RATIO}", speed.ratio <= RATIO),
        ("together over apart, champion given", f"{speed.ratio_to_served:.3f}", "", None),
        ("together over apart in long stretches", f"{speed.ratio_to_stretches:.3f}", "", None),
    ]
    for what, found, wanted, holds in rows:
        table.add_row(what, found, wanted, "" if holds is None else "holds" if holds else "MISSED")
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_speed", description="How fast it is learnt.")
    add = parser.add_argument
    add("--customers", type=int, default=15_000, help="of the simulated base (default 15000)")
    add("--days", type=int, default=540, help="of its length (default 540)")
    add("--repeats", type=int, default=3, help="turns; medians are told (default 3)")
    add("--json", action="store_true", help="tell it to a machine")
    add("--out", type=Path, default=None, help="folder for learning_speed.json (default: it is not written)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
