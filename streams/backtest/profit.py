"""What contacting customers would have cost and brought, under assumptions that only the user can make.

N customers are contacted with an offer, L of them were about to leave; with the user's

    V   value of a customer who is kept        d   cost of an offer that is taken
    f   cost of contacting one customer        g   share of those about to leave whom the offer keeps

    cost   = f N  +  d (N - L)  +  g d L       each contact; each offer that a stayer takes; each that keeps a leaver
    kept   = g L
    profit = V kept - cost

Stayers are taken to accept every offer, since they would have paid the full price; leavers who leave cost the contact alone.

Source: Verbraken, Verbeke & Baesens 2013, IEEE Transactions on Knowledge and Data Engineering 25(5):961-973, eq. for the
profit of a campaign: V (g (1 - d/V) - f/V) a leaver contacted, and -(d + f) a stayer.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class ProfitAssumptions:
    """customer_value   V, money, > 0
    offer_cost       d, money, >= 0
    contact_cost     f, money, >= 0
    success_rate     g, 0..1
    currency         of the three, ISO 4217
    Raises ValueError that names every field out of range.
    """

    customer_value: float
    offer_cost: float
    contact_cost: float
    success_rate: float
    currency: str

    def __post_init__(self) -> None:
        problems = [f"{name} = {value:g}: must be {what}" for name, value, what in self._out_of_range()]
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            problems.append(f"currency {self.currency!r}: must be three capital letters (ISO 4217)")
        if problems:
            raise ValueError("\n".join(problems))

    def _out_of_range(self) -> list[tuple[str, float, str]]:
        named = [(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "currency"]
        found = [(name, value, "a number of at least 0") for name, value in named if not (math.isfinite(value) and value >= 0)]
        if self.customer_value == 0:
            found.append(("customer_value", 0.0, "above 0"))
        if self.success_rate > 1:
            found.append(("success_rate", self.success_rate, "a share, 0 to 1"))
        return found


@dataclass(frozen=True, slots=True)
class Campaign:
    """What contacting would have come to.

    cost     money
    kept     customers, as expected
    profit   money; below 0: better not
    """

    cost: float
    kept: float
    profit: float


def campaign(contacted: int, left: int, given: ProfitAssumptions) -> Campaign:
    """Cost, customers kept and profit of contacting `contacted` customers of whom `left` were about to leave.

    Raises ValueError unless 0 <= left <= contacted.

    >>> campaign(100, 60, ProfitAssumptions(200.0, 10.0, 1.0, 0.3, "GBP"))
    Campaign(cost=680.0, kept=18.0, profit=2920.0)
    """
    _check(contacted, left)
    kept = given.success_rate * left
    cost = given.contact_cost * contacted + given.offer_cost * (contacted - left + kept)
    return Campaign(cost, kept, given.customer_value * kept - cost)


def break_even_success_rate(contacted: int, left: int, given: ProfitAssumptions) -> float | None:
    """The smallest success rate at which `campaign` does not lose money; None where none up to 1 does.

    Raises ValueError as `campaign`.

    >>> break_even_success_rate(100, 60, ProfitAssumptions(200.0, 10.0, 1.0, 0.3, "GBP"))
    0.043859649122807015
    """
    _check(contacted, left)
    spent = given.contact_cost * contacted + given.offer_cost * (contacted - left)
    if spent == 0:
        return 0.0
    earned = (given.customer_value - given.offer_cost) * left
    return spent / earned if spent <= earned else None


def _check(contacted: int, left: int) -> None:
    if not 0 <= left <= contacted:
        raise ValueError(f"{left} of {contacted} contacted: a count cannot be below 0 nor a part above the whole")
