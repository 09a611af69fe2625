"""What the consumer group commits in Kafka: the offsets that count stand in Redis, these follow, so that tools show the lag.

Beside what is committed in Redis Kafka is to hear of two things more. Of what carries no data, such as a transaction's marker at
a topic's end, or lag would stay. And of where reading begins: a group that is left empty before its first commit is deleted, and
then its generation, which Redis remembers, begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faust.types import TP


class ToldOffsets:
    """passed   where to go on reading, of all that is taken, see `intake.Owner.passed`"""

    def __init__(self, passed: Callable[[], Mapping[TP, int]]) -> None:
        self._passed = passed
        self._told: dict[TP, int] = {}
        self._telling: dict[TP, int] = {}

    def news(self) -> dict[TP, int]:
        """What Kafka does not know yet: to be committed now."""
        self._telling = {tp: at for tp, at in self._passed().items() if at > self._told.get(tp, -1)}
        return dict(self._telling)

    def answered(self, *, done: bool) -> None:
        """The latest news were committed, or not: then they are news still."""
        if done:
            self._told |= self._telling

    def sought(self, tp: TP) -> None:
        """Reading goes on elsewhere: what was told before, or is being told, says nothing."""
        self._told.pop(tp, None)
        self._telling.pop(tp, None)
