"""What was found out about a partition when it was claimed, beside its meta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streams.runtime.losses import Gap
from streams.voids import Voids


@dataclass(frozen=True, slots=True)
class Claim:
    """topic_ids   Kafka's ids of the topics, of those that have one
    gaps           events that the meta has passed over because they are gone
    commands_end   where the commands ended: those before are carried out before any event is folded, so that a rebuild does not
                   tell of customers who were erased long ago
    voids          what redriven and dropped letters take out of the inputs
    """

    topic_ids: Mapping[str, str] = field(default_factory=dict)
    gaps: Sequence[Gap] = ()
    commands_end: int = 0
    voids: Voids = field(default_factory=Voids)
