"""What a worker or the learner makes sure of first: that its users may do all it will do, and that the topics fit the settings.

Without this a right that is missing would show hours later, in the middle of something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from redis.exceptions import RedisError

from streams.runtime.backoff import Backoff
from streams.runtime.log_range import partitions_seen
from streams.runtime.redis_link import RedisLink, mask
from streams.runtime.redis_refused import refused_for_good
from streams.runtime.redis_rights import check_commands, worker_roles
from streams.runtime.sender import Sender, passing
from streams.runtime.settings import Settings
from streams.runtime.store import StoreError, StoreMisconfigured
from streams.runtime.topics import ALERTS, LABELS, MODELS, check_partitions

Role = Literal["worker", "learner"]


async def check_broker(settings: Settings, sender: Sender, role: Role = "worker") -> None:
    """Raises KafkaRefused, WrongTopics. Who logs in by nothing is asked nothing: most such brokers refuse nothing either."""
    kafka = settings.kafka
    if kafka.security_protocol != "PLAINTEXT":
        from streams.runtime import kafka_rights  # its library takes a while to import

        wanted = kafka_rights.wanted_by_worker if role == "worker" else kafka_rights.wanted_by_learner
        await asyncio.to_thread(kafka_rights.check_rights, settings, wanted(settings))
    left_out = () if settings.learning.enabled else (LABELS,)  # an installation from before there was learning goes on as it is
    specs = kafka.topics()
    names = [spec.name.removeprefix(kafka.topic_prefix) for spec in specs] if role == "worker" else [LABELS, MODELS, ALERTS]
    wanted_topics = {kafka.topic_prefix + name for name in names if name not in left_out}
    check_partitions([spec for spec in specs if spec.name in wanted_topics], await sender.partition_counts())


async def check_labels(settings: Settings, backoff: Backoff) -> None:
    """Of challengers, who read churn.labels and nothing else. Raises as above; a broker that is away is waited for."""
    kafka = settings.kafka
    if kafka.security_protocol != "PLAINTEXT":
        from streams.runtime import kafka_rights  # as above

        await asyncio.to_thread(kafka_rights.check_rights, settings, kafka_rights.wanted_by_challengers(settings))
    seen = await backoff.run("list topics", lambda: partitions_seen(kafka), passing)
    specs = [spec for spec in kafka.topics() if spec.name == kafka.topic_prefix + LABELS]
    check_partitions(specs, seen)


async def check_redis(settings: Settings, link: RedisLink, backoff: Backoff, on_failure: Callable[[BaseException], None]) -> None:
    """Ask Redis, as soon as it answers, whether a worker may run what it will run.

    on_failure   told StoreMisconfigured where it may not
    """
    roles = worker_roles(
        playbook=settings.triggers.playbook_file is not None,
        wait_replicas=settings.redis.wait_replicas > 0,
        erases=settings.erasure.key is not None or settings.retention.inactive_days is not None,
        learns=settings.learning.enabled,
    )
    await _check_commands(settings, link, roles, backoff, on_failure)


async def check_learner_redis(
    settings: Settings, link: RedisLink, backoff: Backoff, on_failure: Callable[[BaseException], None]
) -> None:
    """The same of a learner."""
    await _check_commands(settings, link, ["learner"], backoff, on_failure)


async def _check_commands(
    settings: Settings, link: RedisLink, roles: list[str], backoff: Backoff, on_failure: Callable[[BaseException], None]
) -> None:
    try:
        await check_commands(link, settings.redis.prefix, roles, backoff)
    except StoreError as problem:
        on_failure(problem)
    except RedisError as problem:
        refused = refused_for_good(problem)
        told = f"{type(problem).__name__}: {problem}" if refused is None else f"{refused.what}; {refused.fix}"
        on_failure(StoreMisconfigured(mask(f"redis: {told}")))
