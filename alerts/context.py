"""What all alerts of a run share."""

from __future__ import annotations

from typing import Literal

import msgspec

from detectors.served import LEARNT


class AlertContext(msgspec.Struct, frozen=True, kw_only=True):
    """horizon_days                  H of the risk, days
    currency                      base currency, ISO 4217
    config_hash                   of the settings that change decisions
    holdout_share, holdout_salt   see alerts/stages/holdout.py
    live_after_ms                 event time up to which decisions are about the past, ms since 1970; None = all are
    learnt_by                     what a learnt model's risk is about: it was learnt who stays by this
    """

    horizon_days: float
    currency: str
    config_hash: str
    holdout_share: float
    holdout_salt: str
    live_after_ms: int | None = None
    learnt_by: Literal["purchases", "logins"] = "purchases"

    def risk_of(self, model: str) -> Literal["no_purchase", "no_login"]:
        """What the risk by a model of this name is the probability of. The closed form knows purchases only."""
        return "no_login" if model == LEARNT and self.learnt_by == "logins" else "no_purchase"
