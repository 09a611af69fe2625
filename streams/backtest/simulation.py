"""Simulated customers whose truth is known: how they buy, use, complain, and when and why they leave.

The life of one customer:
- joins at a uniform time in the first `joining_share` of the period, with a purchase;
- buys at the times of a Poisson process, rate ~ Gamma(`rate_shape`), mean `rate_per_day`; Saturdays and December are
  busier (`weekly_wobble`, `yearly_wobble`);
- after each purchase leaves with the probability p ~ Beta(`leave_a`, `leave_b`), as in MBG/NBD;
- some purchases that do not end it bring a complaint before the next; then the customer leaves with a further
  probability that grows with its severity (`complaint_leaves` at severity 5, a fifth of it at 1);
- only the outspoken complain, `outspoken_share` of all; after a purchase they leave with `outspoken_leave` times p;
- logs in at `logins_per_purchase` times the rate of buying. Of who leaves, logins thin out linearly: from `fade_days`
  before the end (from the end itself where a complaint was the cause) to nothing `linger_days` after it;
- returns a purchase, in full or half, with the probability `refund_share` within `refund_delay_days`, also after leaving.

No purchase and no complaint comes after the end of a life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streams.columns import COMPLAINT, DAY_MS, LOGIN, PURCHASE, REFUND

Rng = np.random.Generator

COMPLAINTS = (
    ("delivery", "The parcel came a week late."),
    ("quality", "It broke on the first day."),
    ("price", "The same thing is cheaper elsewhere now."),
    ("service", "Nobody answers the phone or my messages."),
    ("billing", "I was charged twice for one order."),
    ("product", "Not at all as described."),
)
SEVERITY_SHARES = (0.10, 0.25, 0.35, 0.20, 0.10)


@dataclass(frozen=True, slots=True)
class Population:
    """Who is simulated. Rates are per day, shares and probabilities 0-1.

    rate_shape, rate_per_day   Gamma shape and mean of the rates of buying
    leave_a, leave_b           Beta parameters of the probability to leave after a purchase
    ticket_mu, ticket_sigma    of the log of a ticket, in units of the currency; customers differ by half of sigma
    """

    joining_share: float = 0.6
    rate_shape: float = 1.4
    rate_per_day: float = 1 / 16
    leave_a: float = 0.9
    leave_b: float = 9.0
    weekly_wobble: float = 0.3
    yearly_wobble: float = 0.2
    complaint_share: float = 0.07
    complaint_delay_days: float = 6.0
    complaint_leaves: float = 0.6
    outspoken_share: float = 1.0
    outspoken_leave: float = 1.0
    logins_per_purchase: float = 4.5
    fade_days: float = 45.0
    linger_days: float = 15.0
    refund_share: float = 0.04
    refund_delay_days: float = 14.0
    ticket_mu: float = 3.4
    ticket_sigma: float = 0.6


class SimulatedEvent(NamedTuple):
    """One event; fields as in `rows.Event`."""

    time_ms: int
    customer: str
    kind: int
    amount: float
    severity: int
    category: str
    text: str


class Truth(NamedTuple):
    """What only the simulation knows of a customer.

    rate_per_day     of buying
    leave_chance     probability to leave after a purchase, without complaints
    joined_ms        time of the first purchase
    end_ms           end of the life: the purchase or complaint after which the customer left; the period's end if they did not
    left             whether they left within the period
    why              "purchase" (the MBG/NBD coin), "complaint", or "" for who did not leave
    purchases, complaints, logins, refunds   how many events of each
    """

    customer: str
    rate_per_day: float
    leave_chance: float
    joined_ms: int
    end_ms: int
    left: bool
    why: str
    purchases: int
    complaints: int
    logins: int
    refunds: int


def simulate_customers(
    customers: int, days: int, start_ms: int, seed: int, population: Population | None = None
) -> tuple[list[SimulatedEvent], list[Truth]]:
    """Events in order of time, and each customer's truth.

    customers   how many, >= 1
    days        length of the period, >= 1
    start_ms    its begin, ms since 1970 UTC
    seed        same seed, same result; a customer's life does not depend on how many others there are

    >>> events, truth = simulate_customers(3, 100, 0, seed=1)
    >>> len(truth), events[0].kind == PURCHASE
    (3, True)
    """
    if customers < 1 or days < 1:
        raise ValueError(f"customers = {customers}, days = {days}: give at least 1 of each")
    chosen = population or Population()
    digits = max(5, len(str(customers)))
    events: list[SimulatedEvent] = []
    truths: list[Truth] = []
    for number in range(customers):
        life = _Life(f"sim-{number + 1:0{digits}d}", chosen, days, start_ms, np.random.default_rng([seed, number]))
        truths.append(life.live())
        events += life.events
    events.sort()
    return events, truths


class _Life:
    """One customer from joining to the end. Times are days since the start of the period."""

    def __init__(self, customer: str, population: Population, days: int, start_ms: int, rng: Rng) -> None:
        self.events: list[SimulatedEvent] = []
        self._customer, self._population, self._days, self._start_ms, self._rng = customer, population, days, start_ms, rng
        self._rate = rng.gamma(population.rate_shape, population.rate_per_day / population.rate_shape)
        self._leave_chance = rng.beta(population.leave_a, population.leave_b)
        self._ticket_mu = rng.normal(population.ticket_mu, population.ticket_sigma / 2)
        self._outspoken = population.outspoken_share >= 1.0 or rng.random() < population.outspoken_share
        if self._outspoken:
            self._leave_chance *= population.outspoken_leave

    def live(self) -> Truth:
        """Fill `events`; returns the truth about them."""
        joined = self._rng.uniform(0, self._population.joining_share * self._days)
        end, why = self._buy(joined)
        self._use(joined, end, why)
        count = [sum(event.kind == kind for event in self.events) for kind in (PURCHASE, COMPLAINT, LOGIN, REFUND)]
        return Truth(
            self._customer,
            round(self._rate, 6),
            round(self._leave_chance, 6),
            self._ms(joined),
            self._ms(end),
            bool(why),
            why,
            *count,
        )

    def _buy(self, joined: float) -> tuple[float, str]:
        """Purchases, refunds and complaints from `joined` on; returns the life's end and why it ended."""
        at = joined
        while at < self._days:
            amount = float(np.round(self._rng.lognormal(self._ticket_mu, self._population.ticket_sigma), 2))
            self._add(at, PURCHASE, amount=max(amount, 0.01))
            self._return(at, max(amount, 0.01))
            if self._rng.random() < self._leave_chance:
                return at, "purchase"
            following = self._next_purchase(at)
            complained, leaves = self._complain(at, following)
            if leaves:
                return complained, "complaint"
            at = following
        return float(self._days), ""

    def _complain(self, bought: float, following: float) -> tuple[float, bool]:
        """Perhaps a complaint between two purchases: when, and whether the customer leaves over it."""
        rng = self._rng
        at = bought + min(rng.uniform(0, self._population.complaint_delay_days), 0.9 * (following - bought))
        if rng.random() >= self._population.complaint_share or at >= self._days or not self._outspoken:
            return at, False
        severity = int(rng.choice(5, p=SEVERITY_SHARES)) + 1
        category, text = COMPLAINTS[int(rng.integers(len(COMPLAINTS)))]
        self._add(at, COMPLAINT, severity=severity, category=category, text=text)
        return at, bool(rng.random() < self._population.complaint_leaves * severity / 5)

    def _return(self, bought: float, amount: float) -> None:
        at = bought + self._rng.uniform(0.5, self._population.refund_delay_days)
        part = 1.0 if self._rng.random() < 0.5 else 0.5
        if self._rng.random() < self._population.refund_share and at < self._days:
            self._add(at, REFUND, amount=max(float(np.round(amount * part, 2)), 0.01))

    def _next_purchase(self, after: float) -> float:
        """The next time of the Poisson process whose rate wobbles, by thinning."""
        at = after
        while at < self._days:
            at += self._rng.exponential(1 / (self._rate * self._peak()))
            if self._rng.random() * self._peak() < self._busy(at):
                break
        return at

    def _peak(self) -> float:
        return (1 + self._population.weekly_wobble) * (1 + self._population.yearly_wobble)

    def _busy(self, at: float) -> float:
        """How much busier than usual the shop is at day `at`."""
        day = self._start_ms / DAY_MS + at
        week = 1 + self._population.weekly_wobble * np.cos(
            2 * np.pi * (day - 2.5) / 7
        )  # 1970-01-01 was a Thursday: Saturday noon
        year = 1 + self._population.yearly_wobble * np.cos(2 * np.pi * (day - 349) / 365.25)  # mid-December
        return float(week * year)

    def _use(self, joined: float, end: float, why: str) -> None:
        """Logins: steady while the customer stays, thinning out around the end."""
        rng, population = self._rng, self._population
        fades_from = {"purchase": end - population.fade_days, "complaint": end}.get(why, np.inf)
        gone = end + population.linger_days if why else np.inf
        last = min(gone, self._days)
        times = np.sort(rng.uniform(joined, last, rng.poisson(self._rate * population.logins_per_purchase * (last - joined))))
        share = np.clip((gone - times) / (gone - fades_from), 0, 1) if why else np.ones(len(times))
        for at in times[rng.random(len(times)) < share].tolist():
            self._add(at, LOGIN)

    def _add(self, at: float, kind: int, *, amount: float = 0.0, severity: int = 0, category: str = "", text: str = "") -> None:
        self.events.append(SimulatedEvent(self._ms(at), self._customer, kind, amount, severity, category, text))

    def _ms(self, at: float) -> int:
        return self._start_ms + int(at * DAY_MS)
