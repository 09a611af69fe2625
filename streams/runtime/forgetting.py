"""Taking a partition's state out of Redis, so that it is built anew from the topics.

What was triggered for whom stays. The topics cannot give it back: most of what set it off is the past the next time and sets
off nothing, and so would leave no memory that keeps a play to its `every_days`. Left alone it does no harm, since it is of
event time: what is older than the longest `every_days` is forgotten as ever. So does who was erased, or the topics would
bring them back. And so does what was learnt, unless it is told to go too: labels count once, however often they come, and those
of a corrected history are no others by their ids.
"""

from __future__ import annotations

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import (  # type: ignore[import-untyped]  # as above
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    UnsupportedVersionError,
)

from streams.runtime.backoff import Backoff
from streams.runtime.connect import PATIENCE_S, link_to
from streams.runtime.kafka_client import AdminError, admin_client, producer
from streams.runtime.learner_papers import FORGOTTEN, Papers, papers_of
from streams.runtime.learner_store import RedisLearnerStore
from streams.runtime.model_in_use import model_in_use, newest_by_key
from streams.runtime.settings import Settings
from streams.runtime.topics import LABELS, MODELS
from streams.serving import CHAMPION_PREFIX, CONTROL_KEY, FITTED_PREFIX, SERVING_KEY

SCAN_SLICE = 1_000
ANSWER_S = 30.0
TO_THE_END = -1
_LEARNT = (CHAMPION_PREFIX, FITTED_PREFIX)


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


async def forget_learnt(settings: Settings) -> None:
    """Delete what the learner has learnt, and all that it could learn it from again: it begins with what comes from now on.

    What people fitted stays. An alert that the champion is demoted ends, since nobody would know of it afterwards. Cut short, it
    is done again. Neither workers nor learner may run meanwhile. Raises AdminError.
    """
    forget_labels_and_models(settings)
    link = link_to(settings.redis)
    try:
        store = RedisLearnerStore(link, prefix=settings.redis.prefix, backoff=Backoff(patience_s=PATIENCE_S))
        tell_ends(settings, papers_of((await store.read()).fields))
        await link.send(store.key, "UNLINK", store.key)
    finally:
        await link.close()


def tell_ends(settings: Settings, papers: Papers | None) -> None:
    """End the alerts that the learner's last commit left standing. papers: what it wrote of them. Raises AdminError."""
    ending = [] if papers is None else papers.ends(model_in_use(settings).version, FORGOTTEN)
    if ending:
        with producer(settings) as sending:
            for answer in [sending.send(settings.kafka.topic_prefix + one.topic, key=one.key, value=one.value) for one in ending]:
                answer.get(ANSWER_S)


def forget_labels_and_models(settings: Settings) -> None:
    """The part of it that is on Kafka."""
    topic = TopicPartition(settings.kafka.topic_prefix + LABELS, 0)
    with admin_client(settings) as admin:
        if topic.topic not in admin.list_topics():
            fix = "run `churnwatch topics create`, or grant DELETE on it (docs/security.md)"
            raise AdminError(f"topic {topic.topic} does not exist, or our user may not see it", fix)
        try:
            admin.delete_records({topic: TO_THE_END})
        except (KafkaConnectionError, UnsupportedVersionError, IncompatibleBrokerVersion):
            fix = "see that it is well; the embedded one cannot do this, so begin a trial on it with another kafka.topic_prefix"
            raise AdminError(f"the broker ended the request to delete the records of {topic.topic}", fix) from None
    learnt = [key for key in newest_by_key(settings) if key in (SERVING_KEY, CONTROL_KEY) or key.startswith(_LEARNT)]
    with producer(settings) as sending:
        for answer in [sending.send(settings.kafka.topic_prefix + MODELS, key=key, value=None) for key in learnt]:
            answer.get(ANSWER_S)


async def forget_learners_generation(settings: Settings) -> bool:
    """The learner may be taken by another group, or by one that was deleted and begins anew; False where there never was one."""
    link = link_to(settings.redis)
    try:
        backoff = Backoff(patience_s=PATIENCE_S)
        return await RedisLearnerStore(link, prefix=settings.redis.prefix, backoff=backoff).reset_generation()
    finally:
        await link.close()
