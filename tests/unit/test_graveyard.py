"""Dead letters under way: counted, waited for, and left."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from streams.dead_letters import DeadLetter, DeadReason, dead_letter
from streams.runtime.graveyard import OVERHEAD_BYTES, Graveyard
from tests.support.records import record


class SlowSender:
    """Acknowledges what it is given when it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.open = asyncio.Event()
        self.refuses = False

    async def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        await self.open.wait()
        if self.refuses:
            raise MessageSizeTooLargeError
        assert (topic, key) == ("dead", b"c1")
        self.sent.append(json.loads(value))


def letter(offset: int, size: int = 100) -> DeadLetter:
    return dead_letter(record("logins", b"x" * size, offset=offset, key=b"c1"), DeadReason.NOT_JSON, "no")


async def test_letters_are_counted_until_they_are_acknowledged() -> None:
    sender = SlowSender()
    graveyard = Graveyard(sender, "dead")  # type: ignore[arg-type] # a sender by shape
    graveyard.bury([letter(0, 300_000), letter(1)])
    assert graveyard.nbytes == 400_000 + 136 + 2 * OVERHEAD_BYTES  # base64: four characters for three bytes
    sender.open.set()
    await graveyard.safe(graveyard.under_way())
    assert graveyard.nbytes == 0
    assert [sent["offset"] for sent in sender.sent] == [0, 1]
    assert graveyard.under_way() == frozenset()


async def test_only_those_that_a_commit_passes_are_waited_for() -> None:
    sender = SlowSender()
    graveyard = Graveyard(sender, "dead")  # type: ignore[arg-type] # a sender by shape
    sender.open.set()
    graveyard.bury([letter(0)])
    passed = graveyard.under_way()
    await asyncio.sleep(0)
    sender.open.clear()
    graveyard.bury([letter(1)])
    async with asyncio.timeout(5):
        await graveyard.safe(passed)
    assert len(graveyard.under_way()) == 1
    await graveyard.leave()
    assert [sent["offset"] for sent in sender.sent] == [0]


async def test_a_letter_that_can_never_be_sent_is_not_passed_by() -> None:
    sender = SlowSender()
    sender.refuses = True
    sender.open.set()
    graveyard = Graveyard(sender, "dead")  # type: ignore[arg-type] # a sender by shape
    graveyard.bury([letter(0)])
    with pytest.raises(MessageSizeTooLargeError):
        await graveyard.safe(graveyard.under_way())
    await graveyard.leave()
