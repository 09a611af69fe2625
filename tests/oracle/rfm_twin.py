"""One customer, one event at a time, in plain words: the oracle for streams/rfm.py.

Slow and obvious on purpose: it keeps every purchase, day and gap in lists and computes each field of the record from
them. It shares no code with the columnar fold; only the names of the fields are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median

from tests.oracle.windows_twin import ComplaintsTwin, RingTwin

DAY_MS = 86_400_000
HALF_LIVES_DAYS = (15, 45, 120)
U1, U2, U4 = 2**8 - 1, 2**16 - 1, 2**32 - 1
REMEMBERED_DAYS = 8
BITMAP_DAYS = 192
RINGS = (
    [("purchases", 7, U1), ("purchases", 30, U1), ("purchases", 90, U1), ("purchases", 365, U2)]
    + [("spent", days, U4) for days in (7, 30, 90, 365)]
    + [("logins", 7, U1), ("logins", 30, U2), ("logins", 90, U2), ("logins", 365, U2)]
    + [("refunded", 90, U4)]
)


@dataclass(frozen=True)
class EventTwin:
    """kind is purchase, complaint, login, refund, cancellation or tick; cause the mark of a complaint, bits 0 to 6."""

    kind: str
    time_ms: int
    customer: str = ""
    amount_minor: int = 0
    severity: int = 0
    id_hash: int = 0
    cause: int = 0


@dataclass(frozen=True)
class Bought:
    time_ms: int
    amount_minor: int
    occasion: bool


def short_hash(id_hash: int) -> tuple[int, int]:
    """48 of the 64 bits: (low 32, next 16); a low part of 0 is read as 1."""
    return id_hash % 2**32 or 1, id_hash // 2**32 % 2**16


def month_of(day: int) -> int:
    when = date(1970, 1, 1) + timedelta(days=day)
    return 12 * when.year + when.month


@dataclass
class CustomerTwin:
    first_seen_s: int = 0
    newest_s: int = 0
    last_login_s: int = 0
    last_complaint_s: int = 0
    last_cause: int = 0
    cancelled_s: int = 0
    logins_ms: list[int] = field(default_factory=list)
    logins: int = 0
    complaints: int = 0
    severity_sum: int = 0
    refunds: int = 0
    refunded_minor: int = 0
    ids: list[tuple[int, int]] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    days: list[int] = field(default_factory=list)  # as counted: a forgotten day is counted again
    gaps: list[int] = field(default_factory=list)
    longest_gap: int = 0
    rings: dict[str, RingTwin] = field(
        default_factory=lambda: {f"{name}_{days}d": RingTwin(days, top) for name, days, top in RINGS}
    )
    remembered: ComplaintsTwin = field(default_factory=ComplaintsTwin)

    def is_repeat(self, event: EventTwin) -> bool:
        return short_hash(event.id_hash) in self.ids

    def fold(self, event: EventTwin) -> None:
        time_s = event.time_ms // 1000
        self.ids = [short_hash(event.id_hash), *self.ids][:8]
        self.first_seen_s = min(self.first_seen_s or time_s, time_s)
        self.newest_s = max(self.newest_s, time_s)
        {
            "purchase": self.purchase,
            "complaint": self.complaint,
            "login": self.login,
            "refund": self.refund,
            "cancellation": self.cancellation,
        }[event.kind](event)

    def in_windows(self, name: str, time_ms: int, amount: int) -> None:
        for ring_name, ring in self.rings.items():
            if ring_name.startswith(f"{name}_"):
                ring.add(time_ms // 1000, self.newest_s, amount)

    def login(self, event: EventTwin) -> None:
        self.logins += 1
        self.logins_ms.append(event.time_ms)
        self.last_login_s = max(self.last_login_s, event.time_ms // 1000)
        self.in_windows("logins", event.time_ms, 1)

    def complaint(self, event: EventTwin) -> None:
        self.complaints += 1
        self.severity_sum += event.severity
        if event.time_ms // 1000 >= self.last_complaint_s:
            self.last_cause = event.cause
        self.last_complaint_s = max(self.last_complaint_s, event.time_ms // 1000)
        self.remembered.add(event.time_ms // 1000, event.severity)

    def cancellation(self, event: EventTwin) -> None:
        self.cancelled_s = max(self.cancelled_s, event.time_ms // 1000)

    @property
    def ended(self) -> bool:
        """Whether the latest cancellation is no earlier than the latest purchase, in whole seconds."""
        return self.cancelled_s > 0 and self.cancelled_s >= self.last_purchase_ms // 1000

    def refund(self, event: EventTwin) -> None:
        self.refunds += 1
        self.refunded_minor += event.amount_minor
        self.in_windows("refunded", event.time_ms, event.amount_minor)

    def purchase(self, event: EventTwin) -> None:
        occasion = not self.bought or event.time_ms != self.last_purchase_ms
        self.bought.append(Bought(event.time_ms, event.amount_minor, occasion))
        self.in_windows("spent", event.time_ms, event.amount_minor)
        if occasion:
            self.in_windows("purchases", event.time_ms, 1)
        self.purchase_day(event.time_ms // DAY_MS)

    def purchase_day(self, day: int) -> None:
        if self.is_known(day):
            return
        before, after = [d for d in self.recent if d < day], [d for d in self.recent if d > day]
        if self.days and day > self.last_day:
            self.new_gap(day - self.last_day)
        elif self.days and day < self.first_day:
            self.new_gap(self.first_day - day)
        elif before:  # its neighbours are known, and so is the gap to split
            self.gaps.remove(min(after) - max(before))
            self.gaps += [min(after) - day, day - max(before)]
        self.days.append(day)

    def new_gap(self, gap_days: int) -> None:
        self.gaps.append(gap_days)
        self.longest_gap = max(self.longest_gap, gap_days)

    def is_known(self, day: int) -> bool:
        return day in self.days and (self.last_day - day < BITMAP_DAYS or day in self.recent or day == self.first_day)

    @property
    def purchases(self) -> int:
        return sum(b.occasion for b in self.bought)

    @property
    def last_purchase_ms(self) -> int:
        return max((b.time_ms for b in self.bought), default=0)

    @property
    def first_day(self) -> int:
        return min(self.days, default=0)

    @property
    def last_day(self) -> int:
        return max(self.days, default=0)

    @property
    def recent(self) -> list[int]:
        """The last purchase days that are remembered one by one, newest first."""
        return sorted(set(self.days), reverse=True)[:REMEMBERED_DAYS]

    @property
    def recent_gaps(self) -> list[int]:
        return [later - earlier for later, earlier in zip(self.recent, self.recent[1:], strict=False)]

    @property
    def usual_gap_half_days(self) -> int:
        return min(int(2 * median(self.recent_gaps)), U2) if self.recent_gaps else 0

    def decayed(self, half_life_days: int) -> tuple[float, float]:
        """(occasions, money) weighted 2^(-age / half-life), as at the last purchase."""
        weights = [2.0 ** (-(self.last_purchase_ms - b.time_ms) / (half_life_days * DAY_MS)) for b in self.bought]
        return (
            sum(w for w, b in zip(weights, self.bought, strict=True) if b.occasion),
            sum(w * b.amount_minor for w, b in zip(weights, self.bought, strict=True)),
        )

    def sums(self, as_of_s: int) -> dict[str, int]:
        """Every window as of a time, by the name of its ring; complaints and severities by days."""
        sums = {name: ring.sum_at(as_of_s) for name, ring in self.rings.items()}
        for days in (7, 30, 90, 365):
            sums[f"complaints_{days}d"], sums[f"severity_{days}d"] = self.remembered.sums(days, as_of_s)
        return sums

    def exact_fields(self) -> dict[str, object]:
        """Fields of the record that the fold alone decides, except the floats."""
        low, high = ([part[k] for part in self.ids] for k in (0, 1))
        bitmap = sum(1 << self.last_day - day for day in set(self.days) if self.last_day - day < BITMAP_DAYS)
        months = {month_of(self.last_day) - month_of(day) for day in self.days}
        return {
            "first_seen_s": self.first_seen_s,
            "ring_s": self.newest_s,
            "last_login_s": self.last_login_s,
            "last_complaint_s": self.last_complaint_s,
            "spare": self.last_cause | (0x80 if self.ended else 0),
            "last_purchase_ms": self.last_purchase_ms,
            "purchases": self.purchases,
            "logins": self.logins,
            "complaints": min(self.complaints, U2),
            "severity_sum": min(self.severity_sum, U2),
            "refunds": min(self.refunds, U2),
            "spent_minor": sum(b.amount_minor for b in self.bought),
            "refunded_minor": self.refunded_minor,
            "purchase_days": min(len(self.days), U2),
            "first_day": self.first_day,
            "recent_days": self.recent + [0] * (REMEMBERED_DAYS - len(self.recent)),
            "longest_gap_days": self.longest_gap,
            "usual_gap_half_days": self.usual_gap_half_days,
            "day_bits": [bitmap >> 64 * word & (2**64 - 1) for word in range(3)],
            "month_bits": sum(1 << month for month in months if month < 16),
            "id_low": low + [0] * (8 - len(low)),
            "id_high": high + [0] * (8 - len(high)),
        } | {name: ring.stored(self.newest_s) for name, ring in self.rings.items()}

    def float_fields(self) -> dict[str, list[float]]:
        """Fields of the record that are sums of floats."""
        decayed = [self.decayed(half_life) for half_life in HALF_LIVES_DAYS]
        return {
            "gap_sq_sum": [float(sum(gap**2 for gap in self.gaps))],
            "log_gap_sum": [sum(math.log(gap) for gap in self.gaps)],
            "log_gap_sq_sum": [sum(math.log(gap) ** 2 for gap in self.gaps)],
            "decayed_purchases": [count for count, _ in decayed],
            "decayed_spent": [money for _, money in decayed],
        }
