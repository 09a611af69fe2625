"""At most so many in a minute, which begins with the first of them."""

from __future__ import annotations

import pytest

from alerts.stages.budget import MINUTE_MS, Budget

CASES = [
    ("none yet", [], 5, True),
    ("one short of it", [0], 0, True),
    ("as many as there may be", [0, 10], 10, False),
    ("to the last moment of the minute", [0, 10], MINUTE_MS - 1, False),
    ("the minute is over", [0, 10], MINUTE_MS, True),
    ("a minute begins with its first, not with the clock's", [59_000, 61_000], 119_000 - 1, False),
    ("what an earlier minute had does not count", [0, 10, MINUTE_MS], MINUTE_MS + 1, True),
]


@pytest.mark.parametrize(("spent_ms", "now_ms", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_room(spent_ms: list[int], now_ms: int, expected: bool) -> None:
    budget = Budget(2)
    for at_ms in spent_ms:
        budget.spend(at_ms)
    assert budget.has_room(now_ms) is expected


def test_asking_when_the_minute_ends_begins_one() -> None:
    budget = Budget(1)
    assert budget.minute_end_ms(1_000) == 1_000 + MINUTE_MS
    assert budget.minute_end_ms(2_000) == 1_000 + MINUTE_MS
    assert budget.minute_end_ms(1_000 + MINUTE_MS) == 1_000 + 2 * MINUTE_MS


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="per_minute is 0"):
        Budget(0)
