"""Outcomes: what customers then did. When a customer is taken down for learning, and what became of it.

A customer is taken down (a snapshot) at midnight UTC of every day d with d mod grid = hash(customer) mod grid, whatever
happens to be sent, since snapshots at events would show the lively only. The snapshot's outcome is known at d + H + lateness:

    left = no day with a purchase in [d, d + H)

whole UTC days, as the closed form counts them; or with a login, where that is what counts (see staying.py). By then the
watermark has passed d + H on every way that leads there, so what is late within the allowance has come. An explicit
cancellation is an outcome at once, whatever was bought before: whoever has ended the relationship has left, says every snapshot
that waits, but those whose horizon was over by the date of the cancellation. These say what the record says by then. None is
taken until the customer returns.

Both times are looks, so they fall where all looks fall: into each customer's own order of events, whatever the batches were.
A customer has at most (H + lateness) / grid snapshots that wait, rounded up: four by the settings' defaults. Of one snapshot
several outcomes may be found, such as a cancellation, and at a look that the customer stayed. The first counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as _hash

from detectors.learner_rules import Staying
from detectors.model_inputs import INPUTS
from streams.columns import DAY_MS
from streams.customer import NEVER_S, Records
from streams.record_marks import ended

Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]

DAY_S = DAY_MS // 1000
MAX_LATENESS_MS = 7 * DAY_MS
"""So many days of purchases at most lie behind an outcome's end when it is decided, one fewer than the record has one by one."""


@dataclass(frozen=True, slots=True)
class OutcomeRules:
    """horizon_days   H, days; 1 or more
    grid_days      days between two snapshots of a customer; H is a multiple of it
    active_days    snapshots are taken of customers whose last purchase is at most so long ago, days; 1 or more
    lateness_ms    how late an event may come, ms; whole seconds, 7 days at most
    staying        what counts as staying
    Raises ValueError where these do not hold.
    """

    horizon_days: int
    grid_days: int
    active_days: int
    lateness_ms: int
    staying: Staying = "purchases"

    def __post_init__(self) -> None:
        if self.horizon_days < 1 or self.active_days < 1:
            raise ValueError(f"horizon of {self.horizon_days} days, active for {self.active_days}: give 1 day or more of each")
        if self.grid_days < 1 or self.horizon_days % self.grid_days:
            raise ValueError(f"grid of {self.grid_days} days: the horizon of {self.horizon_days} must be a multiple of it")
        if not 0 <= self.lateness_ms <= MAX_LATENESS_MS or self.lateness_ms % 1000:
            raise ValueError(f"lateness of {self.lateness_ms} ms: give whole seconds, 7 days at most")
        if self.staying not in get_args(Staying):
            raise ValueError(f"staying by {self.staying}: give one of {', '.join(get_args(Staying))}")


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Customers taken down, one entry each, by day and hash; a customer may come several times in one step.

    customers        whom, and
    hashes           their hashes
    day              UTC day at whose beginning, days since 1970
    inputs           float32 (n, len(INPUTS)): what a model may know of them
    closed_form      risk by the closed form, 0 to 1
    logit            log odds by the linear model, unshifted, whether or not it serves; None where there is none
    model            its version; "" where there is none
    """

    customers: list[str] = field(default_factory=list)
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    day: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    inputs: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, len(INPUTS)), np.float32))
    closed_form: NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    logit: NDArray[np.float64] | None = None
    model: str = ""

    def __len__(self) -> int:
        return len(self.customers)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of customers, one entry each, by the time at which it was known and hash.

    customers   of whom, and
    hashes      their hashes
    day         day of the snapshot, days since 1970; where none was taken, or its outcome is known already, it is no label
    known_ms    when it is known, ms since 1970 UTC
    left        1: the customer did not stay
    unknown     which is known only if it was taken by these rules, see staying.py; None: all are known
    """

    customers: list[str] = field(default_factory=list)
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    day: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    known_ms: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    left: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    unknown: Marks | None = None

    def __len__(self) -> int:
        return len(self.customers)

    def firsts(self) -> Outcomes:
        """Those that are the first of their snapshot: they count."""
        at = np.sort(np.unique(label_ids(self.hashes, self.day), return_index=True)[1])
        customers = [self.customers[k] for k in at.tolist()]
        unknown = None if self.unknown is None else self.unknown[at]
        return Outcomes(customers, self.hashes[at], self.day[at], self.known_ms[at], self.left[at], unknown)


def customer_hashes(customers: Sequence[str]) -> NDArray[np.uint64]:
    """64 bits of each: xxh3."""
    return np.fromiter(map(_hash, map(str.encode, customers)), np.uint64, len(customers))


def phases(hashes: NDArray[np.uint64], grid_days: int) -> Ints:
    """Each customer's place on the grid, 0 to grid_days - 1: chance decides, and always alike.

    >>> phases(customer_hashes(["anna", "bela"]), 30).tolist()
    [9, 27]
    """
    return (hashes % np.uint64(grid_days)).astype(np.int64)


def label_ids(hashes: NDArray[np.uint64], day: Ints) -> NDArray[np.uint64]:
    """What labels are recognised by, 64 bits: the customer and the day of the snapshot (SplitMix64 of their sum).

    >>> [hex(one) for one in label_ids(customer_hashes(["anna", "anna"]), np.array([19_700, 19_730])).tolist()]
    ['0x9e17b7e13381e582', '0x5e7b30909b24dfa']
    """
    z = hashes + day.astype(np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


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
    snapshot_s = np.where(bought & (snapshot <= until_day), snapshot * DAY_S, NEVER_S)
    outcome_s = outcome * DAY_S + rules.lateness_ms // 1000
    outcome_s = np.where(bought & (outcome - rules.horizon_days <= until_day), outcome_s, NEVER_S)
    if rules.staying == "logins":
        ends_after = np.maximum(as_of_ms // DAY_MS, rows["first_day"].astype(np.int64) + rules.horizon_days)
        end = _next_on_grid(ends_after, phase, rules.grid_days)
        outcome_s = np.minimum(outcome_s, np.where(bought & (end - rules.horizon_days <= until_day), end * DAY_S, NEVER_S))
    return np.minimum(np.minimum(snapshot_s, outcome_s), NEVER_S).astype(np.uint32)


def _next_on_grid(day: Ints, phase: Ints, grid_days: int) -> Ints:
    """The first day of the grid after `day`."""
    ahead: Ints = day + 1 + (phase - day - 1) % grid_days
    return ahead
