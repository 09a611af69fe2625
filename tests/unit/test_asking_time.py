"""A worker's first look at a live partition: what time is it?"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest

from streams.columns import DAY_MS
from streams.runtime import asking_time
from streams.runtime.commits import unpack_state
from streams.runtime.topics import JOURNAL
from tests.support.intake_app import until
from tests.support.played import NOW_MS, SILENT_FOR_MONTHS, Outlet, Played

WRONG_MS = 30 * DAY_MS


class Stamps(Outlet):
    """A sender whose broker tells the time with the first journal entry that arrives; a shut one lets none arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self.open = False, asyncio.Event()

    async def send_together(
        self, topic: str, partition: int, messages: Sequence[tuple[bytes, bytes]]
    ) -> list[BaseException | None]:
        await self.open.wait()
        self.told |= topic == JOURNAL
        return await super().send_together(topic, partition, messages)


def played(*, open_at_once: bool = True) -> tuple[Played, Stamps]:
    """A partition on a host that is a month ahead, until the broker has told the time."""
    found, sender = Played(), Stamps()
    if open_at_once:
        sender.open.set()
    found.sender = sender
    found.shop = dataclasses.replace(
        found.shop,
        sender=sender,  # type: ignore[arg-type] # a sender by shape
        now_ms=lambda: NOW_MS + (0 if sender.told else WRONG_MS),
        knows_time=lambda: sender.told,
    )
    return found, sender


def live_after_ms(found: Played) -> int | None:
    return unpack_state(found.store.of(3).meta.state or b"").live_after_ms


async def test_a_new_partition_asks_before_it_looks_and_goes_by_the_answer() -> None:
    found, _ = played()
    async with found.running():
        found.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: found.done() == 5, "six purchases folded")
        assert live_after_ms(found) == NOW_MS, "the past is what lies before the broker's present"
    async with found.running():
        await until(found.commits(2), "commits of the next owner, in a worker that knows the time")
        assert live_after_ms(found) == NOW_MS


async def test_a_partition_that_was_taken_before_another_one_learnt_the_time_goes_by_it_too() -> None:
    found, sender = played()
    async with found.running():
        sender.told = True  # what is the past was settled by the host's clock, and nothing has run yet
        found.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: found.done() == 5, "six purchases folded")
        assert live_after_ms(found) == NOW_MS


async def test_an_answer_that_does_not_come_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_time, "ANSWER_S", 0.05)
    found, sender = played(open_at_once=False)
    async with found.running():
        found.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: found.done() == 5, "six purchases folded without an answer")
        assert not sender.told
        sender.open.set()


async def test_a_partition_that_has_begun_keeps_what_it_takes_for_the_past() -> None:
    found, sender = played()
    async with found.running():
        await until(found.commits(2), "it has begun")
    sender.told = False
    async with found.running():
        await until(lambda: sender.told, "the next worker has asked")
        await until(found.commits(2), "and gone on")
        assert live_after_ms(found) == NOW_MS
