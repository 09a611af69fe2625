"""The job as the peers do it and the engine know the same of every customer, and a difference would be seen."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from benchmarks.equality import Kept, compare, of_rows, of_state
from benchmarks.peers.job import ALPHA_DAYS, HORIZON_DAYS, KINDS, A, B, R, State, fold, new_state, risk
from benchmarks.stream import TOPICS, Stream, columns, every, make_base, make_stream
from detectors.btyd import p_no_purchase
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.columns import DAY_MS
from streams.customer import gather
from streams.engine import advance
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import load_settings
from streams.table import CustomerTable

SETTINGS = load_settings(None, {"CHURNWATCH_TIME__CLOCK": "history"})


def by_engine(stream: Stream) -> dict[str, Kept]:
    """Every customer as the engine has them after the stream, the ticks of silence left out."""
    found: dict[str, Kept] = {}
    for whole in columns(stream, event_rules(SETTINGS).of_history()).values():
        table = CustomerTable()
        table.apply(advance(table, whole, 0, engine_rules(SETTINGS), ServedModel(SHIPPED, HORIZON_DAYS)))
        everyone = np.arange(table.end)
        found |= of_rows(table.ids_at(everyone), gather(table.records, everyone), SETTINGS.risk.horizon_days)
    return found


def by_peers(stream: Stream, topics: tuple[str, ...]) -> dict[str, Kept]:
    """Every customer as the job has them, the topics taken one after another."""
    states: dict[str, State] = {}
    for (topic, _), records in sorted(stream.records.items(), key=lambda item: topics.index(item[0][0])):
        for record in records:
            fold(states.setdefault(record.key.decode(), new_state()), KINDS[topic], msgspec.json.decode(record.value))
    return {name: of_state(state) for name, state in states.items()}


@pytest.mark.parametrize("topics", [TOPICS, TOPICS[::-1]], ids=["purchases first", "logins first"])
@pytest.mark.parametrize("span_days", [30, 900])
def test_the_peers_know_what_the_engine_knows_whatever_the_order_of_topics(span_days: int, topics: tuple[str, ...]) -> None:
    stream = make_stream(3_000, span_days)
    found, peers = by_engine(stream), by_peers(stream, topics)
    assert compare({"engine": found, "peers": peers}).customers == len(found) > 200
    for name in next(iter(found.values())).exact:
        assert len({kept.exact[name] for kept in found.values()}) > 1, f"{name} is the same for everybody: nothing was compared"


@pytest.mark.parametrize(("x", "between", "idle"), [(0, 0, 0), (0, 0, 400), (2, 213, 59), (40, 300, 1), (40, 300, 900)])
def test_the_peers_compute_the_same_risk(x: int, between: int, idle: int) -> None:
    assert (SHIPPED.r, SHIPPED.a, SHIPPED.b) == (R, A, B)
    assert SHIPPED.alpha_days == pytest.approx(ALPHA_DAYS, rel=1e-12)
    expected = p_no_purchase(SHIPPED, [x], [between], [between + idle], HORIZON_DAYS)[0]
    assert risk(x + 1, 100, 100 + between, (100 + between + idle) * DAY_MS) == pytest.approx(expected, abs=1e-12)


SOMEONE = Kept({"logins": 7, "spent_7d": 4_500}, [19_690, 19_676], {"decayed_spent_15d": 3_100.0, "log_gap_sum": 0.0}, 0.61)
OTHERS = {
    "a login more": replace(SOMEONE, exact={"logins": 8, "spent_7d": 4_500}),
    "a window": replace(SOMEONE, exact={"logins": 7, "spent_7d": 4_501}),
    "a window not kept": replace(SOMEONE, exact={"logins": 7}),
    "a day": replace(SOMEONE, recent_days=[19_690, 19_675]),
    "a decayed sum": replace(SOMEONE, sums=SOMEONE.sums | {"decayed_spent_15d": 3_100.4}),
    "a sum of nothing": replace(SOMEONE, sums=SOMEONE.sums | {"log_gap_sum": 0.01}),
    "a sum not kept": replace(SOMEONE, sums={"log_gap_sum": 0.0}),
    "the risk": replace(SOMEONE, risk=0.6102),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_one_field_of_one_customer_fails_the_comparison(other: Kept) -> None:
    good = {"anna": SOMEONE, "ben": SOMEONE}
    with pytest.raises(RuntimeError, match=r"1 of 2 customers differ. ben"):
        compare({"worker": good, "quix": {"anna": SOMEONE, "ben": other}})


def test_a_customer_whom_one_does_not_know_fails_it() -> None:
    with pytest.raises(RuntimeError, match="do not know the same customers: 1 and 0"):
        compare({"worker": {"anna": SOMEONE}, "quix": {}})


def test_a_risk_and_a_sum_within_the_tolerance_are_the_same() -> None:
    near = replace(SOMEONE, risk=0.61005, sums=SOMEONE.sums | {"decayed_spent_15d": 3_100.2})
    assert compare({"worker": {"anna": SOMEONE}, "quix": {"anna": near}}).customers == 1


def test_every_nth_customer_keeps_a_whole_life() -> None:
    stream = make_stream(1_200, 30)
    few = every(4, stream)
    wanted = {name: kept for name, kept in by_peers(stream, TOPICS).items() if int(name[1:]) % 4 == 0}
    assert by_peers(few, TOPICS) == wanted
    assert [record.offset for record in few.records["logins", 0]] == list(range(len(few.records["logins", 0])))


def test_everyone_of_a_base_has_bought() -> None:
    base = make_base(200)
    assert base.events == 1_200
    assert all(kept.exact["purchases"] > 0 for kept in by_engine(base).values())
    assert len(by_engine(base)) == 200
