"""Taking a partition's state out of Redis, so that it is built anew from the topics.

What was triggered for whom stays. The topics cannot give it back: most of what set it off is the past the next time and sets
off nothing, and so would leave no memory that keeps a play to its `every_days`. Left alone it does no harm, since it is of
event time: what is older than the longest `every_days` is forgotten as ever. So does who was erased, or the topics would
bring them back. And so does what was learnt: labels count once, however often they come.
"""

from __future__ import annotations

from streams.runtime.backoff import Backoff
from streams.runtime.connect import PATIENCE_S, link_to
from streams.runtime.learner_store import RedisLearnerStore
from streams.runtime.settings import Settings

SCAN_SLICE = 1_000


async def forget_partition(settings: Settings, partition: int) -> int:
    """Delete the partition's keys but `triggered` and `erased`; returns how many. Nobody may own it meanwhile."""
    redis = settings.redis
    link = link_to(redis)
    prefix = f"{redis.prefix}:{{{partition}}}:"
    kept, cursor = {f"{prefix}{name}".encode() for name in ("triggered", "erased")}, b"0"
    try:
        # first of all: should the rest be cut short, a worker finds nothing, and refuses, instead of a part that looks whole
        [deleted] = map(int, await link.send_in_row(prefix, ("UNLINK", prefix + "meta")))
        while True:
            # the prefix holds no sign that a pattern would read otherwise (see redis.prefix in the settings)
            [[cursor, keys]] = await link.send_in_row(prefix, ("SCAN", cursor, "MATCH", prefix + "*", "COUNT", SCAN_SLICE))
            if keys := [key for key in keys if key not in kept]:
                [count] = await link.send_in_row(prefix, ("UNLINK", *keys))
                deleted += int(count)
            if int(cursor) == 0:
                return deleted
    finally:
        await link.close()


async def forget_learners_generation(settings: Settings) -> bool:
    """The learner may be taken by another group, or by one that was deleted and begins anew; False where there never was one."""
    link = link_to(settings.redis)
    try:
        backoff = Backoff(patience_s=PATIENCE_S)
        return await RedisLearnerStore(link, prefix=settings.redis.prefix, backoff=backoff).reset_generation()
    finally:
        await link.close()
