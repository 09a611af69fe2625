"""The order in which labels are learnt where history ends: partitions go live one by one, begin anew, or never say a word."""

from __future__ import annotations

import pytest

from streams.columns import DAY_MS
from streams.label_order import LabelOrder
from streams.labels import LabelMessage
from tests.support.label_messages import message

Told = tuple[int | None, list[int], int]
DAY_0 = 10_000


class Reader:
    def __init__(self, partitions: int) -> None:
        self.order, self._partitions = LabelOrder(partitions), partitions
        self.read: list[LabelMessage | None] = []

    def push(self, told: LabelMessage | None) -> list[Told]:
        """(tick in days, ids of the labels, number of scores) of each release."""
        self.read.append(told)
        released = self.order.push(len(self.read) - 1, told)
        return [
            (
                None if one.tick_ms is None else one.tick_ms // DAY_MS - DAY_0,
                one.labels.id.tolist(),
                sum(scored.customers for _, scored in one.scored),
            )
            for one in released
        ]

    def restart(self) -> None:
        self.order = LabelOrder.from_bytes(self.order.to_bytes(), self._partitions)
        for offset in range(self.order.next_offset, len(self.read)):
            assert self.order.push(offset, self.read[offset]) == []


def day(number: float) -> int:
    """Of the test's own calendar, ms since 1970."""
    return round((DAY_0 + number) * DAY_MS)


def test_a_tick_is_learnt_once_every_partition_has_passed_it_by_time_and_id() -> None:
    reader = Reader(2)
    assert reader.push(message(0, day(1), [(7, day(1)), (3, day(1)), (5, day(0.5)), (9, day(1.5))], [(4, day(1))])) == []
    assert reader.order.waits_for() == [1]
    assert reader.order.next_offset == 0
    assert reader.push(message(1, day(1), [(6, day(0.75))], [(8, day(1))])) == [(1, [5, 6, 3, 7], 2)]
    assert reader.order.waits_for() == []
    assert reader.order.next_offset == 0, "label 9 is not learnt yet"
    assert reader.push(message(0, day(2))) + reader.push(message(1, day(2))) == [(2, [9], 0)]
    assert reader.order.next_offset == 4


def test_what_is_taken_for_learnt_by_its_time_alone_is_counted() -> None:
    reader = Reader(2)
    reader.push(message(0, 1, [(1, day(3)), (2, day(20))], history=False))
    assert reader.order.too_old == 0, "in one message the newest is not known before"
    assert reader.push(message(0, 2, [(2, day(20)), (3, day(11)), (4, day(12))], history=False)) == [(None, [4], 0)]
    assert reader.order.too_old == 1
    assert reader.push(message(1, 3, [(5, day(1))], history=False)) == [(None, [5], 0)], "partitions are apart"
    assert reader.order.too_old == 1


def test_what_is_live_is_learnt_as_it_comes_and_once() -> None:
    reader = Reader(3)
    assert reader.push(message(2, 77, [(3, day(9)), (1, day(8))], [(5, day(9))], history=False)) == [(None, [1, 3], 1)]
    assert reader.push(message(2, 99, [(3, day(9)), (4, day(9))], [(5, day(9))], history=False)) == [(None, [4], 0)]
    assert reader.order.next_offset == 2


def test_a_partition_that_is_live_holds_up_no_tick_and_that_is_remembered() -> None:
    reader = Reader(2)
    reader.push(message(0, day(1)))
    reader.push(message(1, day(1)))
    assert reader.push(message(0, day(1.5), [(2, day(1.2))], history=False)) == [(None, [2], 0)]
    reader.restart()
    assert reader.push(message(1, day(2), [(3, day(1.1))])) == [(2, [3], 0)]


def test_a_partition_that_goes_live_before_a_tick_lets_the_others_pass_it() -> None:
    reader = Reader(2)
    reader.push(message(0, day(1), [(2, day(1))]))
    assert reader.push(message(1, day(3), [(5, day(3))], history=False)) == [(1, [2], 0), (None, [5], 0)]


def test_once_all_are_live_nothing_is_held() -> None:
    reader = Reader(2)
    reader.push(message(0, day(1), [(4, day(1.5)), (2, day(1.6))]))
    reader.push(message(1, day(1)))
    assert reader.push(message(1, day(2), history=False)) == []
    assert reader.push(message(0, day(2), [(9, day(1))], history=False)) == [(None, [4, 2], 0), (None, [9], 0)]
    assert reader.order.next_offset == len(reader.read)


def test_what_is_dated_far_ahead_of_where_history_ends_is_dropped_and_holds_up_nothing() -> None:
    """No tick came there, so no worker can have told it; nothing else would ever say so."""
    reader = Reader(2)
    reader.push(message(0, day(1), [(4, day(1.5)), (5, day(10)), (6, day(10.1)), (7, day(9_000))], [(8, day(10)), (9, day(11))]))
    reader.push(message(1, day(1), [(2, day(9_000))]))
    assert reader.push(message(1, day(2), history=False)) == []
    reader.restart()
    assert reader.order.far_ahead == 0
    assert reader.push(message(0, day(2), [(3, day(2))], history=False)) == [(None, [4, 5], 1), (None, [3], 0)]
    assert (reader.order.far_ahead, reader.order.next_offset) == (2, 4)
    assert reader.push(message(0, day(3), [(6, day(3))], history=False)) == [(None, [6], 0)], "it has not counted"


def test_history_ends_where_it_came_furthest_whoever_goes_live_last() -> None:
    reader = Reader(2)
    reader.push(message(1, day(1)))
    reader.push(message(0, day(30), [(1, day(30))]))
    assert reader.push(message(0, day(31), history=False)) == []
    assert reader.push(message(1, 0, history=False)) == [(None, [1], 0)]
    assert reader.order.far_ahead == 0


def test_a_rebuild_repeats_a_year_and_nothing_of_it_counts() -> None:
    reader = Reader(1)
    for at in range(1, 40):
        reader.push(message(0, day(at), [(at, day(at))]))
    reader.push(message(0, day(40), history=False))
    again = [told for at in range(1, 40) for told in reader.push(message(0, day(at), [(at, day(at))]))]
    assert again == []
    assert reader.push(message(0, day(41), [(41, day(41))], history=False)) == [(None, [41], 0)]


def test_a_partition_that_says_nothing_is_waited_for() -> None:
    reader = Reader(3)
    assert reader.push(message(0, day(1))) + reader.push(message(1, day(1))) == []
    assert reader.order.waits_for() == [2]
    assert reader.push(message(2, day(1))) == [(1, [], 0)]


def test_labels_of_other_inputs_are_passed_over_and_their_tick_is_not() -> None:
    reader = Reader(1)
    assert reader.push(message(0, day(1), [(4, day(1))], inputs_hash="0" * 16)) == [(1, [], 0)]


def test_what_is_no_message_is_passed_over() -> None:
    reader = Reader(1)
    assert reader.push(None) == []
    assert reader.order.next_offset == 1


def test_other_numbers_of_partitions_are_refused() -> None:
    with pytest.raises(ValueError, match="partition 2: there are 2"):
        LabelOrder(2).push(0, message(2, 0))
    with pytest.raises(ValueError, match="of 2 partitions"):
        LabelOrder.from_bytes(LabelOrder(2).to_bytes(), 3)
