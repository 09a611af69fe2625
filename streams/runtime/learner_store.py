"""Where the learner's state lives: who is the learner, and what it has committed. One key, beside the partitions'.

    <prefix>:learner   HASH   epoch, nonce, generation, seq, layout, group, topic_prefix;
                              next_offset, order, learner, desk, topic_id

Bytes in, bytes out: what they mean is told in learner_desk.py. It changes only by numbered, fenced commits of the one who took
the newest epoch, as a partition does (see store.py, whose errors are raised here).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from streams.runtime.backoff import Backoff
from streams.runtime.redis_calls import RedisCalls
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_wire import Script
from streams.runtime.store import Fenced, LostCommits, OtherSystem, StaleGeneration, StoreError, System, UnknownVersion

LEARNER_LAYOUT = 1
"""Of the fields above. Another one is refused."""

OWN_FIELDS = frozenset({"epoch", "nonce", "generation", "seq", "layout", "group", "topic_prefix"})


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """epoch, nonce   the learner's: a counter that only grows, and its own random mark; 0 and "" when never taken
    seq            number of the last commit; 0 before the first
    fields         what that commit, and those before it, wrote
    """

    epoch: int = 0
    nonce: str = ""
    seq: int = 0
    fields: dict[str, bytes] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether there was ever a commit."""
        return self.seq > 0


class LearnerStore(Protocol):
    """The one key."""

    async def take(self, generation: int, nonce: str, system: System) -> LearnerRecord:
        """Become the learner: epoch + 1 under this nonce. The same generation and nonce again is a retry and changes nothing.

        generation   of the learner's consumer group, >= 0
        nonce        random, fresh for every attempt, not empty
        Raises StaleGeneration, OtherSystem, UnknownVersion; each of them leaves everything as it was.
        """
        ...

    async def commit(self, record: LearnerRecord, seq: int, fields: dict[str, bytes]) -> None:
        """Write the fields as commit `seq`, if it follows on the stored one and the learner is who `record` says.

        Succeeds as well if this commit was applied before: a learner makes one commit of a number. Raises Fenced, LostCommits.
        """
        ...

    async def read(self) -> LearnerRecord:
        """Look without taking."""
        ...

    async def reset_generation(self) -> bool:
        """Forget the Kafka generation and the group (it was deleted, or renamed) and fence whoever is the learner.

        Returns False when there never was one.
        """
        ...


class RedisLearnerStore:
    """`LearnerStore` in Redis, Valkey or Redis Cluster.

    prefix    first part of the key
    backoff   pauses, patience and reporting while Redis is away
    """

    def __init__(self, link: RedisLink, *, prefix: str, backoff: Backoff) -> None:
        self.key = f"{prefix}:learner"
        self._calls = RedisCalls(link, backoff)
        self._take, self._commit, self._reset = Script("take_learner"), Script("commit_learner"), Script("reset_learner")

    async def take(self, generation: int, nonce: str, system: System) -> LearnerRecord:
        """See `LearnerStore`."""
        reason, *reply = await self._calls.run(self._take, [self.key], generation, nonce, LEARNER_LAYOUT, *system)
        if reason == b"ok":
            return _record(dict(zip(reply[::2], reply[1::2], strict=True)))
        raise refused(reason.decode(), [part.decode() for part in reply], generation, system)

    async def commit(self, record: LearnerRecord, seq: int, fields: dict[str, bytes]) -> None:
        """See `LearnerStore`."""
        check_fields(fields)
        pairs = [part for pair in fields.items() for part in pair]
        reply = await self._calls.run(self._commit, [self.key], record.epoch, record.nonce, seq, *pairs)
        if reply[0] == b"refused":
            raise not_ours(record, int(reply[1]), reply[2].decode(), int(reply[3]), seq)

    async def read(self) -> LearnerRecord:
        """See `LearnerStore`."""
        return _record(await self._calls.send("read learner", self.key, "HGETALL", self.key))

    async def reset_generation(self) -> bool:
        """See `LearnerStore`."""
        return bool(await self._calls.run(self._reset, [self.key]))


def check_fields(fields: dict[str, bytes]) -> None:
    """Raise ValueError for a commit that writes nothing, or what is not its to write."""
    if not fields or fields.keys() & OWN_FIELDS:
        raise ValueError(f"fields {sorted(fields)}: must be some, and none of {sorted(OWN_FIELDS)}")


def refused(reason: str, stored: list[str], generation: int, system: System) -> StoreError:
    """What a refusal to take is for the caller. stored: what Redis holds of that which `reason` names."""
    if reason == "system":
        return OtherSystem(
            f"learner: Redis holds the state of group {stored[0]} on topics {stored[1]}*, and this is group {system.group} on "
            f"{system.topic_prefix}*: give each system its own redis.prefix; if only kafka.group was renamed, run "
            "`churnwatch rebuild --keep-state`"
        )
    if reason == "generation":
        return StaleGeneration(f"learner: Kafka generation {generation} is older than {stored[0]}, which has it")
    return UnknownVersion(
        f"learner: layout version {stored[0]} in Redis, this program knows {LEARNER_LAYOUT}: run the release that wrote it, or "
        "delete the key, and everything is learnt again from churn.labels"
    )


def not_ours(record: LearnerRecord, epoch: int, nonce: str, stored_seq: int, seq: int) -> StoreError:
    """Why a commit was refused: somebody newer is the learner, or Redis went back behind what it had confirmed."""
    what = f"learner, commit {seq} of epoch {record.epoch}"
    if epoch > record.epoch or (epoch == record.epoch and nonce != record.nonce):
        return Fenced(f"{what}: epoch {epoch} was taken by someone else")
    return LostCommits(f"{what}: Redis is at commit {stored_seq} of epoch {epoch}")


def _record(found: dict[bytes, bytes]) -> LearnerRecord:
    named = {name.decode(): value for name, value in found.items()}
    return LearnerRecord(
        epoch=int(named.get("epoch", 0)),
        nonce=named.get("nonce", b"").decode(),
        seq=int(named.get("seq", 0)),
        fields={name: value for name, value in named.items() if name not in OWN_FIELDS},
    )
