"""What a worker makes sure of first: that its users may do all it will do, and that the topics are those of the settings.

Without this a right that is missing would show hours later, in the middle of something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis.exceptions import RedisError

from streams.runtime.backoff import Backoff
from streams.runtime.redis_link import RedisLink, mask
from streams.runtime.redis_refused import refused_for_good
from streams.runtime.redis_rights import check_commands, worker_roles
from streams.runtime.sender import Sender
from streams.runtime.settings import Settings
from streams.runtime.store import StoreError, StoreMisconfigured
from streams.runtime.topics import LABELS, check_partitions


async def check_broker(settings: Settings, sender: Sender) -> None:
    """Raises KafkaRefused, WrongTopics. Who logs in by nothing is asked nothing: most such brokers refuse nothing either."""
    kafka = settings.kafka
    if kafka.security_protocol != "PLAINTEXT":
        from streams.runtime.kafka_rights import check_worker_rights  # its library takes a while to import

        await asyncio.to_thread(check_worker_rights, settings)
    specs = kafka.topics()
    if not settings.learning.enabled:  # an installation from before there was learning goes on as it is
        specs = tuple(spec for spec in specs if spec.name != kafka.topic_prefix + LABELS)
    check_partitions(specs, await sender.partition_counts())


async def check_redis(settings: Settings, link: RedisLink, backoff: Backoff, on_failure: Callable[[BaseException], None]) -> None:
    """Ask Redis, as soon as it answers, whether we may run what we will run.

    on_failure   told StoreMisconfigured where we may not
    """
    redis = settings.redis
    roles = worker_roles(
        playbook=settings.triggers.playbook_file is not None,
        wait_replicas=redis.wait_replicas > 0,
        erases=settings.erasure.key is not None or settings.retention.inactive_days is not None,
        learns=settings.learning.enabled,
    )
    try:
        await check_commands(link, redis.prefix, roles, backoff)
    except StoreError as problem:
        on_failure(problem)
    except RedisError as problem:
        refused = refused_for_good(problem)
        told = f"{type(problem).__name__}: {problem}" if refused is None else f"{refused.what}; {refused.fix}"
        on_failure(StoreMisconfigured(mask(f"redis: {told}")))
