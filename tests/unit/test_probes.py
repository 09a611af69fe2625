"""What an answer of the broker about end offsets is worth to each partition, and to whom it is worth nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.columns import TOPIC_RANKS
from streams.runtime import prober
from streams.runtime.live_clock import Probe
from streams.runtime.prober import Prober
from streams.runtime.topics import CANCELLATIONS
from tests.support.owners import TOPICS, Owned

pytestmark = pytest.mark.timeout(30)


LIVE = {"CHURNWATCH_TIME__CLOCK": "wall"}
RANKS = [rank for topic, rank in TOPIC_RANKS.items() if topic != CANCELLATIONS]


async def owning(*partitions: int, settings: Mapping[str, str] = LIVE) -> Owned:
    owned = Owned(**settings)
    await owned.claim(*partitions)
    await owned.settled()
    assert owned.failures == []
    return owned


def ends(end: int, *partitions: int) -> dict[TP, int]:
    return {TP(topic, partition): end for topic in TOPICS for partition in partitions}


async def test_a_partition_that_was_not_asked_about_does_not_take_itself_for_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was assigned while the question was under way: end 0 for what the answer does not name would be "all is read"."""
    owned = await owning(0, 1)
    monkeypatch.setattr("streams.runtime.offsets.end_offset", lambda _app, _tp: None)
    owned.owner.probed(5_000, ends(7, 0))
    assert owned.owner.tasks[0].probe == Probe(5_000, dict.fromkeys(RANKS, 7))
    assert owned.owner.tasks[1].probe is None
    owned.owner.probed(6_000, ends(8, 0, 1) | {TP("logins", 1): 9})
    assert owned.owner.tasks[1].probe == Probe(6_000, dict.fromkeys(RANKS, 8) | {TOPIC_RANKS["logins"]: 9})
    incomplete = ends(99, 0, 1)
    del incomplete[TP("complaints", 1)]
    owned.owner.probed(7_000, incomplete)
    assert owned.owner.tasks[1].probe.asked_ms == 6_000
    await owned.owner.release()


async def test_an_end_that_a_fetch_has_seen_counts_where_the_answer_is_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = await owning(0)
    monkeypatch.setattr("streams.runtime.offsets.end_offset", lambda _app, tp: 12 if tp.topic == "logins" else 3)
    owned.owner.probed(5_000, ends(7, 0))
    expected = dict.fromkeys(RANKS, 7) | {TOPIC_RANKS["logins"]: 12}
    assert owned.owner.tasks[0].probe == Probe(5_000, expected)
    await owned.owner.release()


async def test_an_answer_is_nothing_to_a_partition_into_which_history_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = await owning(0, settings={})
    monkeypatch.setattr("streams.runtime.offsets.end_offset", lambda _app, _tp: None)
    owned.owner.probed(5_000, ends(7, 0))
    assert owned.owner.tasks[0].probe is None
    await owned.owner.release()


class SlowBroker:
    """An app whose broker answers when it is told to."""

    def __init__(self) -> None:
        self.consumer, self.asked, self.answer = self, 0, asyncio.Event()

    def assignment(self) -> set[TP]:
        return {TP("purchases", 0)}

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        self.asked += 1
        await self.answer.wait()
        return dict.fromkeys(tps, 4)


class Listener:
    """An owner that writes down what it is told."""

    def __init__(self) -> None:
        self.tasks, self.told = {0: SimpleNamespace(clock=None), 1: SimpleNamespace(clock=object())}, []

    def probed(self, asked_ms: int, ends: dict[TP, int]) -> None:
        self.told.append((asked_ms, ends))


async def test_one_question_is_under_way_at_a_time_and_its_answer_counts_for_when_it_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker, listener = SlowBroker(), Listener()
    monkeypatch.setattr(prober, "PATIENCE_S", 0.02)
    warned: list[str] = []
    monkeypatch.setattr(prober.log, "warning", lambda event, **_: warned.append(event))
    times = itertools.count(1_000, 1_000)
    asking = asyncio.create_task(Prober(lambda: broker, listener, 0.04, lambda: next(times)).run())  # type: ignore[arg-type] # by shape
    try:
        async with asyncio.timeout(10):
            while not broker.asked:
                await asyncio.sleep(0.01)
            while len(warned) < 5:
                await asyncio.sleep(0.01)
            assert (broker.asked, listener.told) == (1, [])
            broker.answer.set()
            while len(listener.told) < 3:
                await asyncio.sleep(0.01)
    finally:
        asking.cancel()
    assert listener.told[:3] == [(1000 * number, {TP("purchases", 0): 4}) for number in (1, 2, 3)]


async def test_trouble_with_one_question_does_not_end_the_asking() -> None:
    broker, listener = SlowBroker(), Listener()
    broker.answer.set()
    failures = iter([ConnectionError("no broker"), RuntimeError("not started"), None, None])

    def assignment() -> set[TP]:
        if (problem := next(failures, None)) is not None:
            raise problem
        return {TP("purchases", 0)}

    broker.assignment = assignment  # type: ignore[method-assign]
    asking = asyncio.create_task(Prober(lambda: broker, listener, 0.04, lambda: 5_000).run())  # type: ignore[arg-type] # by shape
    try:
        async with asyncio.timeout(10):
            while not listener.told:
                await asyncio.sleep(0.01)
    finally:
        asking.cancel()


async def test_while_nobody_knows_the_time_nothing_is_asked() -> None:
    broker, listener = SlowBroker(), Listener()
    broker.answer.set()
    times = iter([None, None, None, 7_000])
    prober = Prober(lambda: broker, listener, 0.04, lambda: next(times, None))  # type: ignore[arg-type] # by shape
    for _ in range(5):
        await prober._ask()
    assert broker.asked == 1
    assert listener.told == [(7_000, {TP("purchases", 0): 4})]
