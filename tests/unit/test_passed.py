"""Where a partition would go on reading: what the lag is counted from, and what Kafka is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from streams.columns import TOPIC_RANKS
from streams.runtime.arrivals import Arrivals
from streams.runtime.offsets import Offsets
from streams.runtime.told_offsets import ToldOffsets
from tests.support.intake_app import until
from tests.support.owners import Owned
from tests.support.played import SILENT_FOR_MONTHS, Played

PURCHASES = TOPIC_RANKS["purchases"]


def told(played: Played) -> dict[TP, int]:
    offsets = Offsets(lambda: None, {"shop.purchases": "purchases", "shop.logins": "logins"}, Arrivals())
    return offsets.passed({3: played.task})


def passed(played: Played) -> int:
    return played.task.passed(played.task.committer.done)[PURCHASES]


async def test_a_marker_behind_the_last_record_is_passed_once_nothing_waits_or_is_on_its_way() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "six purchases committed")
        await until(lambda: passed(played) == 6, "and the task knows")
        played.positions[PURCHASES] = 7
        assert passed(played) == 7
        assert told(played) == {TP("shop.purchases", 3): 7, TP("shop.logins", 3): 0}
        played.positions[PURCHASES] = None
        assert passed(played) == 6, "something is on its way"


async def test_what_is_buffered_or_not_committed_yet_is_not_passed() -> None:
    async with Played().running() as played:
        played.ends[PURCHASES] = 12
        played.buys(0, *SILENT_FOR_MONTHS[:3])
        await until(played.commits(2), "commits while nine are to come")
        assert passed(played) == 0, "three wait"
        played.positions[PURCHASES] = 12
        done = dict(played.task.merge.done)
        assert played.task.passed(done)[PURCHASES] == done[PURCHASES] + 1
        played.buys(3, *SILENT_FOR_MONTHS[3:])
        await until(lambda: played.done() == 5, "all six committed")
        assert played.task.passed({PURCHASES: 3})[PURCHASES] == 4, "two were folded and are not committed"


async def test_of_a_topic_that_begins_late_and_of_which_nothing_was_read_kafka_is_told_the_beginning() -> None:
    """An offset above 0 would say that state was lost, where there never was any."""
    async with Played().running() as played:
        played.positions[PURCHASES] = 100
        assert passed(played) == 100, "no lag"
        assert told(played)[TP("shop.purchases", 3)] == 0


async def test_of_heartbeats_and_commands_too_what_carries_no_data_is_passed() -> None:
    clock, commands = TOPIC_RANKS["clock"], TOPIC_RANKS["commands"]
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "a commit")
        await until(lambda: passed(played) == 6, "and the task knows")
        played.positions |= {clock: 2, commands: 7}
        assert {clock: 2, commands: 7}.items() <= played.task.passed(played.task.committer.done).items()
        played.positions[clock] = None
        assert played.task.passed(played.task.committer.done)[clock] == 0, "something is on its way"


async def test_while_a_rebalance_is_under_way_nothing_is_told() -> None:
    owned = Owned()
    await owned.has_committed(0, purchases=6)
    await owned.claim(0)
    await owned.settled()
    assert owned.owner.passed()[TP("purchases", 0)] == 7
    owned.owner.rebalancing()
    assert owned.owner.passed() == {}
    await owned.owner.release()


async def test_after_a_release_kafka_still_hears_what_was_committed_last() -> None:
    owned = Owned()
    await owned.has_committed(0, purchases=6)
    await owned.claim(0)
    await owned.settled()
    owned.owner.tasks[0].committer.done[PURCHASES] = 9
    await owned.owner.release()
    assert owned.owner.passed()[TP("purchases", 0)] == 10


def test_each_offset_is_told_once_and_again_after_a_seek() -> None:
    tp, other = TP("purchases", 0), TP("logins", 0)
    owner = cast(Any, SimpleNamespace(at={tp: 0, other: 5}))
    offsets = ToldOffsets(lambda: owner.at)
    assert offsets.news() == {tp: 0, other: 5}
    offsets.answered(done=False)
    assert offsets.news() == {tp: 0, other: 5}, "Kafka has not heard"
    offsets.answered(done=True)
    assert offsets.news() == {}
    owner.at = {tp: 0, other: 6}
    assert offsets.news() == {other: 6}
    offsets.answered(done=True)
    owner.at = {tp: 0, other: 4}
    assert offsets.news() == {}, "nothing below what was told"
    offsets.sought(other)
    assert offsets.news() == {other: 4}
    owner.at = {tp: 9, other: 5}
    assert offsets.news() == {tp: 9, other: 5}
    offsets.sought(other)
    offsets.answered(done=True)
    assert offsets.news() == {other: 5}, "what was on its way when reading went elsewhere says nothing"
