"""The verdict of a backtest, and what is said of customers about whom the model knows little."""

from __future__ import annotations

import pytest

from streams.backtest.report_parts.failing import remark
from streams.backtest.report_parts.headline import verdict


def report(*cutoffs: tuple[float | None, float, float]):
    return {
        "cutoffs": [
            {"scores": {"risk": {"auc": risk}, "idle": {"auc": idle}, "frequency": {"auc": frequency}}}
            for risk, idle, frequency in cutoffs
        ]
    }


@pytest.mark.parametrize(
    ("cutoffs", "better", "said"),
    [
        ([(0.75, 0.64, 0.69), (0.74, 0.65, 0.70)], True, "at 2 of 2 cut-offs"),
        ([(0.75, 0.64, 0.69), (0.68, 0.65, 0.70), (0.8, 0.6, 0.6)], True, "at 2 of 3 cut-offs"),
        (
            [(0.95, 0.64, 0.69), (0.68, 0.65, 0.70)],
            False,
            "On average risk finds those who leave better than nothing clever does, but only at 1",
        ),
        ([(0.64, 0.60, 0.69), (0.71, 0.65, 0.70)], False, "better than purchase frequency alone does; it is ahead at 1 of 2"),
        ([(0.60, 0.60, 0.55)], False, "better than days of silence alone does; it is ahead at 0 of 1"),
        ([(0.75, 0.64, 0.69), (None, None, None)], True, "at 1 of 1 cut-off."),
        ([(None, None, None)], None, "Nothing can be said"),
        ([], None, "Nothing can be said"),
    ],
)
def test_risk_is_better_where_it_beats_both_on_average_and_mostly(cutoffs, better, said):
    found, words = verdict(report(*cutoffs))
    assert found is better
    assert said in words


EVERYBODY = {"auc": 0.75, "log_loss": 0.55, "guess_loss": 0.65, "mean_risk": 0.34, "base_rate": 0.36}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "–"),
        ({"auc": 0.71}, "–"),
        ({"auc": 0.69}, "tells customers apart less well"),
        ({"auc": None}, "all alike: there is nobody to tell apart"),
        ({"log_loss": 0.65}, "no better than a guess"),
        ({"mean_risk": 0.42}, "risk too high by 6 points"),
        (
            {"auc": 0.5, "mean_risk": 0.30, "log_loss": 0.9},
            "tells customers apart less well; no better than a guess; risk too low by 6 points",
        ),
        ({"mean_risk": None, "guess_loss": None}, "–"),
    ],
)
def test_what_is_weak_about_a_kind_of_customers_is_said(changed, said):
    assert remark(EVERYBODY | changed, EVERYBODY) == said
