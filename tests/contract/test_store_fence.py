"""Who may write a partition, and what becomes of everybody else's commits: on every store."""

from __future__ import annotations

import pytest

from streams.runtime.store import (
    CommitRequest,
    Fenced,
    LostCommits,
    OtherSystem,
    OutboxEntry,
    PartitionCountChanged,
    StaleGeneration,
    System,
    UnknownVersion,
)
from tests.support.store_cases import StoreCase

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ODD_IDS = ["ann", "{0}:c:x", "客户-7", "with space", "*", "a\r\nb", "\x00", "c" * 128]


def entry(number: int) -> OutboxEntry:
    return OutboxEntry(number, "churn.alerts", b"k%d" % number, b"\x00\xff%d" % number)


async def test_epochs_count_up_and_the_same_attempt_again_is_a_retry(store_case: StoreCase) -> None:
    store = store_case.store
    first = await store.take_epoch(0, 5, 4, "n1")
    assert (first.epoch, first.nonce, first.generation, first.seq, first.exists) == (1, "n1", 5, 0, False)
    assert await store.take_epoch(0, 5, 4, "n1") == first
    assert (await store.take_epoch(0, 5, 4, "n2")).epoch == 2
    assert (await store.take_epoch(0, 6, 4, "n3")).epoch == 3
    assert (await store.take_epoch(1, 6, 4, "n3")).epoch == 1, "partitions count apart"
    assert (await store.read_meta(0)).nonce == "n3"


async def test_state_counts_as_lost_until_there_was_a_commit(store_case: StoreCase) -> None:
    """A worker that refused an empty Redis and was restarted must refuse again, though its first attempt left an epoch."""
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    meta = await store.take_epoch(0, 2, 4, "b")
    assert not meta.exists
    await store.commit(0, meta.epoch, "b", CommitRequest(1, "c1"))
    assert (await store.read_meta(0)).exists


async def test_an_older_generation_is_refused_until_it_is_reset(store_case: StoreCase) -> None:
    store = store_case.store
    owner = await store.take_epoch(0, 9, 4, "new")
    with pytest.raises(StaleGeneration, match="8 is older than 9"):
        await store.take_epoch(0, 8, 4, "old")
    assert await store.read_meta(0) == owner, "a refusal changes nothing"
    assert await store.reset_generation(0) is True
    with pytest.raises(Fenced):
        await store.commit(0, owner.epoch, "new", CommitRequest(1, "c1"))
    assert (await store.take_epoch(0, 1, 4, "fresh")).generation == 1


async def test_another_partition_count_is_refused(store_case: StoreCase) -> None:
    await store_case.store.take_epoch(0, 1, 4, "a")
    with pytest.raises(PartitionCountChanged, match="4"):
        await store_case.store.take_epoch(0, 2, 8, "b")
    assert (await store_case.store.read_meta(0)).nonce == "a"


async def test_another_group_or_other_topics_are_refused_until_the_group_is_forgotten(store_case: StoreCase) -> None:
    store, shop = store_case.store, System("shop", "shop.")
    owner = await store.take_epoch(0, 1, 4, "a", shop)
    assert owner.system == shop
    for other in (System("shop", "other."), System("other", "shop.")):
        with pytest.raises(OtherSystem, match=r"group shop on topics shop\.\*.*redis\.prefix"):
            await store.take_epoch(0, 2, 4, "b", other)
        assert await store.read_meta(0) == owner, "a refusal changes nothing"
    assert (await store.take_epoch(0, 2, 4, "c", shop)).epoch == 2
    await store.reset_generation(0)
    assert (await store.take_epoch(0, 1, 4, "d", System("renamed", "shop."))).system == System("renamed", "shop.")
    await store.take_epoch(1, 1, 4, "of an earlier version")
    assert (await store.take_epoch(1, 1, 4, "e", shop)).system == shop


async def test_a_zombie_forgets_nothing_of_its_successors_outbox(store_case: StoreCase) -> None:
    """Its publisher may hear of an acknowledgement long after numbers that Redis lost were given out again."""
    store = store_case.store
    await store.take_epoch(0, 1, 4, "zombie")
    await store.commit(0, 1, "zombie", CommitRequest(1, "c1", outbox=[entry(1)]))
    first = await store_case.save(0)
    await store.take_epoch(0, 2, 4, "owner")
    await store.commit(0, 2, "owner", CommitRequest(2, "c2", outbox=[entry(2)]))
    before = await store_case.save(0)
    for epoch, nonce in ((1, "zombie"), (2, "same epoch, other nonce")):
        with pytest.raises(Fenced):
            await store.outbox_ack(0, epoch, nonce, 2)
        assert await store_case.save(0) == before
    await store_case.restore(0, first)
    with pytest.raises(LostCommits):
        await store.outbox_ack(0, 2, "owner", 1)
    assert await store_case.save(0) == first


async def test_records_of_a_newer_program_are_refused_and_of_an_older_one_read(store_case: StoreCase) -> None:
    await store_case.store.take_epoch(0, 1, 4, "v1")
    await store_case.with_record_version(2).take_epoch(0, 2, 4, "v2")
    with pytest.raises(UnknownVersion):
        await store_case.store.take_epoch(0, 3, 4, "v1 again")
    assert (await store_case.store.read_meta(0)).nonce == "v2"


async def test_a_program_may_write_an_older_version_than_it_reads_and_what_is_newer_stays_refused_to_others(
    store_case: StoreCase,
) -> None:
    """While workers are replaced one after another: nothing is taken from the old ones before a new one writes what is new."""
    old, careful, new = store_case.store, store_case.with_record_version(1, newest=2), store_case.with_record_version(2)
    for generation, program in enumerate((old, careful, old, careful, new, careful), 1):
        await program.take_epoch(0, generation, 4, f"program {generation}")
    before = await store_case.save(0)
    with pytest.raises(UnknownVersion, match="record version 2 in Redis, this program knows 1: upgrade churnwatch"):
        await old.take_epoch(0, 7, 4, "old")
    assert await store_case.save(0) == before


async def test_the_same_commit_again_is_a_success_and_changes_nothing(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    request = CommitRequest(1, "c1", [("x", b"1")], [("x", 1)], [("x", 0.5)], {"p": 1}, b"s", [entry(1)])
    await store.commit(0, 1, "a", request)
    await store.outbox_ack(0, 1, "a", 1)
    before = await store_case.save(0)
    await store.commit(0, 1, "a", request)
    assert await store_case.save(0) == before


@pytest.mark.parametrize(
    ("seq", "commit_id"), [(1, "another"), (3, "ahead"), (4, "far ahead")], ids=["other content", "ahead", "far ahead"]
)
async def test_a_gap_under_the_own_epoch_means_lost_commits(store_case: StoreCase, seq: int, commit_id: str) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c1", [("x", b"1")]))
    before = await store_case.save(0)
    with pytest.raises(LostCommits, match="commit 1"):
        await store.commit(0, 1, "a", CommitRequest(seq, commit_id, [("x", b"2"), ("y", b"2")], [("x", 1)]))
    assert await store_case.save(0) == before


async def test_a_commit_is_applied_onto_no_other_than_it_names(store_case: StoreCase) -> None:
    """After a fail-over, and a take-over that arrived twice, an owner's number may fit where its commit does not."""
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c1", [("x", b"1")], follows=""))
    before = await store_case.save(0)
    for follows in ("another", ""):
        with pytest.raises(LostCommits, match="commit 1"):
            await store.commit(0, 1, "a", CommitRequest(2, "c2", [("x", b"2")], follows=follows))
    assert await store_case.save(0) == before
    for _ in range(2):  # the same again is a retry
        await store.commit(0, 1, "a", CommitRequest(2, "c2", [("x", b"2")], follows="c1"))
    assert (await store.read_meta(0)).commit_id == "c2"


async def test_a_zombie_is_fenced_and_writes_nothing(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "zombie")
    request = CommitRequest(1, "c1", [("x", b"1")])
    await store.commit(0, 1, "zombie", request)
    await store.take_epoch(0, 2, 4, "owner")
    before = await store_case.save(0)
    for zombies in (CommitRequest(2, "c2", [("x", b"2")]), request):
        with pytest.raises(Fenced):
            await store.commit(0, 1, "zombie", zombies)
    with pytest.raises(Fenced):
        await store.commit(0, 2, "same epoch, other nonce", CommitRequest(2, "c2", [("x", b"2")]))
    assert await store_case.save(0) == before
    await store.commit(0, 2, "owner", CommitRequest(2, "c2"))


async def test_a_server_that_lost_commits_or_the_epoch_itself_is_noticed(store_case: StoreCase) -> None:
    store = store_case.store
    empty = await store_case.save(0)
    await store.take_epoch(0, 1, 4, "before")
    other_epoch = await store_case.save(0)
    await store.take_epoch(0, 2, 4, "owner")
    for seq in (1, 2, 3):
        await store.commit(0, 2, "owner", CommitRequest(seq, f"c{seq}", [("x", b"%d" % seq)]))
        if seq == 1:
            first = await store_case.save(0)
    for lost in (first, other_epoch, empty):
        await store_case.restore(0, lost)
        with pytest.raises(LostCommits):
            await store.commit(0, 2, "owner", CommitRequest(4, "c4", [("x", b"4")]))
        assert await store_case.save(0) == lost
    await store_case.restore(0, first)
    meta = await store.take_epoch(0, 2, 4, "owner, again")
    assert (meta.seq, meta.epoch) == (1, 3)
    await store.commit(0, 3, "owner, again", CommitRequest(2, "d2", [("x", b"2'")]))
    assert await store.load(0, ["x"]) == [b"2'"]
