"""Dead letters on their way to their topic: sent at once, and acknowledged before a commit passes their records by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.dead_letters import DeadLetter, encode
from streams.runtime.sender import Sender

OVERHEAD_BYTES = 3_000
"""What a letter under way takes in memory beyond its original: its other fields, its task, its place in the producer."""


class Graveyard:
    """The dead letters of one partition's owner.

    nbytes   what those under way take in memory, about; whoever fetches stops at a limit of his own
    """

    def __init__(self, sender: Sender, topic: str) -> None:
        self._sender, self._topic = sender, topic
        self._under_way: set[asyncio.Task[None]] = set()
        self.nbytes = 0

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Begin to send these, again until they are acknowledged."""
        for letter in letters:
            self._under_way.add(asyncio.create_task(self._send(letter)))
            self.nbytes += len(letter.original) + OVERHEAD_BYTES

    async def _send(self, letter: DeadLetter) -> None:
        await self._sender.send(self._topic, letter.kafka_key(), encode(letter))
        self.nbytes -= len(letter.original) + OVERHEAD_BYTES

    def under_way(self) -> frozenset[asyncio.Task[None]]:
        """Those not known to be safe, for `safe`."""
        return frozenset(self._under_way)

    async def safe(self, letters: frozenset[asyncio.Task[None]]) -> None:
        """Wait until all of these are acknowledged. Raises what can never be sent (KafkaError)."""
        await asyncio.gather(*letters)
        self._under_way -= letters

    async def leave(self) -> None:
        """Send no more. What was not acknowledged was not passed by either: the next owner meets it again."""
        for letter in self._under_way:
            letter.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()
