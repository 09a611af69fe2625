"""Outcomes: what customers then did. When a customer is taken down for learning, and what became of it.

A customer is taken down (a snapshot) at midnight UTC of every day d with d mod grid = hash(customer) mod grid, whatever
happens to be sent, since snapshots at events would show the lively only. The snapshot's outcome is known at d + H + lateness:

    left = no day with a purchase in [d, d + H)

whole UTC days, as the closed form counts them. By then the watermark has passed d + H on every way that leads there, so
what is late within the allowance has come. An explicit cancellation is an outcome at once: whoever has ended the
relationship has left, says every snapshot that waits, and none is taken until they return.

Both times are looks, so they fall where all looks fall: into each customer's own order of events, whatever the batches were.
The grid divides the horizon, so a customer has at most H / grid + 1 snapshots that wait. Of one snapshot several outcomes may
be found: a cancellation, and a look at its end. The first counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as _hash

from detectors.model_inputs import INPUTS
from streams.columns import DAY_MS
from streams.customer import NEVER_S, Records
from streams.record_marks import ended

Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]

MAX_LATENESS_MS = 7 * DAY_MS
"""So many days of purchases at most lie behind an outcome's end when it is decided, one fewer than the record has one by one."""


@dataclass(frozen=True, slots=True)
class OutcomeRules:
    """horizon_days   H, days
    grid_days      days between two snapshots of a customer; H is a multiple of it
    active_days    snapshots are taken of customers whose last purchase is at most so long ago, days
    lateness_ms    how late an event may come, ms; whole seconds, 7 days at most
    Raises ValueError where these do not hold.
    """

    horizon_days: int
    grid_days: int
    active_days: int
    lateness_ms: int

    def __post_init__(self) -> None:
        if self.grid_days < 1 or self.horizon_days % self.grid_days:
            raise ValueError(f"grid of {self.grid_days} days: the horizon of {self.horizon_days} must be a multiple of it")
        if not 0 <= self.lateness_ms <= MAX_LATENESS_MS or self.lateness_ms % 1000:
            raise ValueError(f"lateness of {self.lateness_ms} ms: give whole seconds, 7 days at most")


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Customers taken down, one entry each; a customer may come several times in one step.

    customers        whom
    day              UTC day at whose beginning, days since 1970
    inputs           float32 (n, len(INPUTS)): what a model may know of them
    closed_form      risk by the closed form, 0 to 1
    logit            log odds by the linear model, unshifted, whether or not it serves; None where there is none
    model            its version; "" where there is none
    """

    customers: list[str] = field(default_factory=list)
    day: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    inputs: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, len(INPUTS)), np.float32))
    closed_form: NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    logit: NDArray[np.float64] | None = None
    model: str = ""

    def __len__(self) -> int:
        return len(self.customers)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of customers, one entry each, in the order in which it was found out.

    customers   of whom
    day         day of the snapshot, days since 1970; where none was taken, or its outcome is known already, it is no label
    known_ms    when it is known, ms since 1970 UTC
    left        1: the customer did not stay
    """

    customers: list[str] = field(default_factory=list)
    day: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    known_ms: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    left: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))

    def __len__(self) -> int:
        return len(self.customers)


def phases(customers: Sequence[str], grid_days: int) -> Ints:
    """Each customer's place on the grid, 0 to grid_days - 1: chance decides, and always alike.

    >>> phases(["anna", "bela"], 30).tolist()
    [9, 27]
    """
    return np.fromiter((_hash(customer.encode()) % grid_days for customer in customers), np.int64, len(customers))


def firsts(outcomes: Outcomes) -> list[int]:
    """Places of those outcomes that are the first of their snapshot, in their order."""
    first: dict[tuple[str, int], int] = {}
    for place, snapshot in enumerate(zip(outcomes.customers, outcomes.day.tolist(), strict=True)):
        first.setdefault(snapshot, place)
    return list(first.values())


def label_id(customer: str, day: int) -> int:
    """What a label is recognised by, 64 bits: the customer and the day of the snapshot, without telling the customer."""
    return _hash(f"{day} {customer}".encode())


def snapshot_due(rows: Records, as_of_ms: Ints, phase: Ints, rules: OutcomeRules) -> Marks:
    """Whether a look at `as_of_ms` is one at which the customer is taken down."""
    day = as_of_ms // DAY_MS
    on_grid = (as_of_ms == day * DAY_MS) & (day % rules.grid_days == phase)
    active = (as_of_ms - rows["last_purchase_ms"] <= rules.active_days * DAY_MS) & ~ended(rows)
    due: Marks = on_grid & (rows["purchases"] > 0) & active
    return due


def outcome_due(rows: Records, as_of_ms: Ints, phase: Ints, rules: OutcomeRules) -> Marks:
    """Whether a look at `as_of_ms` is one at which an outcome may be known: of the snapshot at `snapshot_day`."""
    end_ms = as_of_ms - rules.lateness_ms
    day = end_ms // DAY_MS
    on_grid = (end_ms == day * DAY_MS) & (day % rules.grid_days == phase)
    due: Marks = on_grid & (rows["purchases"] > 0) & (day - rules.horizon_days > rows["first_day"])
    return due


def snapshot_day(as_of_ms: Ints, rules: OutcomeRules) -> Ints:
    """Day of the snapshot whose outcome is known at `as_of_ms`, days since 1970."""
    return (as_of_ms - rules.lateness_ms) // DAY_MS - rules.horizon_days


def left(rows: Records, since_day: Ints, rules: OutcomeRules) -> Marks:
    """Whether there is no purchase day in [since_day, since_day + H): exact at `outcome_due`, late events included."""
    recent = rows["recent_days"].astype(np.int64)
    end_day = (since_day + rules.horizon_days)[:, None]
    latest = np.where(recent < end_day, recent, 0).max(axis=1)
    gone: Marks = latest < since_day
    return gone


def open_days(rows: Records, as_of_ms: Ints, phase: Ints, rules: OutcomeRules) -> tuple[NDArray[np.intp], Ints]:
    """(row, day) of every snapshot whose outcome is not known yet at `as_of_ms`, whichever were taken; earliest first."""
    newest = as_of_ms // DAY_MS
    newest -= (newest - phase) % rules.grid_days
    # of the days of the grid no other is later than the newest and has its outcome later than now
    ages = np.arange(-(-(rules.horizon_days * DAY_MS + rules.lateness_ms) // DAY_MS) // rules.grid_days, -1, -1)
    days = newest[:, None] - ages * rules.grid_days
    waits = (days + rules.horizon_days) * DAY_MS + rules.lateness_ms > as_of_ms[:, None]
    row, age = np.nonzero(waits & (days > rows["first_day"][:, None]) & (rows["purchases"] > 0)[:, None])
    return row, days[row, age]


def next_outcome_look_s(rows: Records, as_of_ms: Ints, phase: Ints, rules: OutcomeRules) -> NDArray[np.uint32]:
    """Event time of the next look that a snapshot or an outcome needs, s, strictly after `as_of_ms`; NEVER_S where none does."""
    until_day = (rows["last_purchase_ms"] + rules.active_days * DAY_MS) // DAY_MS  # of the last snapshot, as things are
    bought = (rows["purchases"] > 0) & ~ended(rows)  # a cancellation has settled all that waited
    snapshot = _next_on_grid(as_of_ms // DAY_MS, phase, rules.grid_days)
    after_day = np.maximum((as_of_ms - rules.lateness_ms) // DAY_MS, rows["first_day"].astype(np.int64) + rules.horizon_days)
    outcome = _next_on_grid(after_day, phase, rules.grid_days)
    snapshot_s = np.where(bought & (snapshot <= until_day), snapshot * (DAY_MS // 1000), NEVER_S)
    outcome_s = outcome * (DAY_MS // 1000) + rules.lateness_ms // 1000
    outcome_s = np.where(bought & (outcome - rules.horizon_days <= until_day), outcome_s, NEVER_S)
    return np.minimum(np.minimum(snapshot_s, outcome_s), NEVER_S).astype(np.uint32)


def pending_days(customer: str, at_ms: int, rules: OutcomeRules) -> list[int]:
    """Days of the snapshots that may wait for their outcome at `at_ms`, whichever were taken; earliest first."""
    phase = _hash(customer.encode()) % rules.grid_days
    newest = at_ms // DAY_MS
    newest -= (newest - phase) % rules.grid_days
    oldest = (at_ms - rules.lateness_ms) // DAY_MS - rules.horizon_days
    return list(range(newest, oldest - 1, -rules.grid_days))[::-1]


def _next_on_grid(day: Ints, phase: Ints, grid_days: int) -> Ints:
    """The first day of the grid after `day`."""
    ahead: Ints = day + 1 + (phase - day - 1) % grid_days
    return ahead
