"""When the next batch is taken from what is merged, and how far it goes.

A commit's size follows the lag. A history that is learnt from is folded tick by tick, each with the model that was learnt by it:
so behind each tick the learner is waited for, and for how long is told.
"""

from __future__ import annotations

import time

import structlog

from streams.columns import Columns
from streams.merge import PartitionMerge
from streams.runtime.shop import Shop

log = structlog.get_logger()

BACKLOG_PATIENCE_S = 2.0
"""While a backlog is read, its first rows wait so long at most for more to be committed with them."""
SAY_EVERY_S = 60.0


class Taking:
    """Of one partition.

    history   whether it loads history
    """

    def __init__(self, partition: int, merge: PartitionMerge, shop: Shop, *, history: bool) -> None:
        self._partition, self._merge, self._shop = partition, merge, shop
        self._max_rows = shop.settings.engine.max_rows
        self._to_tick = history and shop.settings.learning.serves
        self._first_waits_s = time.monotonic()
        self._learner_s: float | None = None
        self._said_s = 0.0

    def next(self, tick_ms: int) -> Columns | None:
        """The next batch; None where there is none, or something is waited for.

        tick_ms   the last tick that was passed, ms since 1970; 0 = none
        """
        if self._more_first() or (self._to_tick and self._merge.buffered_rows and self._learner_first(tick_ms)):
            return None
        return self._merge.take(self._max_rows, to_tick=self._to_tick)

    def committed(self) -> None:
        """What was taken is committed; patience begins anew."""
        self._first_waits_s = time.monotonic()

    def _more_first(self) -> bool:
        """Whether to wait for more before the next commit: it grows with the lag, since a customer met ten times in it is written
        once. Not when caught up, for alerts leave after it; not when more than is here cannot come, or does not.
        """
        if not self._merge.buffered_rows:
            self._first_waits_s = time.monotonic()
        patient = time.monotonic() - self._first_waits_s <= BACKLOG_PATIENCE_S
        coming = self._merge.coming(without=self._merge.held_back(self._shop.room()))
        return patient and 0 < self._merge.ready_rows < min(self._max_rows, coming)

    def _learner_first(self, tick_ms: int) -> bool:
        """Whether to wait, behind this tick, for what is learnt by it."""
        if not self._shop.awaits_model(tick_ms):
            self._waited(0.0)
            self._learner_s = None
            return False
        now_s = time.monotonic()
        if self._learner_s is None:
            self._learner_s = self._said_s = now_s
        self._waited(now_s - self._learner_s)
        if now_s - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            log.warning(
                "waiting for the learner: is `churnwatch learner` running, and is every partition owned?",
                partition=self._partition, tick_ms=tick_ms, waited_s=round(now_s - self._learner_s),
            )  # fmt: skip
        return True

    def _waited(self, for_s: float) -> None:
        self._shop.metrics.model_wait.labels(str(self._partition)).set(for_s)
