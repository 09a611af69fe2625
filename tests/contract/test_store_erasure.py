"""What a store takes away and keeps of customers who are erased: the fake, Redis, Valkey and Redis Cluster."""

from __future__ import annotations

import pytest

from streams.runtime.store import CommitRequest, ErasedCustomers, Fenced, OutboxEntry, Removal, StoredCustomer
from tests.support.store_cases import StoreCase

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ODD_IDS = ["ann", "{0}:c:x", "客户-7", "with space", "*", "a\r\nb", "\x00", "c" * 128]
D1, D2, D3 = (bytes([at, 0, 255]) + b"key" + bytes(10) for at in (1, 2, 3))


def entry(number: int) -> OutboxEntry:
    return OutboxEntry(number, "churn.alerts", b"k%d" % number, b"\x00\xff%d" % number)


async def taken(case: StoreCase) -> None:
    """Every odd customer with all that can be kept of one, and six messages."""
    await case.store.take_epoch(0, 1, 4, "a")
    await case.store.commit(0, 1, "a", CommitRequest(
        1, "c1", [(name, name.encode()) for name in ODD_IDS], [(name, at) for at, name in enumerate(ODD_IDS)],
        [(name, 0.1) for name in ODD_IDS], {"purchases": 5}, b"state", [entry(n) for n in range(1, 7)],
        [(f"{play}\0{name}", 7) for play in ("call", "mail") for name in ODD_IDS],
        pending=[(f"{day}:{name}", b"") for day in (7, 19_700) for name in ODD_IDS],
    ))  # fmt: skip


async def test_nothing_is_erased_at_first(store_case: StoreCase) -> None:
    store = store_case.store
    assert await store.erased(2) == ErasedCustomers("", {})
    assert await store.erased_at(2, D1) is None
    assert await store.triggered_of(2, {"ann"}) == []
    assert await store.pending_of(2, {"ann"}) == []


async def test_what_was_triggered_for_whom_is_found_whatever_the_play(store_case: StoreCase) -> None:
    await taken(store_case)
    for name in ODD_IDS:
        assert set(await store_case.store.triggered_of(0, {name})) == {f"call\0{name}", f"mail\0{name}"}
    assert await store_case.store.triggered_of(0, {"an", "call", "nobody"}) == []


async def test_what_waits_of_whom_is_found_whatever_the_day(store_case: StoreCase) -> None:
    store = store_case.store
    await taken(store_case)
    more = [
        (f"8:{name}", b"x" * 200) for name in ("a:ann", "Xann", "ann\\", "[ann]", "a", "", *(f"c{at}" for at in range(3_000)))
    ]
    await store.commit(0, 1, "a", CommitRequest(2, "c2", pending=more))
    for name in ODD_IDS:
        assert sorted(await store.pending_of(0, {name})) == sorted([f"7:{name}", f"19700:{name}"])
    for name, _ in more:
        if name in ("8:a:ann", "8:ann\\", "8:[ann]", "8:"):
            assert await store.pending_of(0, {name[2:]}) == [name]
    found = await store.pending_of(0, {*ODD_IDS, "c7", "nobody"})
    assert sorted(found) == sorted(["8:c7", *(f"{day}:{name}" for day in (7, 19_700) for name in ODD_IDS)])
    assert await store.pending_of(0, {"an", "nobody"}) == []
    await store.commit(0, 1, "a", CommitRequest(3, "c3", settled=found))
    assert await store.pending_of(0, {*ODD_IDS, "c7"}) == []
    assert await store.pending_of(0, {"c8"}) == ["8:c8"]


async def test_customers_go_with_all_that_is_kept_of_them_and_the_others_stay(store_case: StoreCase) -> None:
    store = store_case.store
    await taken(store_case)
    gone, left = ODD_IDS[:5], ODD_IDS[5:]
    names = await store.triggered_of(0, set(gone))
    removal = Removal(names, [2, 3, 99], {D1: 2**52 + 1, D2: 5}, "print")
    await store.commit(0, 1, "a", CommitRequest(2, "c2", offsets={"commands": 3}, outbox=[entry(7)], gone=gone, removal=removal))
    assert await store.load(0, ODD_IDS) == [None] * 5 + [name.encode() for name in left]
    assert await store.due(0, 100, 10) == left
    assert {name for name, _ in await store.riskiest(0, 10)} == set(left)
    assert await store.read_customer(0, gone[0]) is None
    assert await store.read_customer(0, left[0]) == StoredCustomer(left[0].encode(), 5, 0.1)
    assert await store.triggered(0, names) == [None] * 10
    assert set(await store.triggered_of(0, set(ODD_IDS))) == {f"{play}\0{name}" for play in ("call", "mail") for name in left}
    assert await store.outbox_read(0, 0, 10) == [entry(n) for n in (1, 4, 5, 6, 7)]
    assert await store.erased(0) == ErasedCustomers("print", {D1: 2**52 + 1, D2: 5})
    assert [await store.erased_at(0, digest) for digest in (D1, D2, D3)] == [2**52 + 1, 5, None]
    meta = await store.read_meta(0)
    assert (meta.seq, meta.outbox_no, meta.state) == (2, 7, b"state")
    assert meta.offsets == {"purchases": 5, "commands": 3}
    assert await store.erased(1) == ErasedCustomers("", {}), "partitions are apart"


async def test_a_later_erasure_replaces_the_time_and_what_is_old_is_forgotten(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c1", removal=Removal(erased={D1: 1, D2: 2}, fingerprint="print")))
    await store.commit(0, 1, "a", CommitRequest(2, "c2"))
    await store.commit(
        0, 1, "a", CommitRequest(3, "c3", removal=Removal(erased={D1: 9}, fingerprint="print", forgotten=[D2, D3]))
    )
    assert await store.erased(0) == ErasedCustomers("print", {D1: 9})
    await store.commit(0, 1, "a", CommitRequest(4, "c4", removal=Removal(forgotten=[D1])))
    assert await store.erased(0) == ErasedCustomers("print", {})


async def test_messages_go_on_leaving_in_order_around_those_that_were_taken_away(store_case: StoreCase) -> None:
    store = store_case.store
    await taken(store_case)
    await store.commit(0, 1, "a", CommitRequest(2, "c2", removal=Removal(outbox=[1, 4, 6])))
    assert await store.outbox_read(0, 2, 1) == [entry(3)]
    await store.outbox_ack(0, 1, "a", 4)
    assert (await store.outbox_read(0, 0, 10), await store.outbox_depth(0)) == ([entry(5)], 1)
    await store.commit(0, 1, "a", CommitRequest(3, "c3", outbox=[entry(7)]))
    assert await store.outbox_read(0, 0, 10) == [entry(5), entry(7)]


async def test_who_does_not_own_the_partition_erases_nobody(store_case: StoreCase) -> None:
    store = store_case.store
    await taken(store_case)
    await store.take_epoch(0, 2, 4, "b")
    before = await store_case.save(0)
    with pytest.raises(Fenced):
        await store.commit(
            0, 1, "a", CommitRequest(2, "c2", gone=["ann"], removal=Removal(outbox=[1], erased={D1: 1}, fingerprint="p"))
        )
    assert await store_case.save(0) == before


async def test_twenty_thousand_customers_are_erased_in_one_commit(store_case: StoreCase) -> None:
    store, ids = store_case.store, [f"customer-{at:06d}" for at in range(20_000)]
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(
        1, "c1", [(name, b"r") for name in ids], [(name, 1) for name in ids], [(name, 0.5) for name in ids],
        outbox=[entry(n) for n in range(1, 20_001)], triggered=[(f"call\0{name}", 1) for name in ids],
    ))  # fmt: skip
    names, erased = await store.triggered_of(0, set(ids)), {b"%16d" % at: at for at in range(20_000)}
    assert len(names) == 20_000
    await store.commit(0, 1, "a", CommitRequest(2, "c2", gone=ids, removal=Removal(names, range(1, 20_001), erased, "print")))
    assert [found async for found in store.scan_records(0)] == []
    assert (await store.due(0, 9, 10), await store.riskiest(0, 10), await store.outbox_depth(0)) == ([], [], 0)
    assert await store.triggered_of(0, set(ids)) == []
    assert (await store.erased(0)).times == erased
    await store.commit(0, 1, "a", CommitRequest(3, "c3", removal=Removal(forgotten=list(erased))))
    assert (await store.erased(0)).times == {}
