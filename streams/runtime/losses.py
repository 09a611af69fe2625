"""Events that a topic's retention deleted before they were read: counted once, and told in the commit that passes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import structlog

from alerts.alert import IngestionAlert
from alerts.lost_events import build_lost_events_alert
from streams.columns import TOPIC_RANKS
from streams.runtime.metrics import Metrics
from streams.runtime.topics import EVENTS

log = structlog.get_logger()


class Gap(NamedTuple):
    """Offsets that are gone.

    name    of the topic, with its prefix; short: without
    first   of them; `end` is the first that is left
    """

    name: str
    short: str
    partition: int
    first: int
    end: int

    @property
    def events(self) -> int:
        return self.end - self.first


def found(gap: Gap) -> None:
    """Say in the log that it is there. Of ticks and heartbeats nothing is lost that counts."""
    if gap.short in EVENTS:
        log.error(
            "events were deleted before they were read; going on without them",
            topic=gap.name, partition=gap.partition, first_offset=gap.first, events=gap.events,
            remedy="lengthen the topic's retention; `churnwatch rebuild` if a source can send them again",
        )  # fmt: skip
    elif gap.short == "commands":
        log.error(
            "commands were deleted before they were carried out",
            topic=gap.name, partition=gap.partition, first_offset=gap.first, commands=gap.events,
            remedy="set retention.ms=-1 on the topic; ask for the erasures of that time again",
        )  # fmt: skip


class Losses:
    """One partition's gaps that no commit has passed yet.

    gaps   those that were found when the partition was taken
    """

    def __init__(self, metrics: Metrics, gaps: Iterable[Gap] = ()) -> None:
        self._metrics = metrics
        self._open = [gap for gap in gaps if gap.short in EVENTS]

    def add(self, gap: Gap) -> None:
        """Another one."""
        if gap.short in EVENTS:
            self._open.append(gap)

    def passed(self, offsets: Mapping[int, int]) -> list[Gap]:
        """Those that a commit up to these offsets (topic rank -> last) goes beyond."""
        return [gap for gap in self._open if offsets.get(TOPIC_RANKS[gap.short], -1) >= gap.end - 1]

    def told(self, gaps: Iterable[Gap]) -> None:
        """They are committed, and their alerts with them."""
        for gap in gaps:
            self._metrics.events_lost[gap.short].inc(gap.events)
            self._open.remove(gap)


def alerts_of(gaps: Iterable[Gap], as_of_ms: int) -> list[IngestionAlert]:
    """One for each; as_of_ms: now, ms since 1970."""
    return [build_lost_events_alert(gap.partition, gap.name, gap.first, gap.events, as_of_ms) for gap in gaps]
