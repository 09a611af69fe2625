"""What each threshold of risk would have caught, how early, and at what price: for choosing one.

The unit is a spell of silence: a customer, and the purchase since which there was none. In a spell a threshold contacts the
customer once, when risk is first at or above it; the next purchase ends the spell. Of the customers scored, in spells,

    left        no purchase within the horizon after the score; once false in a spell it stays false
    fired       spells in which the customer is contacted
    caught      of these, left as of the contact
    precision   caught / fired
    recall      caught / spells in which somebody left
    lead        of those caught, days from the contact to the horizon's length of silence, at which whoever counts silent
                days would have called them gone; below 0 where the contact came later than that

A higher threshold fires in no more spells, and catches no more, later. Consecutive breaches and cool-downs of the policy are not
played here: the alerts' own numbers, with all of that, come from the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from streams.backtest.profit import ProfitAssumptions, break_even_success_rate, campaign
from streams.columns import DAY_MS

Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]
Floats = NDArray[np.float64]

GRID = tuple(percent / 100 for percent in range(5, 100, 5))
"""Thresholds that are always shown."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of customers, one entry each, in any order; a customer at most once at a time.

    customer           number of the customer, from 0: memory grows with the largest
    at_ms              when, ms since 1970 UTC
    last_purchase_ms   the customer's last purchase by then
    risk               0..1
    left               whether there was no purchase within the horizon from then
    """

    customer: Ints
    at_ms: Ints
    last_purchase_ms: Ints
    risk: Floats
    left: Marks

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, index: NDArray[np.intp]) -> Scored:
        """The entries at `index`, in that order."""
        return Scored(*(getattr(self, field.name)[index] for field in fields(self)))

    @staticmethod
    def concat(parts: Sequence[Scored]) -> Scored:
        """All entries of `parts`, one part after another."""
        nobody = Scored(*(np.empty(0, kind) for kind in (np.int64, np.int64, np.int64, np.float64, bool)))
        return Scored(*(np.concatenate([getattr(part, field.name) for part in (nobody, *parts)]) for field in fields(Scored)))


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One threshold. Names as in the module's text; None where there is nothing to divide by, or nothing was assumed.

    risk     the threshold;  per_day   spells contacted a day
    cost, saved, profit, break_even_success_rate   money, customers, money, share: see `profit`
    """

    risk: float
    fired: int
    per_day: float
    precision: float | None
    recall: float | None
    lead_time_days_p50: float | None
    cost: float | None = None
    saved: float | None = None
    profit: float | None = None
    break_even_success_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Contacts:
    """Every contact that a threshold could make.

    entries   scores above all earlier ones of their spell: each is the contact of the thresholds above `before` up to its risk
    before    the highest risk before each in its spell; -inf at a spell's first
    leaving   spells in which somebody left
    """

    entries: Scored
    before: Floats
    leaving: int


def threshold_rows(
    scored: Scored,
    thresholds: Sequence[float],
    *,
    horizon_days: float,
    period_days: float,
    given: ProfitAssumptions | None = None,
) -> list[ThresholdRow]:
    """A row for each of `thresholds`, ascending, each once.

    horizon_days   H, > 0
    period_days    how many days the scores stand for, > 0: the days over which contacts are spread
    given          None: counts alone
    Raises ValueError outside these ranges.
    """
    if not (horizon_days > 0 and period_days > 0):
        raise ValueError(f"horizon of {horizon_days} days, period of {period_days} days: both must be above 0")
    walked = contacts(scored)
    entries = walked.entries
    lead_days = horizon_days - (entries.at_ms - entries.last_purchase_ms) / DAY_MS
    rows = []
    for threshold in sorted(set(thresholds)):
        contacted = (walked.before < threshold) & (entries.risk >= threshold)
        caught = contacted & entries.left
        rows.append(_row(threshold, int(contacted.sum()), lead_days[caught], walked.leaving, period_days, given))
    return rows


def contacts(scored: Scored) -> Contacts:
    """Through the cut-offs in their order; kept on the way are each customer's spell's beginning and its highest risk so far."""
    people = int(scored.customer.max(initial=-1)) + 1
    since_ms, highest = np.full(people, np.iinfo(np.int64).min), np.full(people, -np.inf)
    parts, befores, leaving = [], [], 0
    for at_ms in np.unique(scored.at_ms):
        now = scored.take(np.flatnonzero(scored.at_ms == at_ms))
        goes_on = since_ms[now.customer] == now.last_purchase_ms
        before = np.where(goes_on, highest[now.customer], -np.inf)
        leaving += int((now.left & ~goes_on).sum())  # who has left at all has left as of the spell's first score
        since_ms[now.customer], highest[now.customer] = now.last_purchase_ms, np.maximum(before, now.risk)
        risen = np.flatnonzero(now.risk > before)
        parts.append(now.take(risen))
        befores.append(before[risen])
    return Contacts(Scored.concat(parts), np.concatenate([np.empty(0), *befores]), leaving)


def _row(
    threshold: float, fired: int, lead_days: Floats, leaving: int, period_days: float, given: ProfitAssumptions | None
) -> ThresholdRow:
    caught = len(lead_days)
    row = ThresholdRow(
        threshold,
        fired,
        fired / period_days,
        caught / fired if fired else None,
        caught / leaving if leaving else None,
        float(np.median(lead_days)) if caught else None,
    )
    if given is None:
        return row
    outcome = campaign(fired, caught, given)
    needed = break_even_success_rate(fired, caught, given) if fired else None
    return replace(row, cost=outcome.cost, saved=outcome.kept, profit=outcome.profit, break_even_success_rate=needed)
