"""A partition's run repeated from its journal: the same records, state and messages, or a word about what is wrong with it."""

from __future__ import annotations

import copy
import dataclasses

import msgspec
import pytest

from alerts.alert import Alert, encode
from streams.columns import DAY_MS
from streams.runtime.cause_files import shipped_snapshot
from streams.runtime.commits import JournalEntry, unpack_state
from streams.runtime.topics import JOURNAL
from tests.oracle.journal_chain import NotRepeated, chain
from tests.oracle.journal_repeat import Left, Repeated, repeat
from tests.support.intake_app import until
from tests.support.played import HEARTBEAT, NOW_MS, SILENT_FOR_MONTHS, Played
from tests.support.records import FakeRecord


def assert_repeated(played: Played) -> Repeated:
    """What is stored and what was sent is what the journal says."""
    found, stored = repeat(played.left()), played.store.of(3)
    assert found.records == stored.records
    assert found.states == {3: unpack_state(stored.meta.state or b"").engine}
    sent = {alert.message_id: encode(alert) for alert in played.sender.alerts if isinstance(alert, Alert)}
    assert found.alerts == sent
    told = {alert.message_id for alert in played.sender.alerts if not isinstance(alert, Alert)}
    assert found.ingestion == {message_id for message_id in told if isinstance(message_id, str)}
    return found


async def held_and_let_go(played: Played) -> None:
    """Three fall silent while heartbeats are missing, and are looked at one by one when one comes; two owners."""
    async with played.running():
        for number, customer in enumerate(("anna", "berta", "carla")):
            played.buys(6 * number, *SILENT_FOR_MONTHS, customer=customer)
        played.probed(NOW_MS, purchases=18)
        await until(lambda: len(played.told()) == 1, "the ingestion alert")
        played.buys(18, NOW_MS - 1_000, NOW_MS - DAY_MS, NOW_MS - 1_000, customer="other")  # one is late, one a repeat
        await until(lambda: played.done() == 20, "the other's purchases folded")
    async with played.running():
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        played.probed(NOW_MS, purchases=21)
        await until(lambda: set(played.fired()) >= {"anna", "berta", "carla"}, "the alerts that were held")
        await until(lambda: played.watermark_ms() == NOW_MS, "the time of the question")


HELD = {"CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S": "60", "CHURNWATCH_ENGINE__MAX_ROWS": "1"}


async def test_a_run_with_a_hold_arrears_in_slices_late_events_and_repeats_is_repeated_byte_by_byte() -> None:
    played = Played(**HELD)
    await held_and_let_go(played)
    found = assert_repeated(played)
    late = 5 + 5 + 1  # lateness is 0, and what the second and the third bought lies before the first one's last purchase
    assert (found.events, found.duplicates, found.late) == (20, 1, late)
    assert len(found.ingestion) == 2
    kept = found.commits[3]
    assert {entry.sweep for entry in kept} == {True, False}
    assert any(entry.looked_at for entry in kept), "slices"
    assert found.orphaned == {}


async def test_commits_that_redis_lost_give_orphans_and_count_no_more() -> None:
    played = Played()
    async with played.running():
        played.buys(0, *SILENT_FOR_MONTHS[:2])
        await until(lambda: played.done() == 1, "two purchases")
    kept = copy.deepcopy(played.store.partitions)
    async with played.running():
        played.buys(2, *SILENT_FOR_MONTHS[2:])
        played.probed(NOW_MS - 1_000, purchases=6)
        await until(lambda: bool(played.fired()), "an alert that will be an orphan")
        await until(lambda: played.watermark_ms() == NOW_MS - 1_000, "the time of the question")
    before, played.sender.alerts = played.sender.alerts, []
    played.store.partitions = kept
    played.now_ms += 5_000
    async with played.running():
        played.receives("purchases", 2, *(record.value for record in played.received["purchases"][2:6]))
        played.probed(NOW_MS + 4_000, purchases=6)
        await until(lambda: played.watermark_ms() == NOW_MS + 4_000, "the time of the question")
    found = assert_repeated(played)
    lost = {alert.message_id: {encode(alert)} for alert in before if isinstance(alert, Alert)}
    assert found.orphaned == lost
    assert len(played.sender.records[JOURNAL]) > len(found.commits[3])


async def test_what_does_not_fit_is_told() -> None:
    played = Played(**HELD)
    await held_and_let_go(played)
    left = played.left()
    for change, what in (
        ({"now_ms": NOW_MS + 86_400_000}, "watermark"),
        ({"rows": 7}, "rows were folded"),
        ({"model": "lost"}, "the model lost"),
        ({"config_hash": "other"}, "other settings"),
    ):
        with pytest.raises(NotRepeated, match=what):
            repeat(_with_last_entry(left, **change))
    with pytest.raises(NotRepeated, match="is not in the journal"):
        repeat(dataclasses.replace(left, last={3: "nobody"}))


async def test_another_decision_gives_other_bytes() -> None:
    """Otherwise the comparison would prove nothing."""
    played = Played(**HELD)
    await held_and_let_go(played)
    left = played.left()
    other = left
    for at in range(len(left.topics[JOURNAL])):
        other = _with_entry(other, at, live_after_ms=0)
    assert {NOW_MS} == {_entry(record).live_after_ms for record in left.topics[JOURNAL]}
    assert repeat(other).alerts.keys() == repeat(left).alerts.keys()
    assert repeat(other).alerts != repeat(left).alerts


async def test_what_a_worker_judged_by_its_own_clock_is_not_repeated() -> None:
    played = Played()
    async with played.running():
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "six purchases")
    unstamped = [dataclasses.replace(record, timestamp_type=0) for record in played.received["purchases"]]
    left = played.left()
    with pytest.raises(NotRepeated, match="LogAppendTime"):
        repeat(dataclasses.replace(left, topics={**left.topics, "purchases": unstamped}))


async def test_a_run_whose_complaints_another_model_read_is_not_repeated_by_this_one() -> None:
    played = Played()
    async with played.running():
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "six purchases")
    left = played.left()
    assert _entry(left.topics[JOURNAL][0]).causes == shipped_snapshot().version
    with pytest.raises(NotRepeated, match="read by causes-0"):
        repeat(_with_last_entry(left, causes="causes-0"))


def test_two_contents_of_one_commit_are_refused() -> None:
    entry = JournalEntry(
        partition=0, seq=1, epoch=1, commit_id="a", offsets={}, rows=0, now_ms=0, sweep=True, looked_at=None, watermark_ms=0,
        model="m", config_hash="h", live_after_ms=0,
    )  # fmt: skip
    assert chain([entry, entry], "a").kept == [entry]
    with pytest.raises(NotRepeated, match="two contents"):
        chain([entry, msgspec.structs.replace(entry, rows=1)], "a")
    with pytest.raises(NotRepeated, match="numbered"):
        chain([msgspec.structs.replace(entry, seq=2)], "a")


def _entry(record: FakeRecord) -> JournalEntry:
    return msgspec.json.decode(record.value or b"", type=JournalEntry)


def _with_last_entry(left: Left, **change: object) -> Left:
    last = max(k for k, r in enumerate(left.topics[JOURNAL]) if _entry(r).commit_id == left.last[3])
    return _with_entry(left, last, **change)


def _with_entry(left: Left, at: int, **change: object) -> Left:
    records = list(left.topics[JOURNAL])
    changed = msgspec.structs.replace(_entry(records[at]), **change)
    records[at] = dataclasses.replace(records[at], value=msgspec.json.encode(changed))
    return dataclasses.replace(left, topics={**left.topics, JOURNAL: records})
