"""What was redriven or dropped is passed over by the partition's owner, and the rest of its chunk is not."""

from __future__ import annotations

import json

from streams.letter_marks import LetterMark
from streams.voids import voids_of
from tests.support.intake_app import until
from tests.support.played import NOW_MS, Played


def purchase(number: int) -> bytes:
    event = {"event_id": f"e{number}", "customer_id": "anna", "occurred_at": NOW_MS - number, "amount": 1.0, "currency": "USD"}
    return json.dumps(event).encode()


def mark(offset: int, value: bytes, record_time_ms: int = NOW_MS) -> LetterMark:
    letter_id = f"purchases-3-{offset}"
    return LetterMark(letter_id, record_time_ms, len(value), "redriven", NOW_MS, "anna", letter_id)


def purchases_of_anna(played: Played) -> int:
    table = played.task.committer.table
    return int(table.records["purchases"][table.rows(["anna"])[0]])


async def test_marked_records_are_passed_over_whether_they_are_good_now_or_still_bad() -> None:
    played = Played()
    bad = b"no event"
    played.voids = voids_of([mark(1, purchase(2)), mark(2, bad), mark(3, purchase(4), record_time_ms=1)])
    async with played.running():
        played.receives("purchases", 0, purchase(1), purchase(2), bad, purchase(4))
        await until(lambda: played.done() == 3, "the chunk is passed")
        assert purchases_of_anna(played) == 2, "the last one is another record than the one that was marked"
        assert played.shop.metrics.dead_letters["not_json"]._value.get() == 0


async def test_a_chunk_of_nothing_else_is_passed_too() -> None:
    played = Played()
    played.voids = voids_of([mark(1, purchase(2))])
    async with played.running():
        played.receives("purchases", 0, purchase(1))
        await until(lambda: played.done() == 0, "the first")
        played.receives("purchases", 1, purchase(2))
        await until(lambda: played.done() == 1, "the chunk of one marked record")
        assert purchases_of_anna(played) == 1
