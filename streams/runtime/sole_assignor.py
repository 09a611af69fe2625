"""All partitions to one member of a consumer group; the others stand by and take over.

Who holds them keeps them through a rebalance, so that a worker that joins interrupts nobody. Each member says in its metadata
whether it holds them. Should two say so, as after a leader's assignment got lost, the lesser id does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.coordinator.assignors.abstract import (  # type: ignore[import-untyped] # aiokafka ships no types
    AbstractPartitionAssignor,
)
from aiokafka.coordinator.protocol import (  # type: ignore[import-untyped] # as above
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

HOLDS = b"holds"
VERSION = 0


class SoleAssignor(AbstractPartitionAssignor):  # type: ignore[misc] # no types there
    """The assignor of one member of one group; aiokafka takes an object as well as a class."""

    name = "sole"

    def __init__(self) -> None:
        self.holds = False

    def metadata(self, topics: Iterable[str]) -> Any:
        """What we tell the leader."""
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), HOLDS if self.holds else b"")

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """As leader: who gets all."""
        sole = min(members, key=lambda member: (members[member].user_data != HOLDS, member))
        topics = sorted({topic for metadata in members.values() for topic in metadata.subscription})
        everything = [(topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in topics]
        return {
            member: ConsumerProtocolMemberAssignment(VERSION, everything if member == sole else [], b"") for member in members
        }

    def on_assignment(self, assignment: Any) -> None:
        """What the leader gave us."""
        self.holds = any(partitions for _, partitions in assignment.assignment)
