"""Alerts about simulated customers against what was true of them.

An alert counts when it first reaches high or critical in its episode. It was right when the customer had left by then: in
the simulation a life ends with a purchase or a complaint, so nothing more was to come. Lead time is how much sooner it came than
the plain rule "nothing bought for the horizon" would have; late is how long after the end of the life it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
import numpy as np

from alerts.alert import Alert
from streams.backtest.simulation import Truth
from streams.cli.demo_parts.feed import TIERS
from streams.columns import DAY_MS

SERIOUS = ("high", "critical")


class Spread(msgspec.Struct, frozen=True):
    """Days: the 10th percentile, the median and the 90th percentile."""

    p10: float
    p50: float
    p90: float


class TierTruth(msgspec.Struct, frozen=True):
    """Customers whose alert stands in one tier at the end, and how many of them had left."""

    customers: int
    left: int


class TruthReport(msgspec.Struct, frozen=True):
    """Of the simulated customers only.

    customers         all; `left` of them left within the simulated year
    serious_alerts    alerts that reached high or critical
    had_left          of these, the customer had left by then
    had_not_left      of these, the customer was still one then
    bought_again      of those, the alert was resolved by a purchase
    lead_days         of `had_left`: days before `horizon_days` of silence had passed; null where there is none
    late_days         of `had_left`: days after the end of the life; null where there is none
    due               customers who left at least `horizon_days` before the end of the replay, with enough purchases to be judged
    found             of these, alerted at high or critical after they had left
    too_few           customers who left that long before the end, but bought fewer than `min_purchases` times: never judged
    at_end            tier at the end ("none": no alert, or resolved) -> its customers with `min_purchases`, and how many had left
    """

    customers: int
    left: int
    serious_alerts: int
    had_left: int
    had_not_left: int
    bought_again: int
    lead_days: Spread | None
    late_days: Spread | None
    due: int
    found: int
    too_few: int
    at_end: dict[str, TierTruth]
    horizon_days: int
    min_purchases: int

    @property
    def precision(self) -> float | None:
        """Share of serious alerts whose customer had left; None without any."""
        return self.had_left / self.serious_alerts if self.serious_alerts else None

    @property
    def recall(self) -> float | None:
        """Share found of those due; None where nobody was due."""
        return self.found / self.due if self.due else None


def compare(
    truths: Mapping[str, Truth], alerts: Mapping[str, Sequence[Alert]], *, end_ms: int, horizon_days: int, min_purchases: int
) -> TruthReport:
    """The alerts against the truth.

    alerts          customer -> messages in the order they were sent
    end_ms          event time of the replay's end
    horizon_days    H of the risk
    min_purchases   occasions before a customer is judged at all
    """
    reached = [(truths[customer], at_ms, back) for customer, sent in alerts.items() for at_ms, back in _serious(sent)]
    gone = [(truth, at_ms) for truth, at_ms, _ in reached if _had_left(truth, at_ms)]
    found = {truth.customer for truth, _ in gone}
    long_gone = [t for t in truths.values() if t.left and t.end_ms + horizon_days * DAY_MS <= end_ms]
    due = [truth for truth in long_gone if truth.purchases >= min_purchases]
    late = [(at_ms - truth.end_ms) / DAY_MS for truth, at_ms in gone]
    return TruthReport(
        customers=len(truths),
        left=sum(truth.left for truth in truths.values()),
        serious_alerts=len(reached),
        had_left=len(gone),
        had_not_left=len(reached) - len(gone),
        bought_again=sum(back for truth, at_ms, back in reached if not _had_left(truth, at_ms)),
        lead_days=_spread([horizon_days - days for days in late]),
        late_days=_spread(late),
        due=len(due),
        found=sum(truth.customer in found for truth in due),
        too_few=len(long_gone) - len(due),
        at_end=_at_end([truth for truth in truths.values() if truth.purchases >= min_purchases], alerts),
        horizon_days=horizon_days,
        min_purchases=min_purchases,
    )


def _at_end(truths: Sequence[Truth], alerts: Mapping[str, Sequence[Alert]]) -> dict[str, TierTruth]:
    left: dict[str, list[bool]] = {}
    for truth in truths:
        sent = alerts.get(truth.customer)
        left.setdefault(sent[-1].tier if sent else "none", []).append(truth.left)
    return {tier: TierTruth(len(left[tier]), sum(left[tier])) for tier in (*TIERS, "none") if tier in left}


def _had_left(truth: Truth, at_ms: int) -> bool:
    return truth.left and truth.end_ms <= at_ms


def _serious(sent: Sequence[Alert]) -> Iterator[tuple[int, bool]]:
    """Of each episode that got so far: when it first reached high or critical, ms; was it resolved by a purchase?"""
    episodes: dict[str, list[Alert]] = {}
    for alert in sent:
        episodes.setdefault(alert.alert_id, []).append(alert)
    for messages in episodes.values():
        first = next((alert for alert in messages if alert.status == "firing" and alert.tier in SERIOUS), None)
        if first is not None:
            yield _ms(first.as_of), any(alert.resolved_by == "purchase" for alert in messages)


def _ms(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def _spread(days: Sequence[float]) -> Spread | None:
    if not days:
        return None
    p10, p50, p90 = np.percentile(days, (10, 50, 90)).tolist()
    return Spread(round(p10, 1), round(p50, 1), round(p90, 1))
