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
        table.apply(advance(table, whole, 0, engine_rules(SETTINGS), SHIPPED))
        rows = gather(table.records, np.arange(len(table.ids)))
        found |= of_rows(table.ids, rows, SETTINGS.risk.horizon_days)
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
    if span_days > 365:  # with topics one after another, buckets are emptied before their purchases come
        found, peers = without_windows(found), without_windows(peers)
    assert compare({"engine": found, "peers": peers}).customers == len(found) > 200


def without_windows(found: dict[str, Kept]) -> dict[str, Kept]:
    return {name: replace(kept, purchases_365d=0, spent_365d=0) for name, kept in found.items()}


@pytest.mark.parametrize(("x", "between", "idle"), [(0, 0, 0), (0, 0, 400), (2, 213, 59), (40, 300, 1), (40, 300, 900)])
def test_the_peers_compute_the_same_risk(x: int, between: int, idle: int) -> None:
    assert (SHIPPED.r, SHIPPED.a, SHIPPED.b) == (R, A, B)
    assert SHIPPED.alpha_days == pytest.approx(ALPHA_DAYS, rel=1e-12)
    state = {"purchase_days": x + 1, "first_day": 100, "last_day": 100 + between}
    expected = p_no_purchase(SHIPPED, [x], [between], [between + idle], HORIZON_DAYS)[0]
    assert risk(state, (100 + between + idle) * DAY_MS) == pytest.approx(expected, abs=1e-12)


SOMEONE = Kept(3, 4_500, 2, 19_676, 19_690, 1, 7, 3, 4_500, 0.61)


@pytest.mark.parametrize(
    "other", [replace(SOMEONE, logins=8), replace(SOMEONE, spent_minor=4_501), replace(SOMEONE, risk=0.6102)], ids=str
)
def test_one_field_of_one_customer_fails_the_comparison(other: Kept) -> None:
    good = {"anna": SOMEONE, "ben": SOMEONE}
    with pytest.raises(RuntimeError, match=r"1 of 2 customers differ. ben"):
        compare({"worker": good, "quix": {"anna": SOMEONE, "ben": other}})


def test_a_customer_whom_one_does_not_know_fails_it() -> None:
    with pytest.raises(RuntimeError, match="do not know the same customers: 1 and 0"):
        compare({"worker": {"anna": SOMEONE}, "quix": {}})


def test_a_risk_within_the_tolerance_is_the_same() -> None:
    assert compare({"worker": {"anna": SOMEONE}, "quix": {"anna": replace(SOMEONE, risk=0.61005)}}).customers == 1


def test_every_nth_customer_keeps_a_whole_life() -> None:
    stream = make_stream(1_200, 30)
    few = every(4, stream)
    wanted = {name: kept for name, kept in by_peers(stream, TOPICS).items() if int(name[1:]) % 4 == 0}
    assert by_peers(few, TOPICS) == wanted
    assert [record.offset for record in few.records["logins", 0]] == list(range(len(few.records["logins", 0])))


def test_everyone_of_a_base_has_bought() -> None:
    base = make_base(200)
    assert base.events == 1_200
    assert all(kept.purchases > 0 for kept in by_engine(base).values())
    assert len(by_engine(base)) == 200
