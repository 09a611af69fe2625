"""All to one, who keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from streams.runtime.sole_assignor import SoleAssignor


class Cluster:
    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {2, 0, 1} if topic == "alerts" else None


def member(holds: bool) -> Any:
    assignor = SoleAssignor()
    assignor.holds = holds
    return assignor.metadata(["alerts"])


CASES = [
    ("nobody holds them", {"b": False, "a": False, "c": False}, "a"),
    ("one holds them", {"a": False, "b": True, "c": False}, "b"),
    ("two believe that they do", {"a": False, "c": True, "b": True}, "b"),
    ("there is but one", {"z": False}, "z"),
]


@pytest.mark.parametrize(("members", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_who_gets_all(members: dict[str, bool], expected: str) -> None:
    given = SoleAssignor().assign(Cluster(), {name: member(holds) for name, holds in members.items()})
    assert given.keys() == members.keys()
    assert {name: each.assignment for name, each in given.items() if each.assignment} == {expected: [("alerts", [0, 1, 2])]}


def test_it_says_that_it_holds_them_from_one_assignment_to_the_next() -> None:
    leader, mine = SoleAssignor(), SoleAssignor()
    everything = leader.assign(Cluster(), {"me": mine.metadata(["alerts"])})["me"]
    mine.on_assignment(everything)
    assert mine.metadata(["alerts"]).user_data == b"holds"
    nothing = leader.assign(Cluster(), {"a": member(True), "me": member(False)})["me"]
    mine.on_assignment(nothing)
    assert mine.metadata(["alerts"]).user_data == b""


def test_a_topic_that_the_broker_does_not_know_yet_gives_nothing() -> None:
    class Nothing:
        def partitions_for_topic(self, _topic: str) -> None:
            return None

    (given,) = SoleAssignor().assign(Nothing(), {"a": member(False)}).values()
    assert given.partitions() == []
