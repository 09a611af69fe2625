"""Are the topics still those that were taken? Asked while they are read: a fetch from a new one of that name may well succeed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from streams.runtime.sender import Sender
from streams.runtime.topics import WrongTopics

EVERY_S = 3.0
GONE_AFTER = 4
"""A topic counts as deleted once so many answers in a row are without it: a broker that starts may not know it at first."""


class TopicWatch:
    """Asks the broker now and then.

    names   the topics that are read
    check   told topic -> id of those that exist; raises what makes going on impossible
    fail    told of it
    """

    def __init__(
        self,
        sender: Sender,
        names: list[str],
        check: Callable[[Mapping[str, str]], None],
        fail: Callable[[BaseException], None],
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._sender, self._names, self._check, self._fail, self._every_s = sender, names, check, fail, every_s
        self.missing: dict[str, int] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                self.look(await self._sender.topic_ids(self._names))
            except Exception as problem:  # noqa: BLE001 - whatever it is: it is not known what would be read
                self._fail(problem)

    def look(self, found: Mapping[str, str]) -> None:
        """Judge an answer: topic -> id, "" for none."""
        self.missing = {name: self.missing.get(name, 0) + 1 for name in self._names if name not in found}
        self._check(found)
        if gone := [name for name, times in self.missing.items() if times >= GONE_AFTER]:
            raise WrongTopics(
                f"topic {gone[0]} was deleted while it was read; what was folded of it stays. Run `churnwatch topics create`, "
                "then `churnwatch rebuild`, since the offsets in Redis speak of the topic that is gone"
            )
