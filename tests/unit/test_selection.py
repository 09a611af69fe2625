"""Which messages a channel tells, and the reason for each that it does not."""

from __future__ import annotations

import pytest

from alerts.alert import Message
from alerts.selection import Recent, known_as, select
from detectors.actions import Tier
from tests.support.messages import a_message, catch_up, demoted, no_data

CASES: list[tuple[str, Message, Tier, str]] = [
    ("an alert of the least tier", a_message(), "watch", "told"),
    ("an alert below it", a_message(), "high", "below_tier"),
    ("an alert above it", a_message(move="escalated"), "high", "told"),
    ("the fall of one that was told", a_message(move="deescalated"), "critical", "told"),
    ("the end of one that was told", a_message(move="resolved"), "watch", "told"),
    ("the end of one that was not", a_message(move="resolved"), "high", "below_tier"),
    ("what history decided", a_message(live=False), "watch", "past"),
    ("what history decided of a customer held out", a_message(live=False, holdout=True), "watch", "past"),
    ("a customer held out", a_message(move="escalated", holdout=True), "watch", "holdout"),
    ("data that are missing", no_data(), "critical", "told"),
    ("data that arrive again", no_data(resolved=True), "critical", "told"),
    ("a model that was demoted", demoted(), "critical", "told"),
    ("a model that was demoted in history", demoted(live=False), "watch", "past"),
    ("what history left", catch_up(), "critical", "told"),
]


@pytest.mark.parametrize(("message", "least", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_message_has_its_reason(message: Message, least: Tier, expected: str) -> None:
    assert select(message, least) == expected


def test_a_message_is_known_by_its_id_and_not_by_its_episode() -> None:
    assert known_as(a_message(number=1)) != known_as(a_message(number=2))
    assert known_as(a_message()) == a_message().message_id
    assert known_as(catch_up()) == catch_up().digest_id


def test_the_memory_forgets_the_oldest_and_keeps_what_comes_again() -> None:
    recent = Recent(2)
    for name in ("a", "b", "a", "c"):
        recent.add(name)
    assert [name in recent for name in "abc"] == [True, False, True]
