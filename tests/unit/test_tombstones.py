"""Who was erased: what is dropped, what is not, and that nobody can be told from what is kept."""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.columns import TICK, Columns, empty_columns
from streams.tombstones import DIGEST_BYTES, Tombstones, digest, fingerprint

KEY = b"a secret of the tests"


def rows(*events: tuple[str, int], rank: int = 0) -> Columns:
    """Events (customer, ms); an empty customer is a tick."""
    columns = empty_columns(len(events))
    columns.customer[:] = [customer for customer, _ in events]
    columns.time_ms[:] = [at_ms for _, at_ms in events]
    columns.kind[:] = [0 if customer else TICK for customer, _ in events]
    columns.rank[:] = rank
    return columns


def left(tombstones: Tombstones, batch: Columns, known: set[str] | None = None) -> list[tuple[str, int]]:
    kept = tombstones.kept(batch, known or set()).batch
    return list(zip(kept.customer.tolist(), kept.time_ms.tolist(), strict=True))


def erased(**times_ms: int) -> Tombstones:
    return Tombstones(KEY, {digest(KEY, customer): at_ms for customer, at_ms in times_ms.items()})


def test_a_digest_is_the_beginning_of_an_hmac_with_sha256() -> None:
    assert digest(KEY, "客户") == hmac.new(KEY, b"customer:" + "客户".encode(), hashlib.sha256).digest()[:DIGEST_BYTES]
    assert digest(KEY, "anna") != digest(KEY + b"!", "anna")
    assert fingerprint(KEY) != fingerprint(KEY + b"!")


def test_what_is_dated_up_to_the_erasure_is_dropped_and_what_is_later_is_not() -> None:
    batch = rows(("anna", 9), ("anna", 10), ("anna", 11), ("berta", 5), ("", 3), ("anna", 10))
    assert left(erased(anna=10), batch) == [("anna", 11), ("berta", 5), ("", 3)]


def test_dropped_events_are_counted_by_topic() -> None:
    batch = Columns.concat([rows(("anna", 1), ("anna", 2), ("x", 1)), rows(("anna", 1), rank=2), rows(("anna", 99), rank=1)])
    assert erased(anna=10).kept(batch, set()).dropped == {0: 2, 2: 1}


def test_a_batch_of_which_nothing_is_dropped_is_the_same_one() -> None:
    batch = rows(("anna", 11), ("berta", 5))
    assert erased(anna=10).kept(batch, set()).batch is batch
    assert Tombstones(None, {}).kept(batch, set()).batch is batch


def test_one_who_returned_is_known_and_its_past_is_dropped_all_the_same() -> None:
    tombstones = erased(anna=10)
    assert left(tombstones, rows(("anna", 11))) == [("anna", 11)]
    assert left(tombstones, rows(("anna", 12), ("anna", 9)), {"anna"}) == [("anna", 12)]


def test_one_whose_row_was_read_is_met_before_its_events_come() -> None:
    tombstones = erased(anna=10)
    tombstones.met(["anna", "berta"])
    assert left(tombstones, rows(("anna", 9), ("berta", 9)), {"anna", "berta"}) == [("berta", 9)]


def test_who_returned_and_is_erased_again_loses_what_came_between() -> None:
    tombstones = erased(anna=10)
    assert left(tombstones, rows(("anna", 15))) == [("anna", 15)]
    tombstones.bury({digest(KEY, "anna"): 20})
    assert left(tombstones, rows(("anna", 15), ("anna", 21))) == [("anna", 21)]


def test_old_ones_are_forgotten_and_the_others_go_on() -> None:
    tombstones = erased(anna=10, berta=20)
    tombstones.met(["anna", "berta"])
    assert (tombstones.older_than(10), tombstones.older_than(11)) == ([], [digest(KEY, "anna")])
    tombstones.forget(tombstones.older_than(11))
    assert left(tombstones, rows(("anna", 1), ("berta", 1)), {"anna", "berta"}) == [("anna", 1)]
    assert len(tombstones) == 1


def test_without_a_key_there_may_be_no_tombstones_and_none_is_made() -> None:
    with pytest.raises(ValueError, match="without their key"):
        Tombstones(None, {b"d" * 16: 1})
    with pytest.raises(ValueError, match="no key"):
        Tombstones(None, {}).digest("anna")


CUSTOMERS = st.sampled_from(["a", "b", "c", "d"])


@given(
    st.dictionaries(CUSTOMERS, st.integers(0, 20), max_size=3),
    st.lists(st.lists(st.tuples(CUSTOMERS, st.integers(0, 20)), max_size=6), max_size=6),
)
def test_however_it_is_cut_the_same_is_dropped_as_one_by_one(
    times_ms: dict[str, int], batches: list[list[tuple[str, int]]]
) -> None:
    tombstones, known, found = erased(**times_ms), set[str](), list[tuple[str, int]]()
    for batch in batches:
        kept = left(tombstones, rows(*batch), known)
        known |= {customer for customer, _ in kept}
        found += kept
    assert found == [(customer, at_ms) for batch in batches for customer, at_ms in batch if at_ms > times_ms.get(customer, -1)]
    assert np.all([customer in known for customer, _ in found])
