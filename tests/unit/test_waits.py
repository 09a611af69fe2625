"""Who is being waited for, since when and why: from the first try of a call to its end, however it ends."""

from __future__ import annotations

import asyncio

import pytest

from streams.runtime.backoff import Backoff
from streams.runtime.waits import Waits, in_words


class Clock:
    """Time that stands still until it is moved; a pause moves it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, pause_s: float) -> None:
        self.now_s += pause_s


async def test_the_oldest_call_to_each_server_counts() -> None:
    clock = Clock()
    waits = Waits(clock)
    with waits.on("redis", "commit"):
        clock.now_s += 3
        with waits.on("redis", "load"), waits.on("broker", "publish outbox"):
            clock.now_s += 1
            assert (waits.age_s("redis"), waits.age_s("broker")) == (4, 1)
        oldest = waits.oldest("redis")
        assert oldest is not None
        assert oldest.operation == "commit"
    assert (waits.age_s("redis"), waits.oldest("redis"), waits.age_s("broker")) == (0, None, 0)


async def test_a_call_that_is_tried_again_says_why_until_it_succeeds() -> None:
    clock, seen = Clock(), []
    waits = Waits(clock)

    async def call() -> str:
        wait = waits.oldest("redis")
        assert wait is not None
        seen.append((waits.age_s("redis"), wait.why))
        if len(seen) < 3:
            raise OSError("OutOfMemoryError: command not allowed when used memory > 'maxmemory'.")
        return "done"

    backoff = Backoff(first_s=1.0, monotonic=clock, sleep=clock.sleep, waits=waits, server="redis")
    assert await backoff.run("commit", call, str) == "done"
    assert [age_s for age_s, _ in seen] == [0, 1, 3]
    assert [why[:22] for _, why in seen] == ["", "Redis is out of memory", "Redis is out of memory"]
    assert waits.oldest("redis") is None


@pytest.mark.parametrize("ending", [KeyError("not worth it"), asyncio.CancelledError()])
async def test_a_call_that_is_given_up_is_not_waited_for(ending: BaseException) -> None:
    waits = Waits()

    async def call() -> None:
        raise ending

    with pytest.raises(type(ending)):
        await Backoff(waits=waits).run("load", call, lambda _: None)
    assert waits.oldest("broker") is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("outbox entry 5 to churn.alerts and 3 more: NotEnoughReplicasError: [Error 19]", "too few in-sync replicas"),
        ("ConnectionError: Error 111 connecting to 10.1.2.3:6379. Connection refused.", "no connection"),
        ("ReadOnlyError: You can't write against a read only replica.", "this Redis is a replica"),
    ],
)
def test_errors_are_told_in_words_without_addresses(error: str, words: str) -> None:
    assert in_words(error).startswith(words)
    assert "10.1" not in in_words(error)
