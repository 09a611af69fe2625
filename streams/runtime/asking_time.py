"""What time is it? Asked by a worker's first partitions, before they look at anything: the answer is on the way back of a commit.

Without it a host whose clock is wrong at the start would decide what a new system takes for the past.
"""

from __future__ import annotations

import asyncio
import contextlib

from streams.columns import empty_columns
from streams.runtime.committer import Committer, Work
from streams.runtime.mode import mode_of
from streams.runtime.shop import Shop
from streams.runtime.store import Meta

ANSWER_S = 2.0
"""Longer nobody waits: folding needs no clock, and until the answer is there none moves a watermark."""


async def ask_the_time(committer: Committer, meta: Meta, shop: Shop) -> None:
    """Have a broker stamp the journal entry of an empty commit, unless one has stamped something for this worker before.

    meta   what taking the epoch returned; of a new partition it is settled anew what is the past
    Its publisher must be running.
    """
    if not shop.knows_time():
        await committer.advance(Work(empty_columns(0), 0, committer.done, sweep=False))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(committer.publisher.drained(), ANSWER_S)
    if not meta.exists:
        committer.follow(mode_of(meta, shop.settings.time, shop.now_ms))
