"""Commands of one partition between intake and commit. They are carried out as soon as they are read, and not at a place in time:
in a history, today would be waited for for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from streams.columns import TOPIC_RANKS
from streams.commands import Erase, decode_commands
from streams.dead_letters import DeadLetter
from streams.runtime.intake import Chunk
from streams.runtime.shop import Shop

COMMANDS_RANK = TOPIC_RANKS["commands"]

AT_ONCE = 500
"""Erasures in one commit at most."""
FULL = 20_000
"""So many may wait before no more are fetched."""


class CommandInbox:
    """What was received and not carried out.

    done   last offset that was carried out before the claim, -1 for none; later: last offset behind which nothing waits
    end    where the topic ended at the claim
    """

    def __init__(self, shop: Shop, done: int, end: int) -> None:
        self._shop, self._received, self._end = shop, done, end
        self._waiting: deque[Erase] = deque()
        self._begun = end <= done + 1

    def receive(self, chunk: Chunk) -> list[DeadLetter]:
        """Take a fetched chunk; returns what is no command."""
        skew_ms = self._shop.settings.time.skew_s * 1000
        decoded = decode_commands([r for r in chunk.records if r.offset > self._received], self._shop.now_ms(), skew_ms)
        self._waiting += decoded.erasures
        self._received = max(self._received, chunk.last_offset)
        return decoded.dead

    def skip(self, last_offset: int) -> None:
        """What stands up to here, and was not received, is gone from the topic."""
        self._received = max(self._received, last_offset)

    @property
    def done(self) -> int:
        """Last offset behind which nothing waits: what a commit may record."""
        return self._waiting[0].offset - 1 if self._waiting else self._received

    @property
    def full(self) -> bool:
        """Whether so much waits that no more should be fetched."""
        return len(self._waiting) >= FULL

    def first(self) -> list[Erase]:
        """What is to be carried out next, in one commit; empty where nothing waits."""
        return list(islice(self._waiting, AT_ONCE))

    def carried_out(self, orders: Sequence[Erase]) -> None:
        """What `first` gave is done."""
        for _ in orders:
            self._waiting.popleft()

    def begun(self, position: int | None) -> bool:
        """Whether all that was there at the claim is carried out.

        position   the consumer's, None while chunks are on their way
        """
        reached = max(self._received + 1, position or 0)
        self._begun = self._begun or (not self._waiting and reached >= self._end)
        return self._begun
