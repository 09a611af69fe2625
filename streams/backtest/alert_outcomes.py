"""What alerts were worth, once it is known who left.

    decided     alerts that fired a whole horizon or more before the history ends
    precision   of these, the share after which no purchase came within the horizon: (t, t + H] is empty
    left        silences of a whole horizon, since a purchase by which the customer had bought on min-events occasions
    recall      of these, the share in which an alert fired within [p, p + H], or was firing already since before p
    lead        of those that fired within, days from the alert to p + H, when silence alone would have told

Alerts come in steps of the policy: breaches, cool-down and hysteresis are in all of these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.backtest.alert_log import Episodes
from streams.backtest.silences import Silences
from streams.columns import DAY_MS

Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AlertOutcomes:
    """Names as above.

    decided, kept_silent   alerts that can be judged; of these, those that were followed by a horizon without a purchase
    left, alerted          silences; of these, those that were told of
    already                of these, those with an alert that was firing before
    lead_days              one entry for each of the others
    """

    decided: int
    kept_silent: int
    left: int
    alerted: int
    already: int
    lead_days: NDArray[np.float64]

    @property
    def precision(self) -> float | None:
        return self.kept_silent / self.decided if self.decided else None

    @property
    def recall(self) -> float | None:
        return self.alerted / self.left if self.left else None


ALREADY_MS = -1


def alert_outcomes(alerts: Episodes, silences: Silences, horizon_ms: int, end_ms: int, min_events: int) -> AlertOutcomes:
    """Judge all alerts of a history that ends at `end_ms`.

    silences     longer than the horizon, all of them
    min_events   occasions by which a customer is one whose leaving counts, >= 1
    """
    decided = alerts.from_ms + horizon_ms <= end_ms
    silent = _followed_by_silence(alerts, silences, horizon_ms)
    told_ms = _told_ms(alerts, silences, horizon_ms)
    counted = silences.number >= min_events
    told = counted & (told_ms <= silences.since_ms + horizon_ms)
    within = told & (told_ms > ALREADY_MS)
    lead_ms = silences.since_ms[within] + horizon_ms - told_ms[within]
    return AlertOutcomes(
        decided=int(decided.sum()),
        kept_silent=int((decided & silent).sum()),
        left=int(counted.sum()),
        alerted=int(told.sum()),
        already=int(told.sum() - within.sum()),
        lead_days=lead_ms / DAY_MS,
    )


def _followed_by_silence(alerts: Episodes, silences: Silences, horizon_ms: int) -> Marks:
    """Whether no purchase came within the horizon after each alert: then it stands in a silence that lasts so much longer."""
    at = _last_up_to(silences.customer, silences.since_ms, alerts.customer, alerts.from_ms)
    found = at >= 0
    silent = np.zeros(len(at), bool)
    silent[found] = silences.until_ms[at[found]] - horizon_ms > alerts.from_ms[found]
    return silent


def _told_ms(alerts: Episodes, silences: Silences, horizon_ms: int) -> Ints:
    """When each silence was told of: ALREADY_MS where an alert was firing before; past its horizon where it was not."""
    following = _places(alerts.customer, alerts.from_ms, silences.customer, silences.since_ms - 1)
    told_ms = silences.since_ms + horizon_ms + 1
    there = np.flatnonzero(following < len(alerts.customer))
    there = there[alerts.customer[following[there]] == silences.customer[there]]
    told_ms[there] = alerts.from_ms[following[there]]
    before = np.flatnonzero(following > 0)
    before = before[alerts.customer[following[before] - 1] == silences.customer[before]]
    firing = before[alerts.until_ms[following[before] - 1] > silences.since_ms[before]]
    told_ms[firing] = ALREADY_MS
    return told_ms


def _last_up_to(customer: Ints, time_ms: Ints, whose: Ints, until_ms: Ints) -> NDArray[np.intp]:
    """Position of each one's last entry at or before a time; -1 where there is none. Entries ascend by (customer, time)."""
    at = _places(customer, time_ms, whose, until_ms) - 1
    there = at >= 0
    there[there] = customer[at[there]] == whose[there]
    return np.where(there, at, -1)


def _places(customer: Ints, time_ms: Ints, whose: Ints, until_ms: Ints) -> NDArray[np.intp]:
    """How many entries are at or before (whose, until). Entries ascend by (customer, time)."""
    everybody = np.concatenate([customer, whose])
    when = np.concatenate([time_ms, until_ms])
    asked = np.r_[np.zeros(len(customer), np.int8), np.ones(len(whose), np.int8)]
    order = np.lexsort((asked, when, everybody))
    entries_before = np.cumsum(asked[order] == 0)
    places = np.empty(len(whose), np.intp)
    is_asked = asked[order] == 1
    places[order[is_asked] - len(customer)] = entries_before[is_asked]
    return places
