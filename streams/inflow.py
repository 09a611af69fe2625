"""How many events this hour of the week usually brings on each topic, so that a dried-up source is told from silent customers.

For each of the week's 168 hours (UTC, slot 0 begins on Thursday 00:00, as 1970 did) an exponentially weighted mean:

    mean = sum(count * w) / sum(w),   w = 2 ** (-age / HALF_LIFE_HOURS)

with a half-life of four weeks. The sums start empty, so the mean is unbiased from the first week on. Each topic has its own:
one that dries up must not hide behind another that brings ten times as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOPICS = ("purchases", "complaints", "logins")
"""In this order. Not cancellations: they are few, and none at all is no sign of a source that has dried up."""

HOUR_MS = 3_600_000
WEEK_HOURS = 168
HALF_LIFE_HOURS = 4 * WEEK_HOURS
TOPIC_BYTES = 3 * WEEK_HOURS * 4
PROFILE_BYTES = len(TOPICS) * TOPIC_BYTES
MAX_WINDOW_S = WEEK_HOURS * 3600
MAX_HOUR_INDEX = 1 << 24
"""float32 holds whole numbers exactly up to here (the year 3883)."""


@dataclass(frozen=True, slots=True, eq=False)
class TopicInflow:
    """The usual week of one topic. A value: `fed` gives a new one.

    table   float32, one column an hour of the week: weighted mean count; sum of weights (0: never seen); hour last fed,
            hours since 1970 UTC
    """

    table: NDArray[np.float32]

    @staticmethod
    def empty() -> TopicInflow:
        """Nothing is known: nothing is expected."""
        return TopicInflow(np.zeros((3, WEEK_HOURS), np.float32))

    def fed(self, hour_index: int, count: int) -> TopicInflow:
        """The profile after one complete hour.

        hour_index   floor(ms / HOUR_MS) of an hour that is over, fed in ascending order; one that is not later than the
                     last of its slot was fed before and is ignored
        count        events of that hour, >= 0. Do not feed hours in which the stream was stalled or the clock held:
                     an outage must not become what is usual
        Raises ValueError outside the ranges.
        """
        if not 0 <= hour_index < MAX_HOUR_INDEX:
            raise ValueError(f"hour_index: {hour_index} is no hour since 1970; give floor(ms / {HOUR_MS})")
        if count < 0:
            raise ValueError(f"count: {count} is negative; give the number of events in the hour")
        slot = hour_index % WEEK_HOURS
        mean, weight, last = (float(value) for value in self.table[:, slot])
        if weight > 0 and hour_index <= last:
            return self
        kept = weight * 2.0 ** (-(hour_index - last) / HALF_LIFE_HOURS)
        table = self.table.copy()
        table[:, slot] = mean + (count - mean) / (kept + 1.0), kept + 1.0, hour_index
        return TopicInflow(table)

    def expected(self, now_ms: int, window_s: float) -> float:
        """Events usually seen in the `window_s` seconds before `now_ms`.

        window_s   > 0, at most a week; an hour that the window covers in part counts in proportion
        Hours of the week never seen count as 0, so little is expected of what is little known.
        Raises ValueError outside the range.
        """
        if not 0 < window_s <= MAX_WINDOW_S:
            raise ValueError(f"window_s: {window_s:g}; give seconds above 0, at most {MAX_WINDOW_S}")
        end, start = now_ms / HOUR_MS, (now_ms - window_s * 1000) / HOUR_MS
        hours = np.arange(math.floor(start), math.ceil(end))
        covered = np.minimum(hours + 1, end) - np.maximum(hours, start)
        return float((self.table[0, hours % WEEK_HOURS].astype(np.float64) * covered).sum())

    def to_bytes(self) -> bytes:
        """TOPIC_BYTES bytes, little-endian float32; `from_bytes` gives the same profile back, bit for bit."""
        return self.table.astype("<f4").tobytes()

    @staticmethod
    def from_bytes(data: bytes) -> TopicInflow:
        """Raises ValueError for bytes that are no profile."""
        if len(data) != TOPIC_BYTES:
            raise ValueError(f"inflow profile: {len(data)} bytes instead of {TOPIC_BYTES}; drop it, it is learnt anew")
        table = np.frombuffer(data, "<f4").reshape(3, WEEK_HOURS).astype(np.float32)
        if not (np.isfinite(table).all() and (table >= 0).all()):
            raise ValueError("inflow profile: holds negative or infinite values; drop it, it is learnt anew")
        return TopicInflow(table)


@dataclass(frozen=True, slots=True, eq=False)
class InflowProfile:
    """The usual week of every topic. A value: `fed` gives a new one.

    weeks   topic -> its usual week, for each of TOPICS in their order
    """

    weeks: Mapping[str, TopicInflow]

    @staticmethod
    def empty() -> InflowProfile:
        """Nothing is known: nothing is expected."""
        return InflowProfile({topic: TopicInflow.empty() for topic in TOPICS})

    def fed(self, hour_index: int, counts: Mapping[str, int]) -> InflowProfile:
        """The profile after one complete hour, as `TopicInflow.fed` of each topic.

        counts   topic -> events of that hour, >= 0, of every topic: one that brought nothing has to say so
        """
        return InflowProfile({topic: week.fed(hour_index, counts[topic]) for topic, week in self.weeks.items()})

    def to_bytes(self) -> bytes:
        """PROFILE_BYTES bytes, topic after topic; `from_bytes` gives the same profile back, bit for bit."""
        return b"".join(self.weeks[topic].to_bytes() for topic in TOPICS)

    @staticmethod
    def from_bytes(data: bytes) -> InflowProfile:
        """Raises ValueError for bytes that are no profile.

        TOPIC_BYTES bytes are what was written before topics were told apart: their sum says nothing of any one of them,
        so that all are learnt anew.
        """
        if len(data) == TOPIC_BYTES:
            TopicInflow.from_bytes(data)
            return InflowProfile.empty()
        if len(data) != PROFILE_BYTES:
            raise ValueError(f"inflow profile: {len(data)} bytes instead of {PROFILE_BYTES}; drop it, it is learnt anew")
        parts = (data[at : at + TOPIC_BYTES] for at in range(0, PROFILE_BYTES, TOPIC_BYTES))
        return InflowProfile({topic: TopicInflow.from_bytes(part) for topic, part in zip(TOPICS, parts, strict=True)})


def far_below(count: float, expected: float, share: float, min_expected: float) -> bool:
    """Whether `count` events are so few that the source is doubted.

    count, expected   events seen and usual in the same window
    share             doubted below this share of the expected, 0 to 1
    min_expected      where less than this is expected, few events prove nothing: never doubted

    >>> far_below(3, 50.0, share=0.1, min_expected=20.0), far_below(0, 12.0, share=0.1, min_expected=20.0)
    (True, False)
    """
    return expected >= min_expected and count < share * expected
