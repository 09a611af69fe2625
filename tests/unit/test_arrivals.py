"""Chunks on their way from Kafka to the tasks: none of a claim is passed over, and those of an older one do not count."""

from __future__ import annotations

import random

import pytest
from faust.types import TP

from streams.runtime.arrivals import Arrivals, ChunkNumbers, LostChunk
from streams.runtime.intake import Chunk
from tests.support.owners import Owned

PURCHASES, LOGINS = TP("purchases", 0), TP("logins", 0)


def chunk(tp: TP, lease: int, number: int, nbytes: int = 10) -> Chunk:
    return Chunk(tp, [], lease, nbytes, number)


def test_chunks_of_two_topics_arrive_in_any_mixture_of_their_orders() -> None:
    arrivals = Arrivals()
    lease = arrivals.begin(0)
    coming = [chunk(tp, lease, arrivals.fetched(tp, 10)) for tp in (PURCHASES, LOGINS) for _ in range(5)]
    turns = [PURCHASES] * 5 + [LOGINS] * 5
    random.Random(1).shuffle(turns)
    arrivals.reached({PURCHASES: 50, LOGINS: 50})
    for tp in turns:
        assert arrivals.position(tp) is None
        arrivals.arrived(next(one for one in coming if one.tp == tp))
        coming.remove(next(one for one in coming if one.tp == tp))
    assert (arrivals.position(PURCHASES), arrivals.position(LOGINS)) == (50, 50)
    assert arrivals.none_of(PURCHASES)
    assert list(arrivals.above(0)) == []


@pytest.mark.parametrize("numbers", [[2], [1, 3], [1, 1]])
def test_one_that_is_missing_or_comes_twice_is_noticed_at_once(numbers: list[int]) -> None:
    arrivals = Arrivals()
    lease = arrivals.begin(0)
    for _ in range(3):
        arrivals.fetched(PURCHASES, 10)
    *good, bad = numbers
    for number in good:
        arrivals.arrived(chunk(PURCHASES, lease, number))
    with pytest.raises(LostChunk, match=f"partition 0 of purchases: chunk {bad} of this claim came where {len(good) + 1} was to"):
        arrivals.arrived(chunk(PURCHASES, lease, bad))


def test_after_a_new_claim_the_former_ones_chunks_count_for_nothing() -> None:
    arrivals = Arrivals()
    former = arrivals.begin(0)
    late = [chunk(PURCHASES, former, arrivals.fetched(PURCHASES, 1000), 1000) for _ in range(2)]
    assert list(arrivals.above(1999)) == [PURCHASES]
    lease = arrivals.begin(0)
    assert list(arrivals.above(0)) == []
    assert arrivals.none_of(PURCHASES)
    arrivals.arrived(late[1])
    mine = chunk(PURCHASES, lease, arrivals.fetched(PURCHASES, 10))
    arrivals.arrived(late[0])
    assert not arrivals.none_of(PURCHASES)
    arrivals.arrived(mine)
    assert arrivals.none_of(PURCHASES)


def test_numbers_begin_anew_with_each_claim_and_apart_for_each_topic() -> None:
    numbers = ChunkNumbers()
    assert [numbers.next(PURCHASES), numbers.next(PURCHASES), numbers.next(LOGINS)] == [1, 2, 1]
    numbers.begin(PURCHASES)
    assert [numbers.next(PURCHASES), numbers.next(LOGINS)] == [1, 2]


async def test_a_worker_that_lost_a_chunk_ends_and_folds_nothing_beyond_it() -> None:
    owned = Owned()
    await owned.claim(0)
    await owned.settled()
    lease = owned.owner.lease(PURCHASES)
    assert (owned.owner.fetched(PURCHASES, 10), owned.owner.fetched(PURCHASES, 10)) == (1, 2)
    await owned.owner.receive(chunk(PURCHASES, lease, 2))
    assert isinstance(owned.failures[0], LostChunk)
    assert owned.owner.tasks[0].merge.buffered_rows == 0
    assert "of purchases: chunk 2" in str(owned.failures[0])
    await owned.owner.release()


async def test_in_a_rebalance_a_chunk_of_the_claim_that_ends_is_dropped_and_none_is_missed() -> None:
    """Faust drops what is on its way when a rebalance begins; a fetch that was under way may still bring what followed."""
    owned = Owned()
    await owned.claim(0)
    await owned.settled()
    lease = owned.owner.lease(PURCHASES)
    owned.owner.fetched(PURCHASES, 10)
    owned.owner.rebalancing()
    late = chunk(PURCHASES, lease, owned.owner.fetched(PURCHASES, 10))
    await owned.claim(0, generation=2)
    await owned.owner.receive(late)
    await owned.settled()
    await owned.owner.receive(late)
    assert owned.failures == []
    assert owned.owner._arrivals.none_of(PURCHASES)
    await owned.owner.release()
