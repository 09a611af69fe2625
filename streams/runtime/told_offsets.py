"""What the consumer group commits in Kafka beyond what Faust knows of: the offsets that count stand in Redis, these follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faust.types import TP


class ToldOffsets:
    """Faust commits behind records that were handed over and acknowledged. Kafka is also to hear of two things more.

    Of what carries no data, such as a transaction's marker at a topic's end, or lag would stay. And of where reading begins:
    a group that is left empty before its first commit is deleted, and then its generation, which Redis remembers, begins anew.

    passed   where to go on reading, of all that is taken, see `intake.Owner.passed`
    """

    def __init__(self, passed: Callable[[], Mapping[TP, int]]) -> None:
        self._passed = passed
        self._told: dict[TP, int] = {}

    def with_passed(self, found: Mapping[TP, int]) -> dict[TP, int]:
        """What to commit now. found: what Faust would."""
        wanted = {tp: max(at, self._told.get(tp, -1)) for tp, at in found.items()}  # acknowledged late, and told already
        more = {tp: at for tp, at in self._passed().items() if at > max(wanted.get(tp, -1), self._told.get(tp, -1))}
        self._told |= wanted | more
        return wanted | more

    def sought(self, tp: TP) -> None:
        """Reading goes on elsewhere: what was told before says nothing."""
        self._told.pop(tp, None)
