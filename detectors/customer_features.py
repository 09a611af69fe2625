"""The features of the linear model: what it knows of a customer, one formula each, made from the raw inputs.

Each is scaled by constants of the design: (formula - centre) / scale. A scale estimated from the stream drifts early and
drags the weights along. Money is compared with the customer's own ticket, so only `ticket` knows the currency. A feature of
refunds, complaints or logins is 0 for who has none: on a business without them it is no column at all. Logins are compared
with the customer's own rate; that rate itself, as all that says what kind of customer it is, is told as "base".

`variance` is that of the weight before any label: little where features say nearly the same as others; much where nothing is
known beforehand, since what a complaint or a login means, even its sign, differs from business to business.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.btyd import unchecked_logit
from detectors.column import Column
from detectors.model_inputs import INPUTS
from detectors.parameters import BtydParameters

GAP_PRIOR_DAYS: Final = 30.0
"""A customer's own gap is shrunk towards this one, with the weight of one gap."""

VARIANCE: Final = 0.1
SIGNAL_VARIANCE: Final = 0.5


class Raw:
    """The raw inputs by name, as float64 columns, and what several features are made of."""

    def __init__(self, inputs: NDArray[np.float32], closed_form: BtydParameters, horizon_days: float) -> None:
        self._columns = np.ascontiguousarray(inputs.T, dtype=np.float64)
        self._at: NDArray[np.intp] | None = None
        self.horizon_days = horizon_days
        self._usual_login_gap: Column | None = None
        gaps, between = self["repeat_days"], self["between_days"]
        self.closed_form_logit = unchecked_logit(closed_form, gaps, between, self["observed_days"], horizon_days)
        self.gaps = gaps
        self.any_gap = gaps > 0
        n = np.maximum(gaps, 1.0)
        self.mean_gap = np.where(self.any_gap, between / n, GAP_PRIOR_DAYS)
        self.shrunk_gap = (between + GAP_PRIOR_DAYS) / (gaps + 1.0)
        self.gap_sd = np.sqrt(np.maximum(self["gap_sq_sum"] / n - (between / n) ** 2, 0.0))
        self.ticket = np.log1p(self["spent_minor"] / np.maximum(self["purchases"], 1.0))

    def __getitem__(self, name: str) -> Column:
        column: Column = self._columns[_PLACE[name]]
        return column if self._at is None else column[self._at]

    @property
    def usual_login_gap(self) -> Column:
        """Days between two logins in the last year, or since the first purchase where that is shorter."""
        if self._usual_login_gap is None:
            days = np.minimum(self["observed_days"] + 1.0, 365.0)
            self._usual_login_gap = days / np.maximum(self["logins_365d"], 1.0)
        return self._usual_login_gap

    def some(self, at: NDArray[np.intp]) -> Raw:
        """The raw inputs of these rows alone, each picked out when it is asked for, since few of them are.

        What several features of everybody are made of stays behind: whoever asks for it fails, and gets no other rows'.
        """
        found = copy(self)
        found._at, found._usual_login_gap = at if self._at is None else self._at[at], None
        for name in _MADE_OF_SEVERAL:
            delattr(found, name)
        return found


_PLACE = {name: place for place, name in enumerate(INPUTS)}
_MADE_OF_SEVERAL = ("closed_form_logit", "gaps", "any_gap", "mean_gap", "shrunk_gap", "gap_sd", "ticket")
Formula = Callable[[Raw], Column]


@dataclass(frozen=True, slots=True)
class Feature:
    """name       of the column
    group      what a person is told that it is about
    centre, scale   the column is (formula - centre) / scale
    formula    one value a customer
    variance   of the weight before any label
    signal     the input without which the column is 0, so that it is computed of those alone who have sent such a signal; None:
               of everybody
    """

    name: str
    group: str
    centre: float
    scale: float
    formula: Formula
    variance: float = VARIANCE
    signal: str | None = None


def _log1p(name: str) -> Formula:
    return lambda raw: np.log1p(raw[name])


def _log_decayed(days: int) -> Formula:
    return lambda raw: np.log(raw[f"decayed_purchases_{days}"] + 0.05)


def _share(part: str, whole: float) -> Formula:
    return lambda raw: raw[part] / whole


def _trend(short: str, long: str, times: float) -> Formula:
    """ln of the rate in the short window over that in the long one; 0 where the long one is empty."""
    return lambda raw: np.where(raw[long] > 0, np.log((times * raw[short] + 1.0) / (raw[long] + 1.0)), 0.0)


def _over(numerator: str, gap: Formula) -> Formula:
    """ln of some days over a gap; three days more or less say nothing."""
    return lambda raw: np.log((raw[numerator] + 3.0) / (gap(raw) + 3.0))


def _longest_gap(raw: Raw) -> Column:
    return np.where(raw.any_gap, raw["longest_gap_days"], GAP_PRIOR_DAYS)


def _last_gap(raw: Raw) -> Column:
    last = np.where(raw.any_gap, raw["last_gap_days"], GAP_PRIOR_DAYS)
    return np.log((last + 3.0) / (raw.shrunk_gap + 3.0))


def _z(raw: Raw) -> Column:
    """How many spreads of the customer's own gaps the silence is above their mean."""
    return (raw["idle_days"] - raw.mean_gap) / (raw.gap_sd + 0.3 * raw.mean_gap + 3.0)


def _log_z(raw: Raw) -> Column:
    """The same of ln(days), with one gap of the prior among the customer's own."""
    prior = float(np.log(GAP_PRIOR_DAYS))
    mean = (raw["log_gap_sum"] + prior) / (raw.gaps + 1.0)
    square = (raw["log_gap_sq_sum"] + prior**2 + 1.0) / (raw.gaps + 1.0)
    return (np.log1p(raw["idle_days"]) - mean) / np.sqrt(np.maximum(square - mean**2, 0.0) + 0.1)


def _own_rhythm(raw: Raw) -> Column:
    """Logit of no purchase in the next H if the customer goes on at the rate of the own gaps (Lomax)."""
    silent = -(raw.gaps + 1.0) * np.log1p(raw.horizon_days / (raw["between_days"] + GAP_PRIOR_DAYS + raw["idle_days"]))
    return silent - np.log(-np.expm1(silent))


def _ticket_of_late(raw: Raw) -> Column:
    """ln of the mean ticket of late over that of life; 0 where the purchases have faded away."""
    count = raw["decayed_purchases_15"]
    return np.where(count > 0, np.log1p(raw["decayed_spent_15"] / np.where(count > 0, count, 1.0)) - raw.ticket, 0.0)


def _refunded(refunded: str, spent: str) -> Formula:
    """Refunds as a share of the money that went to and fro."""
    return lambda raw: raw[refunded] / (raw[spent] + raw[refunded] + 1.0)


def _since_purchase(raw: Raw) -> Column:
    """1 where the last complaint came after the last purchase: nobody knows yet what it did."""
    return (raw["complaint_idle_days"] <= raw["idle_days"]).astype(np.float64)


def _severity_since(raw: Raw) -> Column:
    """Mean severity of the last year's complaints over 3, where the last came after the last purchase."""
    return _since_purchase(raw) * raw["severity_365d"] / np.maximum(raw["complaints_365d"], 1.0) / 3.0


def _login_silence(raw: Raw) -> Column:
    """ln of the days without a login over the usual days between two."""
    return np.log((raw["login_idle_days"] + 1.0) / (raw.usual_login_gap + 1.0))


def _logins_against_usual(days: int) -> Formula:
    """ln of the logins in a window over as many as there usually are."""
    return lambda raw: np.log((raw[f"logins_{days}d"] + 1.0) / (days / raw.usual_login_gap + 1.0))


def _refund(name: str, scale: float, formula: Formula) -> Feature:
    return Feature(name, "refunds", 0.0, scale, formula, signal="refunds")


def _complaint(name: str, scale: float, formula: Formula) -> Feature:
    return Feature(name, "complaints", 0.0, scale, formula, SIGNAL_VARIANCE, "complaints")


def _login(name: str, group: str, scale: float, formula: Formula) -> Feature:
    """Of who has logged in within a year."""
    return Feature(name, group, 0.0, scale, formula, SIGNAL_VARIANCE, "logins_365d")


FEATURES: Final[tuple[Feature, ...]] = (
    Feature("closed_form", "silence", 0.0, 1.5, lambda raw: raw.closed_form_logit),
    Feature("idle", "silence", 3.2, 1.2, _log1p("idle_days")),
    Feature("ratio", "silence", 0.0, 1.0, _over("idle_days", lambda raw: raw.shrunk_gap)),
    Feature("over_longest", "silence", -0.5, 1.0, _over("idle_days", _longest_gap)),
    Feature("z", "silence", 0.0, 1.5, _z),
    Feature("log_z", "silence", 0.0, 1.5, _log_z),
    Feature("own_rhythm", "silence", 0.0, 1.5, _own_rhythm),
    Feature("gaps", "rhythm", 1.0, 1.0, lambda raw: np.log1p(raw.gaps)),
    Feature("mean_gap", "rhythm", 3.4, 1.0, lambda raw: np.log1p(raw.mean_gap)),
    Feature("gap_cv", "rhythm", 0.6, 0.5, lambda raw: raw.gap_sd / (raw.mean_gap + 1.0)),
    Feature("days_30d", "frequency", 0.6, 0.6, _log1p("days_30d")),
    Feature("days_90d", "frequency", 1.1, 0.6, _log1p("days_90d")),
    Feature("days_180d", "frequency", 1.5, 0.6, _log1p("days_180d")),
    Feature("months_6", "frequency", 0.5, 0.25, _share("months_6", 6.0)),
    Feature("months_12", "frequency", 0.4, 0.25, _share("months_12", 12.0)),
    Feature("decayed_15", "frequency", -1.0, 1.5, _log_decayed(15)),
    Feature("decayed_45", "frequency", -0.2, 1.2, _log_decayed(45)),
    Feature("decayed_120", "frequency", 0.5, 1.0, _log_decayed(120)),
    Feature("trend_30_90", "trend", 0.0, 0.6, _trend("days_30d", "days_90d", 3.0)),
    Feature("trend_90_180", "trend", 0.0, 0.5, _trend("days_90d", "days_180d", 2.0)),
    Feature("last_gap", "trend", -0.1, 0.7, _last_gap),
    Feature("tenure", "tenure", 5.0, 1.0, _log1p("observed_days")),
    Feature("ticket", "money", 8.0, 1.5, lambda raw: raw.ticket),
    Feature("ticket_of_late", "money", 0.0, 0.6, _ticket_of_late),
    _refund("refunds", 0.6, _log1p("refunds")),
    _refund("refund_share", 0.2, _refunded("refunded_minor", "spent_minor")),
    _refund("refund_share_90d", 0.2, _refunded("refunded_90d", "spent_90d")),
    _refund("refunded_90d", 0.3, lambda raw: (raw["refunded_90d"] > 0).astype(np.float64)),
    _complaint("complaints", 1.0, _log1p("complaints")),
    _complaint("complaints_90d", 0.7, _log1p("complaints_90d")),
    _complaint("complaints_30d", 0.7, _log1p("complaints_30d")),
    _complaint("severity_90d", 1.5, _log1p("severity_90d")),
    _complaint("complaint_since", 1.0, _since_purchase),
    _complaint("severity_since", 1.0, _severity_since),
    _login("logs_in", "base", 1.0, lambda raw: np.ones_like(raw["logins"])),
    _login("login_rate", "base", 1.0, lambda raw: np.log1p(30.0 / raw.usual_login_gap)),
    _login("login_silence", "logins", 1.0, _login_silence),
    _login("logins_7d", "logins", 0.6, _logins_against_usual(7)),
    _login("logins_30d", "logins", 0.6, _logins_against_usual(30)),
    _login("logins_90d", "logins", 0.6, _logins_against_usual(90)),
)
