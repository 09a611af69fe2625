"""The features of the linear model: what it knows of a customer, one formula each, made from the raw inputs.

Each is scaled by constants of the design: (formula - centre) / scale. A scale estimated from the stream drifts early and
drags the weights along. `group` is what a person is told that the feature is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.btyd import logit_no_purchase
from detectors.column import Column
from detectors.model_inputs import INPUTS
from detectors.parameters import BtydParameters

GAP_PRIOR_DAYS: Final = 30.0
"""A customer's own gap is shrunk towards this one, with the weight of one gap."""


class Raw:
    """The raw inputs by name, as float64 columns, and what several features are made of."""

    def __init__(self, inputs: NDArray[np.float32], closed_form: BtydParameters, horizon_days: float) -> None:
        self._columns = np.ascontiguousarray(inputs.T, dtype=np.float64)
        self.horizon_days = horizon_days
        self.closed_form_logit = logit_no_purchase(
            closed_form, self["repeat_days"], self["between_days"], self["observed_days"], horizon_days
        )
        self.gaps = self["repeat_days"]
        some = self.gaps > 0
        n = np.maximum(self.gaps, 1.0)
        self.mean_gap = np.where(some, self["between_days"] / n, GAP_PRIOR_DAYS)
        self.shrunk_gap = (self["between_days"] + GAP_PRIOR_DAYS) / (self.gaps + 1.0)
        self.gap_sd = np.sqrt(np.maximum(self["gap_sq_sum"] / n - (self["between_days"] / n) ** 2, 0.0))
        self.mean_log_gap = (self["log_gap_sum"] + np.log(GAP_PRIOR_DAYS)) / (self.gaps + 1.0)
        square = (self["log_gap_sq_sum"] + np.log(GAP_PRIOR_DAYS) ** 2 + 1.0) / (self.gaps + 1.0)
        self.log_gap_sd = np.sqrt(np.maximum(square - self.mean_log_gap**2, 0.0) + 0.1)
        self.ticket = np.log1p(self["spent_minor"] / np.maximum(self["purchases"], 1.0))

    def __getitem__(self, name: str) -> Column:
        column: Column = self._columns[_PLACE[name]]
        return column


_PLACE = {name: place for place, name in enumerate(INPUTS)}
Formula = Callable[[Raw], Column]


@dataclass(frozen=True, slots=True)
class Feature:
    """name, group (for explanations), and (formula - centre) / scale"""

    name: str
    group: str
    centre: float
    scale: float
    formula: Formula


def _log1p(name: str) -> Formula:
    return lambda raw: np.log1p(raw[name])


def _log_decayed(name: str) -> Formula:
    return lambda raw: np.log(raw[name] + 0.05)


def _trend(short: str, long: str, times: float) -> Formula:
    """ln of the recent rate over the longer one."""
    return lambda raw: np.log((times * raw[short] + 1.0) / (raw[long] + 1.0))


def _ticket_of_late(raw: Raw, half_life: int) -> Column:
    return np.log1p(raw[f"decayed_spent_{half_life}"] / np.maximum(raw[f"decayed_purchases_{half_life}"], 1e-12)) - raw.ticket


def _lomax(raw: Raw) -> Column:
    """Logit of no purchase in the next H, if gaps go on as this customer's own did."""
    scale = raw["between_days"] + GAP_PRIOR_DAYS + raw["idle_days"]
    log_silent = -(raw.gaps + 1.0) * np.log1p(raw.horizon_days / scale)
    return log_silent - np.log(-np.expm1(log_silent))


def _money(name: str) -> Formula:
    return lambda raw: np.log1p(raw[name] / 100.0)


def _last_two(raw: Raw) -> Column:
    two = np.where(raw["second_gap_days"] > 0, (raw["last_gap_days"] + raw["second_gap_days"]) / 2.0, raw["last_gap_days"])
    return np.where(raw.gaps > 0, two, GAP_PRIOR_DAYS)


FEATURES: Final = (
    Feature("idle", "silence", 3.2, 1.2, _log1p("idle_days")),
    Feature("tenure", "tenure", 5.0, 1.0, _log1p("observed_days")),
    Feature("purchases_7d", "frequency", 0.2, 0.4, _log1p("purchases_7d")),
    Feature("purchases_30d", "frequency", 0.6, 0.6, _log1p("purchases_30d")),
    Feature("purchases_90d", "frequency", 1.1, 0.7, _log1p("purchases_90d")),
    Feature("purchases_180d", "frequency", 1.4, 0.8, _log1p("purchases_180d")),
    Feature("purchases_365d", "frequency", 1.7, 0.8, _log1p("purchases_365d")),
    Feature("purchases", "frequency", 1.8, 0.9, _log1p("purchases")),
    Feature("days_90d", "frequency", 1.1, 0.6, _log1p("days_90d")),
    Feature("days_180d", "frequency", 1.5, 0.6, _log1p("days_180d")),
    Feature("decayed_15", "frequency", -1.0, 1.5, _log_decayed("decayed_purchases_15")),
    Feature("decayed_45", "frequency", -0.2, 1.2, _log_decayed("decayed_purchases_45")),
    Feature("decayed_120", "frequency", 0.5, 1.0, _log_decayed("decayed_purchases_120")),
    Feature("money_30d", "money", 2.5, 2.5, _money("spent_30d")),
    Feature("money_90d", "money", 4.0, 2.5, _money("spent_90d")),
    Feature("money_180d", "money", 5.0, 2.0, _money("spent_180d")),
    Feature("money", "money", 5.5, 1.5, _money("spent_minor")),
    Feature("decayed_money_15", "money", 2.0, 2.0, _money("decayed_spent_15")),
    Feature("decayed_money_45", "money", 3.0, 2.0, _money("decayed_spent_45")),
    Feature("decayed_money_120", "money", 4.0, 2.0, _money("decayed_spent_120")),
    Feature("ticket", "money", 8.5, 1.5, lambda raw: raw.ticket),
    Feature("ticket_of_late", "money", 0.0, 0.6, lambda raw: _ticket_of_late(raw, 15)),
    Feature("trend_30_90", "trend", 0.0, 0.6, _trend("purchases_30d", "purchases_90d", 3.0)),
    Feature("trend_90_180", "trend", 0.0, 0.5, _trend("purchases_90d", "purchases_180d", 2.0)),
    Feature("trend_180_365", "trend", 0.0, 0.5, _trend("purchases_180d", "purchases_365d", 2.0)),
    Feature("gaps", "rhythm", 1.0, 1.0, lambda raw: np.log1p(raw.gaps)),
    Feature("mean_gap", "rhythm", 3.4, 1.0, lambda raw: np.log1p(raw.mean_gap)),
    Feature("gap_sd", "rhythm", 2.5, 1.5, lambda raw: np.log1p(raw.gap_sd)),
    Feature("gap_cv", "rhythm", 0.6, 0.5, lambda raw: raw.gap_sd / (raw.mean_gap + 1.0)),
    Feature("no_gap", "rhythm", 0.3, 0.45, lambda raw: (raw.gaps == 0).astype(np.float64)),
    Feature("ratio", "silence", 0.0, 1.0, lambda raw: np.log((raw["idle_days"] + 3.0) / (raw.shrunk_gap + 3.0))),
    Feature("z", "silence", 0.0, 1.5, lambda raw: (raw["idle_days"] - raw.mean_gap) / (raw.gap_sd + 0.3 * raw.mean_gap + 3.0)),
    Feature("log_z", "silence", 0.0, 1.5, lambda raw: (np.log(raw["idle_days"] + 1.0) - raw.mean_log_gap) / raw.log_gap_sd),
    Feature(
        "over_longest",
        "silence",
        -0.5,
        1.0,
        lambda raw: np.log((raw["idle_days"] + 3.0) / (np.where(raw.gaps > 0, raw["longest_gap_days"], GAP_PRIOR_DAYS) + 3.0)),
    ),
    Feature(
        "last_gap",
        "trend",
        -0.1,
        0.7,
        lambda raw: np.log((np.where(raw.gaps > 0, raw["last_gap_days"], GAP_PRIOR_DAYS) + 3.0) / (raw.shrunk_gap + 3.0)),
    ),
    Feature("last_gaps", "trend", -0.1, 0.6, lambda raw: np.log((_last_two(raw) + 3.0) / (raw.shrunk_gap + 3.0))),
    Feature(
        "refund_share_90d", "refunds", 0.05, 0.2, lambda raw: raw["refunded_90d"] / (raw["spent_90d"] + raw["refunded_90d"] + 1.0)
    ),
    Feature(
        "refund_share",
        "refunds",
        0.05,
        0.2,
        lambda raw: raw["refunded_minor"] / (raw["spent_minor"] + raw["refunded_minor"] + 1.0),
    ),
    Feature("refunds", "refunds", 0.3, 0.6, _log1p("refunds")),
    Feature("closed_form", "silence", 0.0, 1.5, lambda raw: raw.closed_form_logit),
    Feature("own_rhythm", "silence", 0.0, 1.5, _lomax),
    Feature("months_6", "frequency", 0.5, 0.25, lambda raw: raw["months_6"] / 6.0),
    Feature("months_12", "frequency", 0.4, 0.25, lambda raw: raw["months_12"] / 12.0),
)
