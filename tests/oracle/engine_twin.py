"""The whole engine, one event at a time and without batches: the oracle for streams/engine.py.

After every row, everyone who has come due is looked at; each evaluation is settled at its place in time. It shares no
code with the engine; rules and parameters are read from the same plain records.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from xxhash import xxh3_64_intdigest

from alerts.rules import TIER_NAMES, PolicyRules
from detectors.parameters import BtydParameters
from streams.outcomes import OutcomeRules
from streams.timers import LookRules
from tests.oracle.policy_twin import TwinRules, TwinState, decide_one
from tests.oracle.quintiles_twin import SketchTwin, frequency_bin, monetary_bin, segment
from tests.oracle.rfm_twin import DAY_MS, CustomerTwin, EventTwin

NEVER_S = 2**32 - 1
SENDING = {"FIRED", "ESCALATED", "DEESCALATED", "RESOLVED_RETURNED", "RESOLVED_RISK_FELL", "RESOLVED_CANCELLED"}

Scores = tuple[int, int, int]


@dataclass
class Watched:
    """A customer and what the evaluations made of them."""

    customer: str
    life: CustomerTwin = field(default_factory=CustomerTwin)
    policy: TwinState = field(default_factory=TwinState)
    seen_ms: int = 0
    due_s: int = NEVER_S
    risk_bp: int = 0
    rfm: Scores | None = None
    bins: Scores | None = None


@dataclass
class Evaluation:
    """One decision: `place_ms` is where it belongs, `event` what caused it (None: a look)."""

    customer: str
    as_of_ms: int
    place_ms: int
    event: EventTwin | None
    reason: str
    before: TwinState
    after: TwinState
    risk_bp: int
    bins: Scores | None
    rfm: Scores | None = None


@dataclass(frozen=True)
class Taken:
    """A customer taken down at the beginning of a day, or (known_ms, left) what became of it."""

    customer: str
    day: int
    known_ms: int | None = None
    left: bool | None = None


def p_no_purchase(model: BtydParameters, x: int, t_x_days: int, observed_days: int, horizon_days: float) -> float:
    """MBG/NBD: (c + q s) / (q + c), as in the text of detectors/btyd.py."""
    q = ((model.alpha_days + t_x_days) / (model.alpha_days + observed_days)) ** (model.r + x)
    s = ((model.alpha_days + observed_days) / (model.alpha_days + observed_days + horizon_days)) ** (model.r + x)
    c = model.a / (model.b + x)
    return float((c + q * s) / (q + c))


def hash_of(customer: str) -> int:
    return xxh3_64_intdigest(customer.encode())


def phase_of(customer: str, grid_days: int) -> int:
    return hash_of(customer) % grid_days


def next_outcome_look_s(customer: str, life: CustomerTwin, as_of_ms: int, rules: OutcomeRules) -> int:
    """Day by day: the first day to come at which the customer is taken down, or its outcome is found out."""
    if not life.purchases or life.ended:
        return NEVER_S
    phase, day = phase_of(customer, rules.grid_days), as_of_ms // DAY_MS - rules.horizon_days - 9
    reach_ms = life.last_purchase_ms + rules.active_days * DAY_MS
    found = [NEVER_S]
    for d in range(day, as_of_ms // DAY_MS + rules.grid_days + 1):
        on_grid = d % rules.grid_days == phase and d * DAY_MS <= reach_ms
        known_ms = (d + rules.horizon_days) * DAY_MS + rules.lateness_ms
        if on_grid and d * DAY_MS > as_of_ms:
            found.append(d * DAY_MS // 1000)
        end_ms = (d + rules.horizon_days) * DAY_MS
        if on_grid and d > life.first_day and known_ms > as_of_ms:
            found.append(known_ms // 1000)
        if on_grid and d > life.first_day and rules.staying == "logins" and end_ms > as_of_ms:
            found.append(end_ms // 1000)
    # the outcome of a snapshot yet to come is later than the snapshot itself; a day before the first purchase has none
    return min(found)


def next_look_s(life: CustomerTwin, as_of_ms: int, wish_ms: int, rules: LookRules) -> int:
    idle_ms = as_of_ms - life.last_purchase_ms
    looks = []
    if life.purchases and idle_ms <= rules.until_ms:
        rhythm_ms = life.usual_gap_half_days * DAY_MS // 2 or rules.default_gap_ms
        interval_ms = max(rhythm_ms, idle_ms) * rules.gap_permille // 1000
        looks.append(as_of_ms + min(max(interval_ms, rules.min_ms), rules.max_ms))
    if wish_ms > as_of_ms:
        looks.append(wish_ms)
    if rules.forget_s is not None:
        looks.append(max((life.newest_s + rules.forget_s) * 1000, as_of_ms + 1))
    if not looks:
        return NEVER_S
    due_s = math.ceil(min(looks) / 1000)
    return min(due_s if due_s * 1000 > as_of_ms else due_s + 1, NEVER_S)


class EngineTwin:
    """A partition. `evaluations` are all that were ever made, in the order in which they were settled."""

    def __init__(
        self,
        model: BtydParameters,
        policy: PolicyRules,
        looks: LookRules,
        *,
        lateness_ms: int,
        horizon_days: float,
        watermark_ms: int = 0,
        outcomes: OutcomeRules | None = None,
    ) -> None:
        self.outcome_rules, self.taken, self.found = outcomes, list[Taken](), list[Taken]()
        self.model, self.looks, self.lateness_ms, self.horizon_days = model, looks, lateness_ms, horizon_days
        self.policy = TwinRules(
            policy.fire_bp, policy.release_bp, policy.breaches, policy.breach_spacing_s, policy.cool_down_s, policy.min_purchases
        )
        self.watermark_ms = watermark_ms
        self.customers: dict[str, Watched] = {}
        self.sketch = SketchTwin()
        self.evaluations: list[Evaluation] = []
        self.erased_ms: dict[str, int] = {}
        self.repeats = self.late = self.dropped = self.forgotten = 0

    def erase(self, customer: str, at_ms: int) -> None:
        """As if the customer had never been, now and whenever anything dated up to `at_ms` comes again."""
        self.customers.pop(customer, None)
        self.sketch.base.pop(customer, None)
        self.erased_ms[customer] = max(at_ms, self.erased_ms.get(customer, 0))

    def row(self, event: EventTwin, *, sweep: bool = True) -> None:
        """An event or a tick, and then everyone whom the watermark has made due.

        sweep   False: only whoever sends an event is looked at, in arrears; what is in arrears belongs to the watermark it meets
        """
        if event.kind == "tick":
            self.clock(event.time_ms, sweep=sweep)
            return
        if event.time_ms <= self.erased_ms.get(event.customer, -1):
            self.dropped += 1
            return
        before_ms = self.watermark_ms
        after_ms = self.watermark_ms = max(before_ms, event.time_ms - self.lateness_ms)
        one = self.customers.setdefault(event.customer, Watched(event.customer))
        floor_ms = max(event.time_ms, before_ms)
        made = self.looks_until(one, floor_ms, 0 if sweep else before_ms, after_ms)
        one = self.customers.setdefault(event.customer, Watched(event.customer))  # somebody else, if the former was forgotten
        if one.life.is_repeat(event):
            self.repeats += 1
        else:
            self.late += event.time_ms < before_ms
            was_over = one.life.ended
            one.life.fold(event)
            if one.life.ended:  # nobody is alerted from then until the return, so the cool-down counts from it
                one.policy = replace(one.policy, cool_from_s=one.life.cancelled_s)
            if one.life.ended and not was_over:
                self.cancelled(one, event.time_ms, max(floor_ms, one.seen_ms))
            if event.kind == "login":
                self.logged_in(one, event.time_ms, max(floor_ms, one.seen_ms))
            made.append(self.evaluate(one, max(floor_ms, one.seen_ms), after_ms, event))
        self.settle(made + self.everyone_due() if sweep else made)

    def clock(self, now_ms: int, *, sweep: bool = True) -> None:
        self.watermark_ms = max(self.watermark_ms, now_ms)
        self.settle(self.everyone_due() if sweep else [])

    def everyone_due(self) -> list[Evaluation]:
        until_ms = self.watermark_ms
        return [made for one in list(self.customers.values()) for made in self.looks_until(one, until_ms, 0, until_ms)]

    def looks_until(self, one: Watched, until_ms: int, earliest_place_ms: int, latest_place_ms: int) -> list[Evaluation]:
        made = []
        while one.due_s != NEVER_S and one.due_s * 1000 <= until_ms:
            due_ms = one.due_s * 1000
            if self.looks.forget_s is not None and one.life.newest_s + self.looks.forget_s <= one.due_s:
                made.append(self.forget(one, due_ms, min(max(due_ms, earliest_place_ms), latest_place_ms)))
                break
            self.take_down(one, due_ms)
            made.append(self.evaluate(one, due_ms, min(max(due_ms, earliest_place_ms), latest_place_ms), None))
        return made

    def take_down(self, one: Watched, at_ms: int) -> None:
        """What a look is for, besides deciding."""
        rules, life = self.outcome_rules, one.life
        if rules is None or not life.purchases:
            return
        phase, day, end_ms = phase_of(one.customer, rules.grid_days), at_ms // DAY_MS, at_ms - rules.lateness_ms
        active = at_ms - life.last_purchase_ms <= rules.active_days * DAY_MS
        if at_ms % DAY_MS == 0 and day % rules.grid_days == phase and active and not life.ended:
            self.taken.append(Taken(one.customer, day))
        since = end_ms // DAY_MS - rules.horizon_days
        if end_ms % DAY_MS == 0 and since % rules.grid_days == phase and since > life.first_day:
            self.found.append(Taken(one.customer, since, at_ms, not self.stayed(life, since)))
        since = day - rules.horizon_days
        by_logins = rules.staying == "logins" and at_ms % DAY_MS == 0 and day % rules.grid_days == phase
        if by_logins and since > life.first_day and self.stayed(life, since):
            self.found.append(Taken(one.customer, since, at_ms, False))

    def stayed(self, life: CustomerTwin, since: int) -> bool:
        rules = self.outcome_rules
        assert rules is not None
        days = life.days if rules.staying == "purchases" else [at_ms // DAY_MS for at_ms in life.logins_ms]
        return any(since <= day < since + rules.horizon_days for day in days)

    def logged_in(self, one: Watched, login_ms: int, at_ms: int) -> None:
        """One that comes after the end of a horizon in which it falls, while its outcome is not known."""
        rules = self.outcome_rules
        if rules is None or rules.staying == "purchases" or not one.life.purchases:
            return
        login_day = login_ms // DAY_MS
        for day in range(max(one.life.first_day + 1, login_day - rules.horizon_days + 1), login_day + 1):
            end_ms = (day + rules.horizon_days) * DAY_MS
            on_grid = day % rules.grid_days == phase_of(one.customer, rules.grid_days)
            if on_grid and end_ms <= at_ms < end_ms + rules.lateness_ms:
                self.found.append(Taken(one.customer, day, at_ms, False))

    def cancelled(self, one: Watched, cancelled_ms: int, at_ms: int) -> None:
        """Whatever waits for its outcome has it: day by day, from the first purchase until now.

        Whoever did what counts on a day of the horizon, and cancelled only after its last day, stayed.
        """
        rules = self.outcome_rules
        if rules is None or not one.life.purchases:
            return
        phase = phase_of(one.customer, rules.grid_days)
        for day in range(max(one.life.first_day + 1, at_ms // DAY_MS - rules.horizon_days - 9), at_ms // DAY_MS + 1):
            if day % rules.grid_days == phase and (day + rules.horizon_days) * DAY_MS + rules.lateness_ms > at_ms:
                was_over = cancelled_ms // DAY_MS >= day + rules.horizon_days
                self.found.append(Taken(one.customer, day, at_ms, not (was_over and self.stayed(one.life, day))))

    def forget(self, one: Watched, as_of_ms: int, place_ms: int) -> Evaluation:
        """Not an evaluation, but it has its place among them, where the sketch loses the customer."""
        del self.customers[one.customer]
        self.forgotten += 1
        return Evaluation(one.customer, as_of_ms, place_ms, None, "FORGOTTEN", one.policy, one.policy, 0, None)

    def evaluate(self, one: Watched, as_of_ms: int, place_ms: int, event: EventTwin | None) -> Evaluation:
        life, before = one.life, one.policy
        one.risk_bp = self.risk_bp(life, as_of_ms)
        by_purchase = event is not None and event.kind == "purchase"
        decided = decide_one(before, one.risk_bp, as_of_ms, life.purchases, by_purchase, self.policy, life.ended)
        one.policy, one.seen_ms = decided.state, as_of_ms
        one.due_s = next_look_s(life, as_of_ms, decided.wants_look_ms, self.looks)
        if self.outcome_rules is not None:
            one.due_s = min(one.due_s, next_outcome_look_s(one.customer, life, as_of_ms, self.outcome_rules))
        one.bins = None
        if life.purchases:
            bought, spent = (life.rings[name].sum_at(as_of_ms // 1000) for name in ("purchases_365d", "spent_365d"))
            one.bins = (life.last_day, frequency_bin(bought), monetary_bin(spent))
        return Evaluation(one.customer, as_of_ms, place_ms, event, decided.reason, before, decided.state, one.risk_bp, one.bins)

    def risk_bp(self, life: CustomerTwin, as_of_ms: int) -> int:
        if not life.purchases:
            return 0
        observed_days = as_of_ms // DAY_MS - life.first_day
        repeats = min(len(life.days), 65_535) - 1
        return round(
            10_000 * p_no_purchase(self.model, repeats, life.last_day - life.first_day, observed_days, self.horizon_days)
        )

    def settle(self, made: list[Evaluation]) -> None:
        for one in sorted(made, key=lambda evaluation: evaluation.place_ms):
            if one.reason == "FORGOTTEN":
                self.sketch.evaluate(one.customer, one.place_ms, None)
                self.sketch.base.pop(one.customer, None)
                continue
            one.rfm = self.sketch.evaluate(one.customer, one.place_ms, one.bins)
            if one.customer in self.customers:
                self.customers[one.customer].rfm = one.rfm
            self.evaluations.append(one)

    def board(self) -> Counter[tuple[str, str]]:
        """Customers by (tier, segment)."""
        return Counter((TIER_NAMES[one.policy.tier], segment(one.rfm)) for one in self.customers.values())

    def sent(self) -> list[Evaluation]:
        """Evaluations that send a message."""
        return [one for one in self.evaluations if one.reason in SENDING]
