"""Redis is lost by a system that had gone live after a history: `churnwatch rebuild` leads back to the same state, key by key."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.alert import Alert, encode
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS, PURCHASE, REFUND
from streams.customer import read_records
from streams.runtime.commits import JournalEntry, LiveState, PastAlerts
from streams.runtime.live_clock import ClockMemory
from streams.runtime.topics import INPUTS, JOURNAL
from streams.state import PartitionState
from tests.oracle.recount import COUNTED, read_plain
from tests.support.brokers import RunningBroker
from tests.support.contents import contents
from tests.support.going_live import AT_ONCE, System, load
from tests.support.live import now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, Replayed
from tests.support.workers import Fleet, run_command

LATENESS_S = 15
"""Longer than the events take to be sent and fetched on a busy machine: what comes later is folded in whatever order it came."""
LATE = "late"
"""A customer of whom something is told that lies months back: when that is judged depends on how far the wall clock was."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    path = tmp_path_factory.mktemp("history") / "history.csv"
    events, _ = simulate_customers(80, 150, 20_000 * DAY_MS, seed=2)
    purchases = [event for event in events if event.kind in (PURCHASE, REFUND)]  # nothing for the other topics
    write_history(path, purchases, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path), AT_ONCE | {"CHURNWATCH_TIME__LATENESS_S": str(LATENESS_S)})


def sources_awake(system: System) -> None:
    """Before the switch a login that is dated within the history, on a topic of which the history says nothing."""
    with system.live.producer() as producer:
        value = {"event_id": "early", "customer_id": LATE, "occurred_at": 20_040 * DAY_MS}
        producer.send(system.live.prefix + "logins", json.dumps(value).encode(), key=LATE.encode())


def logins_of_history(system: System) -> list[int]:
    """Last folded login of every commit that was made while history was being loaded, where there is one."""
    entries = [msgspec.json.decode(record.value, type=JournalEntry) for record in system.live.records(JOURNAL)]
    return [entry.offsets["logins"] for entry in entries if entry.live_after_ms is None and entry.offsets.get("logins", -1) >= 0]


def live_events(system: System) -> None:
    """New and old customers, every topic, a repeat, and events that are dated within the history."""
    live = system.live
    old = sorted(system.site.replayed.partition_of)[:8]
    with live.producer() as producer:
        at_ms = now_ms()

        def send(topic: str, customer: str, **fields: Any) -> None:
            value = {"customer_id": customer, "occurred_at": at_ms, **fields}
            producer.send(live.prefix + topic, json.dumps(value).encode(), key=customer.encode())

        for number, customer in enumerate([*old, *(live.customer_in(partition, "new") for partition in range(PARTITIONS))]):
            for event_id in (f"p{number}", f"p{number}", f"q{number}"):
                send("purchases", customer, event_id=event_id, amount=12.5, currency="USD")
            send("complaints", customer, event_id=f"c{number}", severity=4)
            send("logins", customer, event_id=f"l{number}")
        send("purchases", LATE, event_id="late", amount=99.0, currency="USD", occurred_at=20_030 * DAY_MS)
        send("logins", LATE, event_id="late-login", occurred_at=20_031 * DAY_MS)


def sent(system: System) -> dict[tuple[str, int], int]:
    """Records on each input, by topic and partition."""
    found = Counter((name, record.partition) for name in INPUTS for record in system.live.records(name))
    return {(name, partition): found[name, partition] for name in INPUTS for partition in range(PARTITIONS)}


def caught_up(system: System, ends: dict[tuple[str, int], int], at_ms: int) -> bool:
    """Whether every event is folded, the clock has come to `at_ms` and every message has left."""
    lateness_ms = system.site.settings.time.lateness_s * 1000
    folded = {(name, partition): system.live.folded(partition)[name] for name, partition in ends}
    clocks = [system.live.watermark_ms(partition) for partition in range(PARTITIONS)]
    return folded == ends and min(clocks) >= at_ms - lateness_ms and system.settled()


def ids_in_order(name: str, value: Any) -> Any:
    """A customer's record with the ids of its last events sorted: whatever is dated alike is folded in the order of its arrival,
    and of topics that were sent to one after the other a busy machine fetches one without the other."""
    if ":c:" not in name:
        return value
    row = read_records([value]).copy()
    ids = sorted(zip(row["id_high"][0].tolist(), row["id_low"][0].tolist(), strict=True))
    row["id_high"][0], row["id_low"][0] = zip(*ids, strict=True)
    return row.tobytes()


def comparable(found: dict[str, Any], late_partition: int) -> dict[str, Any]:
    """What must come back: all but how far the wall clock is, what it remembers, and what is usual in the hours of this week.

    And all but up to when decisions are about the past: what was told live before the rebuild must not be told people again.
    Of the late one's judgement nothing is compared, nor what rests on it: risk, look, and its partition's counts by tier.
    """
    same = {name: ids_in_order(name, value) for name, value in found.items() if not name.endswith(f"c:{LATE}")}
    for partition in range(PARTITIONS):
        for name in ("due", "risk"):
            key = f"{{{partition}}}:{name}"
            same[key] = {who: at for who, at in found[key].items() if who != LATE.encode()}
        fields = found[f"{{{partition}}}:meta"]
        state: LiveState = fields[b"state"]
        engine = PartitionState.from_bytes(state.engine)
        engine.watermark_ms = 0
        judged = b"" if partition == late_partition else engine.to_bytes()
        kept = msgspec.structs.replace(state, engine=judged, inflow=b"", clock=ClockMemory(), live_after_ms=0, past=PastAlerts())
        same[f"{{{partition}}}:meta"] = fields | {b"state": kept}
    return same


def test_what_went_live_comes_back_to_the_same_state(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, tmp_path: Path, history: Replayed
) -> None:
    system = System(real_kafka, own_redis, prefix, history)
    with Fleet(system.site.environment, tmp_path) as fleet:
        load(system, fleet)
        sources_awake(system)
        assert system.go_live().returncode == 0
        live_events(system)
        ends, at_ms = sent(system), now_ms()
        fleet.until(lambda: caught_up(system, ends, at_ms), "all is folded, and the clock is here")
        assert fleet.stop() == [0, 0]
        before, told = contents(system.site), {alert.message_id: alert for alert in system.alerts()}
        assert any(alert.live for alert in told.values())
        with own_redis.client() as client:
            client.flushall()
        wrong = run_command(["rebuild", "--yes"], system.site.environment | {"CHURNWATCH_TIME__CLOCK": "wall"})
        assert (wrong.returncode, "set time.clock: history" in wrong.stderr) == (1, True), wrong.stderr
        done = run_command(["rebuild", "--yes"], system.site.environment)
        assert done.returncode == 0, done.stderr
        fleet.until(lambda: now_ms() > at_ms + LATENESS_S * 1000, "the live events lie further back than the lateness")
        worker = fleet.start()
        again_ms = now_ms()
        fleet.until(lambda: caught_up(system, ends, again_ms), "all is folded again, and the clock is here")
        assert worker.stop() == 0
    assert logins_of_history(system) == [], "what was sent after the history is no part of it, then and now"
    after = contents(system.site)
    assert after.keys() == before.keys()
    late = [read_records([found[name]])[0] for found in (before, after) for name in found if name.endswith(f"c:{LATE}")]
    assert [late[0][name].tolist() for name in COUNTED] == [late[1][name].tolist() for name in COUNTED]
    first, second = (comparable(found, system.live.partition_of(LATE)) for found in (before, after))
    assert {name: value for name, value in second.items() if value != first[name]} == {}
    again = {alert.message_id: alert for alert in system.alerts() if alert.customer_id != LATE}
    assert {alert.live for alert in again.values()} == {False}, "nobody is told again"
    past = {name: msgspec.structs.replace(alert, live=False) for name, alert in told.items() if alert.customer_id != LATE}
    assert {name: alert for name, alert in again.items() if encode(alert) != encode(past[name])} == {}
    assert again.keys() == past.keys()
    repeats = Counter(alert.message_id for alert in system.told() if isinstance(alert, Alert) and alert.customer_id != LATE)
    assert set(repeats.values()) == {2}, "told again, under the same ids"
    assert len(system.digests()) == 1
    idle = system.go_live()
    assert (idle.returncode, "its digest was sent before" in idle.stdout) == (0, True), idle.stderr
    assert len(system.digests()) == 1
