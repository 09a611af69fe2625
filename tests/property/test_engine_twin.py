"""The engine against its twin, which takes one event at a time and knows no batches: every field, decision and score."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given, seed
from hypothesis import strategies as st

from alerts.alert import Alert
from alerts.ids import rfc3339
from alerts.policy import ReasonCode
from alerts.rules import TIER_NAMES
from detectors.parameters import SHIPPED, BtydParameters
from streams.engine import EngineRules, advance
from streams.step import Step
from streams.table import CustomerTable
from tests.oracle.engine_twin import SENDING, EngineTwin, Evaluation, Taken, hash_of
from tests.oracle.quintiles_twin import segment
from tests.oracle.rfm_twin import EventTwin
from tests.support.engine_rules import EAGER_POLICY, LIVELY, any_rules, engine_rules, served, twin_of
from tests.support.examples import examples
from tests.support.same_as_twin import assert_same_records, assert_same_state
from tests.support.streams_of_rows import DAY_MS, START_MS, as_columns, cuts, rows

History = list[tuple[list[EventTwin], int, BtydParameters, bool]]
KIND_ORDER = ("purchase", "complaint", "login", "refund", "cancellation")


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Rows in batches, and each with

    how far the clock runs ahead of the watermark in its end, ms; the model it is scored with; whether silence may be looked at
    """
    events = draw(rows(max_rows=40))
    end = st.tuples(
        st.sampled_from([0, 0, 0, 1, 3 * DAY_MS, 200 * DAY_MS]),
        st.sampled_from([SHIPPED, SHIPPED, LIVELY]),
        st.sampled_from([True, True, False]),
    )
    return [(events[batch], *draw(end)) for batch in draw(cuts(len(events)))]


def two_firing_customers() -> History:
    """Two who buy, fall silent and return: alerts rise, escalate and resolve, whatever hypothesis draws."""
    buys = [
        EventTwin("purchase", START_MS + d * DAY_MS, c, 100, 0, 2 * d + (c == "b")) for d in (0, 9, 20, 400) for c in ("a", "b")
    ]
    return [(buys[:6], 300 * DAY_MS, SHIPPED, True), (buys[6:], 0, SHIPPED, True)]


def resolved_by_a_login() -> History:
    """Under a new model the risk of one who is alerted falls, and it is a login that shows it."""
    buys = [EventTwin("purchase", START_MS + d * DAY_MS, "a", 100, 0, d) for d in (1, 10, 20)]
    login = EventTwin("login", START_MS + 68 * DAY_MS + 1, "a", 0, 0, 99)
    return [(buys, 49 * DAY_MS, SHIPPED, True), ([login], 0, LIVELY, True)]


def repeated_under_a_later_date() -> History:
    """An event comes again, dated later: looks fire up to that date, and the late event behind it lies no earlier than they."""
    buys = [EventTwin("purchase", START_MS + d * DAY_MS, "a", 100, 0, d) for d in (1, 10, 20)]
    return [(buys, 0, SHIPPED, True), *[(again(d), 0, SHIPPED, True) for d in (23, 28, 41)]]


def again(day: int) -> list[EventTwin]:
    """The third purchase again on that day, and a login of the days before it."""
    buy = EventTwin("purchase", START_MS + day * DAY_MS, "a", 100, 0, 20)
    return [buy, EventTwin("login", START_MS + (day - 3) * DAY_MS, "a", 0, 0, 1000 + day)]


def tell(twin: EngineTwin, events: list[EventTwin], ahead_ms: int, model: BtydParameters, sweep: bool) -> int:
    """One batch for the twin; returns the clock it was given at the end."""
    twin.model = model
    for event in events:
        twin.row(event, sweep=sweep)
    now_ms = twin.watermark_ms + ahead_ms if ahead_ms else 0
    twin.clock(now_ms, sweep=sweep)
    return now_ms


@given(histories(), any_rules())
@example(two_firing_customers(), engine_rules())
@example(two_firing_customers(), engine_rules(policy=EAGER_POLICY))
@example(resolved_by_a_login(), engine_rules())
@example(repeated_under_a_later_date(), engine_rules())
@examples(60)
def test_the_engine_is_its_twin(history, rules):
    table, twin, settled = CustomerTable(), twin_of(rules), set[tuple[str, int]]()
    for events, ahead_ms, model, sweep in history:
        taken, found = len(twin.taken), len(twin.found)
        already, repeats, late, forgotten = len(twin.evaluations), twin.repeats, twin.late, twin.forgotten
        now_ms = tell(twin, events, ahead_ms, model, sweep)
        step = advance(table, as_columns(events), now_ms, rules, served(rules, model), sweep=sweep)
        table.apply(step)
        made = twin.evaluations[already:]
        assert_same_records(step.ids, step.records, twin)
        assert_same_state(step.state, twin)
        assert_same_alerts(step.alerts, made, rules)
        assert_same_snapshots(step, twin.taken[taken:])
        assert_same_outcomes(step, twin.found[found:], settled)
        assert_same_stats(step, made, events, twin.repeats - repeats, twin.late - late, twin.forgotten - forgotten)
    assert_table_holds(table, twin)


def assert_same_snapshots(step: Step, taken: list[Taken]) -> None:
    snapshots = step.snapshots
    got = list(zip(snapshots.customers, snapshots.day.tolist(), strict=True))
    assert got == sorted(((one.customer, one.day) for one in taken), key=lambda one: (one[1], hash_of(one[0])))


Found = tuple[str, int, int | None, bool | None]


def assert_same_outcomes(step: Step, found: list[Taken], settled: set[tuple[str, int]]) -> None:
    """Those that count: the first of their snapshots, of which `settled` had theirs before."""
    outcomes = step.outcomes
    columns = (outcomes.customers, outcomes.day.tolist(), outcomes.known_ms.tolist(), outcomes.left.tolist())
    want = sorted(((one.customer, one.day, one.known_ms, one.left) for one in found), key=lambda one: (one[2], hash_of(one[0])))
    counting = firsts(want, settled)
    assert firsts(list(zip(*columns, strict=True)), settled) == counting
    settled.update((customer, day) for customer, day, *_ in counting)


def firsts(found: list[Found], settled: set[tuple[str, int]]) -> list[Found]:
    first: dict[tuple[str, int], Found] = {}
    for one in found:
        first.setdefault(one[:2], one)
    return [one for snapshot, one in first.items() if snapshot not in settled]


def assert_table_holds(table: CustomerTable, twin: EngineTwin) -> None:
    assert set(table.row_of) == set(twin.customers)
    ids = list(table.row_of)
    assert_same_records(ids, table.records[table.rows(ids)], twin)


def assert_same_alerts(alerts: list[Alert], made: list[Evaluation], rules: EngineRules) -> None:
    want = sorted((one for one in made if one.reason in SENDING), key=alert_order)
    assert [alert.message_id.split("-")[1] for alert in alerts] == [str(one.after.transition) for one in want]
    for alert, one in zip(alerts, want, strict=True):
        fields = told(one)
        assert {name: getattr(alert, name) for name in fields} == fields
        assert alert.horizon_days == rules.horizon_days
        event = alert.event and (alert.event.kind, alert.event.occurred_at, int(alert.event.event_id, 16))
        assert event == (one.event and (one.event.kind, rfc3339(one.event.time_ms), one.event.id_hash))


def alert_order(one: Evaluation) -> tuple[int, str, int]:
    return one.as_of_ms, one.customer, one.after.transition


def told(one: Evaluation) -> dict[str, object]:
    """What an alert of this evaluation has to say."""
    return {
        "customer_id": one.customer,
        "as_of": rfc3339(one.as_of_ms),
        "decision": one.reason.lower(),
        "status": "resolved" if one.reason.startswith("RESOLVED") else "firing",
        "tier": TIER_NAMES[one.after.tier],
        "previous_tier": TIER_NAMES[one.before.tier],
        "transition": one.after.transition,
        "episode_started_at": rfc3339(one.after.episode_s * 1000),
        "risk": one.risk_bp / 10_000,
        "rfm": one.rfm,
        "segment": segment(one.rfm),
    }


def assert_same_stats(
    step: Step, made: list[Evaluation], events: list[EventTwin], repeats: int, late: int, forgotten: int
) -> None:
    stats = step.stats
    assert (sum(stats.duplicates), stats.late, stats.looks) == (repeats, late, sum(one.event is None for one in made))
    folded = Counter(one.event.kind for one in made if one.event)
    sent = Counter(event.kind for event in events)
    assert stats.events == tuple(folded[kind] for kind in KIND_ORDER)
    assert stats.duplicates == tuple(sent[kind] - folded[kind] for kind in KIND_ORDER)
    assert stats.forgotten == forgotten
    reasons = Counter(one.reason for one in made)
    assert stats.decisions.tolist() == [reasons[code.name] for code in ReasonCode]
    assert sorted(stats.risk_bp.tolist()) == sorted(one.risk_bp for one in made)


def test_the_drawn_histories_reach_every_decision_and_segment():
    """A property proves nothing about what is never drawn."""
    reasons: set[str] = set()
    segments: set[str] = set()
    counted: Counter[str] = Counter()

    @given(histories(), any_rules())
    @examples(100)
    def collect(history, rules):
        twin = twin_of(rules)
        for events, ahead_ms, model, sweep in history:
            tell(twin, events, ahead_ms, model, sweep)
        reasons.update(one.reason for one in twin.evaluations)
        segments.update(segment(one.rfm) for one in twin.evaluations)
        counted.update(late=twin.late, repeats=twin.repeats, forgotten=twin.forgotten)

    def reached() -> bool:
        # risk falls without a purchase only under another model: rarely drawn, so it has a test of its own below
        every = reasons | {"RESOLVED_RISK_FELL"} == {code.name for code in ReasonCode}
        often = counted["forgotten"] > 50 and counted["late"] > 100 and counted["repeats"] > 50
        return every and len(segments) >= 8 and often

    # what is drawn hangs on which modules were imported before: what one hundred lack, others have
    for number in range(8):
        if not reached():
            seed(number)(collect)()
    assert reached(), (reasons, segments, counted)


def test_a_login_can_show_that_risk_fell():
    twin = twin_of(engine_rules())
    for batch in resolved_by_a_login():
        tell(twin, *batch)
    last = twin.sent()[-1]
    assert last.event is not None
    assert (last.event.kind, last.reason) == ("login", "RESOLVED_RISK_FELL")
