"""A report.json's content to try the page on: scores and truth drawn by chance, judged by the product's own code."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from detectors.measures import auc, lift_at_10, measure, pr_auc
from detectors.parameters import SHIPPED
from streams.backtest.cut_offs import CutOffRules
from streams.backtest.judged import judged
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.settings_used import settings_of
from streams.backtest.thresholds import Scored
from streams.columns import DAY_MS
from streams.runtime.cause_files import shipped_snapshot
from streams.runtime.settings import load_settings

MEASURES = ("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_10", "lift_cap")
FIRST_DAY, EVERY_DAYS, HORIZON_DAYS = 14_760, 30, 90
MONEY = ProfitAssumptions(300.0, 20.0, 2.0, 0.25, "GBP")


def example(seed: int = 7, cutoffs: int = 4, customers: int = 120, given: ProfitAssumptions | None = MONEY) -> dict[str, Any]:
    """Everything that a report holds, but what challengers measured (test_report_keys holds it to a real one)."""
    rng = np.random.default_rng(seed)
    n = cutoffs * customers
    cutoff = np.repeat(np.arange(cutoffs), customers)
    at_ms = (FIRST_DAY + EVERY_DAYS * cutoff) * DAY_MS
    idle_days = rng.integers(0, 200, n)
    truth = 1 / (1 + np.exp(-(idle_days - 80) / 30))
    left = rng.uniform(size=n) < truth
    risk = np.round(np.clip(truth + rng.normal(0, 0.05, n), 0, 1), 4)
    scores = {"btyd": np.clip(truth * 0.9, 0, 1), "idle": idle_days / 200, "frequency": -rng.uniform(size=n)}
    scored = Scored(np.tile(np.arange(customers), cutoffs), at_ms, at_ms - idle_days * DAY_MS, risk, left)
    kinds = (rng.integers(0, 2**12, n) | 1).astype(np.uint16)  # everybody is of the first
    at_cutoffs = [
        _cutoff(int(at_ms[rows[0]]), left[rows], {"risk": risk[rows]} | {k: v[rows] for k, v in scores.items()})
        for rows in (np.flatnonzero(cutoff == k) for k in range(cutoffs))
    ]
    asked = {"horizon_days": HORIZON_DAYS, "period_days": cutoffs * EVERY_DAYS, "lines": (0.5, 0.72, 0.85)}
    parts = judged(scored, scores, kinds, **asked, given=given)
    return _around(at_cutoffs) | parts


def _around(cutoffs: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("risk", "btyd", "idle", "frequency")
    mean = {
        name: {key: _mean([cutoff["scores"][name][key] for cutoff in cutoffs]) for key in cutoffs[0]["scores"][name]}
        for name in names
    }
    used = settings_of(
        load_settings(None, {"CHURNWATCH_LEARNING__ENABLED": "true", "CHURNWATCH_POLICY__HIGH": "0.72"}),
        CutOffRules(HORIZON_DAYS, 180, EVERY_DAYS, 2),
        refit_days=30, run_on_days=0, closed_form=SHIPPED, causes=shipped_snapshot(),
    )  # fmt: skip
    return {
        "schema": "churnwatch.backtest/1",
        "file": "purchases.csv.gz",
        "events": 44_876,
        "repeats": 0,
        "customers": 5_942,
        "from": "2009-12-01T07:45:00.000Z",
        "to": "2011-12-09T12:50:00.000Z",
        "seconds": 0.733,
        "events_per_s": 61_234.5,
        "engine_events_per_s": 92_345.6,
        "settings_hash": "9f2c41d07ab3",
        "settings": used,
        "cutoffs": cutoffs,
        "mean": mean,
        "learning": {
            "enabled": True,
            "labels": 21_946,
            "left_share": 0.365,
            "models": 17,
            "served_from": "2010-09-03T00:00:00.000Z",
            "events": [
                {"at": "2010-09-03T00:00:00.000Z", "what": "serving", "why": "log loss 0.611 against 0.621"},
                {"at": "2011-01-15T00:00:00.000Z", "what": "demoted", "why": "log loss 0.634 against 0.621"},
            ],
            "versions": [{"from": "2010-09-03T00:00:00.000Z", "version": "learnt-2010-09-03"}],
            "standing": "demoted",
            "why": "log loss 0.634 against 0.621",
            "shift": -0.12,
            "measured": _measured(mean, 10_000),
            "measured_repeat_buyers": _measured(mean, 6_000),
            "measured_total": _measured(mean, 21_000),
            "measured_total_repeat_buyers": _measured(mean, 14_000),
        },
        "alerts": alerts(),
        "policies": [
            {"name": "as it is", "settings_hash": "9f2c41d07ab3", "alerts": alerts()},
            {"name": "bolder", "settings_hash": "0123456789ab", "alerts": alerts(fired=900)},
        ],
    }


def alerts(fired: int = 406) -> dict[str, Any]:
    """What became of the alerts."""
    return {
        "fired": fired,
        "fired_after": 0,
        "messages": 2 * fired,
        "per_day": fired / 120,
        "precision": 0.463,
        "decided": fired - 6,
        "recall": 0.71,
        "left": 200,
        "warned": 142,
        "warned_before": 31,
        "lead_time_days": {"p10": -12.0, "p50": 41.25, "p90": 88.0},
        "by_week": [{"at": f"2010-06-{day:02}T00:00:00.000Z", "fired": fired // 4} for day in (1, 8, 15, 22)],
    }


def _measured(mean: dict[str, Any], n: int) -> dict[str, Any]:
    """By model. Of fewer outcomes a little worse, so that views differ."""
    names = {"champion": "risk", "closed_form": "btyd", "idle": "idle"}
    worse = 100 / n
    return {
        model: {"n": n, "base_rate": 0.4} | {key: None if value is None else value - worse for key, value in mean[score].items()}
        for model, score in names.items()
    }


def _cutoff(at_ms: int, left: Any, scores: dict[str, Any]) -> dict[str, Any]:
    measured = {name: asdict(measure(scores[name], left)) for name in ("risk", "btyd", "idle")}
    found = {name: {key: one[key] for key in MEASURES} for name, one in measured.items()}
    lift, cap = lift_at_10(scores["frequency"], left)
    found["frequency"] = dict.fromkeys(found["risk"]) | {
        "auc": auc(scores["frequency"], left), "pr_auc": pr_auc(scores["frequency"], left), "lift_at_10": lift, "lift_cap": cap,
    }  # fmt: skip
    at = str(np.datetime64(at_ms, "ms")) + "Z"
    return {"at": at, "n": len(left), "base_rate": float(left.mean()), "scores": found}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def nobody_at(day: str) -> dict[str, Any]:
    """A cut-off at which nobody was scored."""
    scores = {name: dict.fromkeys(MEASURES) for name in ("risk", "btyd", "idle", "frequency")}
    return {"at": f"{day}T00:00:00.000Z", "n": 0, "base_rate": None, "scores": scores}


def without_cutoffs() -> dict[str, Any]:
    """Of a history too short for a cut-off, and without anything that may be left out."""
    report = example()
    for name in ("learning", "weak_spots", "thresholds", "budgets", "profit_assumptions", "policies"):
        del report[name]
    numbers = {"fired": 0, "fired_after": 0, "per_day": 0.0, "precision": None, "recall": None, "by_week": []}
    empty = {"cutoffs": [], "mean": {}, "gain": [], "calibration": {"risk": [], "btyd": []}}
    return report | empty | {"alerts": numbers | {"lead_time_days": dict.fromkeys(("p10", "p50", "p90"))}}
