"""`make bench-learning` compares on the very numbers of the backtest, and gives LightGBM no outcome before it was known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import learning_speed
from benchmarks.jobs import peers_installed
from benchmarks.learning import __main__ as command
from benchmarks.learning.bases import BASES, BaseMissing, opened
from benchmarks.learning.batch import TRIES, lightgbm_risks, shift_to
from benchmarks.learning.frozen import Frozen, freeze, protocol, settings_that_learn
from benchmarks.learning.measured import MEASURES, TARGETS, best_of, compared
from detectors.btyd import p_no_purchase
from detectors.design import COLUMNS
from streams.backtest.loading import Loaded
from streams.backtest.mapping import find_source
from streams.backtest.scores import SCORES
from streams.cli.main import main
from streams.columns import DAY_MS
from tests.support.backtests import loaded, simulated

HORIZON_MS = 90 * DAY_MS


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("history") / "shop.csv", customers=250, days=420)


@pytest.fixture(scope="module")
def frozen(history: Path) -> Frozen:
    with loaded(find_source(str(history))) as log:
        return freeze(log, protocol(settings_that_learn()))


def test_the_means_are_those_of_report_json(history: Path, frozen: Frozen, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["backtest", str(history), "--horizon", "90d", "--out", str(tmp_path)])
    assert left.value.code == 0
    report = json.loads((tmp_path / "report.json").read_bytes())
    ours = compared(frozen, None)
    assert (ours.cut_offs, ours.labels) == (len(report["cutoffs"]), report["learning"]["labels"])
    assert ours.cut_offs > 3
    for score in SCORES:
        assert dict(ours.means[score]) == pytest.approx({name: report["mean"][score][name] for name in MEASURES}), score


def test_what_is_frozen_is_what_was_known_and_scored(frozen: Frozen) -> None:
    """Every label is older than its horizon when it counts, and the kept inputs give the kept scores."""
    labels = frozen.labels
    assert not np.any(np.diff(labels.known_ms) < 0)
    assert (labels.known_ms >= labels.at_ms + HORIZON_MS).all()
    assert len(np.unique(labels.id)) == len(labels)
    for cut_off in frozen.cut_offs:
        known = frozen.known(cut_off.at_ms)
        assert (labels.known_ms[:known] <= cut_off.at_ms).all()
        assert (labels.known_ms[known:] > cut_off.at_ms).all()
        x, t_x, T = np.ascontiguousarray(cut_off.inputs[:, :3].T, dtype=np.float64)
        btyd = p_no_purchase(cut_off.closed_form, x, t_x, T, frozen.horizon_days)
        assert btyd == pytest.approx(cut_off.judged.scored.scores["btyd"], abs=1e-12)
    assert 0 < frozen.known(frozen.cut_offs[-1].at_ms) < len(labels)


@pytest.mark.skipif(not peers_installed(), reason="LightGBM lives in .venv-peers, which `make bench-learning` makes")
def test_lightgbm_learns_from_what_was_known_and_from_nothing_else(frozen: Frozen) -> None:
    """The outcomes that were not known at the last cut-off are turned round: nothing changes. Those that were: everything."""
    seen: list[tuple[int, int]] = []
    found = lightgbm_risks(frozen, lambda done, of: seen.append((done, of)))
    fits = len(TRIES) * len(frozen.cut_offs)
    assert seen == [(k, fits) for k in range(1, fits + 1)]
    assert set(found) == {name for one in TRIES for name in (one.name, f"{one.name} shifted")}
    for risks in found.values():
        assert [len(risk) for risk in risks] == [len(cut_off.inputs) for cut_off in frozen.cut_offs]
    known = frozen.known(frozen.cut_offs[-1].at_ms)
    later, sooner = (_turned(frozen, slice(known, None)), _turned(frozen, slice(0, known)))
    name = TRIES[0].name
    assert [risk.tolist() for risk in lightgbm_risks(later)[name]] == [risk.tolist() for risk in found[name]]
    assert np.corrcoef(lightgbm_risks(sooner)[name][-1], found[name][-1])[0, 1] < 0
    at_best = compared(frozen, found)
    assert at_best.means["lightgbm"] == at_best.tries[at_best.best or ""]
    assert at_best.means["lightgbm"]["auc"] == max(means["auc"] or 0.0 for means in at_best.tries.values())


def _turned(frozen: Frozen, which: slice) -> Frozen:
    left = frozen.labels.left.copy()
    left[which] = 1 - left[which]
    return replace(frozen, labels=replace(frozen.labels, left=left))


def test_shifted_the_mean_is_what_was_wanted() -> None:
    logit = np.random.default_rng(3).normal(0.4, 1.5, 500)
    for wanted in (0.05, 0.5, 0.9):
        assert (1 / (1 + np.exp(-(logit + shift_to(logit, wanted))))).mean() == pytest.approx(wanted, abs=1e-12)


def test_the_best_try_has_the_highest_auc_and_of_it_the_lower_log_loss() -> None:
    tries = {name: {"auc": 0.7, "log_loss": 0.6} for one in TRIES for name in (one.name, f"{one.name} shifted")}
    best = TRIES[2].name
    tries[best], tries[f"{best} shifted"] = {"auc": 0.71, "log_loss": 0.62}, {"auc": 0.71, "log_loss": 0.58}
    assert best_of(tries) == f"{best} shifted"


def test_a_target_is_the_difference_of_two_mean_aucs(frozen: Frozen) -> None:
    one = compared(frozen, None)
    bases = {"cdnow": replace(one, means={"risk": {"auc": 0.7}, "btyd": {"auc": 0.69}})}
    found = {(target.base, target.other): target.found(bases) for target in TARGETS}
    assert found.pop(("cdnow", "btyd")) == pytest.approx(0.01)
    assert set(found.values()) == {None}, "what was not measured has no difference"


def test_what_is_left_out_is_said_and_the_rest_is_told(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def instead(name: str, *given: object) -> Iterator[Loaded]:
        if name == "cdnow":
            with loaded(find_source(str(history))) as log:
                yield log
        else:
            with opened(name, *given) as log:  # type: ignore[arg-type]  # as they were given
                yield log

    monkeypatch.setattr(command, "opened", instead)
    only = ["--only", "cdnow", "online-retail-ii", "--data", str(tmp_path / "nowhere"), "--no-peers", "--json"]
    assert command.main([*only, "--out", str(tmp_path)]) == 0
    told, aside = capsys.readouterr()
    assert "online-retail-ii is LEFT OUT" in aside
    figures = json.loads(told)
    assert figures == json.loads((tmp_path / "learning.json").read_text("utf-8"))
    assert {name: set(scores) for name, scores in figures.items()} == {"cdnow": set(SCORES)}
    assert all(set(measures) == set(MEASURES) for measures in figures["cdnow"].values())


def test_every_base_is_there_or_says_why_not(tmp_path: Path) -> None:
    with pytest.raises(BaseMissing, match="--data"), opened("online-retail-ii", settings_that_learn(), tmp_path):
        pass
    assert len(BASES) == 5


def test_speed_is_told_of_labels_that_were_all_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--customers", "60", "--days", "240", "--repeats", "3", "--json"]
    assert learning_speed.main([*few, "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "learning_speed.json").read_text("utf-8"))
    assert told["weights"] == len(COLUMNS)
    assert told["labels"] > 100
    assert told["labels_per_s"] > told["learner_labels_per_s"] > 0, "the champion is a part of the learner"
    assert len(told["turns"]) == 3
    assert told["ratio"] == sorted(told["turns"])[1]
    assert told["ratio_to_stretches"] > 0
    assert told["ratio_to_served"] > 0
