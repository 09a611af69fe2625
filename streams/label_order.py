"""Which labels are learnt next, and in which order, whatever comes again and however partitions are woven into one topic.

**While history is loaded** labels are learnt tick by tick. A partition says of each tick that it has passed it; once every
partition has, the tick is complete, and what was known by it and was not released before is released: labels by (known_ms, id),
scores by snapshot. What a partition tells late, i.e. known before a tick that it has passed, goes with the next tick that it
passes. So what is released depends on each partition's own order alone.

    Claim: a tick T is complete before anything is released of a later one, and all that is released with it has come.
    T is complete when all partitions have passed it, and a partition's messages come in its order. Its labels of T stand before
    the message that says T, or in it, so all of T's have come. A tick that any partition names is known by then as well, since
    that partition said T before or with whatever made it pass T.

**Live** labels are released as they come: time is the watermark's, and to wait for a quiet partition would hold up the others.
A partition that has gone live holds up no tick. Once none loads history, nothing is held any more; what then lies further ahead
than a live message may tell, no worker has told.

A label counts once by its id, a score by that of its snapshot (see counted_once.py). Numbers of the outbox say nothing: after
a failover they come again with other content, and a rebuild begins them anew.

What is held is not stored: after a restart, read on from `next_offset` and push again what was there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.labels import Labels
from detectors.learner_rules import LATEST_DAYS
from detectors.scored import Scored
from streams.columns import DAY_MS
from streams.contract import END_TIME_MS
from streams.counted_once import CountedOnce
from streams.labels import LabelMessage
from streams.scores import SCORE, Scores, as_counts, at_ms

Times = NDArray[np.int64]
FORMAT = 1


class NotPushed(ValueError):
    """A message that cannot be, and why; nothing of it was taken."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is to be learnt next.

    tick_ms   the tick that is complete with it, ms since 1970; None: what came live
    labels    in the order in which to learn them
    scored    what customers were scored, added up by model, each with the latest snapshot's time, ms since 1970
    scores    the same, one by one: version of the linear model that was tried on them, and rows
    """

    tick_ms: int | None
    labels: Labels
    scored: list[tuple[int, Scored]]
    scores: list[tuple[str, Scores]]


class _Source(msgspec.Struct, array_like=True):
    """What is known of a partition. history: whether it loads history, None = it has told nothing; reached_ms: the last tick that
    it has passed, 0 = none."""

    history: bool | None = None
    reached_ms: int = 0


class _Stored(msgspec.Struct, array_like=True):
    """`counted`: of each partition its labels and its scores."""

    format: int
    complete_ms: int
    next_offset: int
    sources: list[_Source]
    counted: list[list[tuple[int | None, dict[int, bytes]]]]


@dataclass(slots=True)
class _Held:
    """A message, as far as it is not released. `labels_ms`, `scores_ms`: the first tick with which each row may go."""

    offset: int
    source: int
    after: _Source
    labels: Labels
    labels_ms: Times
    scores: Scores
    scores_ms: Times
    model: str

    @property
    def empty(self) -> bool:
        """Whether all of it is released."""
        return not len(self.labels) and not len(self.scores)

    @property
    def tick_ms(self) -> int:
        """The tick that it names, 0 = none."""
        return self.after.reached_ms if self.after.history else 0


class LabelOrder:
    """partitions   how many tell of their labels
    next_offset  the lowest offset on the topic that a restart must push again, or the one after the last pushed
    complete_ms  the last tick of history that is complete, ms since 1970; 0 = none
    too_old      labels pushed that were taken for counted by their time alone
    far_ahead    messages of a history with rows that lie ahead of where it ended, of which these were dropped

    Raises NotPushed for a message of a partition that there is not, or of times or rows that cannot be.
    """

    def __init__(self, partitions: int) -> None:
        self._now = [_Source() for _ in range(partitions)]
        self._before = [_Source() for _ in range(partitions)]  # as of `next_offset`
        self._labels = [CountedOnce() for _ in range(partitions)]
        self._scores = [CountedOnce() for _ in range(partitions)]
        self._held: deque[_Held] = deque()
        self._ticks: set[int] = set()
        self._end = 0
        self.complete_ms = self.too_old = self.far_ahead = 0

    @property
    def next_offset(self) -> int:
        return self._held[0].offset if self._held else self._end

    @property
    def loading(self) -> bool:
        """Whether a partition loads history."""
        return any(source.history for source in self._now)

    def read_from(self, offset: int) -> None:
        """The topic is another one, or its beginning was deleted: what is pushed next stands at this offset."""
        self._held.clear()
        self._end = offset

    def waits_for(self) -> list[int]:
        """Partitions that have not passed the earliest tick that is not complete; none where there is no such tick."""
        if not self._ticks:
            return []
        tick_ms = min(self._ticks)
        return [p for p, source in enumerate(self._now) if source.history is not False and source.reached_ms < tick_ms]

    def stand_at(self, tick_ms: int) -> bool:
        """Whether every partition loads history and has passed this tick and, for all that is known, nothing behind it."""
        return all(source.history and source.reached_ms == tick_ms for source in self._now)

    def push(self, offset: int, message: LabelMessage | None) -> list[Release]:
        """The message at this offset of the topic, offsets ascending; None for one that is not ours. What is to be learnt now.

        Labels of other inputs than ours are passed over.
        """
        held = None if message is None else self._take(offset, message, *self._rows(message))
        self._end = offset + 1
        if message is None or held is None:
            return []
        released = self._complete(held)
        if not self.loading:
            self._ticks.clear()
            end_ms = max(message.reached_ms, *(source.reached_ms for source in self._now))
            self._drop_beyond(end_ms + LATEST_DAYS * DAY_MS)
            released.append(self._release(None, _ALL_MS, self._held))
        self._held.append(held)
        if not message.history:
            released.append(self._release(None, _ALL_MS, [held]))
        self._retire()
        return [release for release in released if release.tick_ms is not None or len(release.labels) or release.scored]

    def to_bytes(self) -> bytes:
        """The state, without what is held: `from_bytes` goes on as this one would, once that was pushed again."""
        counted = [[once.state() for once in pair] for pair in zip(self._labels, self._scores, strict=True)]
        return msgspec.msgpack.encode(_Stored(FORMAT, self.complete_ms, self.next_offset, self._before, counted))

    @staticmethod
    def from_bytes(data: bytes, partitions: int) -> LabelOrder:
        """Raises ValueError for bytes of another release or another number of partitions."""
        stored = msgspec.msgpack.decode(data, type=_Stored)
        if stored.format != FORMAT or len(stored.sources) != partitions:
            raise ValueError(
                f"order of labels: format {stored.format} of {len(stored.sources)} partitions; this release has format {FORMAT}, "
                f"kafka.partitions is {partitions}: learn again from the labels"
            )
        found = LabelOrder(partitions)
        found.complete_ms, found._end = stored.complete_ms, stored.next_offset
        found._before = stored.sources
        found._now = [_Source(source.history, source.reached_ms) for source in stored.sources]
        found._labels = [CountedOnce.from_state(*labels) for labels, _ in stored.counted]
        found._scores = [CountedOnce.from_state(*scores) for _, scores in stored.counted]
        return found

    def _rows(self, message: LabelMessage) -> tuple[Labels, Scores]:
        """Its labels and scores, once all of it is found to be as it must."""
        try:
            if not 0 <= message.partition < len(self._now):
                raise ValueError(f"partition {message.partition}: there are {len(self._now)}, see kafka.partitions")
            if not 0 <= message.reached_ms < END_TIME_MS:
                raise ValueError(f"reached_ms = {message.reached_ms}: must lie within 1970 to 2099, ms since 1970")
            return message.rows
        except ValueError as problem:
            raise NotPushed(str(problem)) from None

    def _take(self, offset: int, message: LabelMessage, labels: Labels, rows: Scores) -> _Held:
        """The message with its rows that may count, and the partition as it is from now on."""
        source = message.partition
        passed_ms = self._now[source].reached_ms
        after = _Source(message.history, max(passed_ms, message.reached_ms) if message.history else passed_ms)
        self._now[source] = after
        if message.history and message.reached_ms > self.complete_ms:
            self._ticks.add(message.reached_ms)
        self.too_old += self._labels[source].too_old(labels.id, labels.known_ms)
        labels = labels.take(~self._labels[source].known(labels.id, labels.known_ms))
        rows = rows[~self._scores[source].known(rows["id"], at_ms(rows))]
        first_ms = passed_ms + 1
        times = np.maximum(labels.known_ms, first_ms), np.maximum(at_ms(rows), first_ms)
        model = message.scored.model if message.scored else ""
        return _Held(offset, source, after, labels, times[0], rows, times[1], model)

    def _complete(self, newest: _Held) -> list[Release]:
        """A release for each tick that all partitions have passed by now; what is live does not go with it."""
        held = [*self._held, newest] if newest.after.history else self._held
        passed_ms = min((source.reached_ms for source in self._now if source.history is not False), default=0)
        done = sorted(tick_ms for tick_ms in self._ticks if tick_ms <= passed_ms)
        self._ticks.difference_update(done)
        released = []
        for tick_ms in done:
            self.complete_ms = tick_ms
            released.append(self._release(tick_ms, tick_ms, held))
        return released

    def _release(self, tick_ms: int | None, until_ms: int, held: Collection[_Held]) -> Release:
        """What of these may go by `until_ms` and has not counted before. One message's labels are in order."""
        labels, rows = list[Labels](), list[tuple[str, Scores]]()
        for source in sorted({one.source for one in held}):
            mine = [one for one in held if one.source == source]
            labels.append(self._labels_of(source, mine, until_ms))
            rows += self._scores_of(source, mine, until_ms)
        together = Labels.concat(labels)
        return Release(tick_ms, together.in_order(), _added_up(rows), rows)

    def _drop_beyond(self, latest_ms: int) -> None:
        """Where ticks are waited for, rows far ahead wait too; at the end of history all goes, and they would take time along."""
        for one in self._held:
            good, good_scores = one.labels.known_ms <= latest_ms, at_ms(one.scores) <= latest_ms
            self.far_ahead += not (good.all() and good_scores.all())
            one.labels, one.labels_ms = one.labels.take(good), one.labels_ms[good]
            one.scores, one.scores_ms = one.scores[good_scores], one.scores_ms[good_scores]

    def _labels_of(self, source: int, held: list[_Held], until_ms: int) -> Labels:
        parts = []
        for one in held:
            goes = one.labels_ms <= until_ms
            if goes.any():
                parts.append(one.labels.take(goes))
                one.labels, one.labels_ms = one.labels.take(~goes), one.labels_ms[~goes]
        labels = Labels.concat(parts)
        return labels.take(self._labels[source].count(labels.id, labels.known_ms))

    def _scores_of(self, source: int, held: list[_Held], until_ms: int) -> list[tuple[str, Scores]]:
        """(model, rows) of each message."""
        parts = []
        for one in held:
            goes = one.scores_ms <= until_ms
            if goes.any():
                parts.append((one.model, one.scores[goes]))
                one.scores, one.scores_ms = one.scores[~goes], one.scores_ms[~goes]
        rows = np.concatenate([np.empty(0, SCORE), *(part for _, part in parts)])
        counts = self._scores[source].count(rows["id"], at_ms(rows))
        ends = np.cumsum([len(part) for _, part in parts])[:-1]
        return [(model, part[mask]) for (model, part), mask in zip(parts, np.split(counts, ends), strict=True)] if parts else []

    def _retire(self) -> None:
        """Let go of the messages at the beginning that a restart can do without."""
        while self._held and self._held[0].empty and (self._held[0].tick_ms <= self.complete_ms or not self.loading):
            one = self._held.popleft()
            self._before[one.source] = one.after


_ALL_MS = int(np.iinfo(np.int64).max)


def _added_up(parts: list[tuple[str, Scores]]) -> list[tuple[int, Scored]]:
    """By model, ordered by its version."""
    found = []
    for model in sorted({model for model, _ in parts}):
        rows = np.concatenate([part for name, part in parts if name == model])
        if len(rows):
            found.append((int(at_ms(rows).max()), as_counts(rows, model)))
    return found
