"""What may happen around a store, in any order: hypothesis chooses, `store_world` judges."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.redis_wire import Script
from tests.support.redis_servers import RunningRedis
from tests.support.store_cases import MemoryCase, RedisCase, StoreCase
from tests.support.store_truth import PARTITION, Incarnation, Message
from tests.support.store_world import World

KINDS = ("commit",) * 8 + ("publish",) * 3 + ("arrive",) * 3 + ("join",) * 2 + ("replicate",) * 2 + ("fail over", "delete group")
"""What happens next. A partition that changes hands at every other step shows nothing that takes a few commits."""
WORKERS = ("the owner",) * 4 + ("x", "y", "z")
FATES = ("heard",) * 4 + ("request lost", "reply lost", "late", "twice")
"""What becomes of a message: late and twice leave a copy on its way, which arrives at any later time, or never."""
BEHIND = (0, 0, 0, 1, 2)
"""By how many rebalances one who joins is behind, as one that was frozen."""


class StoreMachine(RuleBasedStateMachine):
    """Three workers, whose generations Kafka counts, and one partition."""

    def __init__(self, cases: Callable[[], Sequence[StoreCase]]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.runner.run(asyncio.sleep(0))
        self.world = World(cases(), self.runner)
        self.workers: dict[str, Incarnation] = {}
        self.flying: list[Message] = []
        self.generation = 1

    def teardown(self) -> None:
        for case in self.world.cases:
            self.runner.run(leave(case))
        self.runner.close()

    @rule(
        kind=st.sampled_from(KINDS),
        name=st.sampled_from(WORKERS),
        fate=st.sampled_from(FATES),
        number=st.integers(0, 29),
        flag=st.booleans(),
    )
    def step(self, kind: str, name: str, fate: str, number: int, flag: bool) -> None:
        """One thing more; `number` and `flag` mean what the kind makes of them."""
        if kind == "join":
            self._join(name if name in "xyz" else "xyz"[number % 3], flag, BEHIND[number % 5], fate)
        elif kind == "commit":
            self._commit(name, number % 4, number % 3, flag, fate)
        elif kind == "publish":
            self._publish(name, 1 + number % 4, fate)
        elif kind == "arrive" and self.flying:
            at = number % len(self.flying)  # and perhaps once more later; nobody listens any more
            self.world.deliver(self.flying[at] if flag else self.flying.pop(at), heard=False)
        elif kind == "replicate":
            self.world.save()
        elif kind == "fail over":
            self.world.go_back()
        elif kind == "delete group" and number < 6:
            self.world.reset()
            self.generation = 1

    def _join(self, name: str, newer: bool, behind: int, fate: str) -> None:
        """Take the partition: after a rebalance (newer), or again under the same generation."""
        self.generation += newer
        who = self.world.new(name, max(0, self.generation - behind))
        self.workers[name] = who
        self._send(Message(who, None), fate)

    def _commit(self, name: str, customers: int, entries: int, forget: bool, fate: str) -> None:
        """One who waits for an answer sends the same again; one who was refused begins anew."""
        who = self._find(name)
        if who is None:
            return
        if who.told:
            self._join(who.name, forget, 0, fate)
        elif who.epoch is None:
            self._send(Message(who, None), fate)
        else:
            self._send(Message(who, who.pending or self.world.compute(who, customers, entries, forget)), fate)

    def _publish(self, name: str, most: int, fate: str) -> None:
        """Kafka gets what a worker knows of, the first so many; then Redis is told. One that was fenced may still do so."""
        who = self._find(name)
        if who is None or who.epoch is None or not who.entries:
            return
        numbers = sorted(who.entries)[:most]
        self.world.sent.update(who.entries.pop(number) for number in numbers)
        self._send(Message(who, numbers[-1]), fate)

    def _find(self, name: str) -> Incarnation | None:
        return self.world.truth.owner if name == "the owner" else self.workers.get(name)

    def _send(self, message: Message, fate: str) -> None:
        if fate in ("late", "twice"):
            self.flying.append(message)
        if fate in ("heard", "twice", "reply lost"):
            self.world.deliver(message, heard=fate != "reply lost")


async def leave(case: StoreCase) -> None:
    """Of a Redis: take away what it holds, and close the connections."""
    if isinstance(case, RedisCase):
        await case.restore(PARTITION, {})
        await case.link.close()


def redis_case(server: RunningRedis, **scripts: Script) -> RedisCase:
    """Under a prefix of its own; `scripts`: other ones than the store's, by the name of its attribute."""
    link = RedisLink(f"unix://{server.socket}")
    store = RedisPartitionStore(link, prefix="world" + secrets.token_hex(4))
    for name, script in scripts.items():
        assert isinstance(getattr(store, name), Script)
        setattr(store, name, script)
    return RedisCase(link, store.key(PARTITION, "").split(":")[0], store)


def side_by_side(server: RunningRedis) -> Callable[[], list[StoreCase]]:
    """The fake and Redis."""
    return lambda: [MemoryCase(), redis_case(server)]
