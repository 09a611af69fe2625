"""The threshold for those who can contact only so many customers a day.

Tried is every threshold in steps of 1e-4, which are those of a served risk: so a budget is met as nearly as customers of one
risk allow. Of those that keep to the budget the best is the most profitable; where no money was assumed, the one that catches
most. Of equals the higher, which disturbs fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streams.backtest.profit import ProfitAssumptions, campaign
from streams.backtest.thresholds import Contacts, Scored, contacts

STEPS = np.arange(1, 10_001) / 10_000
"""The thresholds that are tried."""


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """per_day            contacts a day that can be made, at most
    risk               the threshold; None: there is none
    contacts_per_day   how many it makes
    none               why there is no threshold. ties: more customers share the highest risk than can be contacted;
                       loses: those that keep to the budget would have cost more than they brought
    """

    per_day: float
    risk: float | None
    contacts_per_day: float | None
    precision: float | None
    recall: float | None
    profit: float | None
    none: Literal["ties", "loses"] | None = None


class Budgets:
    """scored        as for `threshold_rows`
    period_days   how many days the scores stand for, > 0
    given         None: counts alone
    """

    def __init__(self, scored: Scored, period_days: float, given: ProfitAssumptions | None = None) -> None:
        walked = contacts(scored)
        self._period_days, self._money, self._leaving = period_days, given is not None, walked.leaving
        self._fired, self._caught = counts(walked, STEPS)
        self._worth = self._caught.astype(float) if given is None else _profits(self._fired, self._caught, given)

    @property
    def most_per_day(self) -> float:
        """Contacts a day of the lowest threshold."""
        return float(self._fired[0] / self._period_days)

    def usual(self) -> list[float]:
        """Contacts a day worth asking about, of which at least one would have been made."""
        return usual_budgets(self.most_per_day, least=1 / self._period_days)

    def row(self, per_day: float) -> BudgetRow:
        """The best threshold for so many contacts a day; infinity: of all."""
        within = np.flatnonzero((self._fired > 0) & (self._fired / self._period_days <= per_day))
        if not len(within):
            return _nobody(per_day, "ties")
        worth = self._worth[within]
        best = within[np.flatnonzero(worth == worth.max())[-1]]
        if self._money and self._worth[best] <= 0:
            return _nobody(per_day, "loses")
        fired, caught = int(self._fired[best]), int(self._caught[best])
        return BudgetRow(
            per_day,
            float(STEPS[best]),
            fired / self._period_days,
            caught / fired,
            caught / self._leaving if self._leaving else None,
            float(self._worth[best]) if self._money else None,
        )


def counts(walked: Contacts, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many each threshold contacts, and how many of these have left.

    An entry is the contact of the thresholds above `before` and up to its risk. So a threshold has as many contacts as there are
    entries with `before` below it, less those with their risk below it.
    """
    return _contacted(walked, np.ones(len(walked.before), bool), thresholds), _contacted(walked, walked.entries.left, thresholds)


def usual_budgets(most_per_day: float, least: float = 0.0) -> list[float]:
    """Contacts a day worth asking about where contacting all makes `most_per_day`: 1, 2, 5, 10 and so on, six at most.

    least   below so many nobody is asked

    >>> usual_budgets(7.3), usual_budgets(7.3, least=1.0)
    ([0.1, 0.2, 0.5, 1.0, 2.0, 5.0], [1.0, 2.0, 5.0])
    """
    steps = [digit * 10.0**power if power >= 0 else digit / 10.0**-power for power in range(-2, 7) for digit in (1, 2, 5)]
    return [step for step in steps if least <= step <= most_per_day][-6:]


def _contacted(walked: Contacts, of: NDArray[np.bool_], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    before, risk = np.sort(walked.before[of]), np.sort(walked.entries.risk[of])
    return (np.searchsorted(before, thresholds) - np.searchsorted(risk, thresholds)).astype(np.int64)


def _profits(fired: NDArray[np.int64], caught: NDArray[np.int64], given: ProfitAssumptions) -> NDArray[np.float64]:
    return np.array([campaign(n, left, given).profit for n, left in zip(fired.tolist(), caught.tolist(), strict=True)])


def _nobody(per_day: float, why: Literal["ties", "loses"]) -> BudgetRow:
    return BudgetRow(per_day, None, None, None, None, None, why)
