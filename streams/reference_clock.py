"""What time it is for a live partition: the brokers' clock, carried on by this process's monotonic one.

A host's wall clock may be set, forward or back, at any moment; had it the word, a step of a month would make every customer
silent for a month. So it has none. Each message to a topic that the broker stamps tells the broker's time somewhere between
sending and acknowledgement; from there on the monotonic clock counts, which nobody can set:

    now = offset + monotonic,   stamp - acknowledged <= offset <= stamp - sent

The offset moves only as far as it must to fit into these bounds. It begins at the lower one, so `now` never runs ahead of the
broker; it follows a broker that is slowly corrected, and one of several brokers that differ a little.

The host's clock is the second witness. A stamp that lies further than allowed from what the host's clock said meanwhile is not
followed: one of the two clocks is wrong, nobody here can tell which, and until they agree again the wall clock moves nothing
(`clocks_apart` in clock_rule.py). What is left undetected: a clock that broker and host share, and both of them wrong alike.

A virtual machine that was suspended has lost monotonic time: `now` is late, which harms nothing, until the next stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Stamp:
    """A message's way to the broker and back. Wall clocks in ms since 1970 UTC, the monotonic one in ms since whenever.

    stamp_ms                      the broker's clock when it appended the message
    sent_ms, acked_ms             this process's monotonic clock before it was sent and after it was acknowledged
    host_sent_ms, host_acked_ms   this host's wall clock at these two moments
    """

    stamp_ms: int
    sent_ms: float
    acked_ms: float
    host_sent_ms: int
    host_acked_ms: int

    @property
    def ahead_ms(self) -> int:
        """How far the host's clock is surely ahead of the broker's, negative where behind; 0 where they may agree.

        >>> Stamp(5_000, 0, 90, host_sent_ms=4_950, host_acked_ms=5_040).ahead_ms
        0
        >>> Stamp(5_000, 0, 90, host_sent_ms=9_000, host_acked_ms=9_090).ahead_ms
        4000
        """
        earlier_ms, later_ms = sorted((self.host_sent_ms, self.host_acked_ms))
        return max(0, earlier_ms - self.stamp_ms) - max(0, self.stamp_ms - later_ms)


@dataclass(frozen=True, slots=True)
class ReferenceClock:
    """What the stamps so far have told. A value: `told` gives the next.

    offset_ms   the broker's wall clock less the monotonic one, ms; None before the first stamp
    agreed      the offset comes from a stamp with which the host's clock agreed
    ahead_ms    how far the host's clock was ahead of the latest stamp (negative: behind), where that is too far; else 0
    """

    offset_ms: float | None = None
    agreed: bool = False
    ahead_ms: int = 0

    def told(self, stamp: Stamp, apart_ms: float) -> ReferenceClock:
        """With one more stamp; clocks that are more than `apart_ms` from each other do not agree.

        >>> clock = ReferenceClock().told(Stamp(5_000, 0, 90, 5_000, 5_090), apart_ms=600)
        >>> clock.now_ms(100), clock.trusted
        (5010, True)
        >>> clock = clock.told(Stamp(5_020, 100, 120, 99_000, 99_020), apart_ms=600)
        >>> clock.now_ms(130), clock.trusted, clock.ahead_ms
        (5040, False, 93980)
        """
        low_ms, high_ms = stamp.stamp_ms - stamp.acked_ms, stamp.stamp_ms - stamp.sent_ms
        if abs(stamp.ahead_ms) > apart_ms:
            # before any agreement it is at least a guess, for messages to carry; it moves nothing
            return replace(self, offset_ms=self.offset_ms if self.agreed else low_ms, ahead_ms=stamp.ahead_ms)
        known = self.agreed and self.offset_ms is not None
        offset_ms = min(max(self.offset_ms or 0.0, low_ms), high_ms) if known else low_ms
        return ReferenceClock(offset_ms, agreed=True)

    @property
    def trusted(self) -> bool:
        """Whether the wall clock may move anything by this."""
        return self.agreed and self.ahead_ms == 0

    def now_ms(self, monotonic_ms: float) -> int:
        """Time at this monotonic moment, ms since 1970, parts cut off. Raises ValueError before the first stamp."""
        if self.offset_ms is None:
            raise ValueError("no stamp of a broker was seen yet")
        return int(self.offset_ms + monotonic_ms)
