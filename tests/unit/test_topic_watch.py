"""When a topic counts as deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from streams.runtime.topic_watch import GONE_AFTER, TopicWatch
from streams.runtime.topics import WrongTopics


class Broker:
    """Tells the ids of its topics."""

    def __init__(self, **ids: str) -> None:
        self.ids, self.asked = ids, 0

    async def topic_ids(self, names: Iterable[str]) -> dict[str, str]:
        self.asked += 1
        return {name: self.ids[name] for name in names if name in self.ids}


def watch(broker: Broker, failures: list[BaseException]) -> TopicWatch:
    return TopicWatch(broker, ["a", "b"], lambda _: None, failures.append, every_s=0.001)  # type: ignore[arg-type] # by shape


def test_a_topic_that_is_missing_for_a_moment_is_not_deleted() -> None:
    """As while a broker starts."""
    watching = watch(Broker(), [])
    for _ in range(3):
        for _ in range(GONE_AFTER - 1):
            watching.look({"a": "1"})
        assert watching.missing == {"b": GONE_AFTER - 1}
        watching.look({"a": "1", "b": ""})
        assert watching.missing == {}


def test_one_that_stays_away_is_told_by_name_with_the_remedy() -> None:
    watching = watch(Broker(), [])
    for _ in range(GONE_AFTER - 1):
        watching.look({"a": "1"})
    with pytest.raises(WrongTopics, match=r"topic b was deleted while it was read.*topics create.*rebuild"):
        watching.look({"a": "1"})


async def test_the_broker_is_asked_until_a_topic_is_gone() -> None:
    broker, failures = Broker(a="1", b="2"), list[BaseException]()
    running = asyncio.create_task(watch(broker, failures).run())
    async with asyncio.timeout(5):
        while broker.asked < 2 * GONE_AFTER:
            await asyncio.sleep(0.001)
        assert failures == []
        del broker.ids["a"]
        while not failures:
            await asyncio.sleep(0.001)
    running.cancel()
    assert "topic a was deleted" in str(failures[0])
