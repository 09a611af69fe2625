"""Taking a partition's state out of Redis, so that it is built anew from the topics."""

from __future__ import annotations

from streams.runtime.redis_link import RedisLink
from streams.runtime.settings import Settings

SCAN_SLICE = 1_000


async def forget_partition(settings: Settings, partition: int) -> int:
    """Delete every key of the partition; returns how many. Nobody may own it meanwhile."""
    redis = settings.redis
    link = RedisLink(redis.url.get_secret_value(), cluster=redis.cluster, timeout_s=redis.timeout_s)
    prefix = f"{redis.prefix}:{{{partition}}}:"
    cursor, deleted = b"0", 0
    try:
        while True:
            # the prefix holds no sign that a pattern would read otherwise (see redis.prefix in the settings)
            [[cursor, keys]] = await link.send_in_row(prefix, ("SCAN", cursor, "MATCH", prefix + "*", "COUNT", SCAN_SLICE))
            if keys:
                [count] = await link.send_in_row(prefix, ("UNLINK", *keys))
                deleted += int(count)
            if int(cursor) == 0:
                return deleted
    finally:
        await link.close()
