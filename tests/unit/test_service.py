"""What a process does beside its work: whatever ends it unasked ends the process, and says why."""

from __future__ import annotations

import asyncio

import pytest

from streams.runtime import learner_app
from streams.runtime.learner_app import LearnerProcess
from streams.runtime.service import Service
from streams.runtime.settings import Settings


class Waiting(Service):
    """Waits for its end."""

    async def _work(self, _scratch: str, /) -> None:
        await self._stop.wait()


async def test_what_fails_beside_the_work_ends_the_process_with_its_reason() -> None:
    async def fail() -> None:
        raise ValueError("an answer that nobody expected")

    process = Waiting(Settings())
    process._beside(fail())
    await asyncio.wait_for(process._work(""), 5)
    assert str(process._failure) == "an answer that nobody expected"


async def test_what_is_done_or_cancelled_beside_it_ends_nothing() -> None:
    process = Waiting(Settings())
    done, cancelled = process._beside(asyncio.sleep(0)), process._beside(asyncio.sleep(60))
    cancelled.cancel()
    await asyncio.gather(done, cancelled, return_exceptions=True)
    await asyncio.sleep(0)
    assert (process._failure, process._stop.is_set()) == (None, False)


async def test_a_learner_that_cannot_ask_for_its_topic_does_not_go_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    process = LearnerProcess(Settings(learning={"enabled": True}))
    monkeypatch.setattr(learner_app, "EVERY_S", 0.0)
    watching = process._beside(process._watch_topic())  # its sender was never started
    await asyncio.wait_for(process._stop.wait(), 5)
    assert watching.done()
    assert process._failure is watching.exception() is not None
