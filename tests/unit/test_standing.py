"""What of a history must be there before it may be ended, and how a partition's meta tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.runtime.commits import LiveState, PastAlerts, pack_state
from streams.runtime.kafka_client import AdminError
from streams.runtime.live_clock import ClockMemory
from streams.runtime.standing import Standing, check_loaded, standing_of
from streams.runtime.store import Meta
from streams.state import PartitionState

LOADED = Standing(0, {"purchases": 9, "clock": 40}, 1_600_000_000_000, None, None, "", PastAlerts(), {})
OTHER = replace(LOADED, partition=1, offsets={"clock": 41})


def test_partitions_whose_ticks_are_folded_and_that_stand_where_the_others_stand_may_be_ended() -> None:
    check_loaded([LOADED, OTHER], {})
    check_loaded([LOADED], {1: 3})  # the other has its switch
    check_loaded([], {})


EMPTY, AHEAD = replace(OTHER, watermark_ms=0), replace(OTHER, watermark_ms=1_600_086_400_000)
REFUSED = {
    "ticks that are not folded": ([LOADED, OTHER], {0: 3}, "not folded: 3 in partition 0"),
    "in both": ([LOADED, OTHER], {0: 3, 1: 41}, "3 in partition 0, 41 in partition 1"),
    "no history": ([replace(LOADED, watermark_ms=0), EMPTY], {}, r"partitions \[0, 1\]"),
    "a partition without one": ([LOADED, EMPTY], {}, r"partitions \[1\]"),
    "different ticks": ([LOADED, AHEAD], {}, "2020-09-13T12:26:40.000Z and 2020-09-14"),
}


@pytest.mark.parametrize(("found", "unfolded", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_history_that_is_not_there_to_its_end_is_refused(found: list[Standing], unfolded: dict[int, int], told: str) -> None:
    with pytest.raises(AdminError, match=told):
        check_loaded(found, unfolded)


def test_a_partition_stands_where_its_last_commit_says() -> None:
    engine = PartitionState(watermark_ms=5_000)
    engine.customers[0, 1], engine.customers[1, 2], engine.customers[3, 4], engine.customers[3, 5] = 9, 2, 3, 4
    memory = ClockMemory(held_since_ms=1, held_reason="heartbeat_missing")
    stored = LiveState(engine.to_bytes(), b"", memory, 4_000, 4_500, PastAlerts(7, "2020-09-13T12:26:40.000Z"))
    found = standing_of(2, Meta(seq=3, offsets={"clock": 6, "logins": 0}, state=pack_state(stored)))
    by_tier = {"watch": 2, "high": 0, "critical": 7}
    assert found == Standing(2, {"clock": 7, "logins": 1}, 5_000, 4_000, 4_500, "heartbeat_missing", stored.past, by_tier)
    assert found.live
    assert (found.caught_up(6_000, 1_000), found.caught_up(6_001, 1_000)) == (True, False)
    assert not replace(found, live_after_ms=None).caught_up(6_000, 1_000), "history that ended in the future is not live yet"


def test_a_partition_of_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(AdminError, match="partition 2: no worker has committed anything yet"):
        standing_of(2, Meta(epoch=1))
